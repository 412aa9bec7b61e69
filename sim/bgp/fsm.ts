import type { SessionState } from '../../bgp/port.ts';
import type { Family } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { FsmEvent, FsmOutput, LinkName, PeerConfig, Span, TimerName } from './events.ts';
import {
  describeNotification, notification, type BgpMessage, type Notification, type OpenMessage,
} from './message.ts';
import { keepsNewer, negotiate, openOf, retainedBy, unacceptable, type Session } from
  './negotiation.ts';

interface Attempt {
  /** Theirs, once it came. */
  readonly open: OpenMessage | undefined;
}

export interface FsmState {
  readonly phase: 'stopped' | 'idle' | 'running';
  readonly dialling: boolean;
  readonly attempts: Readonly<Partial<Record<LinkName, Attempt>>>;
  readonly session: (Session & { readonly link: LinkName }) | undefined;
  /** Families whose routes are stale. */
  readonly stale: readonly Family[];
}

export const stoppedState: FsmState = {
  phase: 'stopped', dialling: false, attempts: {}, session: undefined, stale: [],
};

/** State of RFC 4271 8.2.2 that a person is shown. */
export function sessionStateOf(state: FsmState): SessionState {
  if (state.session !== undefined) return 'established';
  const attempts = Object.values(state.attempts);
  if (attempts.some(({ open }) => open !== undefined)) return 'open-confirm';
  if (attempts.length > 0) return 'open-sent';
  if (state.phase !== 'running') return 'idle';
  return state.dialling ? 'connect' : 'active';
}

const second = 1_000_000;
/** RFC 4271 8.2.2: while the peer's OPEN is awaited. */
const openHold = 240 * second;
const exactly = (delay: Micros): Span => ({ min: delay, max: delay });
const other = { dialled: 'accepted', accepted: 'dialled' } as const;
const holdOf = { dialled: 'hold-dialled', accepted: 'hold-accepted' } as const;

/**
 * The life of one peer (RFC 4271 8, 4724, 8538), pure: the speaker of a node and every router run
 * on it. What RFC 4271 models as two machines that collide is one machine with two connections.
 */
export function stepFsm(
  config: PeerConfig, state: FsmState, event: FsmEvent,
): { readonly state: FsmState; readonly outputs: readonly FsmOutput[] } {
  const machine = new Machine(config, state);
  machine.take(event);
  return { state: machine.state, outputs: machine.outputs };
}

/** One step under way: the state as it becomes, and what is to be done. */
class Machine {
  state: FsmState;
  readonly outputs: FsmOutput[] = [];
  #config: PeerConfig;

  constructor(config: PeerConfig, state: FsmState) {
    this.#config = config;
    this.state = state;
  }

  take(event: FsmEvent): void {
    const { phase } = this.state;
    switch (event.kind) {
      case 'start': return phase === 'stopped' ? this.#run(this.#config.firstDial) : undefined;
      case 'stop': return this.#stop(event.say);
      case 'connected': return this.#connected(event.link);
      case 'replaced': return this.#replaced(event.link);
      case 'lost': return this.#lost(event.link, event.cause);
      case 'message': return this.#message(event.link, event.message);
      case 'malformed': return this.#fail(event.link, event.answer);
      case 'timer': return this.#timer(event.timer);
      case 'end': {
        const link = this.state.session?.link;
        return link === undefined ? undefined : this.#fail(link, event.say);
      }
    }
  }

