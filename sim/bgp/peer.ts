import type { SessionState } from '../../bgp/port.ts';
import type { Family, Ip } from '../../lb/ip.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import type { TcpConnection, TcpUser } from '../net/tcp.ts';
import type { Transport } from '../net/transport.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';
import { decodeMessage, encodeMessage, MessageStream } from './codec.ts';
import type { FsmEvent, FsmOutput, LinkName, PeerConfig, TimerName } from './events.ts';
import { sessionStateOf, stepFsm, stoppedState, type FsmState } from './fsm.ts';
import type { BgpMessage, Notification, OpenMessage, UpdateMessage } from './message.ts';
import type { Session } from './negotiation.ts';
import { SegmentWriter } from './writer.ts';

/** Where a BGP process runs: its machine's TCP, its time, its chance. */
export interface BgpSite {
  /** `speaker/node-1`, `router tor-1`. */
  readonly name: string;
  readonly world: World;
  readonly transport: Transport;
  readonly prng: Prng;
  /** Runs what arrived, now or late, or never when the process is dead. */
  enter(callback: () => void): void;
  later(delay: Micros, kind: string, callback: () => void): Timer;
  /** The own address to dial from; undefined: there is no way there. */
  sourceFor(remote: Ip): Ip | undefined;
  /** An own address of a family, for next hops. */
  addressOf(family: Family): Ip | undefined;
}

/** Where a peer is. */
export interface PeerAddress {
  readonly ip: Ip;
  /** Port to dial. */
  readonly port: number;
  readonly local?: Ip;
}

/** What the owner of a peer hears. Calls come from inside the network, one at a time. */
export interface PeerUser {
  onUp(session: Session): void;
  onDown(cause: string, retain: readonly Family[]): void;
  onSweep(families: readonly Family[]): void;
  onUpdate(update: UpdateMessage): void;
  onRefresh(family: Family): void;
  /** The state that a person is shown changed. */
  onState(): void;
}

interface OpenLink {
  readonly connection: TcpConnection;
  readonly stream: MessageStream;
  readonly writer: SegmentWriter;
}

/** Messages of one peer since it was made. */
export interface MessageCounts {
  open: number;
  update: number;
  notification: number;
  keepalive: number;
}

/** One neighbour: its state machine, its connections and its timers. */
export class Peer {
  readonly address: PeerAddress;
  readonly sent: MessageCounts = { open: 0, update: 0, notification: 0, keepalive: 0 };
  /** How the last session ended, in words. */
  cause: string | undefined;
  config: PeerConfig;
  #site: BgpSite;
  #user: PeerUser;
  #state: FsmState = stoppedState;
  #links: Partial<Record<LinkName, OpenLink>> = {};
  #timers = new Map<TimerName, Timer>();
  #waiting: FsmEvent[] = [];
  #busy = false;
  #shown: SessionState = 'idle';
  /** While silent, what would be sent or was received, in order (`bgp.silent`). */
  #held: (() => void)[] | undefined;

  // oxlint-disable-next-line max-params -- where it runs, whom it calls, what it is, who hears
  constructor(site: BgpSite, address: PeerAddress, config: PeerConfig, user: PeerUser) {
    this.#site = site;
    this.address = address;
    this.config = config;
    this.#user = user;
  }

