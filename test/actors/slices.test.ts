import test from 'ava';
import fc from 'fast-check';
import { compareText } from '../../lb/table.ts';
import { resources } from '../../kube/resource.ts';
import { podView } from '../../sim/kube/pod.ts';
import { planSlices, sliceService } from '../../sim/kube/sliceplan.ts';
import { barePod, Cluster, exact, s, service } from './cluster.ts';

interface PodRow {
  readonly name: string;
  readonly ip?: string;
  readonly node?: string;
  readonly ready?: boolean;
  readonly deleting?: boolean;
  readonly phase?: string;
  readonly port?: number;
}

function pod(row: PodRow): ReturnType<typeof podView> {
  const {
    name, ip = '10.0.0.1', node = 'n1', ready = true, deleting = false, phase = 'Running',
    port = 8080,
  } = row;
  return podView({
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      namespace: 'web', name, uid: `uid-${name}`, labels: { app: 'app' },
      ...(deleting && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: {
      nodeName: node, containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }],
    },
    status: {
      phase, podIPs: ip.split(' ').filter((text) => text !== '').map((text) => ({ ip: text })),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }, undefined);
}

const zones: Record<string, string> = { n1: 'z1', n2: 'z2', n3: '' };

function plan(pods: PodRow[], spec: object = {}, slices: object[] = []): any[] {
  const base: any = service(
    { ipFamilies: ['IPv4'], ...spec }, { uid: 'uid-app', labels: { team: 'a' } },
  );
  return planSlices({
    service: sliceService(base), pods: pods.map(pod), slices: slices as any[],
    zoneOf: (node) => zones[node] ?? '',
  }) as any[];
}

function endpoints(writes: any[]): any[] {
  return writes.flatMap((write) => write.body?.endpoints ?? []);
}

const conditions = test.macro({
  exec(t, row: Partial<PodRow>, spec: object, expected: string) {
    const [endpoint] = endpoints(plan([{ name: 'a', ...row }], spec));
    const { ready, serving, terminating } = endpoint?.conditions ?? {};
    const shown = endpoint === undefined ? 'absent'
      : Object.entries({ ready, serving, terminating }).filter(([, holds]) => holds)
        .map(([name]) => name).join(' ');
    t.is(shown, expected);
  },
  title: (_, row, spec, expected) => `C16 C17: a pod ${JSON.stringify(row)} of a Service `
    + `${JSON.stringify(spec)} is ${expected || 'none of the three'}`,
});
const publish = { publishNotReadyAddresses: true };
test(conditions, {}, {}, 'ready serving');
test(conditions, { ready: false }, {}, '');
test(conditions, { deleting: true }, {}, 'serving terminating');
test(conditions, { deleting: true, ready: false }, {}, 'terminating');
test(conditions, { ready: false }, publish, 'ready');
test(conditions, { deleting: true, ready: false }, publish, 'ready terminating');
test(conditions, { deleting: true }, publish, 'ready serving terminating');
test(conditions, { phase: 'Succeeded' }, {}, 'absent');
test(conditions, { phase: 'Failed' }, publish, 'absent');
test(conditions, { ip: '' }, {}, 'absent');
test(conditions, { ip: 'fd00::1' }, {}, 'absent');

const hints = test.macro({
  exec(t, trafficDistribution: string, row: Partial<PodRow>, expected: unknown) {
    t.deepEqual(
      endpoints(plan([{ name: 'a', ...row }], { trafficDistribution }))[0].hints, expected,
    );
  },
  title: (_, distribution, row, expected) => `C19: ${distribution || 'no distribution'}: `
    + `a pod ${JSON.stringify(row)} gets ${JSON.stringify(expected)}`,
});
const z1 = { forZones: [{ name: 'z1' }] };
test(hints, '', {}, undefined);
test(hints, 'PreferClose', {}, z1);
test(hints, 'PreferSameZone', {}, z1);
test(hints, 'PreferSameNode', {}, { ...z1, forNodes: [{ name: 'n1' }] });
test(hints, 'PreferSameNode', { node: 'n3' }, { forNodes: [{ name: 'n3' }] });
test(hints, 'PreferClose', { node: 'n3' }, undefined);
test(hints, 'PreferClose', { ready: false }, undefined);
test(hints, 'Elsewhere', {}, undefined);

