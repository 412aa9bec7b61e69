import { parsePrefix, prefixContains, type Family, type Ip, type Prefix } from '../../lb/ip.ts';
import { familyOf } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import type { TcpConnection, TcpUser } from '../net/tcp.ts';
import type { PeerConfig } from './events.ts';
import { Fib, type FibChange } from './fib.ts';
import { LocRib, selectPaths, type Path } from './locrib.ts';
import { notification, type Notification, type UpdateMessage } from './message.ts';
import type { Session } from './negotiation.ts';
import { Peer, type BgpSite, type PeerUser } from './peer.ts';
import { exportable, exported, importable } from './policy.ts';
import { RibOut, type OutRoute } from './ribout.ts';
import type { Neighbour, RouterBgpOptions } from './routeroptions.ts';
import type { IpStack } from '../net/stack.ts';

interface Known {
  readonly peer: Peer;
  readonly neighbour: Neighbour;
  readonly told: RibOut;
}

const second = 1_000_000;
const staleTime = 360 * second;
const idleHold = 5 * second;
const cease = 6;

/** The BGP process of one simulated router (bgp.md 9). */
export class RouterBgp {
  readonly options: RouterBgpOptions;
  readonly rib = new LocRib();
  readonly fib: Fib;
  #site: BgpSite;
  #known = new Map<Ip, Known>();
  #pending = new Map<Prefix, readonly Ip[]>();
  #installing = false;
  #running = false;
  #rejected: readonly Prefix[] = [];
  #unlisten: (() => void) | undefined;
  #prefixesMax: number | undefined;
  #listeners: ((change: FibChange) => void)[] = [];
  /** Peers of the life before whose tables are awaited (RFC 4724 4.1). */
  #awaited = new Set<Ip>();
  /** Why nothing is chosen yet. */
  #deferral: 'restart' | 'start' | undefined;

  constructor(site: BgpSite, stack: IpStack, options: RouterBgpOptions) {
    this.#site = site;
    this.options = options;
    this.#prefixesMax = options.prefixesMax;
    this.fib = new Fib(stack, options.ecmp);
  }

  get name(): string {
    return this.#site.name;
  }

  /** Called for each change of the forwarding table. */
  onRoute(listener: (change: FibChange) => void): void {
    this.#listeners.push(listener);
  }

  peers(): Peer[] {
    return [...this.#known.values()].map(({ peer }) => peer);
  }

  peer(address: Ip): Peer | undefined {
    return this.#known.get(address)?.peer;
  }

  start(): void {
    if (this.#running) return;
    const { updateDelay } = this.options;
    if (updateDelay > 0) this.#defer('start', updateDelay);
    this.#listen();
  }

  #defer(why: 'restart' | 'start', wait: Micros): void {
    this.#deferral = why;
    this.#site.later(wait, 'bgp-deferral', () => this.#select());
  }

  #listen(): void {
    this.#running = true;
    this.#unlisten =
      this.#site.transport.listen(this.options.port, (connection) => this.#accept(connection));
    for (const neighbour of this.options.neighbours) {
      if (!neighbour.from.includes('/')) this.#add(neighbour.from as Ip, neighbour);
    }
  }

  /**
   * Starts while forwarding went on: the table stays until each of the peers before has told its
   * own whole, or the restart time is over (RFC 4724 4.1).
   */
  restart(before: readonly Ip[]): void {
    if (this.#running) return;
    this.#awaited = new Set(before);
    this.#defer('restart', (this.options.restartTime ?? 0) * second);
    this.#listen();
  }

  /** Without a word: the process is gone. What it forwards by stays with its kernel. */
  vanish(): void {
    this.#running = false;
    this.#unlisten?.();
    for (const { peer } of this.#known.values()) {
      for (const prefix of this.rib.heardFrom(peer.address.ip))
        this.rib.remove(prefix, peer.address.ip);
      peer.vanish();
    }
    this.#known.clear();
    this.#pending.clear();
    this.#installing = false;
    this.#awaited.clear();
    this.#deferral = undefined;
  }

  /** The machine is gone with its tables. */
  forget(): void {
    this.vanish();
    this.#report(this.fib.apply(new Map(this.fib.prefixes().map((prefix) => [prefix, []]))));
  }

  /** Ends the session with one peer, by a NOTIFICATION or a reset; it comes back by itself. */
  end(address: Ip, how: Notification | 'reset'): void {
    const peer = this.peer(address);
    if (how === 'reset') peer?.reset();
    else peer?.end(how);
  }

  /** Most prefixes of one peer from now on (`router.maxPrefix`); undefined: any number. */
  limitPrefixes(max: number | undefined): void {
    this.#prefixesMax = max;
    for (const { peer } of this.#known.values()) this.#enforceLimit(peer);
  }

  /** Prefixes that import policy refuses from now on (`router.reject`). */
  reject(prefixes: readonly Prefix[]): void {
    this.#rejected = prefixes;
    for (const { peer } of this.#known.values()) {
      for (const prefix of prefixes) this.rib.remove(prefix, peer.address.ip);
      peer.say(peer.session?.families.map((family) => ({ kind: 'route-refresh', family })) ?? []);
    }
    this.#decide(prefixes);
  }

  #accept(connection: TcpConnection): TcpUser {
    const { remote } = connection.ends;
    const known = this.#known.get(remote) ?? this.#adopt(remote);
    if (known !== undefined) return known.peer.accept(connection);
    return { onConnected: () => connection.abort() };
  }

  #adopt(remote: Ip): Known | undefined {
    const neighbour = this.options.neighbours.find(({ from }) => {
      const parsed = parsePrefix(from);
      return parsed.ok && prefixContains(parsed.value, remote);
    });
    return neighbour === undefined ? undefined : this.#add(remote, neighbour);
  }

