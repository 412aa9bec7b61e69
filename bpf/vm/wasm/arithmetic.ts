import type { AluOperation, Bits, Comparison, Instruction, Operand } from '../instruction.ts';
import { op, type, type Code } from './code.ts';
import { local, registerLocal } from './plan.ts';

type Alu = Extract<Instruction, { kind: 'alu' }>;

type Extend = Extract<Instruction, { kind: 'extend' }>;

type Simple = Exclude<
  AluOperation, 'divide' | 'modulo' | 'divideSigned' | 'moduloSigned' | 'move'
>;

const simple: Readonly<Record<Simple, readonly [number, number]>> = {
  add: [op.add32, op.add64], subtract: [op.sub32, op.sub64], multiply: [op.mul32, op.mul64],
  or: [op.or32, op.or64], and: [op.and32, op.and64], xor: [op.xor32, op.xor64],
  // WebAssembly masks the count of a shift, as RFC 9669 section 4.1 demands.
  shiftLeft: [op.shl32, op.shl64], shiftRight: [op.shrU32, op.shrU64],
  shiftArithmetic: [op.shrS32, op.shrS64],
};

const comparisons: Readonly<Record<Exclude<Comparison, 'anyBit'>, readonly [number, number]>> = {
  equal: [op.eq32, op.eq64], unequal: [op.ne32, op.ne64],
  above: [op.gtU32, op.gtU64], aboveEqual: [op.geU32, op.geU64],
  below: [op.ltU32, op.ltU64], belowEqual: [op.leU32, op.leU64],
  greater: [op.gtS32, op.gtS64], greaterEqual: [op.geS32, op.geS64],
  less: [op.ltS32, op.ltS64], lessEqual: [op.leS32, op.leS64],
};

function pick([narrow, wide]: readonly [number, number], bits: Bits): number {
  return bits === 32 ? narrow : wide;
}

/** Pushes a register, cut to 32 bits where the instruction works on so many. */
function pushRegister(code: Code, register: number, bits: Bits): void {
  code.get(registerLocal(register));
  if (bits === 32) code.op(op.wrap);
}

export function pushOperand(code: Code, operand: Operand, bits: Bits): void {
  if (operand.kind === 'register') pushRegister(code, operand.register, bits);
  else if (bits === 32) code.const32(operand.value);
  else code.const64(BigInt(operand.value));
}

/** Pops the result into a register; one of 32 bits clears the upper half. */
function popRegister(code: Code, register: number, bits: Bits): void {
  if (bits === 32) code.op(op.extendU);
  code.set(registerLocal(register));
}

export function writeAlu(code: Code, instruction: Alu): void {
  const { operation, target, source, bits } = instruction;
  switch (operation) {
    case 'move':
      pushOperand(code, source, bits);
      break;
    case 'divide':
    case 'modulo':
    case 'divideSigned':
    case 'moduloSigned':
      writeDivision(code, instruction);
      break;
    default:
      pushRegister(code, target, bits);
      pushOperand(code, source, bits);
      code.op(pick(simple[operation], bits));
  }
  popRegister(code, target, bits);
}

// x / 0 is 0 and x % 0 is x; WebAssembly would trap, as it would for the smallest number by -1.
function writeDivision(code: Code, { operation, target, source, bits }: Alu): void {
  const block = bits === 32 ? type.i32 : type.i64;
  const isModulo = operation === 'modulo' || operation === 'moduloSigned';
  const zero = (): void => bits === 32 ? code.const32(0) : code.const64(0n);
  pushOperand(code, source, bits);
  code.op(pick([op.eqz32, op.eqz64], bits), op.if, block);
  if (isModulo) pushRegister(code, target, bits);
  else zero();
  code.op(op.else);
  if (operation === 'divideSigned') {
    pushOperand(code, source, bits);
    if (bits === 32) code.const32(-1);
    else code.const64(-1n);
    code.op(pick([op.eq32, op.eq64], bits), op.if, block);
    zero();
    pushRegister(code, target, bits);
    code.op(pick([op.sub32, op.sub64], bits), op.else);
  }
  pushRegister(code, target, bits);
  pushOperand(code, source, bits);
  code.op(pick(divisions[operation as keyof typeof divisions], bits));
  if (operation === 'divideSigned') code.op(op.end);
  code.op(op.end);
}

const divisions: Readonly<
  Record<'divide' | 'modulo' | 'divideSigned' | 'moduloSigned', readonly [number, number]>
> = {
  divide: [op.divU32, op.divU64], modulo: [op.remU32, op.remU64],
  divideSigned: [op.divS32, op.divS64], moduloSigned: [op.remS32, op.remS64],
};

export function writeNegate(
  code: Code, { target, bits }: { readonly target: number; readonly bits: Bits },
): void {
  if (bits === 32) code.const32(0);
  else code.const64(0n);
  pushRegister(code, target, bits);
  code.op(pick([op.sub32, op.sub64], bits));
  popRegister(code, target, bits);
}

export function writeExtend(code: Code, instruction: Extend): void {
  const { bits, from, target, source } = instruction;
  pushRegister(code, source, bits);
  if (from === 8) code.op(pick([op.extend8s32, op.extend8s64], bits));
  else if (from === 16) code.op(pick([op.extend16s32, op.extend16s64], bits));
  else if (bits === 64) code.op(op.extend32s64);
  popRegister(code, target, bits);
}

export function writeSwap(code: Code, instruction: Extract<Instruction, { kind: 'swap' }>): void {
  const { order, width, target } = instruction;
  const at = registerLocal(target);
  if (order === 'little') {
    if (width === 64) return;
    code.get(at);
    code.const64(width === 16 ? 0xffffn : 0xffffffffn);
    code.op(op.and64);
  } else if (width === 64) {
    code.get(at);
    code.op(op.wrap);
    swap32(code);
    code.op(op.extendU);
    code.const64(32n);
    code.op(op.shl64);
    pushUpper(code, at);
    swap32(code);
    code.op(op.extendU, op.or64);
  } else {
    code.get(at);
    code.op(op.wrap);
    swap32(code);
    if (width === 16) {
      code.const32(16);
      code.op(op.shrU32);
    }
    code.op(op.extendU);
  }
  code.set(at);
}

function pushUpper(code: Code, at: number): void {
  code.get(at);
  code.const64(32n);
  code.op(op.shrU64, op.wrap);
}

/** Replaces the i32 on the stack by the one with its bytes in the other order. */
function swap32(code: Code): void {
  code.tee(local.address);
  code.const32(8);
  code.op(op.rotl32);
  code.const32(0x00ff00ff);
  code.op(op.and32);
  code.get(local.address);
  code.const32(8);
  code.op(op.rotr32);
  code.const32(0xff00ff00);
  code.op(op.and32, op.or32);
}

/** Pushes 1 if the jump is taken, else 0. */
export function writeCondition(code: Code, jump: Extract<Instruction, { kind: 'jump' }>): void {
  const { comparison, bits, left, right } = jump;
  pushRegister(code, left, bits);
  pushOperand(code, right, bits);
  if (comparison !== 'anyBit') {
    code.op(pick(comparisons[comparison], bits));
    return;
  }
  code.op(pick([op.and32, op.and64], bits));
  if (bits === 32) code.const32(0);
  else code.const64(0n);
  code.op(pick([op.ne32, op.ne64], bits));
}
