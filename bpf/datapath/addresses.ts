import type { Ip } from '../../lb/ip.ts';
import { addrBit } from '../layout.gen.ts';
import type { AddressImage, RecordImage } from './image.ts';
import type { FrontRules } from './fronts.ts';

/** One row of `fl_addr`: who gives the address its meanings, and what the kernel has. */
export interface Address {
  readonly key: string;
  readonly ip: Ip;
  vip: number;
  clusterIp: number;
  foreign: number;
  /** `node` and `nodePort`. */
  nodeBits: number;
  /** In the kernel; 0: there is no row. */
  bits: number;
  /** Rows of `fl_front` with this address. */
  fronts: number;
}

/** Something that has an address; `key` is its `fl_addr` key as a text. */
export type AddressPlace = Pick<AddressImage, 'key' | 'ip'>;

/** The meanings of addresses on one node, counted over its service ports. */
export class Addresses {
  #rules: FrontRules;
  #addresses = new Map<Ip, Address>();
  #dirty = new Set<Address>();
  #ofNode: readonly Address[] = [];

  constructor(rules: FrontRules) {
    this.#rules = rules;
  }

  get(ip: Ip): Address | undefined {
    return this.#addresses.get(ip);
  }

  values(): Iterable<Address> {
    return this.#addresses.values();
  }

  /** Adds (1) or ends (−1) what an image says of its addresses. */
  count(image: RecordImage, by: 1 | -1): void {
    for (const place of image.addresses) {
      if (place.external && !this.#rules.honours(place.ip)) continue;
      const address = this.place(place);
      if (place.bit === addrBit.vip) address.vip += by;
      else if (place.bit === addrBit.clusterIp) address.clusterIp += by;
      else address.foreign += by;
      this.#dirty.add(address);
    }
  }

  /** The node's own addresses, each with its bits, in place of those before. */
  setNode(places: readonly (AddressPlace & { readonly bits: number })[]): void {
    for (const address of this.#ofNode) {
      address.nodeBits = 0;
      this.#dirty.add(address);
    }
    this.#ofNode = places.map((place) => {
      const address = this.place(place);
      address.nodeBits |= place.bits;
      this.#dirty.add(address);
      return address;
    });
  }

  /** Adopts a row that the kernel has, or corrects what is known of one. */
  observe(place: AddressPlace, bits: number): void {
    this.place(place).bits = bits;
  }

  touchAll(): void {
    for (const address of this.#addresses.values()) this.#dirty.add(address);
  }

  place({ key, ip }: AddressPlace): Address {
    const known = this.#addresses.get(ip);
    if (known !== undefined) return known;
    const address = {
      key, ip, vip: 0, clusterIp: 0, foreign: 0, nodeBits: 0, bits: 0, fronts: 0,
    };
    this.#addresses.set(ip, address);
    return address;
  }

  /** Rows that lack a bit. Bits that are to go stay for now. */
  growing(): Address[] {
    return [...this.#dirty].filter((address) => (wantedBits(address) & ~address.bits) !== 0);
  }

  /** Rows with a bit too many. */
  shrinking(): Address[] {
    return [...this.#dirty].filter((address) => (address.bits & ~wantedBits(address)) !== 0);
  }

  /** Forgets those that are as they should be. */
  settle(): void {
    for (const address of this.#dirty) {
      if (address.bits !== wantedBits(address)) continue;
      this.#dirty.delete(address);
      if (address.bits !== 0 || address.fronts > 0) continue;
      this.#addresses.delete(address.ip);
    }
  }

  get dirty(): number {
    return this.#dirty.size;
  }

  /** Asks again for a row that was not written. */
  touch(address: Address): void {
    this.#dirty.add(address);
  }
}

export function wantedBits(address: Address): number {
  return address.nodeBits
    | (address.vip > 0 ? addrBit.vip : 0)
    | (address.clusterIp > 0 ? addrBit.clusterIp : 0)
    | (address.foreign > 0 ? addrBit.foreign : 0);
}
