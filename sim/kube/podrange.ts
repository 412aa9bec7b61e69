import { ipFromNumber, type Ip, type PrefixParts } from '../../lb/ip.ts';

/** Network, gateway and broadcast addresses of a range are never a pod's. */
const firstOffset = 2n;
/** Addresses looked at before a range counts as full: more than any node holds. */
const searchMax = 65_536;

/**
 * Pod addresses of one node, one from each of its ranges per pod. The next free address after the
 * last one given is taken, so an address rests as long as it can.
 */
export class PodRange {
  #used = new Set<Ip>();
  #next = new Map<string, bigint>();

  /** One free address per range, or undefined when a range has none, and then none is taken. */
  take(ranges: readonly PrefixParts[]): readonly Ip[] | undefined {
    const ips: Ip[] = [];
    for (const range of ranges) {
      const ip = this.#find(range);
      if (ip === undefined) {
        this.release(ips);
        return undefined;
      }
      this.#used.add(ip);
      ips.push(ip);
    }
    return ips;
  }

  /** Marks addresses that a pod has already. */
  reserve(ips: readonly Ip[]): void {
    for (const ip of ips) this.#used.add(ip);
  }

  release(ips: readonly Ip[]): void {
    for (const ip of ips) this.#used.delete(ip);
  }

  #find(range: PrefixParts): Ip | undefined {
    const last = range.family === 'IPv4' ? range.last - 1n : range.last;
    const size = last - range.first - firstOffset + 1n;
    if (size <= 0n) return undefined;
    let offset = this.#next.get(range.prefix) ?? 0n;
    for (let tries = 0; tries < searchMax && BigInt(tries) < size; tries += 1) {
      const ip = ipFromNumber(range.first + firstOffset + (offset % size), range.family);
      offset += 1n;
      if (this.#used.has(ip)) continue;
      this.#next.set(range.prefix, offset % size);
      return ip;
    }
    return undefined;
  }
}
