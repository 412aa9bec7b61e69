import { ipAt, ipv4At, type Ip } from '../../lb/ip.ts';

const slotBits = 9;
const slotCount = 1 << slotBits;

/**
 * Texts of the addresses that a machine keeps meeting. A new text has to be made, and then hashed
 * by every table that is asked for it: together that is more than the hop of a frame costs.
 */
export class AddressTexts {
  #narrow = new Texts(4);
  #wide = new Texts(16);

  /** The address in 4 or 16 bytes at an offset. */
  read(bytes: Uint8Array, offset: number, length: 4 | 16): Ip {
    return length === 4 ? this.#narrow.read(bytes, offset) : this.#wide.read(bytes, offset);
  }
}

/** One text a slot; the next address that falls there takes it. */
class Texts {
  readonly #length: 4 | 16;
  #known: Uint8Array;
  #texts: (Ip | undefined)[] = Array.from({ length: slotCount });

  constructor(length: 4 | 16) {
    this.#length = length;
    this.#known = new Uint8Array(slotCount * length);
  }

  read(bytes: Uint8Array, offset: number): Ip {
    const slot = slotOf(bytes, offset + this.#length - 4);
    const text = this.#texts[slot];
    return text !== undefined && this.#same(bytes, offset, slot) ? text
      : this.#replace(bytes, offset, slot);
  }

  #same(bytes: Uint8Array, offset: number, slot: number): boolean {
    const from = slot * this.#length;
    for (let index = 0; index < this.#length; index += 1) {
      if (bytes[offset + index] !== this.#known[from + index]) return false;
    }
    return true;
  }

  #replace(bytes: Uint8Array, offset: number, slot: number): Ip {
    const length = this.#length;
    this.#known.set(bytes.subarray(offset, offset + length), slot * length);
    const text = length === 4 ? ipv4At(bytes, offset) : ipAt(bytes, offset);
    this.#texts[slot] = text;
    return text;
  }
}

// By the last four bytes, in which the hosts of a network differ.
function slotOf(bytes: Uint8Array, at: number): number {
  const number = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)
    | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  return Math.imul(number, 0x9e3779b1) >>> (32 - slotBits);
}
