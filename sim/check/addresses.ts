import { createDecoder } from '../../kube/decode.ts';
import { resources } from '../../kube/resource.ts';
import {
  familyOf,
  ipNumber,
  parseIpUnmapped,
  parsePrefix,
  prefixContains,
  type Ip,
} from '../../lb/ip.ts';
import type { Pool, Service, ServiceKey } from '../../lb/model.ts';
import { compileSelector } from '../../lb/selector.ts';
import { compareText } from '../../lb/table.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Report } from './oracles.ts';
import { watchPools } from './pools.ts';

/** What the record of one Service lists, by address: `pool/NAME` or `node`. */
type AddressRecord = ReadonlyMap<Ip, string>;

/**
 * The three oracles on addresses, judged at every stored Service (simulator.md 9, oracles 2 to 4).
 * They read stored objects with plain rules of their own, so that they cannot share the
 * allocator's mistakes.
 */
export function watchAddresses(
  cluster: Cluster,
  wanted: ReadonlySet<string>,
  report: Report,
): void {
  const decoder = createDecoder();
  const before = new Map<
    ServiceKey,
    { readonly service: Service; readonly record: AddressRecord }
  >();
  const pools = watchPools(cluster, decoder.pool);
  // What stood before the watch began is given, not judged.
  for (const object of cluster.store.list(resources.services)) {
    const decoded = decoder.service(object);
    if (!decoded.ok) continue;
    before.set(decoded.value.key, { service: decoded.value, record: readRecord(decoded.value) });
  }
  cluster.store.onCommit(resources.services, (object, deleted) => {
    const decoded = decoder.service(object);
    if (!decoded.ok) return;
    const service = decoded.value;
    const known = before.get(service.key);
    const previous = known?.service.meta.uid === service.meta.uid ? known : undefined;
    if (deleted) {
      before.delete(service.key);
      return;
    }
    const record = readRecord(service);
    before.set(service.key, { service, record });
    if (wanted.has('no-double-assignment'))
      judgeSharing({ service, record, before, previous }, report);
    for (const [ip, source] of record) {
      if (previous?.record.has(ip) === true || !source.startsWith('pool/')) continue;
      if (
        wanted.has('in-pool') &&
        !pools().some((pool) => selects(pool, service) && holds(pool, ip))
      ) {
        report({
          oracle: 'in-pool',
          object: `service ${service.key}`,
          text: `${ip} lies in no pool that selects the Service`,
        });
      }
    }
    if (wanted.has('sticky-address') && previous !== undefined) {
      judgeSticky(
        { service, record, previous: previous.record, before: previous.service, pools: pools() },
        report,
      );
    }
  });
}

interface Sharing {
  readonly service: Service;
  readonly record: AddressRecord;
  readonly previous: { readonly record: AddressRecord } | undefined;
  readonly before: ReadonlyMap<
    ServiceKey,
    { readonly service: Service; readonly record: AddressRecord }
  >;
}

function judgeSharing({ service, record, before, previous }: Sharing, report: Report): void {
  for (const [ip, source] of record) {
    if (source === 'node' || previous?.record.has(ip) === true) continue;
    for (const [key, other] of before) {
      if (key === service.key || !other.record.has(ip) || other.record.get(ip) === 'node') continue;
      if (mayShare(service, other.service)) continue;
      report({
        oracle: 'no-double-assignment',
        object: ip,
        text: `${service.key} and ${key} both have ${ip} and may not share it`,
      });
    }
  }
}

function sharingKey(service: Service): string {
  const { annotations } = service.meta;
  return (
    annotations['lbipam.cilium.io/sharing-key'] ??
    annotations['io.cilium/lb-ipam-sharing-key'] ??
    ''
  );
}

function mayShare(left: Service, right: Service): boolean {
  if (sharingKey(left) === '' || sharingKey(left) !== sharingKey(right)) return false;
  if (left.externalTrafficPolicy !== right.externalTrafficPolicy) return false;
  const taken = new Set(left.ports.map((port) => `${port.protocol}/${port.port}`));
  return !right.ports.some((port) => taken.has(`${port.protocol}/${port.port}`));
}

interface Sticky {
  readonly service: Service;
  readonly record: AddressRecord;
  readonly previous: AddressRecord;
  readonly before: Service;
  readonly pools: readonly Pool[];
}

// A change is suspicious where neither the Service's own wishes nor the pools explain it.
function judgeSticky({ service, record, previous, before, pools }: Sticky, report: Report): void {
  if (service.type !== 'LoadBalancer' || wishes(service) !== wishes(before)) return;
  for (const [ip, source] of previous) {
    if (record.has(ip) || !source.startsWith('pool/')) continue;
    const backed = pools.some((pool) => selects(pool, service) && holds(pool, ip));
    if (backed && sharingKey(service) === '') {
      report({
        oracle: 'sticky-address',
        object: `service ${service.key}`,
        text: `lost ${ip} although a pool that selects it contains it`,
      });
    }
  }
}

function wishes(service: Service): string {
  const { annotations } = service.meta;
  const asked = Object.keys(annotations)
    .sort(compareText)
    .filter((key) => key.includes('lb-ipam') || key.includes('lbipam'));
  return JSON.stringify([
    service.loadBalancerIp,
    service.loadBalancerClass,
    service.ipFamilies,
    service.ipFamilyPolicy,
    service.ports,
    service.externalTrafficPolicy,
    asked.map((key) => [key, annotations[key]]),
    service.meta.labels,
  ]);
}

/** The allocation record of lb-ipam.md 4.2, read leniently. */
function readRecord(service: Service): AddressRecord {
  const condition = service.conditions.find(
    (candidate) => candidate.type === 'fairlead.dev/IPAMAllocation',
  );
  const record = new Map<Ip, string>();
  if (condition?.status !== 'True') return record;
  for (const item of condition.message.split(',')) {
    const equals = item.indexOf('=');
    const parsed = parseIpUnmapped(item.slice(0, equals).trim());
    if (equals > 0 && parsed.ok) record.set(parsed.value, item.slice(equals + 1).trim());
  }
  return record;
}

function selects(pool: Pool, service: Service): boolean {
  const matcher = compileSelector(pool.serviceSelector);
  return (
    matcher.ok &&
    matcher.value({
      ...service.meta.labels,
      'io.kubernetes.service.name': service.meta.name,
      'io.kubernetes.service.namespace': service.meta.namespace,
    })
  );
}

function holds(pool: Pool, ip: Ip): boolean {
  return pool.blocks.some((block) => {
    if (block.cidr !== undefined) {
      const prefix = parsePrefix(block.cidr);
      return prefix.ok && prefixContains(prefix.value, ip);
    }
    const start = parseIpUnmapped(block.start ?? '');
    const stop = parseIpUnmapped(block.stop ?? block.start ?? '');
    if (!start.ok || !stop.ok || familyOf(start.value) !== familyOf(ip)) return false;
    return ipNumber(start.value) <= ipNumber(ip) && ipNumber(ip) <= ipNumber(stop.value);
  });
}
