import { familyOf, type Family, type Ip } from '../lb/ip.ts';
import type { Labels } from '../lb/model.ts';
import type { Clock, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { contributes, type SessionFacts } from './candidacy.ts';
import type { Catalogue } from './catalogue.ts';
import type { Claims } from './claims.ts';
import type { Duties } from './duties.ts';
import type { Elections } from './elections.ts';
import { declinedMax, noticesMax, type Notice, type SessionState } from './lease.ts';
import type { Link, Links } from './links.ts';
import type { Ownership } from './ownership.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Session } from './session.ts';
import type { L2Settings } from './settings.ts';

/** What of the datapath decides candidacy (C9). */
export interface FrontPort {
  ready(): boolean;
  /** True when this node forwards traffic for the address. */
  hasFront(ip: Ip): boolean;
  /** `all`: `ready` changed; else `ips` are those for which `hasFront` may answer otherwise. */
  onChange(listener: (change: { all: boolean; ips: ReadonlySet<Ip> }) => void): void;
}

export interface PlaceParts {
  readonly clock: Clock;
  readonly wake: (callback: () => void) => void;
  readonly settings: L2Settings & { readonly nodeName: string };
  readonly datapath: FrontPort | undefined;
  readonly catalogue: Catalogue;
  readonly links: Links;
  readonly session: () => Session;
  readonly ownership: () => Ownership;
  readonly duties: () => Duties;
  readonly claims: () => Claims;
  readonly elections: () => Elections;
}

const none: readonly Link[] = [];

interface LinksAt {
  readonly usable: readonly Link[];
  readonly labels: Labels;
  readonly found: Map<
    readonly CompiledPolicy[], Readonly<Partial<Record<Family, readonly Link[]>>>
  >;
}

/** Where this node stands: its links, what it can serve, and what its session tells of that. */
export class Place {
  #parts: PlaceParts;
  #holdUp: Timer | undefined;
  /** `linksFor` by the policies of the one Service and family, as long as its inputs stay. */
  #linksAt: LinksAt = { usable: none, labels: {}, found: new Map() };
  #told = '';
  /** Of the own Node; undefined until every listing was complete. */
  #addresses: string | undefined;

  constructor(parts: PlaceParts) {
    this.#parts = parts;
  }

  /** The own Node is as the catalogue has it now: its addresses decide what is managed. */
  nodeSeen(): void {
    const { catalogue, settings, links } = this.#parts;
    if (!catalogue.complete) return;
    const addresses = catalogue.node(settings.nodeName)?.addresses ?? [];
    if (this.#addresses === String(addresses)) return;
    this.#addresses = String(addresses);
    links.setNodeAddresses(addresses);
    this.refreshLinks();
  }

  /**
   * Reads the interfaces; a change reaches elections, held addresses and the session. Before the
   * own Node can be known nothing is read: what is there at the first look is usable at once.
   */
  refreshLinks(): void {
    if (this.#addresses === undefined) return;
    const { clock, wake, links } = this.#parts;
    const again = links.refresh();
    if (again !== undefined) {
      this.#holdUp?.cancel();
      const wait = Math.max(0, again - clock.now());
      this.#holdUp = clock.after(wait, () => wake(() => this.refreshLinks()));
    }
    const text = JSON.stringify(links.usable()) + JSON.stringify(links.told());
    if (text === this.#told) return;
    this.#told = text;
    this.#parts.elections().outdate();
    this.#parts.ownership().sendAll({ type: 'LINKS' });
    this.#parts.ownership().markAll();
    this.#parts.session().publish();
  }

  /** Usable links on which the policies want the address announced by this node. */
  linksFor(address: Ip): readonly Link[] {
    const { catalogue, settings, links } = this.#parts;
    const labels = catalogue.node(settings.nodeName)?.labels;
    if (labels === undefined) return none;
    const usable = links.usable();
    if (this.#linksAt.usable !== usable || this.#linksAt.labels !== labels) {
      this.#linksAt = { usable, labels, found: new Map() };
    }
    // Nearly every address is of one Service, and all Services share a few lists of policies.
    const [one, another] = catalogue.contributions(address);
    if (one === undefined) return none;
    const found = another === undefined ? this.#linksAt.found.get(one.policies) : undefined;
    const family = familyOf(address);
    if (found?.[family] !== undefined) return found[family];
    const policies = catalogue.contributions(address)
      .flatMap((each) => each.policies.filter((policy) => policy.matchesNode(labels)));
    const selected = usable.filter(
      (link) => contributes({ ...link, up: true, lost: false }, policies, address),
    );
    if (another === undefined) {
      this.#linksAt.found.set(one.policies, { ...found, [family]: selected });
    }
    return selected;
  }

  /** C9, and the part of C8 about addresses configured here. */
  servable(address: Ip): boolean {
    const { links, datapath } = this.#parts;
    if (links.configured(address)) return false;
    return datapath === undefined || (datapath.ready() && datapath.hasFront(address));
  }

  /** A3: the link of that name, if an announcement may leave by it now. */
  announceable(address: Ip, name: string): Link | undefined {
    const known = this.#parts.ownership().addresses.get(address);
    if (known === undefined || !known.answers) return undefined;
    const held = this.#parts.session().answering && this.#parts.ownership().holds(address);
    if (known.state !== 'overtime' && !held) return undefined;
    return this.linksFor(address).find((link) => link.name === name);
  }

  /** What the session Lease tells besides the protocol's own fields. */
  facts(): Omit<SessionState, 'seq' | 'durationMs' | 'bootId' | 'state'> {
    const { duties, claims, settings, links } = this.#parts;
    const declined = [...duties().declined.keys()].sort(compareText).slice(0, declinedMax);
    const notices: Notice[] = claims().notices();
    if (settings.responder === 'fallback') {
      notices.unshift({ kind: 'responder-degraded', subject: settings.nodeName, by: '' });
    }
    return { links: links.told(), declined, notices: notices.slice(0, noticesMax) };
  }

  /** The own session as candidacy sees it, fresher than its Lease. */
  ownFacts(): SessionFacts | undefined {
    const { identity, openedAt, state } = this.#parts.session();
    if (state !== 'live' && state !== 'leaving') return undefined;
    const { links, declined } = this.facts();
    const node = this.#parts.settings.nodeName;
    return { node, identity, live: state === 'live', since: openedAt, links, declined };
  }
}
