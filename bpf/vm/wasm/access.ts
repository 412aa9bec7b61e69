import { frame } from '../layout.ts';
import type { AtomicOperation, Instruction, Location, Width } from '../instruction.ts';
import { access, type Access } from '../memory.ts';
import { pushOperand } from './arithmetic.ts';
import { memoryIndex, op, type, type Code } from './code.ts';
import { imported, local, registerLocal, type Writing } from './plan.ts';

const loads: Readonly<Record<Width, number>> = {
  1: op.load64u8, 2: op.load64u16, 4: op.load64u32, 8: op.load64,
};
const signedLoads: Readonly<Record<Width, number>> = {
  1: op.load64s8, 2: op.load64s16, 4: op.load64s32, 8: op.load64,
};
const stores: Readonly<Record<Width, number>> = {
  1: op.store64as8, 2: op.store64as16, 4: op.store64as32, 8: op.store64,
};
const markLoads: Readonly<Record<1 | 2 | 4, number>> = {
  1: op.load32u8, 2: op.load32u16, 4: op.load32,
};

export function writeLoad(writing: Writing, load: Extract<Instruction, { kind: 'load' }>): void {
  const { code } = writing;
  const { from, signed, target } = load;
  const offset = pushAddress(writing, from, 'read');
  code.memory((signed ? signedLoads : loads)[from.width], offset);
  code.set(registerLocal(target));
}

export function writeStore(writing: Writing, store: Extract<Instruction, { kind: 'store' }>): void {
  const { code } = writing;
  const offset = pushAddress(writing, store.to, 'write');
  pushOperand(code, store.source, 64);
  code.memory(stores[store.to.width], offset);
}

/**
 * Pushes the address of an access, checked where the mode asks for it, and returns the constant
 * offset that the access itself has to add. An address is the lower half of the register: objects
 * of the kernel's size of pointers never reach the upper one.
 */
function pushAddress(writing: Writing, location: Location, wanted: Access): number {
  const { code, plan } = writing;
  const { base, offset, width } = location;
  code.get(registerLocal(base));
  code.op(op.wrap);
  const isFrame = base === 10 && offset >= -frame.bytes && offset + width <= 0;
  const isChecked = plan.checked && !isFrame;
  // A constant offset of WebAssembly is never negative and never wraps around.
  if (!isChecked && offset >= 0) return offset;
  if (offset !== 0) {
    code.const32(offset);
    code.op(op.add32);
  }
  if (!isChecked) return 0;
  code.set(local.address);
  writeCheck(writing, width, wanted);
  code.get(local.address);
  return 0;
}

/** Calls out of the module when the bytes at the local `address` do not allow the access. */
export function writeCheck({ code, plan }: Writing, width: Width, wanted: Access): void {
  const bit = access[wanted];
  code.get(local.address);
  if (width === 8) {
    const pattern = BigInt(bit) * 0x0101010101010101n;
    code.memory(op.load64, 0, memoryIndex.shadow);
    code.const64(pattern);
    code.op(op.and64);
    code.const64(pattern);
    code.op(op.ne64);
  } else {
    const pattern = bit * (0x01010101 & (width === 4 ? -1 : (1 << (width * 8)) - 1));
    code.memory(markLoads[width], 0, memoryIndex.shadow);
    code.const32(pattern);
    code.op(op.and32);
    code.const32(pattern);
    code.op(op.ne32);
  }
  code.op(op.if, type.empty);
  code.get(local.address);
  code.const32(width);
  code.const32(bit);
  code.call(plan.importIndex(imported.outOfBounds));
  code.op(op.end);
}

const combinations: Readonly<
  Record<Exclude<AtomicOperation, 'exchange' | 'compareExchange'>, number>
> = { add: op.add64, or: op.or64, and: op.and64, xor: op.xor64 };

/** One machine has one CPU: an atomic operation is a load, a computation and a store. */
export function writeAtomic(
  writing: Writing, atomic: Extract<Instruction, { kind: 'atomic' }>,
): void {
  const { code } = writing;
  const { at, operation, fetch } = atomic;
  const source = registerLocal(atomic.source);
  const offset = pushAddress(writing, at, 'write');
  // The address goes through a local: it is needed twice.
  code.set(local.address);
  code.get(local.address);
  code.memory(loads[at.width], offset);
  code.set(local.wide);
  if (operation === 'compareExchange') {
    writeCompareExchange(code, { width: at.width, offset, source });
    return;
  }
  code.get(local.address);
  if (operation === 'exchange') {
    code.get(source);
  } else {
    code.get(local.wide);
    code.get(source);
    code.op(combinations[operation]);
  }
  code.memory(stores[at.width], offset);
  if (!fetch) return;
  code.get(local.wide);
  code.set(source);
}

interface CompareExchange {
  readonly width: Width;
  readonly offset: number;
  readonly source: number;
}

// r0 is compared, and gets the old value whether it was equal or not.
function writeCompareExchange(code: Code, { width, offset, source }: CompareExchange): void {
  code.get(local.wide);
  code.get(local.r0);
  if (width === 4) {
    code.const64(0xffffffffn);
    code.op(op.and64);
  }
  code.op(op.eq64, op.if, type.empty);
  code.get(local.address);
  code.get(source);
  code.memory(stores[width], offset);
  code.op(op.end);
  code.get(local.wide);
  code.set(local.r0);
}
