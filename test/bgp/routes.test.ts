import test from 'ava';
import fc from 'fast-check';
import type { KubeObject } from '../../kube/port.ts';
import { ip } from '../../lb/ip.ts';
import type { LinkFacts } from '../../lb/ports.ts';
import { derive, routeTexts, type Surroundings } from './derive.ts';
import {
  advertisement, common, custom, ep, node, nodeConfig, peerConfig, service, serviceEntry, slice,
  torPeer, vip,
} from './objects.ts';

type Row = readonly [objects: readonly KubeObject[], around?: Surroundings];

/** What n1 announces to "tor" of the common data with these objects besides. */
const announces = test.macro({
  exec: (t, _: string, row: Row, expected: readonly string[], warned: readonly string[] = []) => {
    const instances = derive([...common, ...row[0]], row[1]);
    t.deepEqual(routeTexts(instances).map((text) => text.replace(/^tor /u, '')), [...expected]);
    t.deepEqual(instances.flatMap(({ warnings }) => warnings), [...warned]);
  },
  title: (_, what: string) => what,
});
const host = `${vip}/32`;
const local = { spec: { externalTrafficPolicy: 'Local' } };
const bare = slice();
const on = (...nodes: string[]): KubeObject => slice({ endpoints: nodes.map((name) => ep(name)) });

test(announces, 'bgp 1: Cluster policy, the only endpoint elsewhere', [[service(), on('n2')]],
  [host]);
test(announces, 'bgp 2: the ingress of a type ClusterIP is none',
  [[service({ spec: { type: 'ClusterIP' } }), on('n1')]], []);
test(announces, 'bgp 3: Local policy, endpoint elsewhere', [[service(local), on('n2')]], []);
test(announces, 'bgp 3: Local policy, endpoint here too', [[service(local), on('n2', 'n1')]],
  [host]);
test(announces, 'bgp 3: Local policy without a slice', [[service(local)]], []);
test('bgp 3: of two nodes those with an endpoint announce', (t) => {
  const announcers = (...slices: KubeObject[]): string[] => ['n1', 'n2'].filter((nodeName) => {
    const own = nodeConfig([torPeer], {}, nodeName);
    return routeTexts(derive([...common, own, service(local), ...slices], { nodeName })).length > 0;
  });
  t.deepEqual(announcers(on('n2')), ['n2']);
  t.deepEqual(announcers(on('n2', 'n1')), ['n1', 'n2']);
  t.deepEqual(announcers(bare), []);
  t.deepEqual(announcers(), []);
});
const both = advertisement([serviceEntry({
  service: { addresses: ['LoadBalancerIP', 'ClusterIP'] },
})]);
test(announces, 'bgp 4: each address follows its own policy', [[
  both,
  service({ spec: { ...local.spec, internalTrafficPolicy: 'Local', clusterIPs: ['10.96.0.10'] } }),
  on('n2'),
  service({ name: 'other', ingress: [], spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.20'] } }),
]], ['10.96.0.20/32']);
test(announces, 'bgp 5: no endpoints, routable by default', [[service(), bare]], [host]);
const strict: Surroundings = { settings: { noServiceEndpointsRoutable: false } };
test(announces, 'bgp 5: no endpoints, not routable', [[service(), bare], strict], []);
test(announces, 'bgp 5: not routable, one endpoint', [[service(), on('n2')], strict], [host]);

const conditions = (of: Record<string, unknown>): KubeObject =>
  slice({ endpoints: [ep('n1', of)] });
test(announces, 'bgp 6: ready absent', [[service(local), conditions({})]], [host]);
test(announces, 'bgp 6: not ready, serving',
  [[service(local), conditions({ ready: false, serving: true, terminating: false })]], []);
test(announces, 'bgp 6: ready and terminating',
  [[service(local), conditions({ ready: true, terminating: true })]], [host]);
test(announces, 'bgp 6: ready without nodeName',
  [[service(local), slice({ endpoints: [{ conditions: { ready: true } }] })]], []);
const ending = conditions({ ready: false, serving: true, terminating: true });
test(announces, 'serving and terminating does not count by default', [[service(local), ending]],
  []);
test(announces, 'serving and terminating counts where asked',
  [[service(local), ending], { settings: { localEndpoints: 'serving' } }], [host]);
const dual = service({ ...local, ingress: [vip, '2001:db8::1'] });
test(announces, 'bgp 7: endpoints of IPv4 alone', [[dual, on('n1')]], [host]);
test(announces, 'bgp 7: a slice whose port the Service has not',
  [[dual, on('n1'), slice({ family: 'IPv6', port: 'other', endpoints: [ep('n1')] })]], [host]);

const external = advertisement([serviceEntry({
  service: { addresses: ['LoadBalancerIP', 'ExternalIP'] },
})]);
const classed = (loadBalancerClass?: string): KubeObject =>
  service({ spec: { loadBalancerClass, externalIPs: ['203.0.113.9'] } });
test(announces, 'bgp 8: no class', [[external, classed()]], [host, '203.0.113.9/32']);
test(announces, 'bgp 8: our class', [[external, classed('io.cilium/bgp-control-plane')]],
  [host, '203.0.113.9/32']);
test(announces, 'bgp 8: a class of others', [[external, classed('example.com/x')]],
  ['203.0.113.9/32']);
test(announces, 'bgp 9: host names and proxied addresses are no addresses', [[service({
  ingress: [{ hostname: 'a.example' }, { ip: '198.51.100.3', ipMode: 'Proxy' }, '198.51.100.2'],
})]], ['198.51.100.2/32']);
test(announces, 'bgp 9: a headless Service', [[
  both, service({ ingress: [], spec: { type: 'ClusterIP', clusterIPs: ['None'] } }),
]], []);
test(announces, 'an ExternalName Service yields nothing',
  [[external, service({ spec: { type: 'ExternalName', externalIPs: ['203.0.113.9'] } })]], []);

const selecting = (selector: unknown): KubeObject => advertisement([serviceEntry({ selector })]);
const expression = (key: string, operator: string, ...values: string[]) =>
  ({ matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }] });
