import type { Ip } from '../lb/ip.ts';
import { MachineHost, type Effect } from '../lb/machine.ts';
import type { Clock, Micros } from '../lb/ports.ts';
import { lockName } from './lease.ts';
import { addressMachine, type AddressEvent, type AddressState } from './address-machine.ts';

/** What carrying out an effect needs of the node; see `AddressDuties` in ownership.ts. */
export interface AddressDuties {
  create(address: Address): void;
  take(address: Address): void;
  /** Puts the keys and reads them back; true: sound. */
  program(address: Address): boolean;
  announce(address: Address): void;
  relink(address: Address): void;
  /** Deletes the keys; undefined: gone, else the last instant at which one may answer. */
  withdraw(address: Address): Micros | undefined;
  release(address: Address): void;
  released(address: Address): void;
  drop(address: Address, cause: 'lost' | 'fenced' | 'denied'): void;
  decline(address: Address): void;
  review(address: Address): void;
  overtime(address: Address, on: boolean): void;
}

const placedStates: ReadonlySet<AddressState> = new Set([
  'programming', 'announcing', 'announced', 'overtime',
]);
const settle: Micros = 10_000;
const attemptsMax = 3;

/** One address of which this node does more than stand by: its machine, and what it remembers. */
export class Address {
  readonly ip: Ip;
  /** Name of its lock. */
  readonly lock: string;
  /** A create, take or release is under way. */
  writing = false;
  /**
   * Version of the lock, empty for an absent one, that a successful write of ours replaced. The
   * reply may come before the event; until that shows another version, nothing is to be written.
   */
  replaced: string | undefined;
  /** Rule and former owner of the take in progress or held, for the event that tells of it. */
  cause: {
    readonly rule: string;
    readonly former: string | undefined;
    readonly since: Micros;
  } | undefined;
  /** When this node began to announce; undefined: it does not. */
  announcedAt: Micros | undefined;
  lastSentAt: Micros | undefined;
  /** Version of the lock that a consistent read showed to be out of date (l2.md 9.3). */
  deniedVersion: string | undefined;
  /** Solicited-node groups joined, by ifindex. */
  readonly joined = new Set<number>();
  /** Why the address is being left, for the event. */
  leaving: string | undefined;
  #attempts = 0;
  #duties: AddressDuties;
  #clock: Clock;
  #machine: MachineHost<typeof addressMachine>;

  constructor(
    ip: Ip,
    ports: {
      readonly clock: Clock;
      readonly wake: (run: () => void) => void;
      /** The state may be another one. */
      readonly moved: () => void;
    },
    duties: AddressDuties,
  ) {
    this.ip = ip;
    this.lock = lockName(ip);
    this.#duties = duties;
    this.#clock = ports.clock;
    this.#machine = new MachineHost(addressMachine, {
      ...ports, execute: (effect) => this.#execute(effect),
    });
  }

  get state(): AddressState {
    // The machine is flat and has these states only.
    return this.#machine.state as AddressState;
  }

  /** Announcing, announced or in overtime: this node answers for it. */
  get answers(): boolean {
    const { state } = this;
    return state === 'announcing' || state === 'announced' || state === 'overtime';
  }

  /** Its keys may be in the responder map: it answers, or is about to. */
  get placed(): boolean {
    return placedStates.has(this.state);
  }

  /** Nothing is under way: the address may be forgotten. */
  get idle(): boolean {
    return this.state === 'standby' && !this.writing && !this.#machine.armed;
  }

  send(event: AddressEvent): void {
    this.#machine.send(event);
  }

  stop(): void {
    this.#machine.stop();
  }

  #execute(effect: Effect): void {
    const duties = this.#duties;
    switch (effect.type) {
      case 'create': return duties.create(this);
      case 'take': return duties.take(this);
      case 'program': return this.#program();
      case 'announce': return duties.announce(this);
      case 'relink': return duties.relink(this);
      case 'withdraw': return this.#withdraw();
      case 'release': return duties.release(this);
      case 'released': return duties.released(this);
      case 'drop': return duties.drop(
        this, (effect.params as { cause: 'lost' | 'fenced' | 'denied' }).cause,
      );
      case 'decline': return duties.decline(this);
      case 'overtime': return duties.overtime(this, true);
      case 'regular': return duties.overtime(this, false);
      default: return duties.review(this);
    }
  }

  #program(): void {
    const sound = this.#duties.program(this);
    this.#attempts = sound ? 0 : this.#attempts + 1;
    const exhausted = this.#attempts >= attemptsMax;
    if (exhausted) this.#attempts = 0;
    const result = sound ? 'ok' : exhausted ? 'exhausted' : 'failed';
    this.send({ type: 'KEYS', result, settle });
  }

  #withdraw(): void {
    const last = this.#duties.withdraw(this);
    // A key that cannot be seen gone dies with its expiry; only then may the lock be released (L3).
    const wait = last === undefined ? 0 : Math.max(0, last - this.#clock.boot());
    this.send(
      { type: 'KEYS', result: last === undefined ? 'ok' : 'failed', settle: wait + settle },
    );
  }
}
