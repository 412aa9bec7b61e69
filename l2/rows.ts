import { compareIp, type Ip } from '../lb/ip.ts';
import type { KernelPort, Micros } from '../lb/ports.ts';
import type { Catalogue } from './catalogue.ts';
import type { Claims } from './claims.ts';
import type { Elections } from './elections.ts';
import type { ResponderKeys } from './keys.ts';
import { lockName, nodeOf } from './lease.ts';
import type { Ownership } from './ownership.ts';
import { encodeResponderKey, responderStats } from './responder-map.ts';
import type { Session } from './session.ts';
import type { LeaseView } from './view.ts';

/** One line of `fairlead l2 list` as one node sees it (l2.md 14), on its monotonic clock. */
export interface L2Row {
  readonly ip: Ip;
  readonly services: readonly string[];
  /** This node's state of the address. */
  readonly state: string;
  /** The owner's node and session; undefined: nobody holds the lock. */
  readonly node: string | undefined;
  readonly session: string | undefined;
  readonly epoch: number | undefined;
  readonly since: Micros | undefined;
  /** Time left until this node's fence, where it holds the address. */
  readonly fenceLeft: Micros | undefined;
  readonly links: readonly string[];
  /** Nodes by rank, with `~` before those of class 1. */
  readonly candidates: readonly string[];
  /** First failing rule of the other nodes. */
  readonly failures: readonly (readonly [string, string])[];
  readonly answers: number;
  readonly lastAnnounced: Micros | undefined;
  /** MAC of a stranger that claimed the address in the last minute. */
  readonly conflict: string | undefined;
}

export interface RowParts {
  readonly catalogue: Catalogue;
  readonly view: LeaseView;
  readonly elections: Elections;
  readonly session: Session;
  readonly ownership: Ownership;
  readonly claims: Claims;
  readonly kernel: KernelPort;
  readonly keys: ResponderKeys;
  readonly now: Micros;
  readonly boot: Micros;
  readonly linkName: (ifindex: number) => string;
}

/** Every wanted address in address order. */
export function listRows(parts: RowParts): L2Row[] {
  const wanted = [...parts.catalogue.ips()].filter((address) => parts.catalogue.wanted(address));
  return wanted.sort(compareIp).map((address) => rowOf(address, parts));
}

function rowOf(address: Ip, parts: RowParts): L2Row {
  const { view, elections, session, ownership, keys } = parts;
  const lock = view.locks.get(lockName(address));
  const owner = lock?.reading.owner;
  const known = ownership.addresses.get(address);
  const ranked = [...elections.candidates(address)]
    .map((one) => ({ one, position: elections.position(address, one) }))
    .sort((a, b) => a.position - b.position);
  const { fence } = session;
  const ifindexes = keys.ifindexes(address);
  return {
    ip: address,
    services: parts.catalogue.contributions(address).map((one) => one.service.key),
    state: known?.state ?? 'standby',
    node: owner === undefined ? undefined : nodeOf(owner),
    session: owner,
    epoch: lock?.reading.epoch,
    since: lock?.since,
    fenceLeft: known?.answers === true && fence !== undefined ? fence - parts.boot : undefined,
    links: ifindexes.map(parts.linkName),
    candidates: ranked.map(({ one }) => (one.reluctant ? `~${one.node}` : one.node)),
    failures: elections.failures(address),
    answers: ifindexes.reduce(
      (sum, ifindex) => sum + answersOf(parts.kernel, { ifindex, ip: address }), 0,
    ),
    lastAnnounced: known?.lastSentAt,
    conflict: parts.claims.foreign(address),
  };
}

function answersOf(kernel: KernelPort, key: { readonly ifindex: number; readonly ip: Ip }): number {
  const value = kernel.lookup(responderStats, encodeResponderKey(key));
  if (value === undefined || value.length < 8) return 0;
  return Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0, true));
}
