import { decodeResponderKey, responderMap, type ResponderKey } from '../../l2/responder-map.ts';
import type { Ip } from '../../lb/ip.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import type { SimKernel } from './kernel.ts';

const namesMax = 65_536;

/**
 * The entries of `fl_l2` by address, decoded as they change. Oracles ask after every renewal of
 * every address who would answer, and encoding a key for each question was most of that cost.
 */
export class ResponderIndex {
  #clock: Pick<Clock, 'now'>;
  #expiries = new Map<Ip, Map<number, number>>();
  // Renewals write the same keys again and again; what a key names never changes.
  #names = new Map<string, ResponderKey>();
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
    const expiry = this.#expiries.get(address)?.get(ifindex);
    return expiry !== undefined && now * 1_000 < expiry;
  }

  /** Addresses with a key, good or expired. */
  addresses(): readonly Ip[] {
    return [...this.#expiries.keys()];
  }

  #take(key: Uint8Array, value: Uint8Array | undefined): void {
    const { ip, ifindex } = this.#nameOf(key);
    const expiries = this.#expiries.get(ip) ?? new Map<number, number>();
    const before = expiries.get(ifindex) ?? 0;
    const after = value === undefined ? 0 : expiryOf(value);
    if (value === undefined) expiries.delete(ifindex);
    else expiries.set(ifindex, after);
    if (expiries.size === 0) this.#expiries.delete(ip);
    else if (before === 0) this.#expiries.set(ip, expiries);
    const now = this.#clock.now() * 1_000;
    if (before > now && after > now) return;
    for (const listener of this.#listeners) listener(ip);
  }

  #nameOf(key: Uint8Array): ResponderKey {
    const text = Reflect.apply(String.fromCharCode, undefined, key) as string;
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = decodeResponderKey(key);
    if (this.#names.size >= namesMax) this.#names.clear();
    this.#names.set(text, name);
    return name;
  }
}

// A little-endian u64, exact below 2^53 ns, which is 104 days of boot time.
function expiryOf(value: Uint8Array): number {
  let expiry = 0;
  for (let index = 7; index >= 0; index -= 1) expiry = expiry * 256 + (value[index] ?? 0);
  return expiry;
}
