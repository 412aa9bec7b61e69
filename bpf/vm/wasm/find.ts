import { cell, isLru } from '../layout.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import { hashShape } from '../maps/hash.ts';
import { entryField, hashFactor, indexField, keyOffset, valueOffset } from '../maps/table.ts';
import { Code, op, type } from './code.ts';

/** Parameter and locals of the function. */
const at = { key: 0, hash: 1, entry: 2 } as const;

/** Types of the locals behind the parameter. */
export const findLocals: readonly number[] = [type.i32, type.i32];

/** Offsets of the words of a key and of the bytes behind the last whole word. */
function partsOf(keySize: number): { readonly words: number[]; readonly rest: number[] } {
  const words = Array.from({ length: keySize >> 2 }, (_, word) => word * 4);
  const rest = Array.from({ length: keySize & 3 }, (_, byte) => words.length * 4 + byte);
  return { words, rest };
}

/**
 * The body of bpf_map_lookup_elem for one hash map, without a call to the host: the address of a
 * key in, that of its value out, or 0. It does what `EntryTable.find` does.
 */
export function findBody(map: MapDefinition, index: number): Code {
  const code = new Code();
  const shape = hashShape(map);
  writeHash(code, map.keySize);
  code.const32(0);
  code.memory(op.load32, index + indexField.heads);
  code.get(at.hash);
  code.const32(1);
  code.op(op.shrU32);
  code.const32(0);
  code.memory(op.load32, index + indexField.mask);
  code.op(op.and32);
  code.const32(2);
  code.op(op.shl32, op.add32);
  code.memory(op.load32, 0);
  code.set(at.entry);
  code.op(op.loop, type.empty);
  code.get(at.entry);
  code.op(op.eqz32, op.if, type.empty);
  code.const32(0);
  code.op(op.return, op.end);
  code.op(op.block, type.empty);
  writeComparison(code, map.keySize, keyOffset(shape));
  if (isLru(map)) writeUse(code);
  code.get(at.entry);
  code.const32(valueOffset(shape));
  code.op(op.add32, op.return, op.end);
  code.get(at.entry);
  code.memory(op.load32, entryField.next);
  code.set(at.entry);
  code.branch(op.br, 0);
  code.op(op.end, op.unreachable, op.end);
  return code;
}

function writeHash(code: Code, keySize: number): void {
  const { words, rest } = partsOf(keySize);
  code.const32(keySize);
  code.set(at.hash);
  for (const offset of words) {
    code.get(at.hash);
    code.get(at.key);
    code.memory(op.load32, offset);
    code.op(op.xor32);
    writeProduct(code, hashFactor.word);
    code.set(at.hash);
    writeFold(code, 15);
    code.set(at.hash);
  }
  for (const offset of rest) {
    code.get(at.hash);
    code.get(at.key);
    code.memory(op.load32u8, offset);
    code.op(op.xor32);
    writeProduct(code, hashFactor.byte);
    code.set(at.hash);
  }
  writeFold(code, 13);
  writeProduct(code, hashFactor.last);
  code.set(at.hash);
  writeFold(code, 16);
  code.const32(1);
  code.op(op.or32);
  code.set(at.hash);
}

/** Pushes hash ^ (hash >>> bits). */
function writeFold(code: Code, bits: number): void {
  code.get(at.hash);
  code.get(at.hash);
  code.const32(bits);
  code.op(op.shrU32, op.xor32);
}

function writeProduct(code: Code, factor: number): void {
  code.const32(factor);
  code.op(op.mul32);
}

/** Leaves the innermost block unless the entry has the hash and the key. */
function writeComparison(code: Code, keySize: number, keyAt: number): void {
  const { words, rest } = partsOf(keySize);
  code.get(at.entry);
  code.memory(op.load32, entryField.hash);
  code.get(at.hash);
  code.op(op.ne32);
  code.branch(op.brIf, 0);
  for (const [load, offsets] of [[op.load32, words], [op.load32u8, rest]] as const) {
    for (const offset of offsets) {
      code.get(at.entry);
      code.memory(load, keyAt + offset);
      code.get(at.key);
      code.memory(load, offset);
      code.op(op.ne32);
      code.branch(op.brIf, 0);
    }
  }
}

/** Counts one more use and notes its number in the entry (`Recency.use`). */
function writeUse(code: Code): void {
  code.const32(0);
  code.const32(0);
  code.memory(op.load64, cell.uses);
  code.const64(1n);
  code.op(op.add64);
  code.memory(op.store64, cell.uses);
  code.get(at.entry);
  code.const32(0);
  code.memory(op.load64, cell.uses);
  code.memory(op.store64, entryField.used);
}
