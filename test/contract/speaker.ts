import anyTest, { type ExecutionContext } from 'ava';
import type {
  LargeCommunity, Route, SessionReport, SpeakerDone, SpeakerError, SpeakerEvent, SpeakerGlobal,
  SpeakerPeer, SpeakerPort,
} from '../../bgp/port.ts';
import type { Family, Ip, Prefix } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Result } from '../../lb/result.ts';

/** One route as an UPDATE carried it. */
export interface HeardRoute {
  readonly nextHop: Ip;
  readonly origin: 'igp' | 'egp' | 'incomplete';
  readonly asPath: readonly number[];
  /** Absent: the UPDATE carried none. */
  readonly localPref?: number;
  readonly communities: readonly number[];
  readonly large: readonly LargeCommunity[];
}

/** What a router heard, one entry a prefix where an UPDATE names several. */
export type Heard =
  | {
    readonly kind: 'open';
    readonly asn: number;
    readonly routerId: Ip;
    readonly hold: number;
    readonly families: readonly Family[];
    /** RFC 4724, seconds; absent: not offered. */
    readonly restartTime?: number;
    /** RFC 4724 R, RFC 8538 N; each false where graceful restart is not offered. */
    readonly restarting: boolean;
    readonly notificationRestart: boolean;
  }
  | { readonly kind: 'established' }
  | { readonly kind: 'announce'; readonly prefix: Prefix; readonly route: HeardRoute }
  | { readonly kind: 'withdraw'; readonly prefix: Prefix }
  | { readonly kind: 'end-of-rib'; readonly family: Family }
  | { readonly kind: 'notification'; readonly code: number; readonly subcode: number }
  /** The transport ended. */
  | { readonly kind: 'closed' };

/** A router at the other end of a session, with everything that it heard. */
export interface ObservingPeer {
  readonly address: Ip;
  readonly asn: number;
  /** Port on which it takes sessions; it may dial as well. */
  readonly port: number;
  /** In the order of arrival, since the start. */
  readonly heard: readonly Heard[];
  /** Routes that it has now; a session that ended leaves none. */
  readonly table: ReadonlyMap<Prefix, HeardRoute>;
  readonly established: boolean;
  /** Loses the session as a crash of its machine's transport would: a reset, no NOTIFICATION. */
  cut(): void;
}

/** One speaker that was never started, and routers around it. All addresses are on one subnet. */
export interface SpeakerBench {
  readonly speaker: SpeakerPort;
  readonly global: SpeakerGlobal;
  /** Another AS, another AS again, and the speaker's own; they accept any speaker. */
  readonly routers: Readonly<Record<RouterName, ObservingPeer>>;
  /** The speaker's own addresses on the subnet. */
  readonly local: { readonly ip: Ip; readonly ip6: Ip };
  /** How often a speaker was told its global values. */
  readonly starts: number;
  /** Ends the speaker's process without a word to anybody; it comes back by itself. */
  crash(): void;
  now(): Micros;
  /** Lets happen what is due until `done`; fails with `what` when that takes too long. */
  pass(what: string, done: () => boolean): Promise<void>;
  /** Lets so much time pass, in which nothing more is to happen. */
  rest(duration: Micros): Promise<void>;
}

export type RouterName = 'a' | 'b' | 'inner' | 'six';

export interface SpeakerContract {
  /** Begins every title. */
  readonly name: string;
  readonly skip?: boolean;
  /** Makes a bench, gives it to `body`, and takes it away. */
  with(body: (bench: SpeakerBench) => Promise<void>): Promise<void>;
}

/** Addresses of services; documentation ranges (RFC 5737, RFC 3849). */
export const vip = prefix('198.51.100.1/32');
export const vip2 = prefix('198.51.100.2/32');
export const vip6 = prefix('2001:db8:100::1/128');

function prefix(text: string): Prefix {
  return text as Prefix;
}

export function route(of: Prefix, more: Partial<Route> = {}): Route {
  return { prefix: of, origin: 'igp', communities: [], large: [], ...more };
}

