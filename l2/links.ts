import { parseIpUnmapped, type Family, type Ip } from '../lb/ip.ts';
import type { Clock, LinkFacts, LinkPort, Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import type { SessionLink } from './lease.ts';
import { compileExpression } from './policy.ts';

const holdUp: Micros = 2_000_000;
const suspension: Micros = 60_000_000;
const families = ['IPv4', 'IPv6'] as const;

/** A usable network interface (rule I1) with what an announcement on it needs. */
export interface Link {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: string;
  /** Source of unsolicited advertisements; undefined where the link has none (yet). */
  readonly linkLocal: Ip | undefined;
  readonly families: readonly Family[];
}

interface Known {
  facts: LinkFacts;
  /** Carrier and administrative state allow use since then; undefined: not now. */
  readySince: Micros | undefined;
  usable: boolean;
  /** Had carrier in this session and lost it. */
  lost: boolean;
}

/**
 * The managed interfaces and which of them are usable (l2.md 11). A link that comes back is held
 * back for 2 s of stable carrier; loss counts at once.
 */
export class Links {
  #ports: { readonly clock: Clock; readonly link: LinkPort };
  #managedBy: ManagedBy;
  #known = new Map<string, Known>();
  /** `name family` of links that I5 keeps silent, with the end of it and the link that stays. */
  #suspended = new Map<string, { until: Micros; by: string }>();
  #started = false;
  /** What is usable now; undefined where something changed since it was asked for. */
  #usable: readonly Link[] | undefined;
  /** Addresses on any interface, as last read. */
  #configured: ReadonlySet<Ip> = new Set();

  constructor(
    ports: { readonly clock: Clock; readonly link: LinkPort }, devices: readonly string[],
  ) {
    this.#ports = ports;
    this.#managedBy = { devices, nodeAddresses: [] };
  }

  /** Addresses of the own Node object: they make a device managed where no list does. */
  setNodeAddresses(addresses: readonly string[]): void {
    this.#managedBy = { ...this.#managedBy, nodeAddresses: addresses };
  }

  /** Reads the interfaces anew. Returns when to look again; undefined: after the next change. */
  refresh(): Micros | undefined {
    const now = this.#ports.clock.now();
    const present = new Set<string>();
    let again: Micros | undefined;
    this.#usable = undefined;
    const links = this.#ports.link.links();
    this.#configured = new Set(links.flatMap(({ addresses }) => addresses));
    for (const facts of links) {
      if (!isManaged(facts, this.#managedBy)) continue;
      present.add(facts.name);
      const due = this.#observe(facts, now);
      if (due !== undefined) again = Math.min(again ?? due, due);
    }
    for (const [name, known] of this.#known) if (!present.has(name)) this.#lose(known);
    for (const [key, { until }] of this.#suspended) {
      if (until <= now) this.#suspended.delete(key);
      else again = Math.min(again ?? until, until);
    }
    this.#started = true;
    return again;
  }

  /** Usable now, by name; the identical list until that changes. */
  usable(): readonly Link[] {
    return this.#usable ??= this.#listUsable();
  }

  #listUsable(): readonly Link[] {
    const links: Link[] = [];
    for (const name of [...this.#known.keys()].sort(compareText)) {
      const known = this.#known.get(name);
      if (known === undefined || !known.usable) continue;
      links.push({
        name, ifindex: known.facts.ifindex, mac: known.facts.mac,
        linkLocal: known.facts.addresses.find((one) => /^fe[89ab]/u.test(one)),
        families: families.filter((family) => !this.#suspended.has(`${name} ${family}`)),
      });
    }
    return links;
  }

  /** What the session tells of them, lost ones included. */
  told(): SessionLink[] {
    return [...this.#known.keys()].sort(compareText).flatMap((name) => {
      const known = this.#known.get(name);
      if (known === undefined || (!known.usable && !known.lost)) return [];
      const kept = families.filter((family) => !this.#suspended.has(`${name} ${family}`));
      return [{ name, mac: known.facts.mac, up: known.usable, lost: known.lost, families: kept }];
    });
  }

  /** The interface with that MAC, if it is one of this node's. */
  owner(mac: string): LinkFacts | undefined {
    return this.#ports.link.links().find((facts) => facts.mac === mac);
  }

  /** True for an address configured on an interface: that kernel answers by itself (C8). */
  configured(address: Ip): boolean {
    return this.#configured.has(address);
  }

  /** Rule I5: an own frame sent on one link arrived on another; the higher ifindex falls silent. */
  sameSegment(
    of: { readonly sent: LinkFacts; readonly received: number }, family: Family,
  ): boolean {
    const other = this.#ports.link.links().find((facts) => facts.ifindex === of.received);
    if (other === undefined || other.ifindex === of.sent.ifindex) return false;
    const [kept, silent] = other.ifindex < of.sent.ifindex ? [other, of.sent] : [of.sent, other];
    const key = `${silent.name} ${family}`;
    const fresh = !this.#suspended.has(key);
    this.#suspended.set(key, { until: this.#ports.clock.now() + suspension, by: kept.name });
    this.#usable = undefined;
    return fresh;
  }

  /** Suspended links with the link that goes on answering, for notices. */
  suspensions(): { readonly link: string; readonly by: string }[] {
    return [...this.#suspended.keys()].sort(compareText).map((key) => ({
      link: key.slice(0, key.lastIndexOf(' ')), by: this.#suspended.get(key)?.by ?? '',
    }));
  }

  /** A new session has lost no link yet. */
  forgetLosses(): void {
    for (const known of this.#known.values()) known.lost = false;
  }

  #observe(facts: LinkFacts, now: Micros): Micros | undefined {
    const known = this.#known.get(facts.name);
    const fit = fitForUse(facts);
    if (known === undefined) {
      const usable = fit && !this.#started;
      this.#known.set(
        facts.name, { facts, readySince: fit ? now : undefined, usable, lost: false },
      );
      return fit && !usable ? now + holdUp : undefined;
    }
    const recreated = known.facts.ifindex !== facts.ifindex;
    known.facts = facts;
    if (!fit || recreated) this.#lose(known);
    if (!fit) return undefined;
    known.readySince ??= now;
    if (known.usable) return undefined;
    if (now < known.readySince + holdUp) return known.readySince + holdUp;
    known.usable = true;
    known.lost = false;
    return undefined;
  }

  #lose(known: Known): void {
    if (known.usable) known.lost = true;
    known.usable = false;
    known.readySince = undefined;
  }
}

/** What decides which interfaces announcements may be made on. */
export interface ManagedBy {
  /** Names or RE2 expressions of `l2.devices`; empty: automatic. */
  readonly devices: readonly string[];
  /** Texts of the own Node object. */
  readonly nodeAddresses: Iterable<string>;
}

/** Whether an interface is managed: listed, or else with a Node address or a default route. */
export function isManaged(facts: LinkFacts, { devices, nodeAddresses }: ManagedBy): boolean {
  if (facts.loopback) return false;
  if (devices.length > 0) return isListed(facts.name, devices);
  if (facts.defaultRoute) return true;
  for (const text of nodeAddresses) {
    const parsed = parseIpUnmapped(text);
    if (parsed.ok && facts.addresses.includes(parsed.value)) return true;
  }
  return false;
}

/** Whether `l2.devices` names an interface or has an expression that finds it. */
export function isListed(name: string, devices: readonly string[]): boolean {
  return devices.some((device) => {
    if (device === name) return true;
    const compiled = compileExpression(device);
    return compiled.ok && compiled.value.matcher(name).find();
  });
}

function fitForUse(facts: LinkFacts): boolean {
  const group = (Number.parseInt(facts.mac.slice(0, 2), 16) & 1) === 1;
  const unicast = !group && facts.mac !== '00:00:00:00:00:00';
  return facts.adminUp && facts.carrier && unicast && !facts.noArp && !facts.enslaved;
}
