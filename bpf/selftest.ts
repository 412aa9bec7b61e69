import { serviceKey, type EndpointSlice, type Meta, type Service } from '../lb/model.ts';

/** The front of the self-test: link-local, so that no router forwards it (datapath.md 14.1). */
export const selfTestFront = { ip: '169.254.77.2', port: 1 } as const;

/**
 * Where the agent listens, so that a restart finds in the tables what it wants there. A loopback
 * address that nobody else names; where its port is taken all the same, another one does.
 */
export const selfTestListener: SelfTestListener = { ip: '127.169.77.2', port: 1 };

export interface SelfTestListener {
  readonly ip: string;
  readonly port: number;
}

/** Key of the Service that the self-test adds to the agent's tables; the API has none of it. */
export const selfTestKey = serviceKey('fairlead.dev', 'self-test');

/**
 * A Service of the agent's own, whose endpoint is a listener on loopback. It goes through the same
 * tables and programs as every other one; a client bound to loopback cannot leave the node by it.
 */
export function selfTestRows({ ip, port }: SelfTestListener, nodeName: string): {
  readonly service: Service; readonly slice: EndpointSlice;
} {
  const service: Service = {
    kind: 'Service', meta, key: selfTestKey, type: 'ClusterIP', clusterIps: [selfTestFront.ip],
    ports: [{ name: '', protocol: 'TCP', port: selfTestFront.port, nodePort: 0 }],
    selector: {}, externalIps: [], loadBalancerIp: undefined, loadBalancerClass: undefined,
    ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack',
    externalTrafficPolicy: 'Cluster', internalTrafficPolicy: 'Cluster',
    affinitySeconds: undefined, sourceRanges: [], healthCheckNodePort: 0, ingress: [],
    conditions: [], faults: [],
  };
  const slice: EndpointSlice = {
    kind: 'EndpointSlice', meta, service: selfTestKey, addressType: 'IPv4',
    endpoints: [{
      addresses: [ip], ready: true, serving: true, terminating: false,
      nodeName, zone: undefined, hintZones: [], hintNodes: [],
    }],
    ports: [{ name: '', protocol: 'TCP', port }],
    faults: [],
  };
  return { service, slice };
}

const meta: Meta = {
  namespace: 'fairlead.dev', name: 'self-test', uid: 'fairlead.dev/self-test',
  resourceVersion: '', generation: 0, createdAtMs: undefined, deleting: false,
  labels: {}, annotations: {},
};
