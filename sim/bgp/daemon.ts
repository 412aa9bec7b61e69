import type {
  PeerName, Route, RouteCounts, SessionReport, SpeakerGlobal, SpeakerPeer,
} from '../../bgp/port.ts';
import { familyOf, type Family, type Ip, type Prefix } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import type { TcpConnection } from '../net/tcp.ts';
import type { PeerConfig } from './events.ts';
import type { Md5Keys } from './keys.ts';
import { notification, type PathAttributes, type UpdateMessage } from './message.ts';
import type { Session } from './negotiation.ts';
import { Peer, type BgpSite, type PeerUser } from './peer.ts';
import { RibOut, type OutRoute } from './ribout.ts';

/** What the daemon tells whoever drives it. */
export interface DaemonUser {
  onSession(report: SessionReport): void;
  onCounts(counts: readonly RouteCounts[]): void;
}

interface Neighbour {
  wanted: SpeakerPeer;
  readonly peer: Peer;
  readonly told: RibOut;
  /** Prefixes that the peer announced; counted, and never used. */
  readonly heard: Set<Prefix>;
  /** Families of which the peer has said everything. */
  readonly complete: Set<Family>;
  /** Until then nothing is told (RFC 4724 4.1, our selection deferral). */
  deferredUntil: Micros;
  lastUp: Session | undefined;
}

const second = 1_000_000;
/** GoBGP: the first dial comes 5 to 9 s after a peer was added (bgp.md 5.5, G10). */
const firstDial = { min: 5 * second, max: 9 * second };
const staleTime = 360 * second;
const countsDelay = 100_000;

/** What a daemon is besides its peers. */
export interface DaemonOptions {
  readonly global: SpeakerGlobal;
  /** Seconds that a restarted daemon waits for its peers' tables. */
  readonly deferral: number;
  readonly keys: Md5Keys;
}

/**
 * The BGP daemon of a node as far as it shows on the wire: it announces what it was given and takes
 * nothing. It is a process of its own and lives and dies apart from the agent.
 */
export class SpeakerDaemon {
  readonly global: SpeakerGlobal;
  #site: BgpSite;
  #options: DaemonOptions;
  #user: DaemonUser | undefined;
  #neighbours = new Map<PeerName, Neighbour>();
  #routes = new Map<PeerName, readonly Route[]>();
  #counting = false;
  #unlisten: () => void;
  #slow: Micros = 0;