const ports = test.macro({
  exec(t, port: object, expected: unknown) {
    t.deepEqual(plan([{ name: 'a' }], { ports: [port] })[0].body.ports, expected);
  },
  title: (_, port) => `Service port ${JSON.stringify(port)} is resolved by the pod`,
});
test(
  ports, { name: 'http', port: 80, targetPort: 'http' },
  [{ name: 'http', protocol: 'TCP', port: 8080 }],
);
test(
  ports, { port: 80, targetPort: 9000, protocol: 'UDP' },
  [{ name: '', protocol: 'UDP', port: 9000 }],
);
test(ports, { port: 80 }, [{ name: '', protocol: 'TCP', port: 80 }]);
test(ports, { port: 80, targetPort: 'absent' }, []);
test(ports, { port: 80, targetPort: 'http', protocol: 'UDP' }, []);
test(
  ports, { port: 80, appProtocol: 'h2c' },
  [{ name: '', protocol: 'TCP', port: 80, appProtocol: 'h2c' }],
);

test('pods that resolve a named port differently are in different slices', (t) => {
  const writes = plan(
    [{ name: 'a' }, { name: 'b', ip: '10.0.0.2', port: 9090 }, { name: 'c', ip: '10.0.0.3' }],
  );
  t.deepEqual(
    writes.map((write) => [write.body.ports[0].port, write.body.endpoints.length]),
    [[8080, 2], [9090, 1]],
  );
});

test('a slice names its Service, its manager and its owner, and carries the labels of the Service', (t) => {
  const [write] = plan([{ name: 'a', node: 'n2' }], { clusterIP: 'None' });
  t.deepEqual(write.body.metadata, {
    namespace: 'web', generateName: 'app-',
    labels: {
      team: 'a', 'kubernetes.io/service-name': 'app', 'service.kubernetes.io/headless': '',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    },
    ownerReferences: [{
      apiVersion: 'v1', kind: 'Service', name: 'app', uid: 'uid-app',
      controller: true, blockOwnerDeletion: true,
    }],
  });
  t.deepEqual(write.body.endpoints, [{
    addresses: ['10.0.0.1'], conditions: { ready: true, serving: true, terminating: false },
    targetRef: {
      kind: 'Pod', namespace: 'web', name: 'a', uid: 'uid-a',
    }, nodeName: 'n2', zone: 'z2',
  }]);
});

const many = (size: number, from = 0): PodRow[] => Array.from({ length: size }, (_, index) => ({
  name: `p${String(from + index).padStart(4, '0')}`,
  ip: `10.0.${(from + index) >> 8}.${(from + index) & 255}`,
}));

const sizes = test.macro({
  exec(t, pods: number, expected: number[]) {
    t.deepEqual(plan(many(pods)).map((write) => write.body.endpoints.length), expected);
  },
  title: (
    _, pods: number, expected: number[],
  ) => `${pods} pods make slices of ${expected.join(', ')}`,
});
test(sizes, 0, [0]);
test(sizes, 1, [1]);
test(sizes, 100, [100]);
test(sizes, 101, [100, 1]);
test(sizes, 250, [100, 100, 50]);

/** Applies the writes to a list of slices, as an API server that completes names by counting. */
function applied(slices: any[], writes: any[], counter: { n: number }): any[] {
  const next = new Map(slices.map((slice) => [slice.metadata.name, slice]));
  for (const write of writes) {
    if (write.verb === 'create') {
      const name = `${write.body.metadata.generateName}${String(counter.n += 1).padStart(5, '0')}`;
      next.set(name, { ...write.body, metadata: { ...write.body.metadata, name } });
    } else if (write.verb === 'replace') next.set(write.body.metadata.name, write.body);
    else next.delete(write.object.metadata.name);
  }
  return [...next.values()].sort(
    (left, right) => left.metadata.name < right.metadata.name ? -1 : 1,
  );
}

