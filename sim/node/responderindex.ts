import { decodeResponderKey, responderMap, type ResponderKey } from '../../l2/responder-map.ts';
import type { Ip } from '../../lb/ip.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import type { SimKernel } from './kernel.ts';

/** Keys remembered before those that are gone are forgotten. */
const entriesMax = 65_536;

/**
 * The entries of `fl_l2` by address, decoded as they change. Oracles ask after every renewal of
 * every address who would answer, and encoding a key for each question was most of that cost.
 */
export class ResponderIndex {
  #clock: Pick<Clock, 'now'>;
  #held = new Map<Ip, Entry[]>();
  // Renewals write the same keys again and again; what a key names never changes.
  #entries = new Map<string, Entry>();
  #listeners: ((address: Ip) => void)[] = [];

  constructor(kernel: SimKernel, clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    kernel.onWrite(responderMap, (key, value) => this.#take(key, value));
  }

  /** Called after each change of a key of the address, unless it prolongs one that is good. */
  onChange(listener: (address: Ip) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether a key of the address on that interface is good at `now`. */
  holds(address: Ip, ifindex: number, now: Micros): boolean {
    const entries = this.#held.get(address);
    return entries?.some((one) => one.ifindex === ifindex && now * 1_000 < one.expiry) === true;
  }

  /** Addresses with a key, good or expired. */
  addresses(): readonly Ip[] {
    return [...this.#held.keys()];
  }

  #take(key: Uint8Array, value: Uint8Array | undefined): void {
    const entry = this.#entryOf(key);
    const before = entry.expiry;
    entry.expiry = value === undefined ? 0 : expiryOf(value);
    const now = this.#clock.now() * 1_000;
    if (before > now && entry.expiry > now) return;
    this.#hold(entry);
    for (const listener of this.#listeners) listener(entry.ip);
  }

  #hold(entry: Entry): void {
    const others = (this.#held.get(entry.ip) ?? []).filter((one) => one !== entry);
    const held = entry.expiry === 0 ? others : [...others, entry];
    if (held.length === 0) this.#held.delete(entry.ip);
    else this.#held.set(entry.ip, held);
  }

  #entryOf(key: Uint8Array): Entry {
    const text = Reflect.apply(String.fromCharCode, undefined, key) as string;
    const known = this.#entries.get(text);
    if (known !== undefined) return known;
    const entry = { ...decodeResponderKey(key), expiry: 0 };
    if (this.#entries.size >= entriesMax) this.#forgetFree();
    this.#entries.set(text, entry);
    return entry;
  }

  #forgetFree(): void {
    for (const [text, { expiry }] of this.#entries) if (expiry === 0) this.#entries.delete(text);
  }
}

/** One key, and until when in nanoseconds it is good; 0: it is not there. */
interface Entry extends ResponderKey {
  expiry: number;
}

// A little-endian u64, exact below 2^53 ns, which is 104 days of boot time.
function expiryOf(value: Uint8Array): number {
  let expiry = 0;
  for (let index = 7; index >= 0; index -= 1) expiry = expiry * 256 + (value[index] ?? 0);
  return expiry;
}
