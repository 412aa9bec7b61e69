import type { KubeObject } from '../../kube/port.ts';
import type { Change } from './nodeagent.ts';

/** An endpoint of a slice; conditions that are left out are so in the object too. */
export interface EndpointRow {
  readonly ip: string;
  /** Its node's name. */
  readonly node?: string;
  readonly conditions?: {
    readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean;
  };
}

export interface ServiceRow {
  readonly name: string;
  readonly clusterIps: readonly string[];
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Addresses in the status. */
  readonly vips?: readonly string[];
  readonly protocol?: 'TCP' | 'UDP';
  readonly port?: number;
  readonly nodePort?: number;
  readonly endpoints: readonly EndpointRow[];
}

const targetPort = 8080;

/** A Service with one slice for each family, as changes for an agent. */
export function service(row: ServiceRow): Change[] {
  const families = row.clusterIps.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
  return [
    modified({
      apiVersion: 'v1', kind: 'Service', metadata: meta(row.name),
      spec: {
        type: 'LoadBalancer', clusterIP: row.clusterIps[0], clusterIPs: [...row.clusterIps],
        ipFamilies: families, ports: [portOf(row)], ...row.spec,
      },
      status: { loadBalancer: { ingress: (row.vips ?? []).map((ip) => ({ ip })) } },
    }),
    ...slices(row),
  ];
}

/** The slices of a Service alone. */
export function slices({ name, protocol = 'TCP', endpoints }: ServiceRow): Change[] {
  return (['IPv4', 'IPv6'] as const).map((family) => modified({
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice',
    metadata: {
      ...meta(`${name}-${family.toLowerCase()}`), labels: { 'kubernetes.io/service-name': name },
    },
    addressType: family, ports: [{ name: 'web', port: targetPort, protocol }],
    endpoints: endpoints.filter(({ ip }) => ip.includes(':') === (family === 'IPv6'))
      .map(({ ip, node, conditions = {} }) => ({ addresses: [ip], nodeName: node, conditions })),
  }));
}

export function node(name: string, addresses: readonly string[]): Change {
  return modified({
    apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name, resourceVersion: '1' },
    spec: {}, status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  });
}

export const listed: Change = { type: 'LISTED' };

function modified(object: unknown): Change {
  return { type: 'MODIFIED', object: object as KubeObject };
}

function meta(name: string): Readonly<Record<string, string>> {
  return {
    name, namespace: 'shop', uid: name, resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
}

function portOf({ protocol = 'TCP', port = 80, nodePort }: ServiceRow): object {
  return {
    name: 'web', port, targetPort, protocol, ...(nodePort === undefined ? {} : { nodePort }),
  };
}
