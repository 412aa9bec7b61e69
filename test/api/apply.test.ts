import test from 'ava';
import { resources } from '../../kube/resource.ts';
import {
  create, manifest, objectIn, ref, rig, service, services, verdict, type Rig,
} from './fixture.ts';

const pools = resources.pools;

function condition(type: string, status = 'True', message = '') {
  return { type, status, reason: 'r', message, lastTransitionTime: '2026-01-01T00:00:00Z' };
}

/** Applies conditions as their controllers do: by manager, to the status of pool `lan`. */
function conditions(
  at: Rig, manager: string, list: readonly unknown[], metadata: Record<string, unknown> = {},
) {
  return at.ask({
    verb: 'apply', ref: ref(pools, 'lan'), subresource: 'status', manager,
    body: { ...manifest(pools, 'lan', { metadata, status: { conditions: list } }) },
  });
}

function rigWithPool(): Rig {
  const at = rig();
  create(at, pools, 'lan', { spec: { blocks: [{ cidr: '192.0.2.0/24' }] } });
  return at;
}

const texts = (object: { [key: string]: any }): string[] => (object['status']?.conditions ?? [])
  .map((one: { type: string; status: string }) => `${one.type}=${one.status}`);

test('A9: managers own their conditions of one list, and keep those of others', (t) => {
  const at = rigWithPool();
  conditions(at, 'ipam', [condition('a'), condition('b')]);
  const both = objectIn(conditions(at, 'l2', [condition('c')]));
  t.deepEqual(texts(both), ['a=True', 'b=True', 'c=True']);
  t.deepEqual(
    texts(objectIn(conditions(at, 'ipam', [condition('a', 'False')]))), ['a=False', 'c=True'],
  );
  t.deepEqual(both['spec'], { blocks: [{ cidr: '192.0.2.0/24' }], disabled: false });
});

test('A9: applying the same again takes no version', (t) => {
  const at = rigWithPool();
  conditions(at, 'ipam', [condition('a')]);
  const { version } = at.server;
  t.is(verdict(conditions(at, 'ipam', [condition('a')])), 'ok');
  t.is(at.server.version, version);
});

test('A9: what nobody applied is nobody\'s to remove', (t) => {
  const at = rigWithPool();
  at.ask({
    verb: 'patch',
    ref: ref(pools, 'lan'),
    subresource: 'status',
    body: { status: { conditions: [condition('foreign')] } },
  });
  conditions(at, 'ipam', [condition('a')]);
  t.deepEqual(texts(objectIn(conditions(at, 'ipam', []))), ['foreign=True']);
});

test('A9: a forced apply takes over; a shared value stays while one owner is left', (t) => {
  const at = rigWithPool();
  conditions(at, 'one', [condition('a', 'True', 'said by one')]);
  conditions(at, 'two', [condition('a', 'True', 'said by two')]);
  t.deepEqual(texts(objectIn(conditions(at, 'one', []))), ['a=True']);
  t.deepEqual(texts(objectIn(conditions(at, 'two', []))), []);
});

const meets = test.macro({
  exec: (t, _: string, act: (at: Rig) => ReturnType<Rig['ask']>, expected: RegExp) => {
    t.regex(verdict(act(rigWithPool())), expected);
  },
  title: (_, claim: string) => `A9: ${claim}`,
});

test(meets, 'an old version in the body is a conflict', (at) => conditions(at, 'ipam', [condition('a')], { resourceVersion: '1' }), /^conflict/);
test(meets, 'the present version is none', (at) => conditions(at, 'ipam', [condition('a')], { resourceVersion: String(at.server.version) }), /^ok$/);
test(meets, 'another uid is a conflict', (at) => conditions(at, 'ipam', [condition('a')], { uid: 'other' }), /^conflict: .*UID in precondition/);
test(meets, 'a condition without reason is invalid', (at) => conditions(at, 'ipam', [{ type: 'a', status: 'True' }]), /^invalid: .*status\.conditions\[0\]\.reason/);
test(meets, 'status of an absent object is gone', (at) => at.ask({
  verb: 'apply', ref: ref(pools, 'wan'), subresource: 'status', manager: 'ipam', body: manifest(
    pools, 'wan', { status: {} },
  ),
}), /^gone/);
test(meets, 'an absent object is created with its version 1 of the spec', (at) => {
  const answer = at.ask({
    verb: 'apply',
    ref: ref(pools, 'wan'),
    manager: 'kubectl',
    body: manifest(pools, 'wan', { spec: {} }),
  });
  const made = objectIn(answer);
  return made.metadata?.['generation'] === 1 && made['spec'].disabled === false ? answer : {
    ok: false, error: { kind: 'server', message: 'no' },
  };
}, /^ok$/);

test('A9: fields that a manager no longer applies go, list entries by their keys', (t) => {
  const at = rig();
  const apply = (spec: Record<string, unknown>, labels: Record<string, string>) => objectIn(at.ask({
    verb: 'apply', ref: ref(services, 'web'), manager: 'kubectl', body: manifest(
      services, 'web', { spec, metadata: { labels } },
    ),
  }));
  const ports = [{ name: 'a', port: 80 }, { name: 'b', port: 81 }];
  const made = apply(
    { type: 'LoadBalancer', ports, externalIPs: ['192.0.2.1'] }, { x: '1', y: '2' },
  );
  at.ask({
    verb: 'patch', ref: ref(services, 'web'), body: { metadata: { labels: { foreign: 'z' } } },
  });
  const after = apply({ type: 'LoadBalancer', ports: [{ name: 'b', port: 81 }] }, { x: '1' });
  t.deepEqual(after.metadata?.['labels'], { x: '1', foreign: 'z' });
  t.is(after['spec'].externalIPs, undefined);
  t.deepEqual(
    after['spec'].ports, [made['spec'].ports[1]], 'the allocated node port of the kept entry stays',
  );
  t.is(after['spec'].clusterIP, made['spec'].clusterIP);
});

test('A9: two managers share a Service port without taking it from one another', (t) => {
  const at = rig();
  service(at, 'web', { ports: [{ name: 'a', port: 80 }] });
  const apply = (manager: string, ports: readonly unknown[]) => objectIn(at.ask({
    verb: 'apply', ref: ref(services, 'web'), manager, body: manifest(
      services, 'web', { spec: { ports } },
    ),
  }));
  apply('one', [{ name: 'a', port: 80 }, { name: 'b', port: 81 }]);
  apply('two', [{ name: 'b', port: 81 }]);
  t.deepEqual(
    apply('one', [{ name: 'a', port: 80 }])['spec'].ports.map(
      (port: { port: number }) => port.port,
    ),
    [80, 81],
  );
  t.deepEqual(
    apply('two', [{ name: 'a', port: 80 }])['spec'].ports.map(
      (port: { port: number }) => port.port,
    ),
    [80],
  );
});
