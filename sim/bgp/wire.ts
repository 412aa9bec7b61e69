import { assert } from '../../lb/result.ts';

/** Bytes of one message as they are written, in network order. */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  u16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value);
  }

  put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Writes what `body` writes behind its length in 8 or 16 bits. */
  sized(bits: 8 | 16, body: () => void): void {
    const start = this.#length;
    if (bits === 8) this.u8(0);
    else this.u16(0);
    body();
    const size = this.#length - start - bits / 8;
    assert(size < (bits === 8 ? 0x100 : 0x1_0000), `${size} bytes fit a length of ${bits} bits`);
    if (bits === 16) this.#bytes[start] = size >>> 8;
    this.#bytes[start + bits / 8 - 1] = size;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/**
 * A walk over received bytes. Reading past the end gives zeros and sets `short`, which the caller
 * judges once, so that no decoder has to ask before each field.
 */
export class ByteReader {
  #bytes: Uint8Array;
  #at = 0;
  #short = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True once more was asked for than there is. */
  get short(): boolean {
    return this.#short;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    if (this.left < 1) return this.#missing();
    const value = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return value;
  }

  u16(): number {
    const high = this.u8();
    return high * 0x100 + this.u8();
  }

  u32(): number {
    const high = this.u16();
    return high * 0x1_0000 + this.u16();
  }

  /** `count` bytes; fewer, and `short`, where there are fewer. */
  take(count: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    if (taken.length < count) this.#short = true;
    this.#at += taken.length;
    return taken;
  }

  /** A reader of the next `count` bytes. */
  part(count: number): ByteReader {
    const reader = new ByteReader(this.take(count));
    reader.#short = this.#short;
    return reader;
  }

  #missing(): number {
    this.#short = true;
    return 0;
  }
}