  get state(): SessionState {
    return sessionStateOf(this.#state);
  }

  get session(): Session | undefined {
    return this.#state.session;
  }

  /** The peer's OPEN of the connection that is about to be the session; undefined: none came. */
  get open(): OpenMessage | undefined {
    const { dialled, accepted } = this.#state.attempts;
    return dialled?.open ?? accepted?.open;
  }

  start(): void {
    this.#send({ kind: 'start' });
  }

  /** Ends the session and forgets stale routes. */
  stop(say: Notification | undefined): void {
    this.#send({ kind: 'stop', say });
  }

  /** Ends the session by an error; it starts again by itself. */
  end(say: Notification): void {
    this.#send({ kind: 'end', say });
  }

  /** Every connection gets a RST, as by a middlebox. */
  reset(): void {
    for (const link of ['dialled', 'accepted'] as const) {
      const open = this.#links[link];
      if (open === undefined) continue;
      delete this.#links[link];
      open.connection.abort();
      this.#send({ kind: 'lost', link, cause: 'connection reset' });
    }
  }

  /** Nothing is sent or taken, until it ends: then all of it is, where a connection is left. */
  setSilent(silent: boolean): void {
    const held = this.#held ?? [];
    this.#held = silent ? held : undefined;
    if (!silent) for (const proceed of held) proceed();
  }

  /** The process is gone: no timer fires any more, and its kernel closes what it had open. */
  vanish(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    const links = this.#links;
    this.#links = {};
    links.dialled?.connection.close();
    links.accepted?.connection.close();
    this.#state = stoppedState;
  }

  /** A connection that the peer opened. */
  accept(connection: TcpConnection): TcpUser {
    return this.#userOf('accepted', connection, () => {
      const old = this.#links.accepted;
      const { session } = this.#state;
      if (old !== undefined) {
        if (session?.link === 'accepted' && session.restart === undefined)
          return connection.abort();
        delete this.#links.accepted;
        old.connection.abort();
        this.#send({ kind: 'replaced', link: 'accepted' });
      }
      return this.#connected('accepted', connection);
    });
  }

  /** Sends messages of an established session. */
  say(messages: readonly BgpMessage[]): void {
    const link = this.#state.session?.link;
    if (link !== undefined) for (const message of messages) this.#write(link, message);
  }

  #connected(link: LinkName, connection: TcpConnection): void {
    const writer = new SegmentWriter(connection, (delay, callback) =>
      this.#site.later(delay, 'bgp-write', callback));
    this.#links[link] = { connection, stream: new MessageStream(), writer };
    this.#send({ kind: 'connected', link });
  }

  #dial(): void {
    const { ip, port, local } = this.address;
    const source = local ?? this.#site.sourceFor(ip);
    if (source === undefined) {
      return this.#send({ kind: 'lost', link: 'dialled', cause: 'no route to host' });
    }
    const { transport } = this.#site;
    const ends = {
      local: source, localPort: transport.ephemeralPort(), remote: ip, remotePort: port,
    };
    const user: { now: TcpUser } = { now: {} };
    const connection = transport.connect(ends, {
      onConnected: (one) => user.now.onConnected?.(one),
      onPayload: (one, payload) => user.now.onPayload?.(one, payload),
      onEnd: (one, how) => user.now.onEnd?.(one, how),
    });
    connection.connectTimeout = 20_000_000;
    user.now = this.#userOf('dialled', connection, () => this.#connected('dialled', connection));
  }

  // oxlint-disable-next-line max-params -- which side, which connection, and what its start means
  #userOf(link: LinkName, connection: TcpConnection, connected: () => void): TcpUser {
    const present = (): boolean => this.#links[link]?.connection === connection;
    return {
      onConnected: () => this.#site.enter(connected),
      onPayload: (_, payload) => this.#site.enter(() => this.#unlessSilent(() => {
        if (present()) this.#receive(link, payload);
      })),
      onEnd: (_, how) => this.#site.enter(() => {
        const failed = link === 'dialled' && this.#links.dialled === undefined;
        if (!present() && !failed) return;
        delete this.#links[link];
        this.#send({ kind: 'lost', link, cause: `connection ${how}` });
      }),
    };
  }

  #receive(link: LinkName, payload: Uint8Array): void {
    const stream = this.#links[link]?.stream;
    for (const bytes of stream?.push(payload) ?? []) {
      // A message before it may have ended the connection.
      if (this.#links[link]?.stream !== stream) return;
      const { session } = this.#state;
      const context = { asn4: session?.asn4 ?? true, external: session?.external ?? true };
      const read = decodeMessage(bytes, context);
      if (read.ok) this.#send({ kind: 'message', link, message: read.value });
      else this.#send({ kind: 'malformed', link, answer: read.error });
    }
  }

  /** Runs to completion: what an output leads to waits until all outputs of this one are done. */
  #send(event: FsmEvent): void {
    this.#waiting.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { state, outputs } = stepFsm(this.config, this.#state, next);
      this.#state = state;
      for (const output of outputs) this.#perform(output);
    }
    this.#busy = false;
    if (this.state === this.#shown) return;
    this.#shown = this.state;
    this.#user.onState();
  }

  #perform(output: FsmOutput): void {
    switch (output.kind) {
      case 'dial': return this.#dial();
      case 'send': return this.#write(output.link, output.message);
      case 'close': return this.#close(output.link, output.how);
      case 'arm': return this.#arm(output.timer, output.span);
      case 'disarm':
        this.#timers.get(output.timer)?.cancel();
        this.#timers.delete(output.timer);
        return;
      case 'up': return this.#user.onUp(output.session);
      case 'down':
        this.cause = output.cause;
        return this.#user.onDown(output.cause, output.retain);
      case 'sweep': return this.#user.onSweep(output.families);
      case 'update': return this.#user.onUpdate(output.update);
      case 'refresh': return this.#user.onRefresh(output.family);
    }
  }

  #write(link: LinkName, message: BgpMessage): void {
    const open = this.#links[link];
    if (open === undefined) return;
    if (message.kind !== 'route-refresh') this.sent[message.kind] += 1;
    const { session } = this.#state;
    const context = { asn4: session?.asn4 ?? true, external: session?.external ?? true };
    const bytes = encodeMessage(message, context);
    this.#unlessSilent(() => open.writer.write(bytes));
  }

  #unlessSilent(proceed: () => void): void {
    if (this.#held === undefined) proceed();
    else this.#held.push(proceed);
  }

  #close(link: LinkName, how: 'order' | 'reset'): void {
    const open = this.#links[link];
    if (open === undefined) return;
    delete this.#links[link];
    if (how === 'reset') open.connection.abort();
    else open.writer.close();
  }

  #arm(timer: TimerName, { min, max }: { min: Micros; max: Micros }): void {
    this.#timers.get(timer)?.cancel();
    const delay = max > min ? this.#site.prng.between(min, max) : min;
    this.#timers.set(timer, this.#site.later(delay, `bgp-${timer}`, () => {
      this.#timers.delete(timer);
      this.#send({ kind: 'timer', timer });
    }));
  }
}
