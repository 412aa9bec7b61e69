/** Opcodes of the WebAssembly core specification that the translator emits. */
export const op = {
  unreachable: 0x00, block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b,
  br: 0x0c, brIf: 0x0d, brTable: 0x0e, return: 0x0f, call: 0x10, callIndirect: 0x11,
  drop: 0x1a, select: 0x1b, get: 0x20, set: 0x21, tee: 0x22,
  load32: 0x28, load64: 0x29, load32s8: 0x2c, load32u8: 0x2d, load32u16: 0x2f,
  load64s8: 0x30, load64u8: 0x31, load64s16: 0x32, load64u16: 0x33, load64s32: 0x34,
  load64u32: 0x35, store32: 0x36, store64: 0x37, store32as8: 0x3a, store64as8: 0x3c,
  store64as16: 0x3d, store64as32: 0x3e,
  const32: 0x41, const64: 0x42, eqz32: 0x45, eq32: 0x46, ne32: 0x47, ltS32: 0x48, ltU32: 0x49,
  gtS32: 0x4a, gtU32: 0x4b, leS32: 0x4c, leU32: 0x4d, geS32: 0x4e, geU32: 0x4f,
  eqz64: 0x50, eq64: 0x51, ne64: 0x52, ltS64: 0x53, ltU64: 0x54, gtS64: 0x55, gtU64: 0x56,
  leS64: 0x57, leU64: 0x58, geS64: 0x59, geU64: 0x5a,
  add32: 0x6a, sub32: 0x6b, mul32: 0x6c, divS32: 0x6d, divU32: 0x6e, remS32: 0x6f, remU32: 0x70,
  and32: 0x71, or32: 0x72, xor32: 0x73, shl32: 0x74, shrS32: 0x75, shrU32: 0x76, rotl32: 0x77,
  rotr32: 0x78,
  add64: 0x7c, sub64: 0x7d, mul64: 0x7e, divS64: 0x7f, divU64: 0x80, remS64: 0x81, remU64: 0x82,
  and64: 0x83, or64: 0x84, xor64: 0x85, shl64: 0x86, shrS64: 0x87, shrU64: 0x88,
  wrap: 0xa7, extendS: 0xac, extendU: 0xad, truncF64: 0xb0,
  extend8s32: 0xc0, extend16s32: 0xc1, extend8s64: 0xc2, extend16s64: 0xc3, extend32s64: 0xc4,
  /** memory.fill of the main memory. */
  fill: [0xfc, 0x0b, 0x00],
} as const;

/** Types of values and the empty type of a block. */
export const type = {
  i32: 0x7f, i64: 0x7e, f64: 0x7c, empty: 0x40, function: 0x60, functions: 0x70,
} as const;

/** Memories of a module: the machine's own, and the marks of mode `checked`. */
export const memoryIndex = { main: 0, shadow: 1 } as const;

/** Bytes of a module or of a part of one. */
export class Code {
  readonly bytes: number[] = [];

  op(...opcodes: readonly number[]): void {
    for (const opcode of opcodes) this.bytes.push(opcode);
  }

  /** Unsigned LEB128. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.bytes.push((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.bytes.push(rest);
  }

  /** i32.const. */
  const32(value: number): void {
    this.op(op.const32);
    this.#signed(BigInt(value | 0));
  }

  /** i64.const of the value modulo 2^64. */
  const64(value: bigint): void {
    this.op(op.const64);
    this.#signed(BigInt.asIntN(64, value));
  }

  get(local: number): void {
    this.op(op.get);
    this.unsigned(local);
  }

  set(local: number): void {
    this.op(op.set);
    this.unsigned(local);
  }

  tee(local: number): void {
    this.op(op.tee);
    this.unsigned(local);
  }

  branch(opcode: number, depth: number): void {
    this.op(opcode);
    this.unsigned(depth);
  }

  call(index: number): void {
    this.op(op.call);
    this.unsigned(index);
  }

  /** A load or store at a constant offset, without a promise about alignment. */
  memory(opcode: number, offset: number, memory: number = memoryIndex.main): void {
    this.op(opcode);
    if (memory === memoryIndex.main) this.op(0);
    else this.op(0x40, memory);
    this.unsigned(offset);
  }

  append(other: Code): void {
    for (const byte of other.bytes) this.bytes.push(byte);
  }

  #signed(value: bigint): void {
    for (let rest = value; ;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
      this.bytes.push(done ? low : low | 0x80);
      if (done) return;
    }
  }
}
