import type { AtomicOperation, Instruction } from './instruction.ts';

type Alu = Extract<Instruction, { kind: 'alu' }>;
type Jump = Extract<Instruction, { kind: 'jump' }>;

/** Two register values, any integers: they are cut to the width of the operation. */
interface Operands {
  readonly left: bigint;
  readonly right: bigint;
}

/** The target register after an arithmetic instruction, as RFC 9669 section 4.1 says. */
export function aluResult({ operation, bits }: Alu, operands: Operands): bigint {
  const left = BigInt.asUintN(bits, operands.left);
  const right = BigInt.asUintN(bits, operands.right);
  const count = right & BigInt(bits - 1);
  const signedLeft = BigInt.asIntN(bits, left);
  const signedRight = BigInt.asIntN(bits, right);
  const result = (): bigint => {
    switch (operation) {
      case 'add': return left + right;
      case 'subtract': return left - right;
      case 'multiply': return left * right;
      case 'divide': return right === 0n ? 0n : left / right;
      case 'modulo': return right === 0n ? left : left % right;
      case 'divideSigned': return right === 0n ? 0n : signedLeft / signedRight;
      case 'moduloSigned': return right === 0n ? left : signedLeft % signedRight;
      case 'or': return left | right;
      case 'and': return left & right;
      case 'xor': return left ^ right;
      case 'shiftLeft': return left << count;
      case 'shiftRight': return left >> count;
      case 'shiftArithmetic': return signedLeft >> count;
      case 'move': return right;
    }
  };
  return BigInt.asUintN(bits, result());
}

/** The value of memory after an atomic operation, before it is cut to its width. */
export function atomicResult(
  operation: Exclude<AtomicOperation, 'compareExchange'>, { left, right }: Operands,
): bigint {
  switch (operation) {
    case 'add': return left + right;
    case 'or': return left | right;
    case 'and': return left & right;
    case 'xor': return left ^ right;
    case 'exchange': return right;
  }
}

/** Whether a jump is taken (RFC 9669 section 4.3). */
export function compares({ comparison, bits }: Jump, operands: Operands): boolean {
  const left = BigInt.asUintN(bits, operands.left);
  const right = BigInt.asUintN(bits, operands.right);
  const signedLeft = BigInt.asIntN(bits, left);
  const signedRight = BigInt.asIntN(bits, right);
  switch (comparison) {
    case 'equal': return left === right;
    case 'unequal': return left !== right;
    case 'anyBit': return (left & right) !== 0n;
    case 'above': return left > right;
    case 'aboveEqual': return left >= right;
    case 'below': return left < right;
    case 'belowEqual': return left <= right;
    case 'greater': return signedLeft > signedRight;
    case 'greaterEqual': return signedLeft >= signedRight;
    case 'less': return signedLeft < signedRight;
    case 'lessEqual': return signedLeft <= signedRight;
  }
}

export function extended(
  { from, bits }: Extract<Instruction, { kind: 'extend' }>, value: bigint,
): bigint {
  return BigInt.asUintN(bits, BigInt.asIntN(from, value));
}

export function swapped(
  { order, width }: Extract<Instruction, { kind: 'swap' }>, value: bigint,
): bigint {
  let rest = BigInt.asUintN(width, value);
  if (order === 'little') return rest;
  let result = 0n;
  for (let byte = 0; byte < width; byte += 8) {
    result = result << 8n | rest & 0xffn;
    rest >>= 8n;
  }
  return result;
}
