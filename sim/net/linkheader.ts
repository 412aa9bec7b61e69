import { writeMac } from './address.ts';
import type { EthernetAddresses } from './codec.ts';

/**
 * The two addresses in front of a frame. One that is kept for a way knows the words that it writes.
 */
export class LinkHeader implements EthernetAddresses {
  readonly ethSource: string;
  readonly ethTarget: string;
  #words: Int32Array | undefined;

  constructor(addresses: EthernetAddresses) {
    this.ethSource = addresses.ethSource;
    this.ethTarget = addresses.ethTarget;
  }

  /** Writes twelve bytes at `at`, a position of words. */
  put(words: Int32Array, at: number): void {
    const own = this.#words ?? this.#made();
    words[at] = own[0] ?? 0;
    words[at + 1] = own[1] ?? 0;
    words[at + 2] = own[2] ?? 0;
  }

  #made(): Int32Array {
    const words = new Int32Array(3);
    const bytes = new Uint8Array(words.buffer);
    writeMac(bytes, 0, this.ethTarget);
    writeMac(bytes, 6, this.ethSource);
    this.#words = words;
    return words;
  }
}
