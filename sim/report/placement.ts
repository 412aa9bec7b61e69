import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { familyOf, parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import type { Service, ServiceKey } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { ownerUid } from './timeline.ts';

/** One address of one Service, as a client knows it. */
export interface Watched {
  readonly key: ServiceKey;
  readonly ip: Ip;
  /** Name of the traffic line that asks it. */
  readonly line: string;
  readonly local: boolean;
}

/** Where the pods of one Service ran when the failure struck. */
export interface Pods {
  readonly total: number;
  /** On the node that fails. */
  readonly struck: number;
  /** `Deployment`, `StatefulSet`, …; undefined for pods without an owner. */
  readonly owner: { readonly kind: string; readonly uid: string } | undefined;
}

interface PodsOf {
  readonly service: Service;
  /** The node that fails. */
  readonly node: string | undefined;
  /** Counts pods on these nodes only: with Local policy the others serve nobody outside. */
  readonly among: ReadonlySet<string> | undefined;
}

/** The pods behind one Service, read from stored objects as a person would. */
export function servedPods(cluster: Cluster, about: PodsOf): Pods {
  const { service, node, among } = about;
  const uids = new Set<string>();
  for (const object of cluster.store.list(resources.endpointSlices)) {
    const decoded = cluster.decoder.slice(object);
    if (!decoded.ok || decoded.value.service !== service.key) continue;
    for (const uid of targetUids(object)) uids.add(uid);
  }
  const pods = cluster.store
    .list(resources.pods)
    .filter(
      (pod) =>
        uids.has(pod.metadata?.uid ?? '') && (among === undefined || among.has(nodeOf(pod) ?? '')),
    );
  const struck = pods.filter((pod) => nodeOf(pod) === node);
  const [first] = struck.length > 0 ? struck : pods;
  return {
    total: pods.length,
    struck: struck.length,
    owner: first === undefined ? undefined : workloadOf(first),
  };
}

function targetUids(slice: KubeObject): string[] {
  const endpoints = slice['endpoints'];
  if (!Array.isArray(endpoints)) return [];
  return endpoints.flatMap(
    (endpoint: { targetRef?: { uid?: string } }) => endpoint.targetRef?.uid ?? [],
  );
}

function nodeOf(pod: KubeObject): string | undefined {
  const spec = pod['spec'];
  return typeof spec === 'object' && spec !== null && 'nodeName' in spec
    ? String(spec.nodeName)
    : undefined;
}

// A ReplicaSet stands for the Deployment that people wrote.
function workloadOf(pod: KubeObject): Pods['owner'] {
  const owners = pod.metadata?.['ownerReferences'];
  const uid = ownerUid(pod);
  if (!Array.isArray(owners) || uid === undefined) return undefined;
  const [owner] = owners as readonly { kind?: string }[];
  const kind = owner?.kind ?? '';
  return { kind: kind === 'ReplicaSet' ? 'Deployment' : kind, uid };
}

/** LoadBalancer Services of the cluster with every address that they show, in key order. */
export function shownAddresses(
  cluster: Cluster,
): { readonly service: Service; readonly ips: readonly Ip[] }[] {
  return cluster.store.list(resources.services).flatMap((object) => {
    const decoded = cluster.decoder.service(object);
    if (!decoded.ok || decoded.value.type !== 'LoadBalancer') return [];
    const ips = decoded.value.ingress.flatMap((entry) => {
      const parsed = parseIpUnmapped(entry.ip ?? '');
      return parsed.ok ? [parsed.value] : [];
    });
    return [{ service: decoded.value, ips }];
  });
}

/** Adds a line from `client` to every address of every LoadBalancer Service. */
export function watchServices(cluster: Cluster, client: string, every: Micros): Watched[] {
  return shownAddresses(cluster).flatMap(({ service, ips }) =>
    ips.flatMap((ip): Watched[] => {
      const [port] = service.ports.filter((candidate) => candidate.protocol !== 'SCTP');
      if (port === undefined) return [];
      const line = `${service.key} ${ip}`;
      const target = familyOf(ip) === 'IPv6' ? `[${ip}]` : ip;
      cluster.traffic
        .add({
          name: line,
          from: client,
          to: `${target}:${port.port}`,
          every,
          flows: 0,
          family: familyOf(ip),
          protocol: port.protocol === 'UDP' ? 'UDP' : 'TCP',
        })
        .start();
      return [{ key: service.key, ip, line, local: service.externalTrafficPolicy === 'Local' }];
    }),
  );
}
