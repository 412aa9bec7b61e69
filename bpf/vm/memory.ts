import { EngineFault } from './fault.ts';
import { wasm, type WasmMemory } from './wasm/host.ts';

/**
 * What a program may do with a byte, as marks of the shadow memory. `freed` differs from `none`
 * in the report only. Constants are both bits of a mask and values of it.
 */
export const access = { none: 0, read: 1, write: 2, both: 3, freed: 4 } as const;

/** What a pointer may do, as the error text and the shadow check need it. */
export type Access = 'read' | 'write';

/** Bytes at an address of the machine. */
export interface Span {
  readonly address: number;
  readonly length: number;
}

const pageBytes = 0x10000;
const pagesMax = 0x10000;

/**
 * The memory of one machine: a WebAssembly memory that only grows, and in checked mode a second
 * one of the same size with a mark for each byte. Addresses depend on the order of the calls
 * alone, so equal runs have equal pointers.
 */
export class Memory {
  readonly main: WasmMemory;
  readonly shadow: WasmMemory | undefined;
  bytes: Uint8Array;
  view: DataView;
  /** The same bytes in words of this machine's order, four to one. */
  words: Int32Array;
  #marks: Uint8Array | undefined;
  #markView: DataView | undefined;
  #end: number;

  /** `reserved` bytes at address 0 belong to the layout; allocation begins behind them. */
  constructor(reserved: number, checked: boolean) {
    const shape = { initial: Math.ceil(reserved / pageBytes), maximum: pagesMax };
    this.main = new wasm.Memory(shape);
    this.shadow = checked ? new wasm.Memory(shape) : undefined;
    this.#end = reserved;
    this.bytes = new Uint8Array(this.main.buffer);
    this.view = new DataView(this.main.buffer);
    this.words = new Int32Array(this.main.buffer);
    this.#marks = this.shadow && new Uint8Array(this.shadow.buffer);
    this.#markView = this.shadow && new DataView(this.shadow.buffer);
  }

  /** Zeroed bytes at a new address divisible by eight, out of bounds until they are marked. */
  allocate(length: number): number {
    const address = this.#end;
    this.#end += Math.ceil(length / 8) * 8;
    const missing = Math.ceil((this.#end - this.bytes.length) / pageBytes);
    if (missing > 0) this.#grow(missing);
    return address;
  }

  /** Copies bytes between two places that do not overlap: mostly a few, where a loop is fastest. */
  copy(target: number, source: Span): void {
    const { address, length } = source;
    const { bytes } = this;
    if (length > 64) {
      bytes.copyWithin(target, address, address + length);
      return;
    }
    for (let at = 0; at < length; at += 1) bytes[target + at] = bytes[address + at] ?? 0;
  }

  mark({ address, length }: Span, mark: number): void {
    this.#marks?.fill(mark, address, address + length);
  }

  /** Throws a fault unless a program may read every byte of the span. */
  checkRead(span: Span): void {
    if (this.#markView !== undefined) this.#check(span, access.read);
  }

  /** Throws a fault unless a program may write every byte of the span. */
  checkWrite(span: Span): void {
    if (this.#markView !== undefined) this.#check(span, access.write);
  }

  #check(span: Span, bit: typeof access.read | typeof access.write): void {
    const view = this.#markView;
    if (view === undefined) return;
    const wanted = bit === access.read ? 'read' : 'write';
    const end = span.address + span.length;
    if (end > view.byteLength) throw this.faultAt(span.address, wanted);
    const pattern = bit * 0x01010101;
    let at = span.address;
    while (at + 4 <= end && (view.getInt32(at, true) & pattern) === pattern) at += 4;
    for (; at < end; at += 1) {
      if ((view.getUint8(at) & bit) === 0) throw this.faultAt(at, wanted);
    }
  }

  /** The fault of an access to a byte that is not allowed. */
  faultAt(address: number, wanted: Access): EngineFault {
    const freed = ((this.#marks?.[address] ?? 0) & access.freed) !== 0;
    return new EngineFault({ kind: freed ? 'freed' : 'out-of-bounds', address, access: wanted });
  }

  /** The first of `length` bytes that does not allow it: where a failed access went wrong. */
  firstRefused({ address, length }: Span, wanted: Access): number {
    for (let at = address; at < address + length; at += 1) {
      if (((this.#marks?.[at] ?? 0) & access[wanted]) === 0) return at;
    }
    return address;
  }

  // Doubling wastes address space only: pages that nobody touched cost nothing.
  #grow(missing: number): void {
    const held = this.bytes.length / pageBytes;
    const pages = Math.min(Math.max(missing, held >> 1), pagesMax - held);
    this.main.grow(pages);
    this.shadow?.grow(pages);
    this.bytes = new Uint8Array(this.main.buffer);
    this.view = new DataView(this.main.buffer);
    this.words = new Int32Array(this.main.buffer);
    this.#marks = this.shadow && new Uint8Array(this.shadow.buffer);
    this.#markView = this.shadow && new DataView(this.shadow.buffer);
  }
}