  constructor(site: BgpSite, options: DaemonOptions) {
    this.#site = site;
    this.#options = options;
    this.global = options.global;
    const { listenPort } = options.global;
    this.#unlisten = listenPort === undefined
      ? () => undefined
      : site.transport.listen(listenPort, (connection) => this.#accept(connection));
  }

  /** Names of its peers, sorted. */
  peerNames(): PeerName[] {
    return [...this.#neighbours.keys()].sort(compareText);
  }

  peer(name: PeerName): Peer | undefined {
    return this.#neighbours.get(name)?.peer;
  }

  wantedPeer(name: PeerName): SpeakerPeer | undefined {
    return this.#neighbours.get(name)?.wanted;
  }

  routesOf(name: PeerName): readonly Route[] {
    return this.#routes.get(name) ?? [];
  }

  /** Routes that a peer has been told, as they went out. */
  told(name: PeerName): readonly OutRoute[] {
    return this.#neighbours.get(name)?.told.routes ?? [];
  }

  /** The one that hears events from now on; a new agent replaces the old one. */
  drive(user: DaemonUser | undefined): void {
    this.#user = user;
    if (user === undefined) return;
    for (const name of this.peerNames()) this.#report(name);
    this.#countSoon();
  }

  /** `restarting`: a session with graceful restart was lost a moment ago (bgp.md 5.5, G17). */
  addPeer(wanted: SpeakerPeer, restarting: boolean): void {
    const { name, address, localAddress, password } = wanted;
    const local = localAddress ?? this.#site.sourceFor(address.ip);
    if (local !== undefined) this.#options.keys.set(local, address.ip, password?.text);
    const at = {
      ip: address.ip, port: wanted.port, ...(local === undefined ? {} : { local }),
    };
    const peer = new Peer(this.#site, at, this.#configOf(wanted, restarting), this.#userOf(name));
    this.#neighbours.set(name, {
      wanted, peer, told: new RibOut(), heard: new Set(), complete: new Set(), deferredUntil: 0,
      lastUp: undefined,
    });
    peer.start();
  }

  /** Another next hop of IPv6 changes routes and no session. */
  setNextHop6(wanted: SpeakerPeer): void {
    const neighbour = this.#neighbours.get(wanted.name);
    if (neighbour === undefined || neighbour.wanted.nextHop6 === wanted.nextHop6) return;
    neighbour.wanted = wanted;
    this.#tell(wanted.name);
  }

  /** Ends the session with Cease/3. */
  deletePeer(name: PeerName): void {
    const neighbour = this.#neighbours.get(name);
    if (neighbour === undefined) return;
    neighbour.peer.stop(notification(6, 3));
    const { local, ip } = neighbour.peer.address;
    if (local !== undefined) this.#options.keys.set(local, ip, undefined);
    this.#neighbours.delete(name);
    this.#countSoon();
  }

  setRoutes(name: PeerName, routes: readonly Route[]): void {
    this.#routes.set(name, routes);
    this.#tell(name);
  }

  /** Whether the last session with a peer could be restarted gracefully. */
  restartable(name: PeerName): boolean {
    return this.#neighbours.get(name)?.lastUp?.restart !== undefined;
  }

  /** The process is gone; its kernel closes its sockets. */
  vanish(): void {
    this.#unlisten();
    for (const { peer } of this.#neighbours.values()) peer.vanish();
    this.#neighbours.clear();
    this.#user = undefined;
  }

  /** Every UPDATE leaves so much later (`bgp.slow`). */
  slow(delay: Micros): void {
    this.#slow = delay;
  }

  #accept(connection: TcpConnection) {
    const { remote } = connection.ends;
    for (const { peer } of this.#neighbours.values())
      if (peer.address.ip === remote) return peer.accept(connection);
    return { onConnected: () => connection.abort() };
  }

  #configOf(wanted: SpeakerPeer, restarting: boolean): PeerConfig {
    const { timers, restart } = wanted;
    const retry = Math.max(5, timers.connectRetry) * second;
    return {
      localAsn: this.global.asn, routerId: this.global.routerId, peerAsn: wanted.asn,
      hold: timers.hold, keepalive: timers.keepalive, families: wanted.families,
      extendedNextHop: true, passive: false,
      firstDial, redial: { min: retry, max: 2 * retry },
      // The adapter deletes and adds a lost peer, which ends its idle time (bgp.md 6).
      idleHold: 0,
      ...(restart === undefined ? {} : { restart: { time: restart, restarting } }),
      staleTime,
    };
  }

  #userOf(name: PeerName): PeerUser {
    const now = (): Neighbour | undefined => this.#neighbours.get(name);
    return {
      onUp: (session) => this.#up(name, session),
      onDown: () => this.#down(name),
      onSweep: () => undefined,
      onUpdate: (update) => {
        const neighbour = now();
        if (neighbour !== undefined) this.#hear(neighbour, update);
      },
      onRefresh: (family) => {
        now()?.told.forgetFamily(family);
        this.#tell(name);
      },
      onState: () => this.#report(name),
    };
  }

