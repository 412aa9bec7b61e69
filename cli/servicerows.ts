import { publishedAddresses } from '../l2/selection.ts';
import { compareIp, familyOf, ip as address, type Ip } from '../lb/ip.ts';
import { readRecord } from '../lb/ipam/record.ts';
import { ipOf } from '../lb/ipam/address.ts';
import type { Service, ServicePort } from '../lb/model.ts';
import { datapathDefaults, type Algorithm } from '../lb/datapathoptions.ts';
import { placeOf } from '../lb/nodefacts.ts';
import { DerivationMemo, deriveServicePorts, type ServicePortRecord } from '../lb/serviceport.ts';
import { compareText } from '../lb/table.ts';
import type { Cluster } from '../sim/cluster/cluster.ts';
import { announcementIn } from './checks/announcements.ts';
import { simulatedModel } from './explainrun.ts';
import type { FolderModel } from './foldermodel.ts';
import type { LiveModel } from './livemodel.ts';

const types = ['ClusterIP', 'NodePort', 'ExternalIP', 'LoadBalancer'] as const;

/** One frontend of a Service as `service list` shows it (interface.md 4.2). */
export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  readonly type: (typeof types)[number];
  /** `192.0.2.10:80/TCP`, a NodePort as `*:30080/TCP`, an awaited address as `<pending>:80/TCP`. */
  readonly frontend: string;
  readonly policy: 'Cluster' | 'Local';
  readonly backends: number;
  /** Of a LoadBalancer frontend; absent while it is awaited. */
  readonly externalIp?: string;
  /** `l2:NODE`, or `bgp` where only BGP would announce it. */
  readonly announced?: string;
  /** `True`, the code of what is missing, or `<unknown>` where no agent was asked. */
  readonly ready: string;
  readonly algorithm?: string;
  /** Seconds. */
  readonly affinity?: number;
  readonly sourceRanges: readonly string[];
  readonly pool?: string;
  readonly endpoints: readonly string[];
}

interface Front {
  readonly type: ServiceRow['type'];
  readonly ip: Ip | undefined;
  readonly port: ServicePort;
}

/** What the rows are made of, simulated or live. */
interface RowSource {
  readonly model: FolderModel;
  /** The node whose view of endpoints is shown. */
  readonly node: string;
  readonly algorithm: Algorithm;
  /** Nodes that hold an address. */
  ownersOf(address: Ip): readonly string[];
  /** Whether every node serves this frontend; absent: nobody was asked. */
  readonly served?: (front: string) => boolean;
}

/** A cluster that has come to rest. */
export function simulatedRows(cluster: Cluster): ServiceRow[] {
  const names = cluster.machines.names();
  const served = names.map((name) => new Set(cluster.frontends(name)));
  const [node = ''] = names;
  return serviceRows({
    model: simulatedModel(cluster), node,
    algorithm: cluster.settings.datapath.algorithm,
    ownersOf: (address) => cluster.ownersOf(address),
    served: (front) => served.every((fronts) => fronts.has(front)),
  });
}

/** A live cluster, whose agents nobody has asked. */
export function liveRows(live: LiveModel): ServiceRow[] {
  const { model } = live;
  const [node = ''] = model.nodes.map(({ value }) => value.meta.name).toSorted(compareText);
  return serviceRows({
    model, node,
    algorithm: datapathDefaults.algorithm,
    ownersOf: (address) => live.ownersOf(address),
  });
}

/** The frontends of every Service, in the order of the list. */
function serviceRows(source: RowSource): ServiceRow[] {
  const { model } = source;
  const recordsOf = recordsBy(source);
  return model.services.map(({ value }) => value)
    .filter(({ type }) => type !== 'ExternalName')
    .toSorted((left, right) => compareText(left.meta.namespace, right.meta.namespace) ||
      compareText(left.meta.name, right.meta.name))
    .flatMap((service) => {
      const announcement = announcementIn(model, service);
      const byBgp = announcement.kind === 'announced' &&
        announcement.by.some((name) => name.startsWith('bgp'));
      const records = recordsOf(service);
      return frontsOf(service).map((front): ServiceRow => {
        const text = frontText(front);
        const record = records.find((each) => each.port === front.port.port &&
          each.protocol === front.port.protocol &&
          (front.ip === undefined || each.family === familyOf(front.ip)));
        return rowOf({ service, front, text, record, source, byBgp });
      });
    });
}

