import type { KubeObject } from '../../kube/port.ts';

type Fields = Record<string, unknown>;

/** The data of bgp.md 12, "Common", as objects of the API. */
export const vip = '198.51.100.1';
const base = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };

/** A cluster-scoped object of `cilium.io`. */
export function custom(
  kind: string, name: string, spec: Fields, more: Fields = {},
): KubeObject {
  const { labels, ...rest } = more;
  return {
    apiVersion: 'cilium.io/v2', kind, spec,
    metadata: { ...base, uid: `uid-${kind}-${name}`, name, ...(labels ? { labels } : {}), ...rest },
  } as unknown as KubeObject;
}

export function node(name: string, index: number, more: Fields = {}): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Node',
    metadata: { ...base, uid: `uid-${name}`, name, ...(more['metadata'] as Fields | undefined) },
    spec: { podCIDRs: [`10.244.${index}.0/24`], ...(more['spec'] as Fields | undefined) },
    status: {
      addresses: [
        { type: 'InternalIP', address: `10.99.0.${index}` },
        { type: 'InternalIP', address: `fd00:99::${index}` },
      ],
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(more['status'] as Fields | undefined),
    },
  } as KubeObject;
}

export interface ServiceFields {
  readonly name?: string;
  readonly labels?: Record<string, string>;
  readonly namespace?: string;
  /** Addresses of the load balancer, or whole entries. */
  readonly ingress?: readonly (string | Fields)[];
  readonly spec?: Fields;
}

/** "svc": LoadBalancer with that ingress and eTP Cluster, unless said. */
export function service(fields: ServiceFields = {}): KubeObject {
  const { name = 'svc', namespace = 'test', labels, ingress = [vip], spec = {} } = fields;
  return {
    apiVersion: 'v1', kind: 'Service',
    metadata: {
      ...base, uid: `uid-${namespace}-${name}`, name, namespace, ...(labels ? { labels } : {}),
    },
    spec: {
      type: 'LoadBalancer', ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec,
    },
    status: {
      loadBalancer: {
        ingress: ingress.map((one) => (typeof one === 'string' ? { ip: one } : one)),
      },
    },
  } as KubeObject;
}

export interface SliceFields {
  readonly of?: string;
  readonly name?: string;
  readonly family?: 'IPv4' | 'IPv6';
  readonly port?: string;
  readonly endpoints?: readonly Fields[];
}

/** A slice; "ep" is a ready endpoint on a node. */
export function slice(fields: SliceFields = {}): KubeObject {
  const { of = 'svc', family = 'IPv4', port = 'http', endpoints = [] } = fields;
  const name = fields.name ?? `${of}-${family.toLowerCase()}`;
  return {
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: family,
    metadata: {
      ...base, uid: `uid-${name}`, name, namespace: 'test',
      labels: { 'kubernetes.io/service-name': of },
    },
    ports: [{ name: port, port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map((one, index) => ({
      addresses: [family === 'IPv4' ? `10.244.9.${index + 1}` : `fd00:244::${index + 1}`], ...one,
    })),
  } as KubeObject;
}

export const ep = (nodeName: string, conditions: Fields = {}): Fields => ({ nodeName, conditions });

/** Peer "tor", both families, with the entries of one advertisement. */
export function advertisement(
  entries: readonly Fields[], name = 'services', labels: Fields = { advertise: 'bgp' },
): KubeObject {
  return custom('CiliumBGPAdvertisement', name, { advertisements: entries }, { labels });
}

export const serviceEntry = (fields: Fields = {}): Fields => ({
  advertisementType: 'Service', service: { addresses: ['LoadBalancerIP'] }, selector: {}, ...fields,
});

const family = (afi: string, label: Fields | 'none'): Fields => ({
  afi, safi: 'unicast',
  ...(label === 'none' ? {} : { advertisements: { matchLabels: label } }),
});

export function peerConfig(
  spec: Fields = {}, name = 'tor', label: Fields | 'none' = { advertise: 'bgp' },
): KubeObject {
  const families = [family('ipv4', label), family('ipv6', label)];
  return custom('CiliumBGPPeerConfig', name, { families, ...spec });
}

export const torPeer = {
  name: 'tor', peerAddress: '10.99.0.3', peerASN: 65010, peerConfigRef: { name: 'tor' },
};

export function nodeConfig(
  peers: readonly Fields[] = [torPeer], instance: Fields = {}, name = 'n1',
): KubeObject {
  return custom('CiliumBGPNodeConfig', name, {
    bgpInstances: [{ name: 'main', localASN: 65001, peers, ...instance }],
  });
}

/** Everything of "Common" but Services and slices, for n1. */
export const common: readonly KubeObject[] = [
  node('n1', 1), node('n2', 2), nodeConfig(), peerConfig(), advertisement([serviceEntry()]),
];