test(announces, 'bgp 10: a Service entry without selector', [[selecting(undefined), service()]],
  []);
test(announces, 'bgp 10: by the label of the namespace', [[
  selecting({ matchLabels: { 'io.kubernetes.service.namespace': 'test' } }),
  service(), service({ name: 'away', namespace: 'prod', ingress: ['198.51.100.7'] }),
]], [host]);
test(announces, 'bgp 10: the label of the name wins over a real one', [[
  selecting({ matchLabels: { 'io.kubernetes.service.name': 'svc' } }),
  service({ labels: { 'io.kubernetes.service.name': 'x' } }),
]], [host]);
test(announces, 'bgp 10: NotIn of a key that nobody has',
  [[selecting(expression('unused', 'NotIn', 'x')), service()]], [host]);
test(announces, 'a selector that does not compile selects nothing and is told',
  [[selecting(expression('a', 'Near', 'x')), service()]], [],
  ["tor: InvalidSelector services[0]: matchExpressions[0].operator unknown operator 'Near'"]);
test(announces, 'bgp 10: pod CIDRs need no selector', [[advertisement([
  { advertisementType: 'PodCIDR' },
])]], ['10.244.1.0/24']);

const tagged = (community: string, localPreference: number) => serviceEntry({
  attributes: { communities: { standard: [community] }, localPreference },
});
const merged = advertisement([tagged('65000:10', 50), tagged('65000:20', 70)]);
test(announces, 'bgp 12: contributors are merged, without preference to another AS',
  [[merged, service()]], [`${host} 65000:10 65000:20`], [`tor: AttributesMerged ${host}`]);
test(announces, 'bgp 12: the highest preference to our own AS',
  [[merged, service(), nodeConfig([{ ...torPeer, peerASN: 65001 }])]],
  [`${host} 65000:10 65000:20 lp=70`], [`tor: AttributesMerged ${host}`]);
const reserved = advertisement([serviceEntry({
  attributes: { communities: { large: ['4294967295:1:0', '65001:1:2'] } },
})]);
test(announces, 'bgp 14: a reserved large community is not sent', [[reserved, service()]],
  [`${host} 65001:1:2`], ['tor: ReservedCommunity services[0]: 4294967295:1:0']);

