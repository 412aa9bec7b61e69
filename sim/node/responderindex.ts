import {
  decodeResponderKey, decodeResponderValue, type ResponderKey,
} from '../../l2/responder-map.ts';
import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { SimMap, Slot } from './maps.ts';

/** A key of the responder as the programs ask for it. */
export interface Held {
  /** CLOCK_BOOTTIME in nanoseconds. */
  readonly expiryNs: number;
  readonly mac: string;
}

const namesMax = 65_536;

/**
 * The entries of `fl_l2` by address, decoded as they change. Oracles ask after every renewal of
 * every address who would answer, and encoding a key for each question was most of that cost.
 */
export class ResponderIndex {
  #expiries = new Map<Ip, Map<number, number>>();
  #slots = new Map<Ip, Map<number, Slot>>();
  // Renewals write the same keys again and again; what a key names never changes.
  #names = new Map<string, ResponderKey>();
  #listeners: ((address: Ip) => void)[] = [];

  constructor(map: SimMap) {
    map.onChange((slot, present) => this.#take(slot, present));
  }

  /** Called after each change of a key of the address. */
  onChange(listener: (address: Ip) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether a key of the address on that interface is good at `now`. */
  holds(address: Ip, ifindex: number, now: Micros): boolean {
    const expiry = this.#expiries.get(address)?.get(ifindex);
    return expiry !== undefined && now * 1_000 < expiry;
  }

  get(address: Ip, ifindex: number): Held | undefined {
    const slot = this.#slots.get(address)?.get(ifindex);
    if (slot === undefined) return undefined;
    return { expiryNs: expiryOf(slot.value), mac: decodeResponderValue(slot.value).mac };
  }

  /** Addresses with a key, good or expired. */
  addresses(): readonly Ip[] {
    return [...this.#slots.keys()];
  }

  #take(slot: Slot, present: boolean): void {
    const { ip, ifindex } = this.#nameOf(slot);
    const expiries = this.#expiries.get(ip) ?? new Map<number, number>();
    const slots = this.#slots.get(ip) ?? new Map<number, Slot>();
    if (present) {
      this.#expiries.set(ip, expiries.set(ifindex, expiryOf(slot.value)));
      this.#slots.set(ip, slots.set(ifindex, slot));
    } else {
      expiries.delete(ifindex);
      slots.delete(ifindex);
      if (slots.size === 0) {
        this.#expiries.delete(ip);
        this.#slots.delete(ip);
      }
    }
    for (const listener of this.#listeners) listener(ip);
  }

  #nameOf(slot: Slot): ResponderKey {
    const known = this.#names.get(slot.text);
    if (known !== undefined) return known;
    const name = decodeResponderKey(slot.key);
    if (this.#names.size >= namesMax) this.#names.clear();
    this.#names.set(slot.text, name);
    return name;
  }
}

// A little-endian u64, exact below 2^53 ns, which is 104 days of boot time.
function expiryOf(value: Uint8Array): number {
  let expiry = 0;
  for (let index = 7; index >= 0; index -= 1) expiry = expiry * 256 + (value[index] ?? 0);
  return expiry;
}