  #out(...outputs: readonly FsmOutput[]): void {
    this.outputs.push(...outputs);
  }

  #set(change: Partial<FsmState>): void {
    this.state = { ...this.state, ...change };
  }

  #run(dial: Span): void {
    this.#set({ phase: 'running', dialling: false });
    if (!this.#config.passive) this.#out({ kind: 'arm', timer: 'dial', span: dial });
  }

  #stop(say: Notification | undefined): void {
    const cause = say === undefined ? 'stopped' : `sent ${describeNotification(say)}`;
    for (const link of this.#links()) this.#hangUp(link, say);
    this.#down(cause, []);
    for (const timer of ['dial', 'idle-hold', 'restart', 'stale'] as const)
      this.#out({ kind: 'disarm', timer });
    this.#sweep(this.state.stale);
    this.state = stoppedState;
  }

  #links(): LinkName[] {
    const { attempts, session } = this.state;
    return (['dialled', 'accepted'] as const).filter((link) =>
      attempts[link] !== undefined || session?.link === link);
  }

  #connected(link: LinkName): void {
    const { phase, session, attempts } = this.state;
    if (link === 'dialled') this.#set({ dialling: false });
    // A peer that restarts comes back before its old session is known to be dead (RFC 4724 4.2).
    const taken = phase === 'running' && (session === undefined || session.restart !== undefined);
    if (!taken) return this.#out({ kind: 'close', link, how: 'reset' });
    this.#set({ attempts: { ...attempts, [link]: { open: undefined } } });
    this.#out(
      { kind: 'disarm', timer: 'dial' },
      { kind: 'send', link, message: openOf(this.#config) },
      { kind: 'arm', timer: holdOf[link], span: exactly(openHold) },
    );
  }

  #replaced(link: LinkName): void {
    const { session } = this.state;
    if (session?.link === link)
      this.#down('peer came back on a new connection', retainedBy(session, undefined));
    else if (this.state.attempts[link] !== undefined) this.#forget(link);
  }

  #lost(link: LinkName, cause: string): void {
    const { session, attempts } = this.state;
    if (session?.link === link) {
      this.#down(cause, retainedBy(session, undefined));
      return this.#links().length > 0 ? undefined : this.#idle();
    }
    if (attempts[link] === undefined) {
      if (link === 'dialled') this.#redial();
      return;
    }
    this.#forget(link);
    this.#redial();
  }

  #redial(): void {
    this.#set({ dialling: false });
    const { phase, session } = this.state;
    if (phase !== 'running' || session !== undefined || this.#config.passive) return;
    this.#out({ kind: 'arm', timer: 'dial', span: this.#config.redial });
  }

  #forget(link: LinkName): void {
    const { [link]: _gone, ...attempts } = this.state.attempts;
    this.#set({ attempts });
    this.#out({ kind: 'disarm', timer: holdOf[link] });
  }

  #timer(timer: TimerName): void {
    const { phase, session } = this.state;
    switch (timer) {
      case 'dial':
        if (phase !== 'running' || session !== undefined || this.#links().length > 0) return;
        this.#set({ dialling: true });
        return this.#out({ kind: 'dial' });
      case 'idle-hold': return phase === 'idle' ? this.#run(this.#config.firstDial) : undefined;
      case 'hold-dialled': return this.#fail('dialled', notification(4, 0));
      case 'hold-accepted': return this.#fail('accepted', notification(4, 0));
      case 'keepalive': return this.#keepalive();
      case 'restart': case 'stale': return this.#sweep(this.state.stale);
    }
  }

  #keepalive(): void {
    const { session, attempts } = this.state;
    const open = this.#links().filter((link) =>
      session?.link === link || attempts[link]?.open !== undefined);
    for (const link of open) this.#out({ kind: 'send', link, message: { kind: 'keepalive' } });
    const theirs = open.map((link) => attempts[link]?.open).find((one) => one !== undefined);
    const terms = session ?? (theirs === undefined ? undefined : negotiate(this.#config, theirs));
    if (terms !== undefined) this.#armKeepalive(terms.keepalive);
  }

  #armKeepalive(keepalive: number): void {
    if (keepalive === 0) return;
    // RFC 4271 10: jitter, so that peers do not beat together.
    const full = keepalive * second;
    this.#out({
      kind: 'arm', timer: 'keepalive', span: { min: Math.floor((full * 3) / 4), max: full },
    });
  }

  #message(link: LinkName, message: BgpMessage): void {
    if (message.kind === 'notification')
      return this.#ended(link, message);
    if (this.state.session?.link === link) return this.#established(link, message);
    const attempt = this.state.attempts[link];
    if (attempt === undefined) return;
    if (attempt.open === undefined) {
      if (message.kind === 'open') return this.#opened(link, message);
      return this.#fail(link, notification(5, 1));
    }
    if (message.kind === 'keepalive') return this.#up(link, attempt.open);
    return this.#fail(link, notification(5, 2));
  }

  #opened(link: LinkName, open: OpenMessage): void {
    const refusal = unacceptable(this.#config, open);
    if (refusal !== undefined) return this.#fail(link, refusal);
    const rival = other[link];
    const { session } = this.state;
    if (session?.link === rival) {
      this.#out({ kind: 'close', link: rival, how: 'reset' });
      this.#down('peer came back on a new connection', retainedBy(session, undefined));
    } else if (this.state.attempts[rival]?.open !== undefined) {
      // RFC 4271 6.8: both sides keep the connection that the higher identifier opened.
      const kept = keepsNewer(this.#config, open) ? 'accepted' : 'dialled';
      this.#hangUp(other[kept], notification(6, 7));
      if (kept !== link) return;
    }
    const { hold, keepalive } = negotiate(this.#config, open);
    this.#set({ attempts: { ...this.state.attempts, [link]: { open } } });
    this.#out({ kind: 'send', link, message: { kind: 'keepalive' } });
    this.#armHold(link, hold);
    this.#armKeepalive(keepalive);
  }

  #armHold(link: LinkName, hold: number): void {
    const timer = holdOf[link];
    if (hold === 0) this.#out({ kind: 'disarm', timer });
    else this.#out({ kind: 'arm', timer, span: exactly(hold * second) });
  }

  #up(link: LinkName, open: OpenMessage): void {
    const rival = other[link];
    if (this.state.attempts[rival] !== undefined) this.#hangUp(rival, notification(6, 7));
    const session = negotiate(this.#config, open);
    this.#set({ session: { ...session, link }, attempts: {}, dialling: false });
    this.#armHold(link, session.hold);
    this.#out({ kind: 'disarm', timer: 'dial' }, { kind: 'disarm', timer: 'restart' });
    this.#out({ kind: 'up', session });
    const { stale } = this.state;
    if (stale.length === 0) return;
    // RFC 4724 4.2: a family that is missing, or whose forwarding was not kept, goes at once.
    const kept = session.restart?.families ?? [];
    const whole = stale.filter((family) =>
      kept.some((one) => one.family === family && one.forwarding));
    this.#sweep(stale.filter((family) => !whole.includes(family)));
    this.#out({ kind: 'arm', timer: 'stale', span: exactly(this.#config.staleTime) });
  }

  #established(link: LinkName, message: BgpMessage): void {
    const { session } = this.state;
    if (session === undefined) return;
    this.#armHold(link, session.hold);
    switch (message.kind) {
      case 'keepalive': return;
      case 'route-refresh': return this.#out({ kind: 'refresh', family: message.family });
      case 'open': return this.#fail(link, notification(5, 3));
      case 'update':
        this.#out({ kind: 'update', update: message });
        if (message.endOfRib !== undefined) this.#sweep([message.endOfRib]);
        return;
      case 'notification': return;
    }
  }

  #sweep(families: readonly Family[]): void {
    const gone = this.state.stale.filter((family) => families.includes(family));
    if (gone.length === 0) return;
    const stale = this.state.stale.filter((family) => !gone.includes(family));
    this.#set({ stale });
    this.#out({ kind: 'sweep', families: gone });
    if (stale.length > 0) return;
    this.#out({ kind: 'disarm', timer: 'stale' }, { kind: 'disarm', timer: 'restart' });
  }

  /** The peer ended a connection with a NOTIFICATION. */
  #ended(link: LinkName, message: Notification): void {
    this.#out({ kind: 'close', link, how: 'order' });
    this.#finish(link, message, `received ${describeNotification(message)}`);
  }

  /** We end a connection with a NOTIFICATION. */
  #fail(link: LinkName, answer: Notification): void {
    if (!this.#links().includes(link)) return;
    this.#out({ kind: 'send', link, message: answer }, { kind: 'close', link, how: 'order' });
    this.#finish(link, answer, `sent ${describeNotification(answer)}`);
  }

  // oxlint-disable-next-line max-params -- one connection, what ended it, and how a person says it
  #finish(link: LinkName, ending: Notification, cause: string): void {
    const { session } = this.state;
    if (session?.link === link) this.#down(cause, retainedBy(session, ending));
    else if (this.state.attempts[link] === undefined) return;
    else this.#forget(link);
    if (this.#links().length > 0) return;
    if (ending.code === 6 && ending.subcode === 7) return this.#redial();
    this.#idle();
  }

  #idle(): void {
    this.#set({ phase: 'idle', dialling: false });
    this.#out(
      { kind: 'disarm', timer: 'dial' },
      { kind: 'arm', timer: 'idle-hold', span: exactly(this.#config.idleHold) },
    );
  }

  #hangUp(link: LinkName, say: Notification | undefined): void {
    if (say === undefined) this.#out({ kind: 'close', link, how: 'order' });
    else
      this.#out({ kind: 'send', link, message: say }, { kind: 'close', link, how: 'order' });
    if (this.state.attempts[link] !== undefined) this.#forget(link);
  }

  #down(cause: string, retain: readonly Family[]): void {
    const { session } = this.state;
    if (session === undefined) return;
    this.#set({ session: undefined, stale: retain });
    this.#out(
      { kind: 'disarm', timer: holdOf[session.link] },
      { kind: 'disarm', timer: 'keepalive' },
      { kind: 'disarm', timer: 'stale' },
      { kind: 'down', cause, retain },
    );
    const wait = exactly((session.restart?.time ?? 0) * second);
    if (retain.length > 0) this.#out({ kind: 'arm', timer: 'restart', span: wait });
  }
}
