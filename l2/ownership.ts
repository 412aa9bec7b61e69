import { familyOf, ipv4Number, type Ip } from '../lb/ip.ts';
import type { Clock, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { Address } from './address.ts';
import type { AddressEvent, Hold } from './address-machine.ts';
import { Agenda } from './agenda.ts';
import type { Candidate } from './candidacy.ts';
import type { Catalogue } from './catalogue.ts';
import type { Duties } from './duties.ts';
import type { Elections } from './elections.ts';
import type { LeaseReader } from './leasereader.ts';
import type { Link } from './links.ts';
import type { Session } from './session.ts';
import type { L2Settings } from './settings.ts';
import { judge, type Challenger, type LockVerdict } from './takeable.ts';
import type { LeaseView } from './view.ts';
import type { SilenceWatch } from './watchers.ts';

const second: Micros = 1_000_000;
const parallelReleases = 16;
/** Changes of tables that come sooner after a look than this are looked at together. */
const gatherFor: Micros = 20_000;

export interface OwnershipParts {
  readonly clock: Clock;
  readonly wake: (callback: () => void) => void;
  readonly catalogue: Catalogue;
  readonly view: LeaseView;
  readonly leases: LeaseReader;
  readonly elections: Elections;
  readonly silence: SilenceWatch;
  readonly session: () => Session;
  readonly settings: L2Settings;
  readonly bootId: string;
  readonly duties: () => Duties;
  readonly linksFor: (address: Ip) => readonly Link[];
  /** C9 and the local part of C8. */
  readonly servable: (address: Ip) => boolean;
  /** The tables were read: whether a session is needed may have changed. */
  readonly looked: () => void;
}

/**
 * Decides for every wanted address what the views of sections 3 to 5 of l2.md come to, and sends
 * it to the address's machine. Changes are gathered: those of one instant are looked at once, and
 * under load those of the tables within 20 ms, a fifth of a hand-over. A lock that this node holds
 * is looked at inside the delivery, before anything can extend its key.
 */
export class Ownership {
  /** Addresses with something under way or held. */
  readonly addresses = new Map<Ip, Address>();
  /** The IPv4 ones among them, as numbers. */
  #numbers = new Set<number>();
  #parts: OwnershipParts;
  #dirty = new Set<Ip>();
  /** When what is dirty is looked at next; undefined: nothing is. */
  #due: { readonly at: Micros; readonly timer: Timer } | undefined;
  #lookedAt: Micros = -gatherFor;
  #agenda: Agenda;
  /** Wanted, takeable or absent, and not yet this node's: looked at again every second. */
  #unclaimed = new Set<Ip>();
  /** Since when the present state of a lock has been takeable for this node (E1). */
  #takeable = new Map<Ip, { readonly state: string; readonly since: Micros }>();
  #handOverAt: Micros = 0;
  /** What `held` found; forgotten when an address, a lock or the own session moves. */
  #held: { readonly identity: string; readonly ips: readonly Ip[] } | undefined;

  constructor(parts: OwnershipParts) {
    this.#parts = parts;
    this.#agenda = new Agenda(parts.clock, (keys) => parts.wake(() => {
      // Keys of this agenda are addresses that were added as such.
      for (const key of keys) this.#evaluate(key as Ip);
    }));
  }

  /** The tables changed: looks at what that touches, at once when idle. */
  tablesChanged(): void {
    this.#schedule(this.#lookedAt + gatherFor);
  }

  /** Every address is to be looked at: a node, a policy, a link or the own session changed. */
  markAll(): void {
    for (const address of this.#parts.catalogue.ips()) this.mark(address);
    for (const address of this.addresses.keys()) this.mark(address);
  }

  mark(address: Ip): void {
    this.#dirty.add(address);
    this.#schedule(this.#lookedAt);
  }

  markUnclaimed(): void {
    for (const address of this.#unclaimed) this.mark(address);
  }

  /** Addresses held, for hand-over rules: another session came or changed. */
  markHeld(): void {
    for (const address of this.addresses.keys()) this.mark(address);
  }

  lockChanged(name: string): void {
    this.#held = undefined;
    const { leases, view, session } = this.#parts;
    const address = leases.lockAddress(name) ?? view.locks.get(name)?.reading.ip;
    if (address === undefined) return;
    if (this.addresses.has(address)) return this.#evaluate(address);
    if (!session().open || name !== leases.lockName(address)) return this.mark(address);
    // Locks that others make and take are the commonest news by far, and quickly judged.
    const verdict = judge(view, name, this.#challenger(address));
    if (verdict.kind === 'live') this.#forget(address);
    else this.#evaluate(address);
  }

  /** True while the stream shows the address as held (l2.md 5.3). */
  holds(address: Ip): boolean {
    return this.holdsLock({ ip: address, lock: this.#parts.leases.lockName(address) });
  }

  /** The same where the name of the lock is at hand. */
  holdsLock({ ip, lock: name }: Pick<Address, 'ip' | 'lock'>): boolean {
    const lock = this.#parts.view.locks.get(name);
    if (lock === undefined || lock.reading.owner !== this.#parts.session().identity) return false;
    return lock.reading.epoch > (this.#parts.duties().releasedEpochs.get(ip) ?? -1);
  }

  /** Those with keys whose locks are held; the identical list until that changes. */
  held(): readonly Ip[] {
    const { identity } = this.#parts.session();
    if (this.#held?.identity === identity) return this.#held.ips;
    const ips: Ip[] = [];
    for (const address of this.addresses.values()) {
      if (address.placed && this.holdsLock(address)) ips.push(address.ip);
    }
    this.#held = { identity, ips };
    return ips;
  }

  /** Whether something is under way or held for the IPv4 address of that number. */
  occupied(ipv4: number): boolean {
    return this.#numbers.has(ipv4);
  }

  /** In address order, which must not depend on history. */
  sorted(): Address[] {
    return [...this.addresses.values()].sort((a, b) => compareText(a.ip, b.ip));
  }

  sendAll(event: AddressEvent): void {
    for (const address of this.sorted()) address.send(event);
  }

  forgetWaits(): void {
    this.#agenda.clear();
    this.#takeable.clear();
    this.#held = undefined;
    this.#parts.duties().releasedEpochs.clear();
  }

  /** L4: up to 16 releases at a time; true once nothing is held. */
  pumpReleases(): boolean {
    let active = 0;
    let left = 0;
    for (const address of this.sorted()) {
      if (address.state === 'releasing') active += 1;
      else if (address.state !== 'standby' && address.state !== 'fenced') left += 1;
    }
    for (const address of this.sorted()) {
      if (active >= parallelReleases) break;
      if (!address.answers && address.state !== 'programming') continue;
      address.leaving = 'the daemon shuts down';
      address.send({ type: 'LEAVE' });
      active += 1;
      left -= 1;
    }
    return active === 0 && left <= 0;
  }

  #schedule(from: Micros): void {
    const { clock, wake } = this.#parts;
    const now = clock.now();
    const at = Math.max(now, from);
    if (this.#due !== undefined && this.#due.at <= at) return;
    this.#due?.timer.cancel();
    const timer = clock.after(at - now, () => wake(() => {
      this.#due = undefined;
      this.#look();
    }));
    this.#due = { at, timer };
  }

  #look(): void {
    this.#lookedAt = this.#parts.clock.now();
    const change = this.#parts.catalogue.refresh();
    for (const address of change.ips) this.#dirty.add(address);
    if (change.all) {
      for (const address of this.#parts.catalogue.ips()) this.#dirty.add(address);
      for (const address of this.addresses.keys()) this.#dirty.add(address);
    }
    this.#parts.looked();
    if (!this.#parts.session().open) {
      this.#dirty.clear();
      return;
    }
    const dirty = [...this.#dirty].sort(compareText);
    this.#dirty.clear();
    for (const address of dirty) this.#evaluate(address);
  }

  #evaluate(address: Ip): void {
    const { session, view, catalogue, leases } = this.#parts;
    const known = this.addresses.get(address);
    if (!session().open) return;
    const name = leases.lockName(address);
    const wanted = catalogue.wanted(address);
    if (known === undefined && !wanted) return this.#forget(address);
    const verdict = judge(view, name, this.#challenger(address));
    if (known === undefined && verdict.kind === 'live') return this.#forget(address);
    if (known === undefined && verdict.kind === 'waiting') {
      return this.#await(address, verdict.until);
    }
    const own = wanted && this.#mayServe(address) ? this.#ownCandidate(address) : undefined;
    const candidate = wanted && (own !== undefined || this.#leavingInTurn(known));
    const hold = this.#holdOf(address, { verdict, known, own });
    this.#tell(address, { hold, candidate });
    if (hold === 'own' && own !== undefined && known?.answers === true) {
      this.#considerHandOver(known, own);
    }
  }

  #await(address: Ip, until: Micros): void {
    this.#unclaimed.delete(address);
    this.#agenda.add(address, until);
  }

  #forget(address: Ip): void {
    this.#unclaimed.delete(address);
    this.#takeable.delete(address);
    this.#agenda.delete(address);
  }

  #tell(address: Ip, of: { readonly hold: Hold; readonly candidate: boolean }): void {
    const { hold, candidate } = of;
    const acts = hold === 'own' || (
      (hold === 'take' || hold === 'create' || hold === 'owed') && candidate
    );
    const found = this.addresses.get(address);
    if (found === undefined && !acts) return;
    const known = found ?? this.#add(address);
    // Denied while the session lives (row 26): no later SESSION_LIVE would end the fence.
    if (known.state === 'fenced') known.send({ type: 'SESSION_LIVE' });
    if (!candidate && known.answers) known.leaving ??= 'this node is no longer a candidate';
    // The commonest view, of an address that is held and served, moves no machine.
    const steady = hold === 'own' && candidate && (
      known.state === 'announcing' || known.state === 'announced'
    );
    if (!steady) known.send({ type: 'VIEW', hold, candidate });
    else if (this.#parts.duties().misplaced(address)) known.send({ type: 'LINKS' });
    if (known.idle) this.#remove(address);
  }

  #add(address: Ip): Address {
    const { clock, wake, duties } = this.#parts;
    const moved = (): void => { this.#held = undefined; };
    const added = new Address(address, { clock, wake, moved }, duties());
    moved();
    this.addresses.set(address, added);
    if (familyOf(address) === 'IPv4') this.#numbers.add(ipv4Number(address));
    return added;
  }

  #remove(address: Ip): void {
    this.#held = undefined;
    this.addresses.delete(address);
    if (familyOf(address) === 'IPv4') this.#numbers.delete(ipv4Number(address));
  }

  #holdOf(
    address: Ip,
    of: { verdict: LockVerdict; known: Address | undefined; own: Candidate | undefined },
  ): Hold {
    const { verdict, known, own } = of;
    if (verdict.kind !== 'missing' && verdict.kind !== 'takeable') this.#unclaimed.delete(address);
    switch (verdict.kind) {
      case 'own': return this.#denied(known) ? 'other' : 'own';
      case 'live': return 'other';
      case 'silent':
        this.#parts.silence.closeSoon(verdict.session);
        return 'other';
      case 'waiting':
        this.#agenda.add(address, verdict.until);
        return 'other';
      default: return this.#turn(address, { verdict, known, own });
    }
  }

  #denied(known: Address | undefined): boolean {
    if (known?.deniedVersion === undefined) return false;
    return known.deniedVersion === this.#parts.view.locks.get(known.lock)?.reading.resourceVersion;
  }

  /** E1 and rows 1 to 3: whether it is this node's turn to create or take. */
  #turn(
    address: Ip,
    of: {
      verdict: LockVerdict & { kind: 'missing' | 'takeable' };
      known: Address | undefined;
      own: Candidate | undefined;
    },
  ): Hold {
    const { verdict, known, own } = of;
    this.#unclaimed.add(address);
    const rule = verdict.kind === 'missing' ? 'missing' : verdict.rule;
    if (known?.state === 'releasing') return rule === 'T7' ? 'owed' : 'other';
    const version = this.#parts.view.locks.get(this.#parts.leases.lockName(address))?.reading
      .resourceVersion ?? '';
    if (known?.writing === true || known?.replaced === version) return 'wait';
    const now = this.#parts.clock.now();
    const state = `${rule} ${version}`;
    let since = this.#takeable.get(address);
    if (since?.state !== state) this.#takeable.set(address, since = { state, since: now });
    if (own === undefined) return 'other';
    const prompt = rule === 'T4' || rule === 'T7';
    // A lock that this node itself just created is taken without waiting for the turn again.
    const created = known?.state === 'acquiring';
    const turn = prompt || created ? now : since.since + this.#parts.elections.delay(address, own);
    if (now < turn) {
      this.#agenda.add(address, turn);
      return 'other';
    }
    if (rule === 'missing') return 'create';
    (known ?? this.#add(address)).cause ??= { rule, former: undefined, since: since.since };
    return rule === 'T7' ? 'owed' : 'take';
  }

  #challenger(address: Ip): Challenger {
    const { session, clock, settings, bootId, duties } = this.#parts;
    const { identity, openedAt, past } = session();
    return {
      identity, past, bootId, now: clock.now(), observedFrom: openedAt, duration: settings.duration,
      releasedEpoch: duties().releasedEpochs.get(address) ?? -1,
    };
  }

  #mayServe(address: Ip): boolean {
    const { session, duties } = this.#parts;
    if (session().state !== 'live' || duties().declined.has(address)) return false;
    return this.#parts.servable(address) && this.#parts.linksFor(address).length > 0;
  }

  // L4: while the session is leaving, an address goes on being answered until its own turn.
  #leavingInTurn(known: Address | undefined): boolean {
    return this.#parts.session().state === 'leaving' && known?.answers === true;
  }

  #ownCandidate(address: Ip): Candidate | undefined {
    const { identity } = this.#parts.session();
    return this.#parts.elections.candidate(address, identity);
  }

  /** E2 and E3. */
  #considerHandOver(known: Address, own: Candidate): void {
    const { elections, settings, clock } = this.#parts;
    const graceful = settings.preempt === 'graceful';
    if (!own.reluctant && !graceful) return;
    const others = elections.candidates(known.ip).filter(
      (one) => one.node !== own.node && !one.reluctant,
    );
    const now = clock.now();
    const due = (wait: Micros, rivals: readonly Candidate[]): Micros | undefined => {
      let at: Micros | undefined;
      for (const one of rivals) at = Math.min(at ?? one.since + wait, one.since + wait);
      return at;
    };
    if (own.reluctant) {
      const at = due(2 * second, others);
      if (at !== undefined && now >= at) {
        this.#handOver(known, 'a node that can serve better is there');
      }
      else if (at !== undefined) this.#agenda.add(known.ip, at);
      return;
    }
    const first = others.filter((one) => elections.position(known.ip, one) === 0);
    const at = due(60 * second, first);
    if (at === undefined) return;
    const turn = Math.max(at, this.#handOverAt);
    if (now < turn) return this.#agenda.add(known.ip, turn);
    this.#handOverAt = now + second;
    this.#handOver(known, 'the first in rank is back');
  }

  #handOver(known: Address, why: string): void {
    known.leaving = why;
    known.send({ type: 'LEAVE' });
  }
}
