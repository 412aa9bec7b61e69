import { helpers, intrinsic, loopRoundsMax } from '../helpers/table.ts';
import { errno } from '../errno.ts';
import type { ArgumentKind } from '../helpers/call.ts';
import { cell, frame, place, type ArrayShape } from '../layout.ts';
import { writeCheck } from './access.ts';
import { Code, op, type } from './code.ts';
import { imported, local, registerLocal, type Plan, type Writing } from './plan.ts';

const typeOfBpf = 0;
const tableOfFunctions = 0;

/** A call of another function of the object, one frame further up the stack. */
export function writeCall(writing: Writing, function_: number): void {
  const { code, plan } = writing;
  if (plan.checked) writeStackCheck(writing);
  for (let register = 1; register <= 5; register += 1) code.get(registerLocal(register));
  pushNextFrame(code, local.frame);
  code.call(plan.functionIndex(function_));
  code.set(local.r0);
}

function pushNextFrame(code: Code, at: number): void {
  code.get(at);
  code.const64(BigInt(frame.stride));
  code.op(op.add64);
}

function writeStackCheck({ code, plan }: Writing): void {
  code.get(local.frame);
  code.const64(BigInt(place.stack + frame.stride * (frame.countMax - 1)));
  code.op(op.gtU64, op.if, type.empty);
  code.call(plan.importIndex(imported.stack));
  code.op(op.end);
}

/** A helper call; `map` is the map that r1 names where the code says so itself. */
export function writeHelperCall(writing: Writing, id: number, map: number | undefined): void {
  const { code, plan } = writing;
  switch (id) {
    case intrinsic.monotonic: return writeCell(code, cell.monotonic);
    case intrinsic.boot: return writeCell(code, cell.boot);
    case intrinsic.coarse: return writeCell(code, cell.coarse);
    case intrinsic.cpu:
      code.const64(0n);
      code.set(local.r0);
      return;
    case intrinsic.tailCall: return writeTailCall(writing);
    case intrinsic.loop:
      if (plan.checked) writeStackCheck(writing);
      for (let register = 1; register <= 5; register += 1) code.get(registerLocal(register));
      code.get(local.frame);
      code.call(plan.loopIndex);
      code.set(local.r0);
      return;
    default: {
      const shape = id === 1 && map !== undefined ? plan.layout.arrays[map] : undefined;
      if (shape !== undefined) writeElement(writing, map ?? 0, shape);
      else if (id === 1 && map !== undefined) writeLookup(writing, map);
      else writeHostCall(writing, id);
    }
  }
}

function writeCell(code: Code, at: number): void {
  code.const32(0);
  code.memory(op.load64, at);
  code.set(local.r0);
}

function writeLookup({ code, plan }: Writing, map: number): void {
  code.get(registerLocal(2));
  code.op(op.wrap);
  code.call(plan.findIndex(map) ?? plan.importIndex(imported.lookup(map)));
  code.op(op.extendU);
  code.set(local.r0);
}

/** A look-up in an array without leaving the module, unless the element does not exist yet. */
function writeElement(writing: Writing, map: number, shape: ArrayShape): void {
  const { code, plan } = writing;
  code.get(registerLocal(2));
  code.op(op.wrap);
  code.set(local.address);
  if (plan.checked) writeCheck(writing, 4, 'read');
  code.get(local.address);
  code.memory(op.load32, 0);
  code.tee(local.second);
  code.const32(shape.count);
  code.op(op.ltU32, op.if, type.i32);
  if (shape.kind === 'piece') {
    pushInside(code, shape.stride, -1);
    code.const32(shape.address);
    code.op(op.add32);
  } else {
    code.get(local.second);
    code.const32(shape.shift);
    code.op(op.shrU32);
    code.const32(2);
    code.op(op.shl32);
    code.memory(op.load32, shape.directory);
    code.tee(local.third);
    code.op(op.if, type.i32);
    pushInside(code, shape.stride, (1 << shape.shift) - 1);
    code.get(local.third);
    code.op(op.add32, op.else);
    code.get(local.second);
    code.call(plan.importIndex(imported.element(map)));
    code.op(op.end);
  }
  code.op(op.else);
  code.const32(0);
  code.op(op.end, op.extendU);
  code.set(local.r0);
}

