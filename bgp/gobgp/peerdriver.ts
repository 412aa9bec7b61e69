import { MachineHost } from '../../lb/machine.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import type { SessionReport, SpeakerPeer } from '../port.ts';
import { addressText, peerFingerprint } from './names.ts';
import { peerMachine, type PeerEvent, type PeerState } from './session.ts';

/** What a peer asks of the speaker that it belongs to. */
export interface PeerEffects {
  readonly clock: Clock;
  /** AddPeer, once policies and paths stand. */
  add(driver: PeerDriver): void;
  /** DeletePeer and AddPeer at once; policies and paths stand already. */
  replace(driver: PeerDriver): void;
  /** Withdraw, settle, DeletePeer, drop the policy; then `DONE`. */
  remove(driver: PeerDriver): void;
  removed(driver: PeerDriver): void;
  /** The state of its machine changed. */
  moved(driver: PeerDriver): void;
}

const second: Micros = 1_000_000;
/** A session that lasted so long is kicked at once. */
const steadyUptime: Micros = 10 * second;
const kickHold: Micros = 500_000;

/** One peer of a daemon: its machine, and what was seen of its session. */
export class PeerDriver {
  readonly address: string;
  index: number;
  /** Undefined: a daemon has it and nobody wants it. */
  peer: SpeakerPeer | undefined;
  /** The last that was told. */
  report: SessionReport | undefined;
  /** Graceful restart was agreed upon in the last session (G17). */
  restartNegotiated = false;
  /** When the last session was lost. */
  lostAt: Micros | undefined;
  /** Until when the daemon may hold updates to it back (G16). */
  heldUntil: Micros = 0;
  #host: MachineHost<typeof peerMachine>;
  #effects: PeerEffects;
  #fingerprint = '';
  #upSince: Micros | undefined;
  #kicks = 0;
  #failures = 0;

  constructor(effects: PeerEffects, address: string, index: number) {
    this.#effects = effects;
    this.address = address;
    this.index = index;
    this.#host = new MachineHost(peerMachine, {
      clock: effects.clock, execute: ({ type }) => this.#execute(type),
    });
  }

  get state(): PeerState {
    // The states of the machine are those of the type.
    return this.#host.state as PeerState;
  }

  get wanted(): boolean {
    return this.peer !== undefined;
  }

  get established(): boolean {
    return this.state === 'up';
  }

  /** Wants this session from now on. */
  want(peer: SpeakerPeer): void {
    const fingerprint = peerFingerprint(peer);
    const changed = this.#fingerprint !== fingerprint;
    this.peer = peer;
    this.#fingerprint = fingerprint;
    // A session that is replaced is lost from now on.
    if (changed && this.established) this.#lost();
    this.#send({ type: 'WANT', changed });
  }

  unwant(): void {
    this.peer = undefined;
    this.#send({ type: 'UNWANT' });
  }

  /** A daemon lists it, with this fingerprint in its description. */
  listed(found: 'up' | 'down' | 'missing', fingerprint = this.#fingerprint): void {
    this.#send({ type: 'LISTED', found });
    if (fingerprint !== this.#fingerprint && this.peer !== undefined) {
      this.#send({ type: 'WANT', changed: true });
    }
  }

  /** What an event or a listing says of the session. */
  session(established: boolean): void {
    this.#send({ type: 'SESSION', established, delay: this.#kickDelay() });
  }

  added(): void {
    this.#failures = 0;
    this.#send({ type: 'ADDED' });
  }

  failed(): void {
    this.#send({ type: 'FAILED', delay: backoff(this.#failures) });
    this.#failures += 1;
  }

  gone(): void {
    this.#send({ type: 'DONE', wanted: this.wanted });
  }

  speakerLost(): void {
    if (this.state === 'up') this.#lost();
    this.#send({ type: 'SPEAKER_LOST' });
  }

  /** A life before this one had a helper in it, and lost it so long ago at most. */
  remember(age: Micros): void {
    this.restartNegotiated = true;
    this.lostAt = this.#effects.clock.now() - age;
  }

  /** The R-bit for the next session: routes that the router kept for us are about to come (G17). */
  restarting(): boolean {
    const restart = this.peer?.restart;
    if (!this.restartNegotiated || restart === undefined) return false;
    const { lostAt } = this;
    return lostAt !== undefined && this.#effects.clock.now() - lostAt < restart * second;
  }

  #send(event: PeerEvent): void {
    const before = this.state;
    this.#host.send(event);
    if (this.state !== before) this.#effects.moved(this);
  }

  #execute(type: string): void {
    switch (type) {
      case 'add': return this.#effects.add(this);
      case 'replace':
      case 'kick': return this.#effects.replace(this);
      case 'remove': return this.#effects.remove(this);
      case 'removed': return this.#effects.removed(this);
      case 'up':
        this.#upSince = this.#effects.clock.now();
        return;
      case 'lost': return this.#lost();
      case 'due': {
        const resting = this.report === undefined
          || ['idle', 'active', 'unknown'].includes(this.report.state);
        return this.#send(resting ? { type: 'KICK' } : { type: 'HOLD', delay: kickHold });
      }
      default:
    }
  }

  #lost(): void {
    const { clock } = this.#effects;
    this.lostAt = clock.now();
    const steady = this.#upSince !== undefined && clock.now() - this.#upSince >= steadyUptime;
    this.#kicks = steady ? 0 : this.#kicks + 1;
    this.#upSince = undefined;
  }

  /** At once after a steady session, then 1, 2, 4, 8 s. */
  #kickDelay(): Micros {
    const { clock } = this.#effects;
    const steady = this.#upSince !== undefined && clock.now() - this.#upSince >= steadyUptime;
    return steady ? 0 : backoff(this.#kicks);
  }
}

/** 1, 2, 4, 8 s, and 8 s from then on. */
function backoff(failures: number): Micros {
  return second * (1 << Math.min(failures, 3));
}

export function driverAddress(peer: SpeakerPeer): string {
  return addressText(peer.address);
}
