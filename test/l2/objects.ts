import {
  serviceKey,
  type EndpointSlice, type IngressEntry, type L2Policy, type Meta, type Node, type Service,
} from '../../lb/model.ts';

export function ingress(text: string): IngressEntry {
  return { ip: text, hostname: undefined, ipMode: 'VIP', ports: undefined };
}

export function meta(name: string, change: Partial<Meta> = {}): Meta {
  return {
    namespace: '', name, uid: `uid-${name}`, resourceVersion: '1', generation: 1, createdAtMs: 0,
    deleting: false, labels: {}, annotations: {}, ...change,
  };
}

export function serviceObject(name: string, change: Partial<Service> = {}): Service {
  return {
    kind: 'Service', meta: meta(name, { namespace: 'prod' }), key: serviceKey('prod', name),
    type: 'LoadBalancer', clusterIps: [], ports: [], selector: {}, externalIps: [],
    loadBalancerIp: undefined, loadBalancerClass: undefined,
    ipFamilies: ['IPv4'], ipFamilyPolicy: undefined,
    externalTrafficPolicy: 'Cluster', internalTrafficPolicy: 'Cluster',
    affinitySeconds: undefined, sourceRanges: [], healthCheckNodePort: 0,
    ingress: [], conditions: [], faults: [], ...change,
  };
}

export function nodeObject(
  name: string, change: Partial<Node> & { labels?: Record<string, string> } = {},
): Node {
  const { labels, ...rest } = change;
  return {
    kind: 'Node', meta: meta(name, { labels: labels ?? {} }), podCidrs: [],
    unschedulable: false, taints: [], addresses: [], conditions: [], faults: [], ...rest,
  };
}

export function policyObject(name: string, change: Partial<L2Policy> = {}): L2Policy {
  return {
    kind: 'CiliumL2AnnouncementPolicy', meta: meta(name),
    nodeSelector: undefined, serviceSelector: undefined, interfaces: [],
    externalIps: true, loadBalancerIps: true, conditions: [], faults: [], ...change,
  };
}

export function sliceObject(
  service: string,
  endpoints: readonly (string | undefined)[],
  change: Partial<EndpointSlice['endpoints'][0]> = {},
): EndpointSlice {
  return {
    kind: 'EndpointSlice', meta: meta(`${service}-1`, { namespace: 'prod' }),
    service: serviceKey('prod', service),
    addressType: 'IPv4', ports: [], faults: [],
    endpoints: endpoints.map((nodeName) => ({
      addresses: ['10.244.0.1'], ready: true, serving: undefined, terminating: undefined, nodeName,
      zone: undefined, hintZones: [], hintNodes: [], ...change,
    })),
  };
}
