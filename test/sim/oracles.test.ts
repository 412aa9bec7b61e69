import test from 'ava';
import type { Json } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { encodeResponderKey, encodeResponderValue, responderMap } from '../../l2/responder-map.ts';
import { ip } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import { watchOracles } from '../../sim/check/oracles.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';
import { convergedCluster, manifestsOf } from './fixture.ts';

const base = manifestsOf('test/scenario/manifests/base.yaml');
const vip = ip('192.168.10.40');

/** Plants one defect in a converged cluster, lets time pass, and names the oracles that fired. */
function fired(
  always: readonly string[],
  plant: (cluster: Cluster) => void,
  seconds = 60,
): string[] {
  const cluster = convergedCluster(base);
  const oracles = watchOracles(cluster, { always, oracles: {}, grace: 0 });
  plant(cluster);
  cluster.world.run(cluster.world.now + seconds * 1_000_000);
  return [...new Set(oracles.close([]).findings.map((finding) => finding.oracle))];
}

function writeStatus(cluster: Cluster, name: string, status: Json): void {
  const ref = { resource: resources.services, namespace: 'default', name };
  const result = cluster.api.handle(
    { verb: 'patch', ref, subresource: 'status', body: { status } },
    'planter',
  );
  assert(result.ok, 'the planted status is stored');
}

const record = (message: string): Json => [
  {
    type: 'fairlead.dev/IPAMAllocation',
    status: 'True',
    reason: 'allocated',
    message,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  },
  {
    type: 'cilium.io/IPAMRequestSatisfied',
    status: 'True',
    reason: 'satisfied',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  },
];

test('a healthy cluster fires no oracle', (t) => {
  t.deepEqual(
    fired(
      [
        'one-owner',
        'no-double-assignment',
        'in-pool',
        'sticky-address',
        'truthful-status',
        'no-crash',
      ],
      () => undefined,
    ),
    [],
  );
});

test('one-owner sees a second responder in the event that makes it', (t) => {
  const plant = (cluster: Cluster): void => {
    const [owner] = cluster.ownersOf(vip);
    const other = cluster.machines.names().find((name) => name !== owner) ?? '';
    const { kernel, nics } = cluster.machines.get(other).node;
    const [nic] = nics;
    assert(nic !== undefined, 'a node has a NIC');
    cluster.world.schedule(1000, { kind: 'plant', entity: 'test' }, () => {
      const expiryNs = BigInt(cluster.world.now + 1_000_000) * 1000n;
      kernel.update(
        responderMap,
        {
          key: encodeResponderKey({ ifindex: nic.ifindex, ip: vip }),
          value: encodeResponderValue({ expiryNs, mac: nic.mac }),
        },
        'any',
      );
    });
  };
  t.deepEqual(fired(['one-owner'], plant), ['one-owner']);
});

test('no-double-assignment sees one address given to two Services that do not share', (t) => {
  t.deepEqual(
    fired(['no-double-assignment'], (cluster) =>
      writeStatus(cluster, 'spread', {
        loadBalancer: { ingress: [{ ip: vip }] },
        conditions: record(`${vip}=pool/lan`),
      }),
    ),
    ['no-double-assignment'],
  );
});

test('in-pool sees an address outside every pool that selects the Service', (t) => {
  t.deepEqual(
    fired(['in-pool'], (cluster) =>
      writeStatus(cluster, 'spread', {
        loadBalancer: { ingress: [{ ip: '192.168.99.1' }] },
        conditions: record('192.168.99.1=pool/lan'),
      }),
    ),
    ['in-pool'],
  );
});

test('sticky-address sees an address change that nobody asked for', (t) => {
  t.deepEqual(
    fired(['sticky-address'], (cluster) =>
      writeStatus(cluster, 'spread', {
        loadBalancer: { ingress: [{ ip: '192.168.10.55' }] },
        conditions: record('192.168.10.55=pool/lan'),
      }),
    ),
    ['sticky-address'],
  );
});

test('truthful-status sees a condition that says announced while nobody answers', (t) => {
  const plant = (cluster: Cluster): void => {
    for (const name of ['controller/node-1', 'controller/node-2'])
      cluster.machines.crashProcess(name);
    for (const node of cluster.machines.names()) cluster.machines.crashProcess(`agent/${node}`);
  };
  t.deepEqual(fired(['truthful-status'], plant, 120), ['truthful-status']);
});

test('no-crash sees a process that a bug ended', (t) => {
  const plant = (cluster: Cluster): void => {
    cluster.machines.process('agent/node-1')?.enter(() => {
      throw new RangeError('planted');
    });
  };
  t.deepEqual(fired(['no-crash'], plant, 1), ['no-crash']);
});

test('an oracle that is switched off or warns does not fail a run', (t) => {
  const cluster = convergedCluster(base);
  const oracles = watchOracles(cluster, {
    always: [],
    oracles: { 'in-pool': 'warn', 'sticky-address': 'off' },
    grace: 0,
  });
  writeStatus(cluster, 'spread', {
    loadBalancer: { ingress: [{ ip: '192.168.99.1' }] },
    conditions: record('192.168.99.1=pool/lan'),
  });
  const { findings, warnings } = oracles.close([]);
  t.deepEqual(findings, []);
  t.deepEqual(
    warnings.map((finding) => finding.oracle),
    ['in-pool'],
  );
});

test('unconverged names what differs from the pure derivations', (t) => {
  const cluster = convergedCluster(base);
  t.deepEqual(cluster.unconverged(), []);
  for (const name of ['controller/node-1', 'controller/node-2'])
    cluster.machines.crashProcess(name);
  writeStatus(cluster, 'spread', { loadBalancer: { ingress: [] } });
  t.true(cluster.pending().includes('no controller leads'));
  t.true(cluster.unconverged().length > 0);
});
