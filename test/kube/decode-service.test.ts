import test from 'ava';
import { reads } from './decoding.ts';

test(reads, 'service', {}, {
  type: 'ClusterIP', clusterIps: [], ports: [], selector: {}, externalIps: [], ipFamilies: [],
  loadBalancerIp: undefined, loadBalancerClass: undefined, ipFamilyPolicy: undefined,
  externalTrafficPolicy: 'Cluster', internalTrafficPolicy: 'Cluster', affinitySeconds: undefined,
  sourceRanges: [], healthCheckNodePort: 0, ingress: [], conditions: [], key: 'ns/n',
});
test(reads, 'service', { spec: null, status: null }, { ports: [], ingress: [] });
test(reads, 'service', { spec: { ports: [{ port: 80 }] } },
  { ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }] });
test(reads, 'service',
  { spec: { ports: [{ port: 53, protocol: 'UDP', name: 'd', nodePort: 30053 }] } },
  { ports: [{ name: 'd', protocol: 'UDP', port: 53, nodePort: 30053 }] });
test(reads, 'service', { spec: { clusterIP: '10.0.0.1' } }, { clusterIps: ['10.0.0.1'] });
test(reads, 'service', { spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] } },
  { clusterIps: ['10.0.0.1', 'fd00::1'] });
test(reads, 'service',
  { spec: { clusterIP: 'None', clusterIPs: ['None'] } }, { clusterIps: ['None'] });
test(reads, 'service', { spec: { type: 'ExternalName', clusterIP: '' } },
  { type: 'ExternalName', clusterIps: [] });
test(reads, 'service', { spec: { sessionAffinity: 'ClientIP' } }, { affinitySeconds: 10_800 });
test(reads, 'service', { spec: { sessionAffinity: 'None', sessionAffinityConfig: {} } },
  { affinitySeconds: undefined });
test(reads, 'service', {
  spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } },
}, { affinitySeconds: 7 });
// datapath C12: odd spellings are kept as they stand; the datapath reads them in its own way.
test(reads, 'service',
  { spec: { clusterIPs: ['172.30.0.041'], loadBalancerSourceRanges: [' 10.0.0.0/8'] } },
  { clusterIps: ['172.30.0.041'], sourceRanges: [' 10.0.0.0/8'] });
test(reads, 'service', { spec: { loadBalancerClass: '', loadBalancerIP: '' } },
  { loadBalancerClass: undefined, loadBalancerIp: undefined });
test(reads, 'service', {
  status: {
    loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP', ports: [{ port: 1 }] }, {}] },
  },
}, {
  ingress: [
    { ip: '192.0.2.1', hostname: undefined, ipMode: 'VIP', ports: [{ port: 1 }] },
    { ip: undefined, hostname: undefined, ipMode: undefined, ports: undefined },
  ],
});
test(reads, 'service', { status: { conditions: [{ type: 'T', status: 'True' }] } }, {
  conditions: [{
    type: 'T', status: 'True', reason: '', message: '', observedGeneration: undefined,
    lastTransitionTime: undefined,
  }],
});

test(reads, 'service',
  { spec: { ports: [{ port: 1 }, { port: 2 }, { port: 3, nodePort: 'x' }] } }, {}, [
  'spec.ports[2].nodePort: expected integer 0..65535, got "x"',
]);
test(reads, 'service', { spec: { ports: [{}, { port: 0 }, { port: 65_536 }, { port: 1.5 }, 7] } },
  { ports: [] }, [
    'spec.ports[0].port: required',
    'spec.ports[1].port: expected integer 1..65535, got 0',
    'spec.ports[2].port: expected integer 1..65535, got 65536',
    'spec.ports[3].port: expected integer 1..65535, got 1.5',
    'spec.ports[4]: expected an object, got 7',
  ]);
test(reads, 'service', { spec: { ports: [{ port: 1, protocol: 'tcp' }] } }, { ports: [] }, [
  'spec.ports[0].protocol: expected one of TCP, UDP, SCTP, got "tcp"',
]);
test(reads, 'service', { spec: { ports: 'all' } }, { ports: [] }, [
  'spec.ports: expected a list, got "all"',
]);
test(reads, 'service', { spec: [] }, { ports: [] }, ['spec: expected an object, got a list']);
test(reads, 'service', { spec: { type: 'Balanced' } }, { type: 'ClusterIP' }, [
  'spec.type: expected one of ClusterIP, NodePort, LoadBalancer, ExternalName, got "Balanced"',
]);
test(reads, 'service',
  { spec: { selector: { app: 1, tier: 'web' } } }, { selector: { tier: 'web' } }, [
  'spec.selector.app: expected text, got 1',
]);
test(reads, 'service', { spec: { selector: { 'a/b': [] } } }, { selector: {} }, [
  'spec.selector[a/b]: expected text, got a list',
]);
test(reads, 'service', { spec: { ipFamilies: ['IPv4', 'IPv5', 6] } }, { ipFamilies: ['IPv4'] }, [
  'spec.ipFamilies[2]: expected text, got 6',
  'spec.ipFamilies[1]: expected one of IPv4, IPv6, got "IPv5"',
]);
test(reads, 'service', {
  spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } },
}, { affinitySeconds: 10_800 }, [
  'spec.sessionAffinityConfig.clientIP.timeoutSeconds: expected integer 1..86400, got 0',
]);
test(reads, 'service',
  { spec: { externalTrafficPolicy: 'local' } }, { externalTrafficPolicy: 'Cluster' }, [
  'spec.externalTrafficPolicy: expected one of Cluster, Local, got "local"',
]);
// Left out, an unreadable range would open the Service to everybody.
test(reads, 'service', { spec: { loadBalancerSourceRanges: [null, '10.0.0.0/8'] } },
  { sourceRanges: ['null', '10.0.0.0/8'] },
  ['spec.loadBalancerSourceRanges[0]: expected text, got null']);
test(reads, 'service', { status: { conditions: [{ type: 'T' }, { status: 'True' }, { type: 1 }] } },
  { conditions: [] }, [
    'status.conditions[0].status: required',
    'status.conditions[1].type: required',
    'status.conditions[2].type: expected text, got 1',
    'status.conditions[2].status: required',
  ]);
test(reads, 'service', { status: { loadBalancer: { ingress: [{ ip: 1, ipMode: 'vip' }] } } }, {
  ingress: [{ ip: undefined, hostname: undefined, ipMode: undefined, ports: undefined }],
}, [
  'status.loadBalancer.ingress[0].ip: expected text, got 1',
  'status.loadBalancer.ingress[0].ipMode: expected one of VIP, Proxy, got "vip"',
]);
test(reads, 'service', { spec: { healthCheckNodePort: -1 } }, { healthCheckNodePort: 0 }, [
  'spec.healthCheckNodePort: expected integer 0..65535, got -1',
]);
test(reads, 'service', { spec: { type: 'x'.repeat(500) } }, {}, [
  'spec.type: expected one of ClusterIP, NodePort, LoadBalancer, ExternalName, got '
    + `"${'x'.repeat(56)}…`,
]);
