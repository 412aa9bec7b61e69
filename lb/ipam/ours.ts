import { parseIp } from '../ip.ts';
import type { IngressEntry } from '../model.ts';
import { conditionOf } from '../conditions.ts';
import { addressOf, type Address } from './address.ts';
import { satisfiedType, type ServiceEntry } from './entry.ts';
import type { PoolSpace } from './space.ts';

/** What tells our ingress entries from foreign ones (lb-ipam.md 4.2, 11). */
export interface Claims {
  readonly space: PoolSpace;
  isNodeAddress(address: Address): boolean;
}

export interface OwnEntry {
  readonly address: Address;
  readonly entry: IngressEntry;
}

export interface SplitIngress {
  /** In their stored order. */
  readonly foreign: readonly IngressEntry[];
  readonly ours: readonly OwnEntry[];
}

/** The stored ingress list, ours and the others'. Hostname entries are always foreign. */
export function splitIngress(entry: ServiceEntry, claims: Claims): SplitIngress {
  if (entry.stored.ingress.length === 0) return { foreign: [], ours: [] };
  const isOurs = ownership(entry, claims);
  const foreign: IngressEntry[] = [];
  const ours: OwnEntry[] = [];
  for (const stored of entry.stored.ingress) {
    const address = addressIn(stored);
    if (address !== undefined && isOurs(address)) ours.push({ address, entry: stored });
    else foreign.push(stored);
  }
  return { foreign, ours };
}

/**
 * What a Service of node IPAM shows that came, or may have come, from nodes: an address recorded
 * from a pool went back to it when the owner changed.
 */
export function shownOfNodes(entry: ServiceEntry, claims: Claims): readonly Address[] {
  const pooled = new Set(entry.record?.filter((item) => item.origin.kind === 'pool')
    .map((item) => item.address));
  const shown = splitIngress(entry, claims).ours.map((item) => item.address);
  return [...new Set(shown)].filter((address) => !pooled.has(address));
}

/** The address of an entry; undefined for a hostname or a text that is none. */
export function addressIn(stored: IngressEntry): Address | undefined {
  if (stored.ip === undefined) return undefined;
  const ip = parseIp(stored.ip);
  return ip.ok ? addressOf(ip.value) : undefined;
}

function ownership(entry: ServiceEntry, claims: Claims): (address: Address) => boolean {
  const record = entry.record;
  const recorded = new Set(record?.map((item) => item.address));
  const { kind } = entry.inputs.ownership;
  const unrecorded = record === undefined;
  switch (kind) {
    case 'lbipam':
    case 'lbipam-hold': {
      // Without a record of ours, a True condition of Cilium's says that Cilium wrote the list.
      const ciliumWrote = unrecorded
        && conditionOf(entry.stored.conditions, satisfiedType)?.status === 'True';
      const pools = entry.matching(claims.space);
      return (address) => ciliumWrote || recorded.has(address) || entry.held.has(address)
        || pools.some((pool) => pool.contains(address));
    }
    case 'node':
    case 'node-hold': {
      const byClass = unrecorded && entry.service.loadBalancerClass === 'io.cilium/node';
      return (address) => byClass || recorded.has(address) || claims.isNodeAddress(address);
    }
    case 'nobody':
      return (address) => recorded.has(address);
  }
}