/** The service ports of a Service as the node of the source has them. */
function recordsBy(
  { model, node, algorithm }: RowSource,
): (service: Service) => readonly ServicePortRecord[] {
  const object = model.nodes.find(({ value }) => value.meta.name === node)?.value;
  const context = { place: placeOf(node, object), algorithm, memo: new DerivationMemo() };
  return (service) => {
    const slices = model.slices.map(({ value }) => value)
      .filter((slice) => slice.service === service.key);
    return deriveServicePorts(service, slices, context)
      .filter((record) => record.kind === 'service-port');
  };
}

interface RowFacts {
  readonly service: Service;
  readonly front: Front;
  readonly text: string;
  readonly record: ServicePortRecord | undefined;
  readonly source: RowSource;
  readonly byBgp: boolean;
}

function rowOf(facts: RowFacts): ServiceRow {
  const { service, front, text, record } = facts;
  const external = front.type === 'LoadBalancer';
  const announced = external ? announcedBy(facts) : undefined;
  const held = readRecord(service.conditions)?.find((item) => ipOf(item.address) === front.ip);
  return {
    namespace: service.meta.namespace,
    name: service.meta.name,
    type: front.type,
    frontend: text,
    policy:
      front.type === 'ClusterIP' ? service.internalTrafficPolicy : service.externalTrafficPolicy,
    backends: record?.backends.length ?? 0,
    ...(external && front.ip !== undefined ? { externalIp: front.ip } : {}),
    ...(announced === undefined ? {} : { announced }),
    ready: readiness(facts),
    ...(record === undefined ? {} : { algorithm: record.algorithm }),
    ...(service.affinitySeconds === undefined ? {} : { affinity: service.affinitySeconds }),
    sourceRanges: service.sourceRanges,
    ...(held?.origin.kind === 'pool' ? { pool: held.origin.pool } : {}),
    endpoints: (record?.backends ?? []).map((backend) => `${backend.ip}:${backend.port}`),
  };
}

function announcedBy({ front, source, byBgp }: RowFacts): string | undefined {
  const owners = front.ip === undefined ? [] : source.ownersOf(front.ip);
  if (owners.length > 0) return `l2:${owners.join(',')}`;
  return byBgp && front.ip !== undefined ? 'bgp' : undefined;
}

function readiness({ service, front, text, source }: RowFacts): string {
  if (front.ip === undefined && front.type === 'LoadBalancer') {
    const condition = service.conditions.find(
      (each) => each.type === 'cilium.io/IPAMRequestSatisfied',
    );
    return condition?.reason ?? 'NotSelected';
  }
  if (source.served === undefined) return '<unknown>';
  return source.served(text) ? 'True' : 'EntryMissing';
}

function frontsOf(service: Service): Front[] {
  const clusterIps = service.clusterIps.filter((ip) => ip !== 'None' && ip !== '').map(address);
  const published = publishedAddresses(service);
  const of = (kind: string): Ip[] => published.filter((each) => each.kind === kind)
    .map(({ ip }) => ip).toSorted(compareIp);
  const balanced = service.type === 'LoadBalancer' ? of('load-balancer') : [];
  const awaited = service.type === 'LoadBalancer' && balanced.length === 0;
  const perType: readonly (readonly [Front['type'], readonly (Ip | undefined)[]])[] = [
    ['ClusterIP', clusterIps.toSorted(compareIp)],
    ['NodePort', service.ports.some(({ nodePort }) => nodePort > 0) ? [undefined] : []],
    ['ExternalIP', of('external')],
    ['LoadBalancer', awaited ? [undefined] : balanced],
  ];
  return perType.flatMap(([type, ips]) =>
    ips.flatMap((ip) => service.ports.map((port) => ({ type, ip, port }))));
}

function frontText({ type, ip, port }: Front): string {
  if (type === 'NodePort') return `*:${port.nodePort}/${port.protocol}`;
  const shown = ip === undefined ? '<pending>' : ip.includes(':') ? `[${ip}]` : ip;
  return `${shown}:${port.port}/${port.protocol}`;
}
