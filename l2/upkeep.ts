import type { Ip } from '../lb/ip.ts';
import type { Clock, KernelPort } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import type { Catalogue } from './catalogue.ts';
import type { Chronicle } from './chronicle.ts';
import type { Claims } from './claims.ts';
import type { Duties } from './duties.ts';
import type { Elections } from './elections.ts';
import type { ResponderKeys } from './keys.ts';
import { lockName } from './lease.ts';
import type { Ownership } from './ownership.ts';
import type { Session } from './session.ts';
import { second, type L2Settings } from './settings.ts';
import { isOwnPast } from './takeable.ts';
import type { LeaseView, SessionSeen } from './view.ts';
import type { SilenceWatch } from './watchers.ts';

export interface UpkeepParts {
  readonly clock: Clock;
  readonly settings: L2Settings & { readonly nodeName: string };
  readonly kernel: KernelPort;
  readonly catalogue: Catalogue;
  readonly view: LeaseView;
  readonly keys: ResponderKeys;
  readonly chronicle: Chronicle;
  readonly elections: Elections;
  readonly silence: SilenceWatch;
  readonly ownership: Ownership;
  readonly duties: Duties;
  readonly claims: Claims;
  readonly session: Session;
  /** This node could announce the address: front and links are there. */
  readonly serves: (address: Ip) => boolean;
  readonly refreshLinks: () => void;
}

/** Watch deliveries per second in the whole cluster above which the load is told (l2.md 5.5). */
const deliveriesMax = 20_000;

/** The level check of l2.md 6 and all else that is looked at by the second: no trust in edges. */
export class Upkeep {
  #parts: UpkeepParts;
  #nodeText = '';
  #loadTold = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  run(): void {
    const { ownership, session, claims } = this.#parts;
    this.#compareMap();
    this.#forgetDeclined();
    this.#readNode();
    this.#weighRenewals();
    ownership.markUnclaimed();
    if (session.state === 'live') this.#closePast();
    if (claims.noticesEnded()) session.publish();
    if (this.#parts.settings.reannounceInterval > 0) this.#reannounce();
  }

  #compareMap(): void {
    const { keys, chronicle, ownership } = this.#parts;
    const { mismatched, strays } = keys.check();
    for (const address of mismatched) {
      chronicle.mismatch(
        address, 'a key was missing from the responder map or differed; written anew',
      );
      ownership.addresses.get(address)?.send({ type: 'MISMATCH' });
    }
    if (strays > 0) chronicle.mismatch('fl_l2', `${strays} keys that nobody wanted were deleted`);
  }

  #readNode(): void {
    const { catalogue, settings, refreshLinks } = this.#parts;
    const text = JSON.stringify(catalogue.node(settings.nodeName)?.addresses ?? []);
    if (text === this.#nodeText) return;
    this.#nodeText = text;
    refreshLinks();
  }

  /** l2.md 5.5: every session's renewal reaches every other one, so the load grows with M². */
  #weighRenewals(): void {
    const { view, settings, chronicle } = this.#parts;
    let open = 0;
    for (const seen of view.sessions.values()) if (seen.open) open += 1;
    const heavy = open * open * second > deliveriesMax * settings.renew;
    if (heavy && !this.#loadTold) {
      const deliveries = Math.round((open * open * second) / settings.renew);
      chronicle.note('warn', 'l2.renewalLoad', `${open} sessions cause ${deliveries} watch`
        + ` deliveries per second, more than ${deliveriesMax}; raise l2.session.duration and`
        + ' l2.session.renew, or select fewer nodes in the policies');
    }
    this.#loadTold = heavy;
  }

  #forgetDeclined(): void {
    const { clock, duties, ownership, elections, session } = this.#parts;
    const now = clock.now();
    let changed = false;
    for (const [address, until] of [...duties.declined]) {
      if (now < until) continue;
      duties.declined.delete(address);
      ownership.mark(address);
      changed = true;
    }
    if (!changed) return;
    elections.outdate();
    session.publish();
  }

  /** Row 9: an earlier session of this node is closed once nothing of it is worth re-taking. */
  #closePast(): void {
    const { clock, view, session, kernel, silence } = this.#parts;
    if (clock.now() < session.openedAt + second) return;
    const { past, identity } = session;
    const self = { identity, bootId: kernel.bootId };
    const earlier: SessionSeen[] = [];
    for (const seen of view.sessions.values()) {
      if (!seen.open || seen.identity === identity) continue;
      if (past.has(seen.identity) || isOwnPast(seen, self)) earlier.push(seen);
    }
    for (const seen of earlier.sort((a, b) => compareText(a.name, b.name))) {
      if (!view.locksOf(seen.identity).some((lock) => this.#worthTaking(lock))) {
        silence.closeOwnPast(seen);
      }
    }
  }

  #worthTaking(lock: string): boolean {
    const { view, catalogue, serves, elections, session } = this.#parts;
    const address = view.locks.get(lock)?.reading.ip;
    if (address === undefined || !catalogue.wanted(address) || lockName(address) !== lock) {
      return false;
    }
    return serves(address) && elections.candidates(address).some(
      (one) => one.identity === session.identity,
    );
  }

  /** A5: per address, the interval after its last frame. */
  #reannounce(): void {
    const { clock, ownership, settings, duties } = this.#parts;
    const now = clock.now();
    for (const address of ownership.sorted()) {
      const { lastSentAt } = address;
      if (address.state !== 'announced' && address.state !== 'overtime') continue;
      if (lastSentAt === undefined || now < lastSentAt + settings.reannounceInterval) continue;
      duties.repeat(address);
    }
  }
}
