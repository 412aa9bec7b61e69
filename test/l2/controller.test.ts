import { createLeaseReader } from '../../l2/leasereader.ts';
import { leaseDecoder } from '../../kube/lease.ts';
import test from 'ava';
import { createL2Controller } from '../../l2/controller.ts';
import type { L2Settings } from '../../l2/settings.ts';
import type { Condition, ServiceKey } from '../../lb/model.ts';
import type { ObjectEvent } from '../../lb/ports.ts';
import type { ConditionsWrite } from '../../lb/status.ts';
import { ok } from '../../lb/result.ts';
import { Process, processClock, processJournal, MachineClock } from '../../sim/process.ts';
import {
  kubeOf, namespace, nodeObject, policyObject, second, sliceObject, specOf, TestCluster, TestNode,
} from './harness.ts';

const vip = '10.0.0.1';
const lock = 'fairlead-l2-10-0-0-1';

interface Watched {
  cluster: TestCluster;
  events: ObjectEvent[];
  writes: ConditionsWrite[];
  conditions: () => Record<string, string>;
  /** Where the controller runs. */
  place: TestNode;
}

/** Three nodes, and a controller whose status writes reach the table at once. */
function controlled(settings: Partial<L2Settings> = {}): Watched {
  const cluster = new TestCluster(['node-a', 'node-b', 'node-c']);
  cluster.settings = settings;
  const place = new TestNode(cluster, 'controller', 9);
  const process = new Process(cluster.world, 'controller', new MachineClock(cluster.world));
  place.process = process;
  const events: ObjectEvent[] = [];
  const writes: ConditionsWrite[] = [];
  const controller = createL2Controller(
    {
      clock: processClock(process), journal: processJournal(process),
      kube: kubeOf(place, cluster.api),
      events: { emit: (event) => events.push(event) },
      leases: createLeaseReader(leaseDecoder(cluster.decoder.lease)),
      status: {
        writeService: (write, done) => process.later(
          0, 'status', () => done(ok({ resourceVersion: write.resourceVersion })),
        ),
        writeConditions: (write, _manager, done) => {
          writes.push(write);
          const row = cluster.tables.policies.get(write.name)!;
          process.later(0, 'status', () => {
            const conditions = write.conditions as Condition[];
            cluster.tables.policies.upsert(write.name, { ...row, conditions });
            done(ok({ resourceVersion: '2' }));
          });
        },
      },
    },
    cluster.tables,
    {
      namespace, identity: 'controller-1',
      ignoreExcludeLabel: settings.ignoreExcludeLabel ?? false,
    },
  );
  controller.start();
  cluster.start();
  cluster.run(7 * second);
  const conditions = (): Record<string, string> => {
    const stored = cluster.tables.policies.get('all')?.conditions ?? [];
    return Object.fromEntries(
      stored.map((one) => [one.type.split('/')[1], `${one.status} ${one.message}`]),
    );
  };
  return { cluster, events, writes, conditions, place };
}

/** Kind of object and reason of each. */
const eventTexts = (events: readonly ObjectEvent[]): string[] => events.map(
  (event) => `${event.object.kind} ${event.reason}`,
);

test('a healthy policy has no condition', (t) => {
  const { cluster, conditions, writes } = controlled();
  cluster.service('s0', [vip]);
  cluster.run(10 * second);
  t.deepEqual(conditions(), {});
  t.is(writes.length, 0);
});

test('l2 6: a policy with both booleans false is inert, until it is not', (t) => {
  const { cluster, conditions, writes } = controlled();
  cluster.tables.policies.upsert(
    'all', policyObject('all', { externalIps: false, loadBalancerIps: false }),
  );
  cluster.run(5 * second);
  t.regex(conditions()['inert'] ?? '', /^True ./);
  t.is(writes.length, 1);
  const { conditions: stored } = cluster.tables.policies.get('all')!;
  cluster.tables.policies.upsert('all', policyObject('all', { conditions: stored }));
  cluster.run(5 * second);
  t.deepEqual(conditions(), { inert: 'False ' });
  t.is(stored[0]?.reason, 'error');
  cluster.run(20 * second);
  t.is(writes.length, 2);
});

