import type { Family, Ip, Prefix } from '../lb/ip.ts';
import type { Result } from '../lb/result.ts';

/** Name of one peer within its instance. */
export type PeerName = string;

/** RFC 8092, `admin:data1:data2`, unsigned 32-bit numbers each. */
export type LargeCommunity = readonly [admin: number, data1: number, data2: number];

/** One prefix with the attributes that one peer is to see (bgp.md 4). */
export interface Route {
  readonly prefix: Prefix;
  readonly origin: 'igp' | 'incomplete';
  /** RFC 1997 as unsigned 32-bit numbers, ascending, without duplicates. */
  readonly communities: readonly number[];
  /** Ascending by their three numbers, without duplicates; the first is never 4294967295. */
  readonly large: readonly LargeCommunity[];
  /** Unsigned 32-bit; the speaker leaves it out towards external peers. */
  readonly localPref?: number;
}

/** What one BGP router is (RFC 4271 4.2). */
export interface SpeakerGlobal {
  /** 1 to 4294967295. */
  readonly asn: number;
  /** An IPv4 address other than 0.0.0.0. */
  readonly routerId: Ip;
  /** TCP port; undefined: does not listen and only dials. */
  readonly listenPort: number | undefined;
}

/** Seconds, as configured: `keepalive` is at most `hold`, `hold` at least 3. */
export interface PeerTimers {
  readonly connectRetry: number;
  readonly hold: number;
  readonly keepalive: number;
}

/** TCP MD5 (RFC 2385). The text never leaves the speaker; `version` says when it changed. */
export interface PeerPassword {
  /** 1 to 80 bytes of UTF-8. */
  readonly text: string;
  /** `<uid>/<resourceVersion>` of its Secret. */
  readonly version: string;
}

/** One resolved neighbour: everything that the session needs. */
export interface SpeakerPeer {
  readonly name: PeerName;
  readonly address: { readonly ip: Ip; readonly zone?: string };
  /** 0 accepts the number in the peer's OPEN. */
  readonly asn: number;
  /** Source of the session; undefined: the kernel chooses. */
  readonly localAddress?: Ip;
  /** Port to dial. */
  readonly port: number;
  /** Greater than 1, external peers only: eBGP multihop. */
  readonly ttl?: number;
  readonly timers: PeerTimers;
  readonly password?: PeerPassword;
  /** Restart time in seconds of graceful restart (RFC 4724, with the N-bit of RFC 8538). */
  readonly restart?: number;
  /** Unicast families of the session. */
  readonly families: readonly Family[];
  /** Next hop of IPv6 routes on an IPv4 session. Undefined: none is known. */
  readonly nextHop6?: Ip;
}

/** Why a speaker did not do it. `text` is for people. */
export interface SpeakerError {
  readonly kind:
    | 'unreachable'
    | 'timeout'
    | 'rejected'
    | 'invalid'
    | 'port-in-use'
    | 'port-denied'
    | 'foreign'
    | 'unsupported';
  readonly text: string;
}

/** Never called inside the call that it completes. */
export type SpeakerDone = (result: Result<void, SpeakerError>) => void;

/** States of a session (RFC 4271 8.2.2); `unknown` while the speaker cannot be asked. */
export type SessionState =
  | 'unknown'
  | 'idle'
  | 'connect'
  | 'active'
  | 'open-sent'
  | 'open-confirm'
  | 'established';

/** Capabilities that the peer's OPEN carried, as far as a decision or a view needs them. */
export interface PeerCapabilities {
  /** RFC 8950: it takes IPv4 routes with an IPv6 next hop. */
  readonly extendedNextHop: boolean;
  /** RFC 4724; undefined: not offered. Seconds. */
  readonly restartTime?: number;
  /** RFC 8538. */
  readonly notificationRestart: boolean;
}

/** One session as the speaker sees it. */
export interface SessionReport {
  readonly peer: PeerName;
  readonly state: SessionState;
  /** Learned from the OPEN; undefined before one. */
  readonly remoteAsn?: number;
  readonly remoteId?: Ip;
  readonly localAddress?: Ip;
  /** Negotiated seconds; only while established. */
  readonly hold?: number;
  readonly keepalive?: number;
  readonly capabilities?: PeerCapabilities;
  /**
   * Why there is no session: `NOTIFICATION 6/3`, the transport's or the daemon's words. GoBGP 3
   * tells `NOTIFICATION sent` or `received` and no code. Absent while one is up.
   */
  readonly cause?: string;
}

/** Routes of one family on one established session. */
export interface RouteCounts {
  readonly peer: PeerName;
  readonly family: Family;
  readonly received: number;
  readonly advertised: number;
}

export type SpeakerEvent =
  /** It can be told things. After `lost` everything that was set holds again before this comes. */
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly error: SpeakerError }
  /** It will not serve this instance until the configuration or its owner changes something. */
  | { readonly kind: 'blocked'; readonly error: SpeakerError }
  | { readonly kind: 'session'; readonly session: SessionReport }
  | { readonly kind: 'counts'; readonly counts: readonly RouteCounts[] }
  /** One thing that was not as it had been set, and was mended (bgp.md 3, audit). */
  | { readonly kind: 'drift'; readonly object: 'path' | 'peer' | 'policy'; readonly text: string };

/** One rule that a speaker filters routes by, for people (bgp.md 8, `bgp policies`). */
export interface PolicyStatement {
  readonly policy: string;
  readonly statement: string;
  readonly direction: 'import' | 'export';
  /** Prefixes of neighbours; empty: all. */
  readonly peers: readonly string[];
  /** Empty: all. */
  readonly families: readonly Family[];
  /** `INDEX:SET` of the control community; undefined: it matches none. */
  readonly control: string | undefined;
  readonly action: 'accept' | 'reject';
  /** What it changes, in words. */
  readonly actions: readonly string[];
}

/** How a speaker is left: `withdraw` drains every session, `keep` says nothing to anybody. */
export type StopMode = 'withdraw' | 'keep';

/**
 * One BGP router (bgp.md 3): whole sets in, events out. Repeating a call succeeds, removing what is
 * absent succeeds, and calls of one turn are taken together. Sets are kept while the speaker is
 * away and hold again when it is back. What is invalid is refused before the wire and changes
 * nothing.
 */
export interface SpeakerPort {
  /** Starts or takes over a running equal speaker; other values replace the router. */
  start(global: SpeakerGlobal, done: SpeakerDone): void;
  /** The whole set of peers. Those absent are withdrawn from, then closed. */
  setPeers(peers: readonly SpeakerPeer[], done: SpeakerDone): void;
  /** The whole set of routes of one peer, which need not exist yet. */
  setRoutes(peer: PeerName, routes: readonly Route[], done: SpeakerDone): void;
  stop(mode: StopMode, done: SpeakerDone): void;
  /** Calls back for what happens from now on, never inside a call of this port. */
  subscribe(listener: (event: SpeakerEvent) => void): () => void;
  /** Rules as they are installed; absent: this speaker has none, it tells each peer its own. */
  policies?(): readonly PolicyStatement[];
}

/** Gives the speakers of one node, each instance its own. */
export interface Speakers {
  /** The speaker of an instance, not yet started; at most one of a name is open at a time. */
  open(instance: string): SpeakerPort;
  /** True where sessions end when the agent does, so that only graceful restart keeps routes. */
  readonly endsWithAgent?: boolean;
}
