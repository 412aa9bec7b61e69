import type { KubeObject } from '../../kube/port.ts';

/** Paths of collections in namespace `default`. */
export const paths = {
  nodes: '/api/v1/nodes',
  services: '/api/v1/namespaces/default/services',
  slices: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
  leases: '/apis/coordination.k8s.io/v1/namespaces/default/leases',
  pools: '/apis/cilium.io/v2/ciliumloadbalancerippools',
  policies: '/apis/cilium.io/v2alpha1/ciliuml2announcementpolicies',
} as const;

export function node(name: string, address: string): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Node', metadata: { name },
    status: { addresses: [{ type: 'InternalIP', address }] },
  };
}

export const pool: KubeObject = {
  apiVersion: 'cilium.io/v2', kind: 'CiliumLoadBalancerIPPool', metadata: { name: 'lan' },
  spec: { blocks: [{ start: '192.0.2.100', stop: '192.0.2.109' }] },
};

export const policy: KubeObject = {
  apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumL2AnnouncementPolicy', metadata: { name: 'lan' },
  spec: { loadBalancerIPs: true, interfaces: ['^eth0$'] },
};

export function service(name: string): KubeObject & { readonly spec: object } {
  return {
    apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' },
    spec: {
      type: 'LoadBalancer', selector: {}, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
    },
  };
}

/** The slice of a Service with endpoints on port 8080, by address and node. */
export function slice(name: string, endpoints: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice',
    metadata: {
      name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name },
    },
    addressType: 'IPv4', ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: Object.entries(endpoints).map(([address, nodeName]) => ({
      addresses: [address], nodeName, conditions: { ready: true },
    })),
  };
}
