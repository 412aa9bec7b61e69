import type { Result } from './result.ts';
import type { Ip, Prefix } from './ip.ts';

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
  /** Uniform integer in [0, bound), without modulo bias; `bound` is 1 to 2^32. */
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
  /** Absent: nobody measures. */
  measure?(sample: Sample): void;
}

/** One observation for metrics (interface.md 12). Names are without the prefix `fairlead_`. */
export interface Sample {
  readonly name: string;
  /** Added to a counter, or one value of a distribution; seconds for times. */
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
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

/** `count` keys of one map laid end to end, each of the map's key size. */
export interface MapKeys {
  readonly count: number;
  readonly keys: Uint8Array;
}

/** `count` rows of one map: keys end to end, and in the same order values end to end. */
export interface MapBatch extends MapKeys {
  readonly values: Uint8Array;
}

/** How far a batch came: the first `written` elements are done, the next one met `error`. */
export interface BatchResult {
  readonly written: number;
  /** Absent exactly when every element was written. */
  readonly error?: KernelError;
}

/** A part of a map's rows, in the map's own order. */
export interface MapPage {
  readonly rows: MapBatch;
  /** Where the next page starts; undefined after the last one. Opaque. */
  readonly next: Uint8Array | undefined;
}

/** How many rows a part of a map has. */
export interface MapTally {
  readonly count: number;
  /** As in `MapPage`. */
  readonly next: Uint8Array | undefined;
}

/**
 * The kernel of one node as bytes between named maps. Calls are synchronous, as bpf(2) is.
 * The dump order is unspecified. Deleting an absent key succeeds. Buffers are copied both ways.
 * An ARRAY map has an unsigned 32-bit little-endian index as key, all its cells from the start,
 * zero until written, and no deletion (EINVAL); an index beyond its end is E2BIG.
 */
export interface KernelPort {
  /** Random id of this boot of the kernel (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
  update(map: string, entry: MapEntry, flag: MapFlag): Result<void, KernelError>;
  remove(map: string, key: Uint8Array): Result<void, KernelError>;
  /**
   * Writes rows in their order, each as `update` would, and stops at the first refusal. The process
   * may die between any two: a batch is cheap, never atomic.
   */
  updateMany(map: string, rows: MapBatch, flag: MapFlag): BatchResult;
  /** Removes keys in their order, each as `remove` would, and stops at the first refusal. */
  removeMany(map: string, keys: MapKeys): BatchResult;
  lookup(map: string, key: Uint8Array): Uint8Array | undefined;
  /** The value of each key, in the order of the keys; undefined for one that is not there. */
  lookupMany(map: string, keys: MapKeys): readonly (Uint8Array | undefined)[];
  /** Every row; of an ARRAY every cell. */
  dump(map: string): readonly MapEntry[];
  /**
   * Up to about `rowsMax` rows from where an earlier page ended, for walks of maps that programs
   * write meanwhile: such a walk may miss a row or meet it twice.
   */
  scan(map: string, from: Uint8Array | undefined, rowsMax: number): MapPage;
  /** As `scan` for those who only count: no row is handed over. */
  tally(map: string, from: Uint8Array | undefined, rowsMax: number): MapTally;
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

/** One unicast route of the main table; a route with several next hops is one of these each. */
export interface RouteFacts {
  readonly prefix: Prefix;
  /** Undefined: the destination is on the link. */
  readonly gateway: Ip | undefined;
  readonly ifindex: number;
  /** Lower is preferred; 0 where the kernel shows none. */
  readonly metric: number;
}

export type RouteError = { readonly kind: 'EPERM' | 'ENOBUFS' | 'EINVAL' };

/**
 * Routes of ours that end packets (RTN_BLACKHOLE), told from all others by their protocol. They
 * stand behind every other route of the same prefix and outlive the process.
 */
export interface BlackholePort {
  list(): readonly Prefix[];
  /** Idempotent. */
  add(prefix: Prefix): Result<void, RouteError>;
  /** One that is not there is a success. */
  remove(prefix: Prefix): Result<void, RouteError>;
}

export type LinkError = { readonly kind: 'ENETDOWN' | 'ENODEV' | 'EMSGSIZE' | 'ENOBUFS' };

/**
 * Interfaces and raw frames of one node. Frames carry no padding and no checksum trailer; sent
 * frames bear the announcement mark (l2.md 5.4), so the kernel's fence may drop them silently.
 */
export interface LinkPort {
  links(): readonly LinkFacts[];
  /** Routes of the main table, in no order. */
  routes(): readonly RouteFacts[];
  /** Called after any change of `links()` or `routes()`; never inside a call of this port. */
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
