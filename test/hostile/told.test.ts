import test from 'ava';
import { resources, type Resource } from '../../kube/resource.ts';
import { objectOf, second, site, toldAbout, type Odd } from './site.ts';

/** One malformed object, and the field that a condition or an Event must name. */
interface Row {
  readonly resource: Resource;
  readonly content: Odd;
  readonly field: string;
}

const { services, pools, l2Policies, nodes, endpointSlices } = resources;
const long = 'x'.repeat(5000);
const nest = (depth: number): unknown => {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};
const port = { port: 80 };
const service = (field: string, spec: Odd): Row => ({
  resource: services, field, content: { spec: { type: 'LoadBalancer', ports: [port], ...spec } },
});
const pool = (field: string, spec: unknown): Row =>
  ({ resource: pools, field, content: { spec } });
const policy = (field: string, spec: unknown): Row =>
  ({ resource: l2Policies, field, content: { spec } });
const node = (field: string, content: Odd): Row => ({ resource: nodes, field, content });
const slice = (field: string, content: Odd): Row =>
  ({ resource: endpointSlices, field, content: { addressType: 'IPv4', ...content } });
const block = { cidr: '10.99.0.0/24' };
const labels = JSON.parse('{"__proto__": {"a": 1}, "constructor": 7}') as unknown;