  #add(address: Ip, neighbour: Neighbour): Known {
    const config = this.#configOf(neighbour);
    const user = this.#userOf(address);
    const peer = new Peer(this.#site, { ip: address, port: neighbour.port }, config, user);
    const known = { peer, neighbour, told: new RibOut() };
    this.#known.set(address, known);
    peer.start();
    return known;
  }

  #configOf({ asn, dials }: Neighbour): PeerConfig {
    const { options } = this;
    const restarting = this.#deferral === 'restart';
    const time = options.restartTime;
    return {
      localAsn: options.asn, routerId: options.routerId, peerAsn: asn,
      hold: options.hold, keepalive: options.keepalive, families: ['IPv4', 'IPv6'],
      extendedNextHop: options.extendedNextHop, passive: !dials,
      firstDial: { min: 100_000, max: second }, redial: { min: second, max: 2 * second },
      idleHold: options.profile === 'frr' ? second : idleHold,
      ...(time === undefined ? {} : { restart: { time, restarting } }),
      staleTime,
    };
  }

  #userOf(address: Ip): PeerUser {
    return {
      onUp: (session) => this.#up(address, session),
      onDown: (cause, retain) => this.#down(address, cause, retain),
      onSweep: (families) => this.#sweep(address, families),
      onUpdate: (update) => this.#update(address, update),
      onRefresh: (family) => {
        this.#known.get(address)?.told.forgetFamily(family);
        this.#tell(address);
      },
      onState: () => undefined,
    };
  }

  #note(code: string, text: string): void {
    this.#site.world.note(this.name, { level: 'info', component: 'bgp', code, text });
  }

  /** Counted and not noted: what a table of thousands of routes goes through is no story. */
  #mark(code: string): void {
    const { marks } = this.#site.world;
    marks.set(code, (marks.get(code) ?? 0) + 1);
  }

  #up(address: Ip, session: Session): void {
    this.#note('bgp.sessionUp', `${this.name}: session with ${address} established`);
    if (this.#deferral === undefined) this.#first(address, session);
  }

  /** The whole table, then its end. */
  #first(address: Ip, session: Session): void {
    this.#tell(address);
    this.peer(address)?.say(session.families.map((family) =>
      ({ kind: 'update', withdrawn: [], announced: [], endOfRib: family })));
  }

  /** Every table that was awaited is there, or the wait is over. */
  #select(): void {
    if (this.#deferral === undefined) return;
    this.#deferral = undefined;
    this.#awaited.clear();
    this.#decide([...new Set([...this.fib.prefixes(), ...this.rib.prefixes()])]);
    for (const { peer } of this.#known.values())
      if (peer.session !== undefined) this.#first(peer.address.ip, peer.session);
  }

  // oxlint-disable-next-line max-params -- who, why, and what is kept
  #down(address: Ip, cause: string, retain: readonly Family[]): void {
    this.#note('bgp.sessionDown', `${this.name}: session with ${address} down: ${cause}`);
    if (cause.includes('hold timer expired'))
      this.#note('bgp.holdExpired', `${this.name}: hold timer of ${address} expired`);
    this.#known.get(address)?.told.forget();
    const gone = this.rib.heardFrom(address).filter((prefix) => !retain.includes(familyOf(prefix)));
    for (const prefix of gone) this.rib.remove(prefix, address);
    this.rib.markStale(address, retain);
    this.#decide(gone);
  }

  #sweep(address: Ip, families: readonly Family[]): void {
    const gone = this.rib.stale(address).filter((prefix) => families.includes(familyOf(prefix)));
    for (const prefix of gone) this.rib.remove(prefix, address);
    if (gone.length > 0)
      this.#note('bgp.staleSwept', `${this.name}: ${gone.length} stale routes of ${address} gone`);
    this.#decide(gone);
  }

  #update(address: Ip, update: UpdateMessage): void {
    const known = this.#known.get(address);
    const session = known?.peer.session;
    if (known === undefined || session === undefined) return;
    const changed = update.withdrawn.filter((prefix) => this.rib.remove(prefix, address));
    const leaf = known.neighbour.from.includes('/');
    if (leaf && changed.length > 0) this.#mark('bgp.routeWithdrawn');
    const { attributes } = update;
    for (const { nextHop, prefixes } of attributes === undefined ? [] : update.announced) {
      for (const prefix of prefixes) {
        const path: Path | undefined = attributes && {
          peer: address, remoteId: session.remoteId, external: session.external, nextHop,
          attributes,
        };
        const taken = path !== undefined && !this.#rejected.includes(prefix) &&
          session.families.includes(familyOf(prefix)) && importable(this.options, prefix, path);
        const before = leaf ? this.rib.path(prefix, address) : undefined;
        if (before !== undefined) this.#mark('bgp.routeReplaced');
        if (taken) this.rib.set(prefix, path);
        else this.rib.remove(prefix, address);
        changed.push(prefix);
      }
    }
    this.#decide(changed);
    // IPv6 comes last, where both are spoken.
    if (update.endOfRib === session.families.at(-1) && this.#awaited.delete(address) &&
      this.#awaited.size === 0) this.#select();
    this.#enforceLimit(known.peer);
  }

  #enforceLimit(peer: Peer): void {
    const max = this.#prefixesMax;
    if (max !== undefined && this.rib.heardFrom(peer.address.ip).length > max)
      peer.end(notification(cease, 1));
  }

  #decide(prefixes: readonly Prefix[]): void {
    if (prefixes.length === 0 || this.#deferral !== undefined) return;
    for (const prefix of prefixes)
      this.#pending.set(prefix, this.best(prefix).map(({ nextHop }) => nextHop));
    for (const { peer } of this.#known.values()) this.#tell(peer.address.ip);
    if (this.#installing) return;
    this.#installing = true;
    this.#site.later(this.options.convergence, 'bgp-install', () => this.#install());
  }

  /** The paths that share the traffic of a prefix, the best one first. */
  best(prefix: Prefix): Path[] {
    return selectPaths(this.rib.paths(prefix), this.options);
  }

  #install(): void {
    this.#installing = false;
    const wanted = this.#pending;
    this.#pending = new Map();
    this.#report(this.fib.apply(wanted));
  }

  #report(changes: readonly FibChange[]): void {
    for (const change of changes) {
      if (change.movedPpm > 0) {
        const share = Math.round(change.movedPpm / 10_000);
        this.#note('bgp.ecmpMoved', `${this.name}: ${share} % of flows to ${change.prefix} moved`);
      }
      for (const listener of this.#listeners) listener(change);
    }
    this.#site.world.touch();
  }

  /** Tells a peer what it is to know now. */
  #tell(address: Ip): void {
    const known = this.#known.get(address);
    const session = known?.peer.session;
    if (known === undefined || session === undefined) return;
    const { asn4, external } = session;
    known.peer.say(known.told.plan(this.#outRoutes(known, session), { asn4, external }));
  }

  #outRoutes({ peer, neighbour }: Known, session: Session): OutRoute[] {
    const { options } = this;
    if (options.requirePolicy && session.external) return [];
    const confederate = options.confederation.includes(session.remoteAsn);
    const towards = { ...session, address: peer.address.ip, confederate };
    const own = options.networks.map((prefix): OutRoute | undefined =>
      this.#outRoute(prefix, {
        origin: 'igp', asPath: [], communities: [], large: [],
      }, towards));
    // Peers that were taken from a prefix are leaves, which are told nothing of others.
    const leaf = neighbour.from.includes('/') && !confederate;
    const heard = leaf ? [] : this.rib.prefixes();
    const learned = heard.map((prefix) => {
      const [best] = this.best(prefix);
      if (best === undefined || !exportable(best, towards)) return undefined;
      return this.#outRoute(prefix, best.attributes, towards);
    });
    return [...own, ...learned].flatMap((route) => route ?? [])
      .toSorted((left, right) => compareText(left.prefix, right.prefix));
  }

  // oxlint-disable-next-line max-params -- what, with which attributes, to whom
  #outRoute(
    prefix: Prefix, attributes: Path['attributes'],
    towards: Session & { readonly address: Ip },
  ): OutRoute | undefined {
    const family = familyOf(prefix);
    if (!towards.families.includes(family)) return undefined;
    const local = this.#site.sourceFor(towards.address);
    const nextHop = local !== undefined && familyOf(local) === family
      ? local
      : this.#site.addressOf(family);
    if (nextHop === undefined) return undefined;
    return { prefix, nextHop, attributes: exported(attributes, this.options.asn, towards) };
  }
}