test('l2 11, 12: what does not compile is told, and taken back', (t) => {
  const { cluster, conditions } = controlled();
  const nodeSelector = {
    matchLabels: {}, matchExpressions: [{ key: 'a', operator: 'Near', values: [] }],
  };
  cluster.tables.policies.upsert(
    'all', policyObject('all', { interfaces: ['eth['], nodeSelector }),
  );
  cluster.run(3 * second);
  t.regex(conditions()['bad-interface-regex'] ?? '', /^True .*eth\[/);
  t.regex(conditions()['bad-node-selector'] ?? '', /^True .*operator/);
  const { conditions: stored } = cluster.tables.policies.get('all')!;
  cluster.tables.policies.upsert('all', policyObject('all', { conditions: stored }));
  cluster.run(3 * second);
  t.deepEqual(conditions(), { 'bad-interface-regex': 'False ', 'bad-node-selector': 'False ' });
});

test('l2 15: an address without candidate is told after 2 s, with the rule that fails', (t) => {
  const { cluster, conditions, events } = controlled();
  cluster.tables.policies.upsert('all', policyObject('all', { interfaces: ['eno9'] }));
  cluster.service('s0', [vip]);
  cluster.run(6 * second);
  t.regex(
    conditions()['no-candidate'] ?? '', /^True .*node-a fails C3, node-b fails C3, node-c fails C3/,
  );
  const told = events.filter((event) => event.reason === 'L2NoCandidate');
  t.deepEqual(told.map((event) => event.object.kind), ['Service', 'CiliumL2AnnouncementPolicy']);
});

test('l2 15: of many addresses each Service is told, and the policy once, naming five', (t) => {
  const { cluster, events } = controlled();
  cluster.tables.policies.upsert('all', policyObject('all', { interfaces: ['eno9'] }));
  for (const index of [1, 2, 3, 4, 5, 6, 7]) cluster.service(`s${index}`, [`10.0.0.${index}`]);
  cluster.run(6 * second);
  const told = events.filter((event) => event.reason === 'L2NoCandidate');
  const onPolicy = told.filter((event) => event.object.kind !== 'Service');
  t.is(told.length - onPolicy.length, 7);
  t.is(onPolicy.length, 1);
  t.regex(onPolicy[0]!.message, /announce 10\.0\.0\.1: .*announce 10\.0\.0\.5: .*; and 2 more$/);
  t.notRegex(onPolicy[0]!.message, /10\.0\.0\.6/);
});

test('l2 20: unknown locality is told, on the Service and the policy, once', (t) => {
  const { cluster, conditions, events } = controlled();
  cluster.tables.slices.upsert('prod/s0-1', sliceObject('s0', [undefined]));
  cluster.service('s0', [vip], { externalTrafficPolicy: 'Local' });
  cluster.run(4 * second);
  t.regex(conditions()['endpoint-locality-unknown'] ?? '', /^True/);
  t.is(cluster.owners(vip).length, 1);
  cluster.run(10 * second);
  t.deepEqual(eventTexts(events), [
    'Service L2LocalityUnknown', 'CiliumL2AnnouncementPolicy L2LocalityUnknown',
  ]);
  cluster.tables.slices.upsert('prod/s0-1', sliceObject('s0', ['node-a']));
  cluster.run(4 * second);
  t.is(conditions()['endpoint-locality-unknown'], 'False ');
  cluster.tables.slices.upsert('prod/s0-1', sliceObject('s0', [undefined]));
  cluster.run(4 * second);
  t.is(events.length, 4, 'told again, for it began again');
});

/** Puts the exclude label on these nodes. */
function exclude(cluster: TestCluster, ...nodes: readonly string[]): void {
  const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  for (const name of nodes) cluster.tables.nodes.upsert(name, nodeObject(name, { labels }));
}

test('l2 22, C7: a label that every candidate carries is ignored, and that is told', (t) => {
  const { cluster, conditions, events } = controlled();
  exclude(cluster, 'node-a', 'node-b', 'node-c');
  cluster.service('s0', [vip]);
  cluster.run(5 * second);
  t.is(cluster.owners(vip).length, 1);
  t.deepEqual(Object.keys(conditions()), ['exclude-label-ignored']);
  t.regex(conditions()['exclude-label-ignored'] ?? '', /^True .*10\.0\.0\.1/);
  t.deepEqual(eventTexts(events), []);
});

test('l2 22: a node that carries the label among others that do not is no candidate', (t) => {
  const { cluster, conditions, events } = controlled();
  exclude(cluster, 'node-a', 'node-b');
  cluster.service('s0', [vip]);
  cluster.run(5 * second);
  t.deepEqual(cluster.owners(vip), ['node-c']);
  t.deepEqual(conditions(), {});
  t.deepEqual(eventTexts(events), []);
});

test('l2 22: when the last one without it cannot serve, the Event names C7 for the others', (t) => {
  const { cluster, events } = controlled();
  exclude(cluster, 'node-a', 'node-b');
  cluster.node('node-c').kernel.fail = 'ENOSPC';
  cluster.service('s0', [vip]);
  cluster.run(6 * second);
  t.deepEqual(cluster.owners(vip), []);
  const told = events.filter((event) => event.reason === 'L2NoCandidate');
  t.is(told.length, 2);
  t.regex(told[0]!.message, /node-a fails C7, node-b fails C7, node-c fails C8/);
});

test('l2 22: with the setting the label means nothing, and there is nothing to tell', (t) => {
  const { cluster, conditions } = controlled({ ignoreExcludeLabel: true });
  exclude(cluster, 'node-a', 'node-b', 'node-c');
  cluster.service('s0', [vip]);
  cluster.run(5 * second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  t.deepEqual(conditions(), {});
});

test('l2 66: a node that answers without eBPF is told of, and announces', (t) => {
  const { cluster, conditions } = controlled({ responder: 'fallback' });
  cluster.service('s0', [vip]);
  cluster.run(5 * second);
  t.is(cluster.owners(vip).length, 1);
  t.is(conditions()['responder-degraded'], 'True node node-a answers without eBPF');
  for (const name of cluster.nodes.map((node) => node.name)) cluster.node(name).stop();
  cluster.run(10 * second);
  t.is(conditions()['responder-degraded'], 'False ');
});

test('l2 25: a refused address is told on its Service once', (t) => {
  const { cluster, events } = controlled();
  cluster.service('s0', ['127.0.0.1']);
  cluster.run(10 * second);
  t.deepEqual(events.map((event) => event.reason), ['L2AddressRefused']);
  t.deepEqual(cluster.api.locks(), {});
});

test('l2 8: a released lock goes after 60 s, and not before', (t) => {
  const { cluster } = controlled();
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  cluster.service('s0', []);
  cluster.run(58 * second);
  t.deepEqual(cluster.api.locks(), { '10-0-0-1': '' });
  cluster.run(6 * second);
  t.deepEqual(cluster.api.locks(), {});
  cluster.service('s0', [vip]);
  cluster.run(second);
  t.is(cluster.owners(vip).length, 1, 'it was seen released, so nobody waits');
});

test('l2 49: a clean-up that races with a take fails at its precondition', (t) => {
  const { cluster, place } = controlled();
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  cluster.service('s0', []);
  cluster.run(50 * second);
  const before = cluster.api.writes.length;
  // The deletion is on its way for 3 s, and the address is wanted again meanwhile.
  place.path.delay = () => 3 * second;
  cluster.run(12_500_000);
  cluster.service('s0', [vip]);
  cluster.run(5 * second);
  const deletions = cluster.api.writes.slice(before).filter(
    (one) => one.name === lock && one.verb === 'delete',
  );
  t.deepEqual(deletions.map((one) => one.result), ['conflict']);
  t.is(cluster.owners(vip).length, 1);
  t.is(specOf(cluster.api.get(lock)).leaseTransitions, 2);
});

test('L5: a closed session that no lock names goes after 60 s', (t) => {
  const { cluster } = controlled();
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  cluster.owner(vip).crash();
  cluster.run(10 * second);
  t.is(cluster.api.sessions().length, 3);
  cluster.run(65 * second);
  t.is(cluster.api.sessions().length, 2);
});

test('L5: a session unchanged for ten minutes is closed', (t) => {
  const { cluster } = controlled();
  cluster.node('node-c').crash();
  cluster.run(590 * second);
  const name = cluster.api.sessions().find((one) => one.includes('node-c'))!;
  t.not(specOf(cluster.api.get(name)).holderIdentity, '');
  cluster.run(20 * second);
  t.is(specOf(cluster.api.get(name)).holderIdentity, '');
});

test('L5: a lost label is restored, and the address is announced again', (t) => {
  const { cluster } = controlled();
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  cluster.api.edit(lock, (object) => {
    delete object.metadata.labels['fairlead.dev/l2'];
    return object;
  });
  cluster.run(8 * second);
  t.is(cluster.owners(vip).length, 1);
  t.deepEqual(cluster.violations, []);
});

test('a stranger’s claim becomes a condition for a minute', (t) => {
  const { cluster, conditions } = controlled();
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  const key: ServiceKey | undefined = cluster.tables.services.values()[0]?.key;
  t.is(key, 'prod/s0' as ServiceKey);
  const frame = Buffer.from('ffffffffffff0200000000dd08060001080006040001'
    + '0200000000dd0a0000010000000000000a000001', 'hex');
  cluster.owner(vip).hear(2, new Uint8Array(frame));
  cluster.run(4 * second);
  t.regex(conditions()['address-conflict'] ?? '', /^True 02:00:00:00:00:dd claims 10.0.0.1/);
  cluster.run(65 * second);
  t.is(conditions()['address-conflict'], 'False ');
});