test('one changed pod of 250 rewrites one slice, and equal inputs write nothing', (t) => {
  const counter = { n: 0 };
  const slices = applied([], plan(many(250)), counter);
  t.deepEqual(plan(many(250), {}, slices), []);
  const flapped = many(250).map((row) => row.name === 'p0123' ? { ...row, ready: false } : row);
  const writes = plan(flapped, {}, slices);
  t.deepEqual(writes.map((write) => write.verb), ['replace']);
});

test('a changed port reuses the slices, and what is removed is removed last', (t) => {
  const counter = { n: 0 };
  const slices = applied([], plan(many(150)), counter);
  const writes = plan(many(50), { ports: [{ name: 'web', port: 80 }] }, slices);
  t.deepEqual(writes.map((write) => write.verb), ['replace', 'remove']);
});

test('the last pod leaves one empty slice behind', (t) => {
  const slices = applied([], plan(many(150)), { n: 0 });
  const writes = plan([], {}, slices);
  t.deepEqual(writes.map((write) => write.verb), ['replace', 'remove']);
  t.deepEqual(endpoints(writes), []);
});

test('slices of a family that the Service gave up are removed', (t) => {
  const slices = applied([], plan(many(2), { ipFamilies: ['IPv4', 'IPv6'] }), { n: 0 });
  t.deepEqual(
    plan(many(2), { ipFamilies: ['IPv4'] }, slices).map((write) => write.object.addressType),
    ['IPv6'],
  );
});

test('any history of pods ends with each address once, in slices of at most 100, and at rest', (t) => {
  const step = fc.array(fc.integer({ min: 0, max: 260 }), { maxLength: 240 });
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), (history) => {
    const counter = { n: 0 };
    let slices: any[] = [];
    let present: PodRow[] = [];
    for (const numbers of history) {
      const wanted = new Set(numbers);
      present = many(261).filter((_, index) => wanted.has(index));
      slices = applied(slices, plan(present, {}, slices), counter);
    }
    const addresses = slices.flatMap(
      (slice) => slice.endpoints.map((entry: any) => entry.addresses[0]),
    );
    const wanted = present.map((row) => row.ip ?? '');
    t.deepEqual([...addresses].sort(compareText), wanted.sort(compareText));
    t.true(slices.length > 0 && slices.every((slice) => slice.endpoints.length <= 100));
    t.deepEqual(plan(present, {}, slices), []);
  }), { seed: 5, numRuns: 60 });
});

const orders = test.macro({
  exec(t, family: string) {
    const ends = [1n, 2n, 3n, 4n, 5n].map((seed) => {
      const cluster = new Cluster(
        { seed, order: 'uniform', nodes: 'n1', timings: { ...exact, sliceReaction: s } },
      );
      cluster.apply(
        service(), ...['a', 'b', 'c', 'd'].map((name) => barePod(name, {}, { app: 'app' })),
      );
      cluster.actors.start();
      cluster.run(2.5);
      cluster.remove(resources.pods, 'b');
      cluster.run(60);
      return cluster.endpoints(family).split(', ').map((line) => line.slice(-3)).join();
    });
    t.deepEqual([...new Set(ends)], ['rs-,rs-,rs-']);
  },
  title: (_, family) =>
    `the order of events of one instant does not change the ${family} endpoints at the end`,
});
test(orders, 'IPv4');
test(orders, 'IPv6');

