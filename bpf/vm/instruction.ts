import { demand } from './elf.ts';

export type AluOperation =
  | 'add' | 'subtract' | 'multiply' | 'divide' | 'or' | 'and' | 'shiftLeft' | 'shiftRight'
  | 'modulo' | 'xor' | 'move' | 'shiftArithmetic' | 'divideSigned' | 'moduloSigned';
export type Comparison =
  | 'equal' | 'above' | 'aboveEqual' | 'anyBit' | 'unequal' | 'greater' | 'greaterEqual'
  | 'below' | 'belowEqual' | 'less' | 'lessEqual';
export type AtomicOperation = 'add' | 'or' | 'and' | 'xor' | 'exchange' | 'compareExchange';
export type Bits = 32 | 64;
export type Width = 1 | 2 | 4 | 8;

/** Right-hand side: a register, or a 32-bit signed number that is extended with its sign. */
export type Operand =
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'number'; readonly value: number };

/** Where a load or store points: `base + offset`, `offset` in [-32768, 32767]. */
export interface Location {
  readonly base: number;
  readonly offset: number;
  readonly width: Width;
}

/** What a 64-bit load immediate means once relocated. */
export type Constant =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'map'; readonly map: number }
  | { readonly kind: 'data'; readonly section: number; readonly offset: number }
  | { readonly kind: 'function'; readonly function: number };

/** One instruction of RFC 9669. Targets of jumps are slots of the same function. */
export type Instruction =
  | { readonly kind: 'alu'; readonly operation: AluOperation; readonly bits: Bits;
      readonly target: number; readonly source: Operand }
  | { readonly kind: 'negate'; readonly bits: Bits; readonly target: number }
  | { readonly kind: 'extend'; readonly bits: Bits; readonly from: 8 | 16 | 32;
      readonly target: number; readonly source: number }
  | { readonly kind: 'swap'; readonly order: 'little' | 'big'; readonly width: 16 | 32 | 64;
      readonly target: number }
  | { readonly kind: 'constant'; readonly target: number; readonly value: Constant }
  | { readonly kind: 'load'; readonly target: number; readonly signed: boolean;
      readonly from: Location }
  | { readonly kind: 'store'; readonly to: Location; readonly source: Operand }
  | { readonly kind: 'atomic'; readonly operation: AtomicOperation; readonly fetch: boolean;
      readonly at: Location; readonly source: number }
  | { readonly kind: 'jump'; readonly comparison: Comparison; readonly bits: Bits;
      readonly left: number; readonly right: Operand; readonly to: number }
  | { readonly kind: 'goto'; readonly to: number }
  | { readonly kind: 'helper'; readonly id: number }
  | { readonly kind: 'call'; readonly function: number }
  | { readonly kind: 'exit' }
  /** The second slot of a 64-bit load immediate. */
  | { readonly kind: 'blank' };

/** What the relocations of a section say about its slots. */
export interface Links {
  /** The function that the call at slot `at` of the section, `number` being its imm, means. */
  callee(at: number, number: number): number;
  /** The constant that the load immediate at slot `at` means; undefined without a relocation. */
  constant(at: number, number: number): Constant | undefined;
}

const aluOperations: readonly (AluOperation | undefined)[] = [
  'add', 'subtract', 'multiply', 'divide', 'or', 'and', 'shiftLeft', 'shiftRight',
  undefined, 'modulo', 'xor', 'move', 'shiftArithmetic',
];
const comparisons: readonly (Comparison | undefined)[] = [
  undefined, 'equal', 'above', 'aboveEqual', 'anyBit', 'unequal', 'greater', 'greaterEqual',
  undefined, undefined, 'below', 'belowEqual', 'less', 'lessEqual',
];
const atomicOperations: ReadonlyMap<number, AtomicOperation> = new Map([
  [0x00, 'add'], [0x40, 'or'], [0x50, 'and'], [0xa0, 'xor'], [0xe0, 'exchange'],
  [0xf0, 'compareExchange'],
]);
const widths: readonly Width[] = [4, 2, 1, 8];
const mode = { immediate: 0x00, memory: 0x60, memorySigned: 0x80, atomic: 0xc0 } as const;

/** A slot of eight bytes, taken apart (RFC 9669 section 3). */
interface Slot {
  readonly at: number;
  readonly opcode: number;
  readonly target: number;
  readonly source: number;
  readonly offset: number;
  readonly number: number;
  /** imm of the following slot. */
  readonly upper: number;
}

/**
 * Decodes the slots [from, to) of a code section. Throws ObjectError for what the engine does not
 * execute: legacy packet loads, calls of kernel functions, load-acquire and store-release.
 */
export function decode(
  code: DataView, range: { readonly from: number; readonly to: number }, links: Links,
): Instruction[] {
  const instructions: Instruction[] = [];
  for (let at = range.from; at < range.to; at += 1) {
    const slot = readSlot(code, at);
    const instruction = decodeSlot(slot, links, range.from);
    demand(instruction !== undefined, `slot ${at} holds 0x${slot.opcode.toString(16)}, unknown`);
    instructions.push(instruction);
    if (instruction.kind !== 'constant') continue;
    instructions.push({ kind: 'blank' });
    at += 1;
  }
  return instructions;
}