const rows: readonly Row[] = [
  { resource: services, field: 'spec', content: { spec: 'none' } },
  service('spec.type', { type: 'LoadBalancerr' }),
  service('spec.ports', { ports: { port: 80 } }),
  service('spec.ports[1]', { ports: [port, null] }),
  service('spec.ports[0].port', { ports: [{ port: -1 }] }),
  service('spec.ports[0].port', { ports: [{ port: 80.5 }] }),
  service('spec.ports[0].nodePort', { ports: [{ port: 80, nodePort: 1e300 }] }),
  service('spec.ports[0].protocol', { ports: [{ port: 80, protocol: 'ICMP' }] }),
  service('spec.ports[0].name', { ports: [{ port: 80, name: ['http'] }] }),
  service('spec.ports[0].name', { ports: [{ port: 80, name: 'Üml/äut' }] }),
  service('spec.selector.app', { selector: { app: { in: ['web'] } } }),
  service('spec.selector', { selector: 'app=web' }),
  service('spec.externalIPs', { externalIPs: '192.168.10.40' }),
  service('spec.clusterIPs[0]', { clusterIPs: [0x0a60_0001] }),
  service('spec.loadBalancerIP', { loadBalancerIP: 3232238120 }),
  service('192.168.10.999', { loadBalancerIP: '192.168.10.999' }),
  service('spec.loadBalancerClass', { loadBalancerClass: false }),
  service('spec.ipFamilies[0]', { ipFamilies: ['IPv5'] }),
  service('spec.ipFamilyPolicy', { ipFamilyPolicy: long }),
  service('spec.externalTrafficPolicy', { externalTrafficPolicy: {} }),
  service('spec.sessionAffinityConfig.clientIP.timeoutSeconds', {
    sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: -5 } },
  }),
  service('spec.loadBalancerSourceRanges', { loadBalancerSourceRanges: nest(100) }),
  { resource: services, field: 'status.conditions[0].status', content: {
    spec: { type: 'LoadBalancer', ports: [port] },
    status: { conditions: [{ type: 'fairlead.dev/IPAMAllocation', status: 'Yes' }] },
  } },
  { resource: services, field: 'status.loadBalancer.ingress', content: {
    spec: { type: 'LoadBalancer', ports: [port] }, status: { loadBalancer: { ingress: 'x' } },
  } },
  { resource: services, field: "'fe80::1%eth0'", content: {
    metadata: { annotations: { 'lbipam.cilium.io/ips': 'fe80::1%eth0' } },
    spec: { type: 'LoadBalancer', ports: [port] },
  } },
  { resource: services, field: 'metadata.annotations', content: {
    metadata: { annotations: [['lbipam.cilium.io/ips', '192.168.10.41']] },
    spec: { type: 'LoadBalancer', ports: [port] },
  } },
  { resource: services, field: 'metadata.labels', content: {
    metadata: { labels }, spec: { type: 'LoadBalancer', ports: [port] },
  } },
  pool('spec', 'all'),
  pool('spec.blocks', { blocks: block }),
  pool('spec.blocks[1]', { blocks: [block, 'x'] }),
  pool('spec.blocks[0].cidr', { blocks: [{ cidr: '10.0.0.0/33' }] }),
  pool('spec.blocks[0].cidr', { blocks: [{ cidr: long }] }),
  pool('spec.blocks[0].start', { blocks: [{ start: '010.0.0.1' }] }),
  pool('spec.blocks[0]', { blocks: [{ start: '10.98.0.9', stop: '10.98.0.1' }] }),
  pool('spec.blocks[0]', { blocks: [{ start: '10.98.0.9', stop: 'fd00::1' }] }),
  pool('spec.allowFirstLastIPs', { blocks: [block], allowFirstLastIPs: false }),
  pool('spec.disabled', { blocks: [block], disabled: 'no' }),
  pool('spec.serviceSelector.matchLabels', {
    blocks: [block], serviceSelector: { matchLabels: [] },
  }),
  pool('spec.serviceSelector.matchExpressions[0].operator', {
    blocks: [block], serviceSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] },
  }),
  pool('spec.serviceSelector', { blocks: [block], serviceSelector: nest(201) }),
  policy('spec', [1]),
  policy('spec.nodeSelector', { loadBalancerIPs: true, nodeSelector: 'node-1' }),
  policy('spec.serviceSelector.matchExpressions[0].values', {
    loadBalancerIPs: true,
    serviceSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] },
  }),
  policy('spec.interfaces', { loadBalancerIPs: true, interfaces: 'eth0' }),
  policy('spec.interfaces[0]', { loadBalancerIPs: true, interfaces: ['(eth'] }),
  policy('spec.interfaces[0]', { loadBalancerIPs: true, interfaces: ['(?=eth0)'] }),
  policy('spec.interfaces[1]', { loadBalancerIPs: true, interfaces: ['eth0', '('.repeat(2000)] }),
  policy('spec.loadBalancerIPs', { loadBalancerIPs: 'true' }),
  policy('spec.externalIPs', { loadBalancerIPs: true, externalIPs: 1 }),
  node('spec.podCIDRs', { spec: { podCIDRs: '10.0.0.0/8' } }),
  node('spec.taints[0]', { spec: { taints: ['NoSchedule'] } }),
  node('status.addresses[0].address', {
    status: { addresses: [{ type: 'InternalIP', address: 1 }] },
  }),
  node('status.conditions', { status: { conditions: { Ready: 'True' } } }),
  slice('addressType', { addressType: 'IPv9' }),
  slice('endpoints[0].addresses', { endpoints: [{ addresses: '10.42.4.9' }] }),
  slice('endpoints[0].conditions.ready', { endpoints: [{ conditions: { ready: 'True' } }] }),
  slice('endpoints[0].nodeName', { endpoints: [{ nodeName: 4 }] }),
  slice('endpoints[0].hints.forZones[0].name', { endpoints: [{ hints: { forZones: [{}] } }] }),
  slice('ports[0].port', { ports: [{ port: 70_000 }] }),
];

// One world serves all rows: what they claim is that none of them drowns in the others.
const at = site(7);
for (const [index, { resource, content }] of rows.entries()) {
  at.inject(objectOf(resource, `odd-${index}`, content));
  at.run(0.5 * second);
}
at.run(60 * second);

const told = test.macro<[number]>({
  exec(t, index) {
    const { resource, field } = rows[index]!;
    const heard = toldAbout(at, resource, `odd-${index}`);
    t.true(heard.some((text) => text.includes(field)), heard.join('\n') || 'nothing was told');
  },
  title: (_, index: number) => {
    const { resource, field, content } = rows[index]!;
    const shown = JSON.stringify(content).slice(0, 90);
    return `${resource.kind} ${index} with ${shown} is told of ${field.slice(0, 60)}`;
  },
});

for (const index of rows.keys()) test(told, index);

test('meanwhile no process ended and no request of the good Services failed', (t) => {
  t.deepEqual(at.harm(), []);
  t.deepEqual(at.oracles.close([]).findings, []);
});