const byColour = (colour: string, community: string): KubeObject => advertisement(
  [serviceEntry({ attributes: { communities: { standard: [community] } } })],
  colour, { colour },
);
const twoPeers = nodeConfig([
  { ...torPeer, name: 'a', peerConfigRef: { name: 'a' } },
  { ...torPeer, name: 'b', peerAddress: '10.99.0.4', peerConfigRef: { name: 'b' } },
]);
test(announces, 'bgp 15: one prefix with the attributes of each peer', [[
  twoPeers, byColour('red', '65000:1'), byColour('blue', '65000:2'), service(),
  peerConfig({}, 'a', { colour: 'red' }), peerConfig({}, 'b', { colour: 'blue' }),
]], [`a ${host} 65000:1`, `b ${host} 65000:2`]);

const aggregated = advertisement([serviceEntry({
  service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 24 },
})]);
const second = service({ name: 'second', ingress: ['198.51.100.2'] });
test(announces, 'bgp 16: two addresses in one aggregate', [[aggregated, service(), second]],
  ['198.51.100.0/24']);
test(announces, 'bgp 16: one address in it', [[aggregated, second]], ['198.51.100.0/24']);
test(announces, 'bgp 16: no address in it', [[aggregated]], []);
test(announces, 'bgp 17: Local policy is always exact', [[aggregated, service(local), on('n1')]],
  [host]);
test(announces, 'bgp 18: an exact prefix and its aggregate are two routes', [[
  advertisement([
    serviceEntry({
      selector: { matchLabels: { exact: 'yes' } },
      attributes: { communities: { standard: ['65000:1'] }, localPreference: 10 },
    }),
    serviceEntry({
      service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 24 },
      attributes: { communities: { standard: ['65000:2'] }, localPreference: 20 },
    }),
  ]),
  service({ labels: { exact: 'yes' } }), second, nodeConfig([{ ...torPeer, peerASN: 65001 }]),
]], ['198.51.100.0/24 65000:2 lp=20', `${host} 65000:1 lp=10`]);
test('bgp 19: an aggregate is told, an exact prefix is not', (t) => {
  const [instance] = derive([...common, aggregated, service()]);
  t.deepEqual(instance?.aggregates, ['198.51.100.0/24']);
  t.deepEqual(derive([...common, service()])[0]?.aggregates, []);
});

test(announces, 'bgp 20: a shared address has a route while one Service gives it',
  [[service(), service({ name: 'b' })]], [host]);
test(announces, 'bgp 20: the other one alone', [[service({ name: 'b' })]], [host]);
test(announces, 'bgp 20: two Local Services, an endpoint of one',
  [[service(local), on('n1'), service({ ...local, name: 'b' })]], [host]);
test(announces, 'bgp 25: texts that are no addresses never get out', [[
  service({ ingress: ['300.1.1.1', '10.0.0.1/33', '', '010.0.0.1', vip] }),
]], [host], [
  "tor: InvalidAddress service test/svc status.loadBalancer.ingress[0].ip: '300.1.1.1'",
  "tor: InvalidAddress service test/svc status.loadBalancer.ingress[1].ip: '10.0.0.1/33'",
  "tor: InvalidAddress service test/svc status.loadBalancer.ingress[2].ip: ''",
  "tor: InvalidAddress service test/svc status.loadBalancer.ingress[3].ip: '010.0.0.1'",
]);
test(announces, 'bgp 25: host bits of a pod CIDR are cleared', [[
  advertisement([{ advertisementType: 'PodCIDR' }]),
  node('n1', 1, { spec: { podCIDRs: ['10.1.2.3/24'] } }),
]], ['10.1.2.0/24'], [
  "tor: InvalidPrefix node n1: '10.1.2.3/24' is announced as 10.1.2.0/24",
]);
test(announces, 'a CiliumNode has the say over pod CIDRs', [[
  advertisement([{ advertisementType: 'PodCIDR' }]),
  custom('CiliumNode', 'n1', { ipam: { podCIDRs: ['10.7.0.0/24'] } }),
]], ['10.7.0.0/24']);
test(announces, 'CIDRs of selected pod pools on this node', [[
  advertisement([{ advertisementType: 'CiliumPodIPPool', selector: {
    matchLabels: { 'io.cilium.podippool.name': 'blue' },
  } }]),
  custom('CiliumPodIPPool', 'blue', {}), custom('CiliumPodIPPool', 'green', {}),
  custom('CiliumNode', 'n1', { ipam: { pools: { allocated: [
    { pool: 'blue', cidrs: ['10.8.0.0/24'] }, { pool: 'green', cidrs: ['10.9.0.0/24'] },
  ] } } }),
]], ['10.8.0.0/24']);

