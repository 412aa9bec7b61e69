import test from 'ava';
import { resources, type Resource } from '../../kube/resource.ts';
import {
  create, leases, manifest, objectIn, passTo, ref, rig, services, verdict, type Rig,
} from './fixture.ts';
import type { KubeObject } from '../../kube/port.ts';

const pools = resources.pools;
const holder = (name: string) => ({ spec: { holderIdentity: name } });

function merge(at: Rig, resource: Resource, name: string, body: unknown, subresource?: 'status') {
  return at.ask({
    verb: 'patch', ref: ref(resource, name), body: body as never,
    ...(subresource !== undefined && { subresource }),
  });
}

test('A12: uid and name suffix are seeded, the creation time has whole seconds, all three are immutable', (t) => {
  const make = (seed: bigint): KubeObject => {
    const at = rig({}, seed);
    passTo(at, 1_999_999);
    return objectIn(
      at.ask({
        verb: 'create',
        resource: leases,
        namespace: 'default',
        body: { metadata: { generateName: 'session-' } },
      }),
    );
  };
  const made = make(7n);
  t.deepEqual(made, make(7n));
  t.not(made.metadata?.uid, make(8n).metadata?.uid);
  t.regex(
    made.metadata?.uid ?? '',
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  t.regex(made.metadata?.name ?? '', /^session-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  t.is(made.metadata?.['creationTimestamp'], '2026-01-01T00:00:01Z');
  const at = rig();
  create(at, leases, 'a');
  const before: KubeObject | undefined = at.server.get(leases, 'default', 'a');
  t.is<unknown, unknown>(
    objectIn(
      merge(
        at,
        leases,
        'a',
        {
          metadata: {
            creationTimestamp: '1999-01-01T00:00:00Z',
            generation: 7,
            deletionTimestamp: '1999-01-01T00:00:00Z',
          },
        },
      ),
    ),
    before,
  );
});

test('A12: stringData of a Secret is stored encoded', (t) => {
  const made = objectIn(
    create(rig(), resources.secrets, 's', { stringData: { password: 'corrëct-€🐴' } }),
  );
  t.deepEqual(made['data'], { password: Buffer.from('corrëct-€🐴').toString('base64') });
  t.is(made['stringData'], undefined);
  t.is(made['type'], 'Opaque');
});

test('A13: finalizers hold a deleted object until the last one goes', (t) => {
  const at = rig();
  const events: string[] = [];
  at.server.subscribe(pools, (event) => { events.push(event.type); });
  const made = objectIn(
    create(
      at, pools, 'lan', { spec: {}, metadata: { finalizers: ['example.org/a', 'example.org/b'] } },
    ),
  );
  const deleted = objectIn(at.ask({ verb: 'delete', ref: ref(pools, 'lan') }));
  t.is(deleted.metadata?.uid, made.metadata?.uid);
  t.is(deleted.metadata?.['deletionTimestamp'], '2026-01-01T00:00:00Z');
  t.is(verdict(at.ask({ verb: 'delete', ref: ref(pools, 'lan') })), 'ok');
  t.regex(
    verdict(
      merge(at, pools, 'lan', { metadata: { finalizers: ['example.org/a', 'example.org/c'] } }),
    ),
    /no new finalizers/,
  );
  t.is(verdict(merge(at, pools, 'lan', { metadata: { finalizers: ['example.org/b'] } })), 'ok');
  t.is(verdict(merge(at, pools, 'lan', { metadata: { finalizers: null } })), 'ok');
  t.is(at.server.get(pools, '', 'lan'), undefined);
  t.deepEqual(events, ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED']);
});

test('A13: a bound pod keeps its grace, which a second delete may only shorten', (t) => {
  const at = rig();
  const pods = resources.pods;
  create(at, pods, 'bound', { spec: { nodeName: 'n1', terminationGracePeriodSeconds: 60 } });
  create(at, pods, 'free', { spec: {} });
  const remove = (name: string, gracePeriodSeconds?: number) => at.ask({
    verb: 'delete', ref: ref(
      pods, name,
    ), ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
  });
  remove('free');
  t.is(at.server.get(pods, 'default', 'free'), undefined);
  t.is(objectIn(remove('bound')).metadata?.['deletionTimestamp'], '2026-01-01T00:01:00Z');
  t.is(objectIn(remove('bound', 300)).metadata?.['deletionGracePeriodSeconds'], 60);
  t.is(objectIn(remove('bound', 5)).metadata?.['deletionTimestamp'], '2026-01-01T00:00:05Z');
  remove('bound', 0);
  t.is(at.server.get(pods, 'default', 'bound'), undefined);
});

test('A13: nothing is created in a namespace that is missing or going, which goes when it is finalised', (t) => {
  const at = rig();
  const inside = (namespace: string) => verdict(
    at.ask({ verb: 'create', resource: leases, namespace, body: { metadata: { name: 'a' } } }),
  );
  t.regex(inside('media'), /^gone: namespaces "media" not found/);
  create(at, resources.namespaces, 'media');
  t.is(inside('media'), 'ok');
  const going = objectIn(at.ask({ verb: 'delete', ref: ref(resources.namespaces, 'media') }));
  t.is(going['status'].phase, 'Terminating');
  t.regex(
    verdict(
      at.ask({
        verb: 'create', resource: leases, namespace: 'media', body: { metadata: { name: 'b' } },
      }),
    ),
    /^denied: .*being terminated/,
  );
  merge(at, resources.namespaces, 'media', { spec: { finalizers: [] } });
  t.is(at.server.get(resources.namespaces, '', 'media'), undefined);
  t.deepEqual(
    at.server.list(resources.namespaces).map((found) => found.metadata?.name),
    ['default', 'kube-node-lease', 'kube-public', 'kube-system'],
  );
  t.regex(
    verdict(at.ask({ verb: 'delete', ref: ref(resources.namespaces, 'default') })), /^denied/,
  );
});

test('A14: Events live for an hour after their last write', (t) => {
  const at = rig();
  const note = (name: string) => create(
    at, resources.events, name, { involvedObject: { namespace: 'default' }, count: 1 },
  );
  note('old');
  note('kept');
  passTo(at, 3_000_000_000);
  merge(at, resources.events, 'kept', { count: 2 });
  passTo(at, 3_601_000_000);
  note('new');
  t.deepEqual(
    at.server.list(resources.events).map((event) => event.metadata?.name), ['kept', 'new'],
  );
  t.regex(
    verdict(create(at, resources.events, 'lost', { involvedObject: { namespace: 'other' } })),
    /does not match event\.namespace/,
  );
});

test('load keeps statuses, takes Namespaces first, unrolls lists and reports what is refused with its path', (t) => {
  const at = rig();
  const node = manifest(
    resources.nodes,
    'n1',
    { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } },
  );
  const web = {
    ...manifest(
      services,
      'web',
      {
        spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
      },
    ),
    metadata: { name: 'web', namespace: 'media' },
  };
  const bad = manifest(pools, 'bad', { spec: { blocks: [{ stop: '192.0.2.9' }] } });
  const faults = at.server.load([
    { apiVersion: 'v1', kind: 'List', items: [web, node] } as KubeObject, bad,
    manifest(resources.namespaces, 'media'), manifest(
      resources.namespaces, 'default', { metadata: { labels: { a: 'b' } } },
    ),
    { apiVersion: 'example.org/v1', kind: 'Thing', metadata: { name: 'x' } },
  ]);
  t.deepEqual(at.server.get(resources.nodes, '', 'n1')?.['status'], node['status']);
  t.deepEqual(
    at.server.get(services, 'media', 'web')?.['status'],
    { loadBalancer: { ingress: [{ ip: '192.0.2.9', ipMode: 'VIP' }] } },
  );
  t.deepEqual(
    (at.server.get(resources.namespaces, '', 'default') as any).metadata.labels,
    { 'kubernetes.io/metadata.name': 'default', a: 'b' },
  );
  t.deepEqual(
    faults.map((fault) => [fault.object.metadata?.name, fault.faults.map((entry) => entry.path)]),
    [['bad', ['spec.blocks[0]']], ['x', ['']]],
  );
});

test('statistics count requests, commits, equal writes and refusals per minute, verb, resource and user', (t) => {
  const at = rig();
  create(at, leases, 'a', holder('x'));
  create(at, leases, 'a');
  passTo(at, 61_000_000);
  merge(at, leases, 'a', holder('y'));
  merge(at, leases, 'a', holder('y'));
  t.deepEqual(at.server.statistics().filter((row) => row.user === 'tester'), [
    { minute: 0, verb: 'create', resource: 'leases', user: 'tester', requests: 2, commits: 1, unchanged: 0, refused: 1 },
    { minute: 1, verb: 'patch', resource: 'leases', user: 'tester', requests: 2, commits: 1, unchanged: 1, refused: 0 },
  ]);
});