/** A bench, what its speaker told, and the words of the claims. */
export class SpeakerStage {
  readonly bench: SpeakerBench;
  readonly events: SpeakerEvent[] = [];

  constructor(bench: SpeakerBench) {
    this.bench = bench;
    bench.speaker.subscribe((event) => this.events.push(event));
  }

  router(name: RouterName): ObservingPeer {
    return this.bench.routers[name];
  }

  peer(name: RouterName, more: Partial<SpeakerPeer> = {}): SpeakerPeer {
    const { address, asn, port } = this.router(name);
    return {
      name, address: { ip: address }, asn, port, families: ['IPv4', 'IPv6'],
      timers: { connectRetry: 5, hold: 9, keepalive: 3 }, nextHop6: this.bench.local.ip6, ...more,
    };
  }

  /** Waits for the completion of one call and says how it ended. */
  async call(order: (done: SpeakerDone) => void): Promise<'ok' | SpeakerError['kind']> {
    let result: Result<void, SpeakerError> | undefined;
    let inside = true;
    order((of) => {
      if (inside) throw new Error('a completion ran inside the call that asked for it');
      result = of;
    });
    inside = false;
    await this.bench.pass('a call is done', () => result !== undefined);
    return result!.ok ? 'ok' : result!.error.kind;
  }

  start(global: SpeakerGlobal = this.bench.global): Promise<'ok' | SpeakerError['kind']> {
    return this.call((done) => this.bench.speaker.start(global, done));
  }

  setPeers(...peers: readonly SpeakerPeer[]): Promise<'ok' | SpeakerError['kind']> {
    return this.call((done) => this.bench.speaker.setPeers(peers, done));
  }

  setRoutes(
    peer: RouterName, ...routes: readonly Route[]
  ): Promise<'ok' | SpeakerError['kind']> {
    return this.call((done) => this.bench.speaker.setRoutes(peer, routes, done));
  }

  /** Starts the speaker with sessions to these routers and waits until all are up and complete. */
  async up(...names: readonly RouterName[]): Promise<void> {
    await this.start();
    await this.setPeers(...names.map((name) => this.peer(name)));
    await this.established(...names);
  }

  async established(...names: readonly RouterName[]): Promise<void> {
    for (const name of names) {
      await this.bench.pass(`${name} is established`, () => this.router(name).established);
      await this.bench.pass(`the speaker says so of ${name}`, () => (
        this.session(name)?.state === 'established'
      ));
    }
  }

  has(name: RouterName, of: Prefix): Promise<void> {
    return this.bench.pass(`${name} has ${of}`, () => this.router(name).table.has(of));
  }

  lacks(name: RouterName, of: Prefix): Promise<void> {
    return this.bench.pass(`${name} lacks ${of}`, () => !this.router(name).table.has(of));
  }

  /** The last that the speaker told of a session. */
  session(peer: RouterName): SessionReport | undefined {
    const told = this.events.findLast(
      (event) => event.kind === 'session' && event.session.peer === peer,
    );
    return told?.kind === 'session' ? told.session : undefined;
  }

  /** What a router heard from `mark` on, keepalives and End-of-RIB aside. */
  since(name: RouterName, mark: number): readonly Heard[] {
    return this.router(name).heard.slice(mark).filter(({ kind }) => kind !== 'end-of-rib');
  }

  mark(name: RouterName): number {
    return this.router(name).heard.length;
  }
}

export type SpeakerClaim = (
  title: string, body: (t: ExecutionContext, stage: SpeakerStage) => Promise<void>,
) => void;

/** Binds claims to one implementation; each gets a bench of its own. */
export function speakerClaims(contract: SpeakerContract): SpeakerClaim {
  const test = contract.skip === true ? anyTest.skip : anyTest.serial;
  return (title, body) => {
    test(`${contract.name}: ${title}`, (t) => (
      contract.with((bench) => body(t, new SpeakerStage(bench)))
    ));
  };
}
