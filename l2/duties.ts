import { familyOf, type Ip } from '../lb/ip.ts';
import type { Clock, LinkPort, Micros } from '../lb/ports.ts';
import type { Address, AddressDuties } from './address.ts';
import type { Bursts } from './burst.ts';
import type { Chronicle } from './chronicle.ts';
import { solicitedNodeGroup } from './frames.ts';
import type { ResponderKeys } from './keys.ts';
import { nodeOf } from './lease.ts';
import type { Link } from './links.ts';
import type { LockSeen } from './lock.ts';
import type { LockStore, WriteResult } from './lockstore.ts';
import type { Session } from './session.ts';
import type { LeaseView } from './view.ts';

const declineFor: Micros = 30_000_000;

export interface DutyParts {
  readonly clock: Clock;
  readonly link: LinkPort;
  readonly view: LeaseView;
  readonly store: LockStore;
  readonly keys: ResponderKeys;
  readonly bursts: Bursts;
  readonly chronicle: Chronicle;
  readonly session: () => Session;
  readonly nodeName: string;
  readonly reannounceInterval: Micros;
  /** Links on which this node would announce the address now. */
  readonly linksFor: (address: Ip) => readonly Link[];
  readonly review: (address: Ip) => void;
}

/** Carries out what the machines of single addresses decide: locks, keys, frames, groups, words. */
export class Duties implements AddressDuties {
  /** Highest epoch per address for which the present session sent a release (L3). */
  readonly releasedEpochs = new Map<Ip, number>();
  /** Until when an address is declined (C8). */
  readonly declined = new Map<Ip, Micros>();
  /** Addresses in overtime (l2.md 13). */
  readonly inOvertime = new Set<Ip>();
  #parts: DutyParts;
  /** Members per group and interface: a group is left with its last address (l2.md 12). */
  #groups = new Map<string, number>();
  /** Links with a key, as they were when it was written. */
  #placed = new Map<Ip, readonly Link[]>();

  constructor(parts: DutyParts) {
    this.#parts = parts;
  }