  #up(name: PeerName, session: Session): void {
    const neighbour = this.#neighbours.get(name);
    if (neighbour === undefined) return;
    neighbour.lastUp = session;
    neighbour.heard.clear();
    neighbour.complete.clear();
    neighbour.told.forget();
    const restarted = neighbour.peer.config.restart?.restarting === true;
    if (!restarted || session.restart === undefined) return this.#first(name);
    const { deferral } = this.#options;
    neighbour.deferredUntil = this.#site.world.now + deferral * second;
    this.#site.later(deferral * second, 'bgp-deferral', () => this.#undefer(name));
  }

  /** The whole table, then its end. */
  #first(name: PeerName): void {
    this.#tell(name);
    const peer = this.peer(name);
    peer?.say(peer.session?.families.map((family): UpdateMessage =>
      ({ kind: 'update', withdrawn: [], announced: [], endOfRib: family })) ?? []);
    this.#countSoon();
  }

  #undefer(name: PeerName): void {
    const neighbour = this.#neighbours.get(name);
    if (neighbour === undefined || neighbour.deferredUntil === 0) return;
    neighbour.deferredUntil = 0;
    this.#first(name);
  }

  #down(name: PeerName): void {
    const neighbour = this.#neighbours.get(name);
    if (neighbour === undefined) return;
    neighbour.told.forget();
    neighbour.heard.clear();
    neighbour.deferredUntil = 0;
    const { restart } = neighbour.peer.config;
    if (restart === undefined || neighbour.lastUp?.restart === undefined) return;
    // The F-bit says that forwarding went on; it did, for as long as the peer waits for us.
    neighbour.peer.config = {
      ...neighbour.peer.config, restart: { ...restart, restarting: true },
    };
    this.#site.later(restart.time * second, 'bgp-restart-over', () => {
      if (neighbour.peer.session !== undefined) return;
      neighbour.peer.config = {
        ...neighbour.peer.config, restart: { ...restart, restarting: false },
      };
    });
  }

  #hear(neighbour: Neighbour, update: UpdateMessage): void {
    for (const prefix of update.withdrawn) neighbour.heard.delete(prefix);
    for (const { prefixes } of update.announced)
      for (const prefix of prefixes) neighbour.heard.add(prefix);
    if (update.endOfRib !== undefined) {
      neighbour.complete.add(update.endOfRib);
      const whole = neighbour.peer.session?.families.every((one) => neighbour.complete.has(one));
      if (whole === true) this.#undefer(neighbour.wanted.name);
    }
    this.#countSoon();
  }

  #tell(name: PeerName): void {
    if (this.#slow === 0) return this.#tellNow(name);
    this.#site.later(this.#slow, 'bgp-slow', () => this.#tellNow(name));
  }

  #tellNow(name: PeerName): void {
    const neighbour = this.#neighbours.get(name);
    const session = neighbour?.peer.session;
    if (neighbour === undefined || session === undefined || neighbour.deferredUntil > 0) return;
    const routes = this.routesOf(name).flatMap((route) =>
      this.#outRoute(route, neighbour.wanted, session) ?? []);
    const { asn4, external } = session;
    neighbour.peer.say(neighbour.told.plan(routes, { asn4, external }));
    this.#countSoon();
  }

  /** Next hops and attributes of bgp.md 4. */
  // oxlint-disable-next-line max-params -- what, to whom, on which session
  #outRoute(route: Route, wanted: SpeakerPeer, session: Session): OutRoute | undefined {
    const family = familyOf(route.prefix);
    if (!session.families.includes(family)) return undefined;
    const nextHop = this.#nextHop(family, wanted);
    if (nextHop === undefined) return undefined;
    const attributes: PathAttributes = {
      origin: route.origin,
      asPath: session.external ? [{ kind: 'sequence', asns: [this.global.asn] }] : [],
      // GoBGP gives 100 where nothing is said (bgp.md 5.5, G32).
      ...(session.external ? {} : { localPref: route.localPref ?? 100 }),
      communities: route.communities, large: route.large,
    };
    return { prefix: route.prefix, nextHop, attributes };
  }

  #nextHop(family: Family, { address, localAddress, nextHop6 }: SpeakerPeer): Ip | undefined {
    const local = localAddress ?? this.#site.sourceFor(address.ip);
    if (local === undefined) return undefined;
    // On a session of IPv6 it serves IPv4 too (RFC 8950).
    if (familyOf(local) === family || familyOf(local) === 'IPv6') return local;
    return nextHop6;
  }

  #report(name: PeerName): void {
    const neighbour = this.#neighbours.get(name);
    if (neighbour === undefined) return;
    const { peer } = neighbour;
    const { session } = peer;
    const learned = session ?? neighbour.lastUp;
    this.#user?.onSession({
      peer: name, state: peer.state,
      ...(learned === undefined ? {} : {
        remoteAsn: learned.remoteAsn, remoteId: learned.remoteId,
        capabilities: {
          extendedNextHop: learned.extendedNextHop,
          notificationRestart: learned.offered?.notification === true,
          ...(learned.offered === undefined ? {} : { restartTime: learned.offered.time }),
        },
      }),
      ...(peer.address.local === undefined ? {} : { localAddress: peer.address.local }),
      ...(session === undefined ? {} : { hold: session.hold, keepalive: session.keepalive }),
      ...(peer.cause === undefined ? {} : { cause: peer.cause }),
    });
  }

  #countSoon(): void {
    if (this.#counting) return;
    this.#counting = true;
    this.#site.later(countsDelay, 'bgp-counts', () => {
      this.#counting = false;
      this.#user?.onCounts(this.counts());
    });
  }

  /** Routes of established sessions. */
  counts(): RouteCounts[] {
    return this.peerNames().flatMap((name) => {
      const neighbour = this.#neighbours.get(name);
      const families = neighbour?.peer.session?.families ?? [];
      return families.map((family): RouteCounts => ({
        peer: name, family,
        received: [...neighbour?.heard ?? []].filter((one) => familyOf(one) === family).length,
        advertised: neighbour?.told.count(family) ?? 0,
      }));
    });
  }
}
