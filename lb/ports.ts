import type { Result } from './result.ts';
import type { Ip } from './ip.ts';

/** Integer microseconds. A duration or an instant of the clock that it is said to come from. */
export type Micros = number;

export interface Timer {
  /** Forgets the callback. Cancelling twice, or after it ran, is harmless. */
  cancel(): void;
}

/**
 * Time of one node. `now` never decreases; a callback runs once, not early, never inside the call
 * that armed it. Nothing else in the core may know the time.
 */
export interface Clock {
  /** Monotonic time since an arbitrary start. */
  now(): Micros;
  /** CLOCK_BOOTTIME: monotonic and counting suspend; the clock of L2 fences (l2.md 5.1). */
  boot(): Micros;
  /** Wall clock since the Unix epoch: for people and API timestamps, never for a decision. */
  wall(): Micros;
  after(delay: Micros, callback: () => void): Timer;
}

/** Chance of one process, from a seed. */
export interface Random {
  /** Uniform integer in [0, bound), without modulo bias. */
  below(bound: number): number;
  /** True on a rare branch that the simulator wants to see taken; always false in production. */
  rare(site: string): boolean;
}

/**
 * What a process has to say about itself: one entry per change of state, for logs, traces and
 * marks.
 * `code` is stable and kebab-case (`l2.failover`); `text` is for people.
 */
export interface Journal {
  note(entry: JournalEntry): void;
}

export interface JournalEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly component: string;
  readonly code: string;
  /** The user's object that it is about, `service media/jellyfin`, or an address. */
  readonly object?: string;
  readonly text: string;
}

/** Negative errno as the kernel returns it, by name. */
export type KernelError = {
  readonly kind: 'ENOSPC' | 'E2BIG' | 'EEXIST' | 'ENOENT' | 'EINVAL' | 'EPERM' | 'EIO';
};

export type MapFlag = 'any' | 'noexist' | 'exist';

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The kernel of one node as bytes between named maps. Calls are synchronous, as bpf(2) is.
 * The dump order is unspecified. Deleting an absent key succeeds. Buffers are copied both ways.
 */
export interface KernelPort {
  /** Random id of this boot of the kernel (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
  update(map: string, entry: MapEntry, flag: MapFlag): Result<void, KernelError>;
  remove(map: string, key: Uint8Array): Result<void, KernelError>;
  lookup(map: string, key: Uint8Array): Uint8Array | undefined;
  dump(map: string): readonly MapEntry[];
  /**
   * Asks for a lock that the kernel frees when the process dies (an abstract Unix socket).
   * `held` is called once, later, when this process has it; a second holder waits.
   */
  hostLock(name: string, held: () => void): void;
}

/** One network interface as netlink shows it. */
export interface LinkFacts {
  readonly name: string;
  readonly ifindex: number;
  /** Six bytes as `02:00:00:00:00:0a`. */
  readonly mac: string;
  readonly adminUp: boolean;
  readonly carrier: boolean;
  readonly loopback: boolean;
  readonly noArp: boolean;
  /** Port of a bond or bridge: used through its master only. */
  readonly enslaved: boolean;
  /** Addresses configured on the interface, link-local ones included. */
  readonly addresses: readonly Ip[];
  readonly defaultRoute: boolean;
}

export type LinkError = { readonly kind: 'ENETDOWN' | 'ENODEV' | 'EMSGSIZE' | 'ENOBUFS' };

/**
 * Interfaces and raw frames of one node. Frames carry no padding and no checksum trailer; sent
 * frames bear the announcement mark (l2.md 5.4), so the kernel's fence may drop them silently.
 */
export interface LinkPort {
  links(): readonly LinkFacts[];
  /** Called after any change of `links()`; never inside a call of this port. */
  onLinks(listener: () => void): void;
  send(ifindex: number, frame: Uint8Array): Result<void, LinkError>;
  /** Every ARP frame and Neighbor Advertisement that arrives, for conflict detection. */
  onFrame(listener: (ifindex: number, frame: Uint8Array) => void): void;
  join(ifindex: number, group: Ip): Result<void, LinkError>;
  leave(ifindex: number, group: Ip): void;
}

/** A Kubernetes Event about one object. The recorder limits, counts and sends (lb-ipam.md 10.4). */
export interface ObjectEvent {
  readonly object: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface EventSink {
  emit(event: ObjectEvent): void;
}