/** Pushes the distance of element `second` from the start of its piece or chunk. */
function pushInside(code: Code, stride: number, mask: number): void {
  code.get(local.second);
  if (mask !== -1) {
    code.const32(mask);
    code.op(op.and32);
  }
  code.const32(stride);
  code.op(op.mul32);
}

function writeHostCall({ code, plan }: Writing, id: number): void {
  const helper = helpers.get(id);
  if (helper === undefined) throw new RangeError(`helper ${id} was not checked before`);
  helper.takes.forEach((kind, index) => pushArgument(code, kind, registerLocal(index + 1)));
  code.call(plan.importIndex(imported.helper(id)));
  if (helper.gives === 'status') code.op(op.extendS);
  else if (helper.gives === 'word') code.op(op.extendU);
  else code.op(op.truncF64);
  code.set(local.r0);
}

function pushArgument(code: Code, kind: ArgumentKind, at: number): void {
  if (kind === 'unused') return;
  code.get(at);
  code.op(op.wrap);
  if (kind === 'word') return;
  if (kind === 'flags') code.const32(-1);
  code.get(at);
  code.const64(32n);
  code.op(op.shrU64);
  if (kind === 'wide') code.op(op.wrap);
  else code.op(op.eqz64, op.select);
}

// The callee takes over the frame: nothing of this function runs after it.
function writeTailCall({ code, plan }: Writing): void {
  code.get(registerLocal(2));
  code.op(op.wrap);
  code.get(registerLocal(3));
  code.op(op.wrap);
  code.call(plan.importIndex(imported.tailCall));
  code.tee(local.address);
  code.op(op.if, type.empty);
  code.get(registerLocal(1));
  for (let register = 2; register <= 5; register += 1) code.const64(0n);
  code.get(local.frame);
  code.get(local.address);
  code.op(op.callIndirect, typeOfBpf, tableOfFunctions, op.return, op.end);
}

/** Bodies of functions that the module adds of its own. */
export const added = {
  /**
   * bpf_loop(rounds, callback, context, flags): calls back until the callback returns something
   * else than 0, and gives the number of calls (kernel/bpf/bpf_iter.c).
   */
  loop(): Code {
    const code = new Code();
    const [rounds, callback, context, flags, count] = [0, 1, 2, 3, 6];
    code.get(flags);
    code.const64(0n);
    code.op(op.ne64, op.if, type.empty);
    code.const64(BigInt(-errno.EINVAL));
    code.op(op.return, op.end);
    code.get(rounds);
    code.op(op.wrap, op.extendU);
    code.tee(rounds);
    code.const64(BigInt(loopRoundsMax));
    code.op(op.gtU64, op.if, type.empty);
    code.const64(BigInt(-errno.E2BIG));
    code.op(op.return, op.end, op.block, type.empty, op.loop, type.empty);
    code.get(count);
    code.get(rounds);
    code.op(op.geU64);
    code.branch(op.brIf, 1);
    code.get(count);
    code.get(context);
    for (let register = 3; register <= 5; register += 1) code.const64(0n);
    pushNextFrame(code, local.frame);
    code.get(callback);
    code.op(op.wrap, op.callIndirect, typeOfBpf, tableOfFunctions);
    code.get(count);
    code.const64(1n);
    code.op(op.add64);
    code.set(count);
    code.op(op.eqz64);
    code.branch(op.brIf, 0);
    code.op(op.end, op.end);
    code.get(count);
    code.op(op.end);
    return code;
  },
  /** The entry of a program: context pointer in, u32 out, first frame of the stack. */
  entry(plan: Plan, function_: number): Code {
    const code = new Code();
    code.get(0);
    code.op(op.extendU);
    for (let register = 2; register <= 5; register += 1) code.const64(0n);
    code.const64(BigInt(place.stack + frame.bytes));
    code.call(plan.functionIndex(function_));
    code.op(op.wrap, op.end);
    return code;
  },
} as const;