test('a burst of changes within the reaction time is one write per slice', (t) => {
  const cluster = new Cluster({ nodes: 'n1', timings: { ...exact, sliceReaction: s } });
  cluster.apply(service(), ...many(40).map((row) => barePod(row.name, {}, { app: 'app' })));
  cluster.actors.start();
  cluster.run(1);
  let writes = 0;
  cluster.api.subscribe(resources.endpointSlices, () => { writes += 1; });
  cluster.run(10);
  // Running and Ready, each for two families.
  t.is(writes, 4);
});

test('a slice that somebody empties or removes is written again', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(service(), barePod('a', {}, { app: 'app' }));
  cluster.actors.start();
  cluster.settle();
  const [slice] = cluster.slices();
  cluster.remove(resources.endpointSlices, slice.metadata.name);
  cluster.run(1);
  t.is(cluster.endpoints(), '10.244.0.2 rs-');
  t.is(cluster.endpoints('IPv6'), 'fd00:10::2 rs-');
});

test('a slice that loses its labels is replaced, and one that moves Service too', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(service(), barePod('a', {}, { app: 'app' }));
  cluster.actors.start();
  cluster.settle();
  const relabel = (labels: object): void => {
    const [slice] = cluster.slices();
    const { namespace, name } = slice.metadata;
    const ref = { resource: resources.endpointSlices, namespace, name };
    cluster.api.handle({ verb: 'patch', ref, body: { metadata: { labels } } as any }, 'hand');
    cluster.run(2);
    t.false(cluster.slices().some((other) => other.metadata.name === name));
    t.is(cluster.endpoints(), '10.244.0.2 rs-');
  };
  relabel({ 'kubernetes.io/service-name': null });
  relabel({ 'endpointslice.kubernetes.io/managed-by': null, 'kubernetes.io/service-name': null });
  relabel({ 'kubernetes.io/service-name': 'other' });
});

test('slices of other managers and Services without selector are left alone', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  const manual = {
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4',
    metadata: { namespace: 'web', name: 'manual', labels: { 'kubernetes.io/service-name': 'app' } },
    endpoints: [{ addresses: ['192.0.2.1'] }], ports: [{ name: 'http', port: 1 }],
  };
  cluster.apply(service({ selector: null }), manual);
  cluster.actors.start();
  cluster.run(5);
  t.deepEqual(cluster.slices().map((slice) => slice.metadata.name), ['manual']);
  t.is(cluster.object(resources.endpointSlices, 'manual').endpoints.length, 1);
});

test('slices go with their Service, and a pod that changes its labels changes Services', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(service(), barePod('a', {}, { app: 'app' }), {
    ...service({ selector: { app: 'other' }, ipFamilyPolicy: 'SingleStack' }),
    metadata: { namespace: 'web', name: 'other' },
  });
  cluster.actors.start();
  cluster.settle();
  const ref = { resource: resources.pods, namespace: 'web', name: 'a' };
  cluster.api.handle(
    { verb: 'patch', ref, body: { metadata: { labels: { app: 'other' } } } }, 'test',
  );
  cluster.run(1);
  t.is(cluster.endpoints(), '');
  t.is(cluster.slices('other')[0].endpoints.length, 1);
  cluster.remove(resources.services, 'other');
  cluster.run(1);
  t.deepEqual(cluster.slices('other'), []);
  t.is(cluster.slices().length, 2);
});

test('a node that gets a zone gives it to its endpoints', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(service({ trafficDistribution: 'PreferClose' }), barePod('a', {}, { app: 'app' }));
  cluster.actors.start();
  cluster.settle();
  const ref = { resource: resources.nodes, namespace: '', name: 'n1' };
  cluster.api.handle(
    { verb: 'patch', ref, body: { metadata: { labels: { 'topology.kubernetes.io/zone': 'z9' } } } },
    'test',
  );
  cluster.run(1);
  t.is(cluster.slices()[0].endpoints[0].zone, 'z9');
  t.deepEqual(cluster.slices()[0].endpoints[0].hints, { forZones: [{ name: 'z9' }] });
});
