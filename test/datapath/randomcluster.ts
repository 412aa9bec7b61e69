import fc from 'fast-check';
import type { Endpoint, EndpointSlice, Service } from '../../lb/model.ts';
import { serviceKey } from '../../lb/model.ts';
import { endpoint, ingressEntry, meta, service, slice } from './fixture.ts';

/** A small cluster in which everything that can collide does. */
export interface RandomCluster {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

const condition = fc.option(fc.boolean(), { nil: undefined });
const hints = (names: readonly string[]): fc.Arbitrary<string[]> => fc.oneof(
  { weight: 2, arbitrary: fc.constant<string[]>([]) }, fc.subarray([...names], { maxLength: 2 }),
);

const endpointOf = (addresses: readonly string[]): fc.Arbitrary<Endpoint> => fc.record({
  address: fc.constantFrom(...addresses), ready: condition, serving: condition,
  terminating: condition, nodeName: fc.constantFrom('n-a', 'n-b', 'n-c', undefined),
  hintZones: hints(['z1', 'z2']), hintNodes: hints(['n-a', 'n-b']),
}).map(({ address, ...rest }) => endpoint(address, rest));

const v4 = ['10.64.1.21', '10.64.2.21', '10.64.3.21', '10.64.1.22'];
const v6 = ['fd64:1::21', 'fd64:2::21', 'fd64:1::22'];
const names = ['s0', 's1', 's2'];

const policy = fc.constantFrom('Cluster', 'Local') as fc.Arbitrary<'Cluster' | 'Local'>;
const ranges = fc.oneof(
  { weight: 3, arbitrary: fc.constant<string[]>([]) },
  fc.subarray(['203.0.113.0/25', '192.0.2.0/24', '198.51.100.10/32', '2001:db8::/32', 'x']),
);

function serviceOf(name: string): fc.Arbitrary<Service> {
  const index = names.indexOf(name);
  return fc.record({
    dual: fc.boolean(), externalTrafficPolicy: policy, internalTrafficPolicy: policy,
    createdAtMs: fc.constantFrom(0, 1_000, 2_000),
    affinitySeconds: fc.constantFrom(undefined, 10),
    sourceRanges: ranges,
    maglev: fc.boolean(),
    foreign: fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0),
    vips: fc.subarray(['198.51.100.10', '198.51.100.11', '2001:db8:50::10']),
    externalIps: fc.subarray(['192.0.2.250', '198.51.100.10'], { maxLength: 1 }),
    nodePorts: fc.constantFrom([0, 0], [30080, 0], [30080, 30081]),
    both: fc.boolean(),
  }).map((of) => service({
    meta: meta(name, {
      createdAtMs: of.createdAtMs,
      annotations: of.maglev ? { 'fairlead.dev/lb-algorithm': 'maglev' } : {},
      labels: of.foreign ? { 'service.kubernetes.io/service-proxy-name': 'x' } : {},
    }),
    key: serviceKey('default', name),
    clusterIps: [`10.200.0.${10 + index}`, ...(of.dual ? [`fd00:10::${10 + index}`] : [])],
    externalTrafficPolicy: of.externalTrafficPolicy,
    internalTrafficPolicy: of.internalTrafficPolicy,
    affinitySeconds: of.affinitySeconds, sourceRanges: of.sourceRanges,
    ingress: of.vips.map((address) => ingressEntry(address)), externalIps: of.externalIps,
    ports: [
      { name: 'web', protocol: 'TCP', port: 80, nodePort: of.nodePorts[0]! },
      ...(of.both ? [
        { name: 'dns', protocol: 'UDP', port: 53, nodePort: of.nodePorts[1]! } as const,
      ] : []),
    ],
  }));
}

function slicesOf(name: string): fc.Arbitrary<EndpointSlice[]> {
  const ports = [
    { name: 'web', protocol: 'TCP', port: 8080 } as const,
    { name: 'dns', protocol: 'UDP', port: 5353 } as const,
  ];
  const of = (suffix: string, more: Partial<EndpointSlice>, endpoints: fc.Arbitrary<Endpoint[]>) =>
    endpoints.map((list) => slice(list, {
      meta: meta(`${name}-${suffix}`), service: serviceKey('default', name), ports, ...more,
    }));
  return fc.tuple(
    of('1', {}, fc.array(endpointOf(v4), { maxLength: 3 })),
    of('2', {}, fc.array(endpointOf(v4), { maxLength: 2 })),
    of('6', { addressType: 'IPv6' }, fc.array(endpointOf(v6), { maxLength: 3 })),
  );
}

/** Any subset of three Services and of their slices. */
export const randomCluster: fc.Arbitrary<RandomCluster> = fc.record({
  present: fc.subarray(names),
  services: fc.tuple(...names.map((name) => serviceOf(name))),
  slices: fc.tuple(...names.map((name) => slicesOf(name))),
}).map(({ present, services, slices }) => ({
  services: services.filter((_, index) => present.includes(names[index]!)),
  slices: slices.flat(),
}));

/** Every front that a random cluster may have, from every class of sender. */
export const randomProbes: readonly string[] = [
  '10.200.0.10:80', '10.200.0.11:80', '10.200.0.12:80', '10.200.0.10:53/UDP', '10.200.0.11:81',
  'VIP:80', '198.51.100.11:80', '198.51.100.11:53/UDP', 'EIP:80', 'node:30080', 'node:30081/UDP',
  '10.200.9.9:80',
].flatMap((target) => ['P', 'H', 'X', '198.51.100.10'].map((from) => `${from} → ${target}`)).concat(
  ['fd00:10::10', 'fd00:10::11', '2001:db8:50::10'].flatMap(
    (target) => ['P6', 'X6'].map((from) => `${from} → [${target}]:80`),
  ),
);
