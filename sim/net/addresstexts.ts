import { ipFromBytes, ipv4At, type Ip } from '../../lb/ip.ts';

const slotCount = 512;

/**
 * Texts of the addresses that a machine keeps meeting. A new text has to be made, and then hashed
 * by every table that is asked for it: together that is more than the hop of a frame costs.
 */
export class AddressTexts {
  #numbers = new Int32Array(slotCount);
  #texts: (Ip | undefined)[] = Array.from({ length: slotCount });

  /** The address in 4 or 16 bytes at an offset. */
  read(bytes: Uint8Array, offset: number, length: 4 | 16): Ip {
    if (length === 16) return ipFromBytes(bytes.subarray(offset, offset + length));
    const number = ((bytes[offset] ?? 0) << 24) | ((bytes[offset + 1] ?? 0) << 16)
      | ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
    const slot = (Math.imul(number, 0x9e3779b1) >>> 23) & (slotCount - 1);
    const known = this.#texts[slot];
    if (known !== undefined && this.#numbers[slot] === number) return known;
    const text = ipv4At(bytes, offset);
    this.#numbers[slot] = number;
    this.#texts[slot] = text;
    return text;
  }
}