const device: LinkFacts = {
  name: 'eth1', ifindex: 4, mac: '02:00:00:00:00:01', adminUp: true, carrier: true,
  loopback: false, noArp: false, enslaved: false, defaultRoute: false,
  addresses: ['10.5.5.5', '127.0.0.2', 'fe80::1', '2001:db8::5'].map(ip),
};
const byDevice = advertisement([
  { advertisementType: 'Interface', interface: { name: 'eth1' } },
]);
test(announces, 'bgp 26: addresses of a device', [[byDevice], { links: () => [device] }],
  ['10.5.5.5/32', '2001:db8::5/128']);
test(announces, 'bgp 26: a device that is down',
  [[byDevice], { links: () => [{ ...device, carrier: false }] }], []);

const excluded = node('n1', 1, {
  metadata: { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } },
});
const inside = service({ spec: { clusterIPs: ['10.96.0.10'] } });
test(announces, 'bgp 47: the exclude label has no effect by default', [[excluded, both, inside]],
  ['10.96.0.10/32', host]);
test(announces, 'bgp 47: honoured, it takes LoadBalancerIPs',
  [[excluded, both, inside], { settings: { honourExcludeLabel: true } }], ['10.96.0.10/32']);
test(announces, 'bgp 47: NetworkUnavailable takes every Service', [[
  node('n1', 1, { status: { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] } }),
  advertisement([
    serviceEntry({ service: { addresses: ['LoadBalancerIP', 'ClusterIP'] } }),
    { advertisementType: 'PodCIDR' },
  ]),
  inside,
]], ['10.244.1.0/24']);
test(announces, 'bgp 49: what the data path does not serve is not announced',
  [[service(), second], { programmed: (address: string) => address !== vip }], ['198.51.100.2/32']);
test(announces, 'bgp 11: a family without advertisements announces nothing',
  [[service(), peerConfig({}, 'tor', 'none')]], []);
test('bgp 11: a family without advertisements is spoken all the same', (t) => {
  const [instance] = derive([...common, service(), peerConfig({}, 'tor', 'none')]);
  t.deepEqual(instance?.peers[0]?.peer.families, ['IPv4', 'IPv6']);
});
test(announces, 'bgp 24: two sessions with one router carry the same', [[
  service(), nodeConfig([torPeer, { ...torPeer, name: 'six', peerAddress: 'fd00:99::3' }]),
]], [`six ${host}`, host]);
test(announces, 'ORIGIN of load balancers may be as it was',
  [[service()], { settings: { legacyOriginAttribute: true } }], [`${host} incomplete`]);

test('the order of objects never decides, and every prefix is canonical', (t) => {
  const objects = [
    ...common, merged, aggregated, service(), second, service({ name: 'b' }),
    service({ name: 'six', ingress: ['2001:DB8:0::1'] }), on('n1'), byDevice,
    advertisement([tagged('65000:9', 9)], 'more'),
  ];
  const expected = derive(objects);
  t.true(routeTexts(expected).includes('tor 2001:db8::1/128 65000:9'));
  const shuffled = fc.shuffledSubarray(objects, { minLength: objects.length });
  fc.assert(fc.property(shuffled, (order) => {
    // The last of two objects of one name counts, so equal names keep their order.
    const named = (object: KubeObject) => `${object.kind} ${object.metadata?.name}`;
    const stable = [...order].sort((left, right) => (
      named(left) === named(right) ? objects.indexOf(left) - objects.indexOf(right) : 0
    ));
    const last = new Map(stable.map((object) => [named(object), object]));
    const firstLast = new Map(objects.map((object) => [named(object), object]));
    const unique = order.filter((object) => firstLast.get(named(object)) === object);
    t.is(last.size, firstLast.size);
    t.deepEqual(derive(unique), expected);
  }), { seed: 1, numRuns: 40 });
});

test('a contributor that goes takes nothing of others with it', (t) => {
  const pool = Array.from({ length: 6 }, (_, index) => service({
    name: `s${index}`, ingress: [`198.51.100.${1 + (index % 3)}`],
  }));
  fc.assert(fc.property(fc.subarray(pool), (present) => {
    const expected = new Set(present.map((object) => {
      const { ingress } = (object as any).status.loadBalancer;
      return `tor ${ingress[0].ip}/32`;
    }));
    t.deepEqual(routeTexts(derive([...common, ...present])), [...expected].sort());
  }), { seed: 2, numRuns: 50 });
});
