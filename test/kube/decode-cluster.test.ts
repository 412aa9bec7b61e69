import test from 'ava';
import { decode, metadata, reads } from './decoding.ts';

// EndpointSlices

const noConditions = { ready: undefined, serving: undefined, terminating: undefined };
const endpoint = {
  addresses: ['10.1.0.1'], ...noConditions, nodeName: undefined, zone: undefined, hintZones: [],
  hintNodes: [],
};
test(reads, 'slice', { addressType: 'IPv4' },
  { service: undefined, addressType: 'IPv4', endpoints: [], ports: [] });
test(reads, 'slice',
  { addressType: 'IPv4', endpoints: null, ports: null }, { endpoints: [], ports: [] });
// datapath 5: absent conditions stay absent; what they mean is decided there.
test(reads, 'slice', { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.0.1'] }] },
  { endpoints: [endpoint] });
test(reads, 'slice', {
  addressType: 'IPv6',
  endpoints: [{
    addresses: ['fd00::1', 'fd00::2'],
    conditions: { ready: false, serving: true, terminating: true },
    nodeName: 'n1', zone: 'z1',
    hints: { forZones: [{ name: 'z1' }, { name: 'z2' }], forNodes: [{ name: 'n1' }] },
  }],
}, {
  endpoints: [{
    addresses: ['fd00::1', 'fd00::2'], ready: false, serving: true, terminating: true,
    nodeName: 'n1', zone: 'z1', hintZones: ['z1', 'z2'], hintNodes: ['n1'],
  }],
});
test(reads, 'slice', { addressType: 'IPv4', ports: [{ port: 80 }, { name: 'x', port: null }] }, {
  ports: [
    { name: '', protocol: 'TCP', port: 80 },
    { name: 'x', protocol: 'TCP', port: undefined },
  ],
});
test(reads, 'slice', {}, { addressType: 'FQDN' }, ['addressType: required']);
test(reads, 'slice', { addressType: 'ipv4' }, { addressType: 'FQDN' }, [
  'addressType: expected one of IPv4, IPv6, FQDN, got "ipv4"',
]);
test(reads, 'slice', { addressType: 'IPv4', endpoints: [{ addresses: '10.1.0.1' }] },
  { endpoints: [{ ...endpoint, addresses: [] }] },
  ['endpoints[0].addresses: expected a list, got "10.1.0.1"']);
test(reads, 'slice', {
  addressType: 'IPv4', endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: 'true' } }],
}, { endpoints: [endpoint] }, [
  'endpoints[0].conditions.ready: expected true or false, got "true"',
]);
// An unreadable number is not "every port".
test(reads, 'slice',
  { addressType: 'IPv4', ports: [{ port: '80' }, { protocol: 6 }] }, { ports: [] }, [
  'ports[0].port: expected integer 1..65535, got "80"',
  'ports[1].protocol: expected one of TCP, UDP, SCTP, got 6',
]);
test(reads, 'slice', {
  addressType: 'IPv4', endpoints: [{ addresses: ['10.1.0.1'], hints: { forZones: [{}, 1] } }],
}, { endpoints: [endpoint] }, [
  'endpoints[0].hints.forZones[0].name: required',
  'endpoints[0].hints.forZones[1]: expected an object, got 1',
]);

test('a slice belongs to the Service of its label, in its own namespace', (t) => {
  const labels = { 'kubernetes.io/service-name': 'web' };
  const object = { addressType: 'IPv4', metadata: { ...metadata, labels } };
  t.is(decode('slice', object).row?.['service'], 'ns/web');
});

// Nodes

test(reads, 'node', {}, {
  podCidrs: [], unschedulable: false, taints: [], addresses: [], conditions: [],
});
test(reads, 'node', {
  spec: {
    podCIDR: '10.1.0.0/24', unschedulable: true, taints: [{ key: 'k', effect: 'NoSchedule' }],
  },
  status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
}, {
  podCidrs: ['10.1.0.0/24'], unschedulable: true,
  taints: [{ key: 'k', value: '', effect: 'NoSchedule' }],
  addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
});
test(reads, 'node', { spec: { podCIDR: 'a', podCIDRs: ['a', 'b'] } }, { podCidrs: ['a', 'b'] });
test(reads, 'node', {
  spec: { unschedulable: 'yes', taints: [{}] }, status: { addresses: [{ address: 'x' }] },
}, { unschedulable: false, taints: [], addresses: [] }, [
  'spec.unschedulable: expected true or false, got "yes"',
  'spec.taints[0].key: required',
  'status.addresses[0].type: required',
]);

// Leases

test(reads, 'lease', {}, {
  holderIdentity: '', leaseDurationSeconds: undefined, leaseTransitions: 0, acquireTime: undefined,
  renewTime: undefined,
});
test(reads, 'lease',
  { spec: { holderIdentity: 'a_1', leaseDurationSeconds: 5, leaseTransitions: 3 } },
  { holderIdentity: 'a_1', leaseDurationSeconds: 5, leaseTransitions: 3 });
test(reads, 'lease', { spec: { holderIdentity: 3, leaseTransitions: -1, renewTime: 0 } },
  { holderIdentity: '', leaseTransitions: 0, renewTime: undefined }, [
    'spec.holderIdentity: expected text, got 3',
    'spec.leaseTransitions: expected integer 0..2147483647, got -1',
    'spec.renewTime: expected text, got 0',
  ]);

// ServiceCIDRs

test(reads, 'serviceCidr', { spec: { cidrs: ['10.96.0.0/12', 'fd00:96::/108'] } },
  { cidrs: ['10.96.0.0/12', 'fd00:96::/108'] });
test(reads, 'serviceCidr', {}, { cidrs: [] });
test(reads, 'serviceCidr', { spec: { cidrs: ['10.96.0.0/12', '10.0.0.0/33'] } },
  { cidrs: ['10.96.0.0/12'] }, ["spec.cidrs[1]: '10.0.0.0/33' is no prefix"]);