  create(address: Address): void {
    address.writing = true;
    this.#parts.store.create(address.ip, (result) => {
      if (result === 'ok') address.replaced = '';
      this.#written(address, result);
    });
  }

  take(address: Address): void {
    const { view, store, session, clock } = this.#parts;
    const lock = view.locks.get(address.lock);
    if (lock === undefined) return address.send({ type: 'WRITE', result: 'conflict' });
    const since = address.cause?.since ?? clock.now();
    address.cause = { rule: address.cause?.rule ?? 'T5', former: formerOf(lock), since };
    address.writing = true;
    const by = { identity: session().identity, ip: address.ip };
    store.take(lock, by, (result) => {
      if (result === 'ok') address.replaced = lock.reading.resourceVersion;
      this.#written(address, result);
    });
  }

  program(address: Address): boolean {
    const { keys, linksFor, session } = this.#parts;
    const { fence } = session();
    const links = linksFor(address.ip);
    if (fence === undefined || links.length === 0) return false;
    this.#joinAll(address, links);
    this.#placed.set(address.ip, links);
    return keys.put(address.ip, links, fence);
  }

  announce(address: Address): void {
    const { bursts, chronicle, clock, linksFor, nodeName } = this.#parts;
    const { ip, cause } = address;
    const links = linksFor(ip);
    address.announcedAt = clock.now();
    address.leaving = undefined;
    for (const link of links) bursts.start(ip, link.name);
    chronicle.announced(ip, {
      rule: cause?.rule ?? 'T5',
      links: links.map((link) => link.name),
      took: clock.now() - (cause?.since ?? clock.now()),
    });
    const former = cause?.former;
    if (former !== undefined && nodeOf(former) !== nodeName) chronicle.failover(ip, former);
    address.cause = undefined;
  }

  /** I4 and rows 11 and 12: keys, groups and bursts follow the links that came, went or changed. */
  relink(address: Address): void {
    const { keys, bursts, chronicle, linksFor, session } = this.#parts;
    const { ip } = address;
    const fence = Math.max(session().fence ?? 0, keys.lastExpiry(ip));
    const before = this.#placed.get(ip) ?? [];
    const after = linksFor(ip);
    if (after.length === 0 || sameLinks(before, after)) return;
    this.#joinAll(address, after);
    this.#placed.set(ip, after);
    if (!keys.put(ip, after, fence)) address.send({ type: 'MISMATCH' });
    for (const link of before) if (!after.some(
      (one) => one.name === link.name,
    )) bursts.cancel(ip, link.name);
    for (const link of after) {
      const old = before.find((one) => one.name === link.name);
      if (old?.mac === link.mac && old.ifindex === link.ifindex) continue;
      bursts.start(ip, link.name);
      chronicle.healed(ip, `link ${link.name} came or changed and hears of ${ip} anew`);
    }
  }

  withdraw(address: Address): Micros | undefined {
    const { keys, bursts } = this.#parts;
    bursts.cancel(address.ip);
    return keys.remove(address.ip) ? undefined : keys.lastExpiry(address.ip);
  }

  release(address: Address): void {
    const { view, store, session, keys, clock } = this.#parts;
    const { ip } = address;
    const lock = view.locks.get(address.lock);
    const { identity } = session();
    // A deletion that could not be verified is tried again; the expiry has passed by now.
    if (!keys.remove(ip) && clock.boot() < keys.lastExpiry(ip)) {
      return address.send({ type: 'WRITE', result: 'unknown' });
    }
    if (lock === undefined || lock.reading.owner !== identity) return this.#parts.review(ip);
    // Noted before sending: a release that times out may still be applied.
    this.releasedEpochs.set(ip, lock.reading.epoch);
    address.writing = true;
    store.release(lock, identity, (result) => this.#written(address, result));
  }

  released(address: Address): void {
    this.#leaveGroups(address);
    if (address.announcedAt !== undefined) {
      this.#parts.chronicle.released(address.ip, address.leaving);
    }
    address.announcedAt = undefined;
    address.leaving = undefined;
  }

  drop(address: Address, cause: 'lost' | 'fenced' | 'denied'): void {
    const { keys, bursts, chronicle } = this.#parts;
    bursts.cancel(address.ip);
    keys.remove(address.ip);
    this.#leaveGroups(address);
    if (address.announcedAt !== undefined) chronicle.lost(address.ip, cause);
    address.announcedAt = undefined;
    address.leaving = undefined;
  }

  decline(address: Address): void {
    const { clock, chronicle, session } = this.#parts;
    this.declined.set(address.ip, clock.now() + declineFor);
    address.leaving = 'it could not be programmed';
    chronicle.programFailed(address.ip);
    session().publish();
  }

  review(address: Address): void {
    this.#parts.review(address.ip);
  }

  overtime(address: Address, on: boolean): void {
    if (on) this.inOvertime.add(address.ip);
    else this.inOvertime.delete(address.ip);
  }

  /** True when keys stand on other links than they should. */
  misplaced(address: Ip): boolean {
    return !sameLinks(this.#placed.get(address) ?? [], this.#parts.linksFor(address));
  }

  /** One announcement on every link, outside a burst (A5). */
  repeat(address: Address): void {
    for (const link of this.#parts.linksFor(address.ip)) this.#parts.bursts.repeat(
      address.ip, link.name,
    );
  }

  #written(address: Address, result: WriteResult): void {
    address.writing = false;
    address.send({ type: 'WRITE', result });
    this.#parts.review(address.ip);
  }

  // Joined before the first announcement; a group that an interface refuses costs NUD, not safety.
  #joinAll(address: Address, links: readonly Link[]): void {
    if (familyOf(address.ip) === 'IPv4') return;
    const group = solicitedNodeGroup(address.ip);
    const wanted = new Set(links.map((link) => link.ifindex));
    for (const ifindex of [...address.joined].sort((a, b) => a - b)) {
      if (!wanted.has(ifindex)) this.#leaveOne(address, group, ifindex);
    }
    for (const { ifindex } of links) {
      if (address.joined.has(ifindex)) continue;
      const key = `${ifindex} ${group}`;
      const members = this.#groups.get(key) ?? 0;
      if (members === 0 && !this.#parts.link.join(ifindex, group).ok) continue;
      this.#groups.set(key, members + 1);
      address.joined.add(ifindex);
    }
  }

  #leaveGroups(address: Address): void {
    this.#placed.delete(address.ip);
    if (familyOf(address.ip) === 'IPv4') return;
    const group = solicitedNodeGroup(address.ip);
    for (const ifindex of [...address.joined].sort((a, b) => a - b)) this.#leaveOne(
      address, group, ifindex,
    );
  }

  #leaveOne(address: Address, group: Ip, ifindex: number): void {
    const key = `${ifindex} ${group}`;
    const members = (this.#groups.get(key) ?? 1) - 1;
    address.joined.delete(ifindex);
    if (members > 0) {
      this.#groups.set(key, members);
      return;
    }
    this.#groups.delete(key);
    this.#parts.link.leave(ifindex, group);
  }
}

function formerOf({ reading: { stamp } }: LockSeen): string | undefined {
  return stamp === undefined || stamp === 'unknown' || stamp.kind === 'new' ? undefined
    : stamp.identity;
}

/** True when names, places and MACs are the same. */
function sameLinks(left: readonly Link[], right: readonly Link[]): boolean {
  return left.length === right.length && left.every((link, index) => {
    const other = right[index];
    return link.name === other?.name && link.ifindex === other.ifindex && link.mac === other.mac;
  });
}