function readSlot(code: DataView, at: number): Slot {
  const byte = at * 8;
  const registers = code.getUint8(byte + 1);
  return {
    at, opcode: code.getUint8(byte), target: registers & 15, source: registers >> 4,
    offset: code.getInt16(byte + 2, true), number: code.getInt32(byte + 4, true),
    upper: byte + 16 <= code.byteLength ? code.getInt32(byte + 12, true) : 0,
  };
}

function decodeSlot(slot: Slot, links: Links, from: number): Instruction | undefined {
  demand(slot.target <= 10 && slot.source <= 10, `slot ${slot.at} names a register above r10`);
  switch (slot.opcode & 7) {
    case 0: return slot.opcode === 0x18 ? loadImmediate(slot, links) : undefined;
    case 1: return load(slot);
    case 2:
    case 3: return store(slot);
    case 4: return alu(slot, 32);
    case 7: return alu(slot, 64);
    default: return jump(slot, links, from);
  }
}

function loadImmediate(slot: Slot, links: Links): Instruction {
  const value = BigInt(slot.upper) << 32n | BigInt(slot.number >>> 0);
  const constant = links.constant(slot.at, slot.number);
  demand(
    constant !== undefined || slot.source === 0, `slot ${slot.at} names nothing that it loads`,
  );
  return { kind: 'constant', target: slot.target, value: constant ?? { kind: 'number', value } };
}

function load(slot: Slot): Instruction | undefined {
  const kind = slot.opcode & 0xe0;
  if (kind !== mode.memory && kind !== mode.memorySigned) return undefined;
  const signed = kind === mode.memorySigned;
  return { kind: 'load', target: slot.target, signed, from: locationOf(slot, slot.source) };
}

function store(slot: Slot): Instruction | undefined {
  const register = (slot.opcode & 7) === 3;
  const at = locationOf(slot, slot.target);
  const kind = slot.opcode & 0xe0;
  if (kind === mode.memory) {
    const source: Operand = register
      ? { kind: 'register', register: slot.source } : { kind: 'number', value: slot.number };
    return { kind: 'store', to: at, source };
  }
  const operation = atomicOperations.get(slot.number & ~1);
  if (kind !== mode.atomic || !register || at.width < 4) return undefined;
  if (operation === undefined) return undefined;
  return { kind: 'atomic', operation, fetch: (slot.number & 1) === 1, at, source: slot.source };
}

function locationOf(slot: Slot, base: number): Location {
  return { base, offset: slot.offset, width: widths[(slot.opcode >> 3) & 3] ?? 4 };
}

function alu(slot: Slot, bits: Bits): Instruction | undefined {
  const { target, opcode } = slot;
  const code = opcode >> 4;
  if (code === 8) return { kind: 'negate', bits, target };
  if (code === 13) return swap(slot, bits);
  const source = operandOf(slot);
  const operation = aluOperations[code];
  if (operation === undefined) return undefined;
  if (slot.offset === 0) return { kind: 'alu', operation, bits, target, source };
  if (operation === 'divide' || operation === 'modulo') {
    if (slot.offset !== 1) return undefined;
    const signed = operation === 'divide' ? 'divideSigned' : 'moduloSigned';
    return { kind: 'alu', operation: signed, bits, target, source };
  }
  const from = slot.offset;
  if (operation !== 'move' || source.kind !== 'register') return undefined;
  if (from !== 8 && from !== 16 && from !== 32) return undefined;
  return { kind: 'extend', bits, from, target, source: source.register };
}

// The machine is little-endian: "to little" truncates, "to big" and "swap" exchange bytes.
function swap(slot: Slot, bits: Bits): Instruction | undefined {
  const width = slot.number;
  if (width !== 16 && width !== 32 && width !== 64) return undefined;
  const big = bits === 64 || (slot.opcode & 8) !== 0;
  return { kind: 'swap', order: big ? 'big' : 'little', width, target: slot.target };
}

function operandOf(slot: Slot): Operand {
  return (slot.opcode & 8) !== 0
    ? { kind: 'register', register: slot.source } : { kind: 'number', value: slot.number };
}

function jump(slot: Slot, links: Links, from: number): Instruction | undefined {
  const bits = (slot.opcode & 7) === 6 ? 32 : 64;
  const next = slot.at - from + 1;
  switch (slot.opcode >> 4) {
    case 0: return { kind: 'goto', to: next + (bits === 32 ? slot.number : slot.offset) };
    case 8: return call(slot, links);
    case 9: return { kind: 'exit' };
    default: {
      const comparison = comparisons[slot.opcode >> 4];
      if (comparison === undefined) return undefined;
      const right = operandOf(slot);
      return { kind: 'jump', comparison, bits, left: slot.target, right, to: next + slot.offset };
    }
  }
}

function call(slot: Slot, links: Links): Instruction | undefined {
  if (slot.source === 0) return { kind: 'helper', id: slot.number };
  if (slot.source !== 1) return undefined;
  return { kind: 'call', function: links.callee(slot.at, slot.number) };
}
