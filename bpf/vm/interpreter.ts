import { EngineFault } from './fault.ts';
import { helpers, intrinsic, loopRoundsMax } from './helpers/table.ts';
import { errno } from './errno.ts';
import type { CompiledObject } from './compile.ts';
import type { Instruction, Location } from './instruction.ts';
import { aluResult, atomicResult, compares, extended, swapped } from './interpreter-alu.ts';
import { cell, constantValue, frame, place } from './layout.ts';
import type { Runtime } from './runtime.ts';
import { programOf } from './tailcall.ts';

type Registers = bigint[];

const mask64 = 0xffff_ffff_ffff_ffffn;

/** Where the interpreter is, for the report of a fault. */
export interface Whereabouts {
  function: number;
  slot: number;
}

/**
 * Executes instructions one by one over the same memory and helpers as the translation: a second
 * opinion, not a means to simulate. It always checks.
 */
export class Interpreter {
  readonly at: Whereabouts = { function: 0, slot: 0 };
  readonly #compiled: CompiledObject;
  readonly #runtime: Runtime;
  #budget = 0;

  constructor(compiled: CompiledObject, runtime: Runtime) {
    this.#compiled = compiled;
    this.#runtime = runtime;
  }

  /** Runs a program to its end and returns the lower half of r0. */
  run(program: number, budget: number): number {
    this.#budget = budget;
    const context = BigInt(place.context);
    const result = this.#call(program, [context, 0n, 0n, 0n, 0n], place.stack + frame.bytes);
    return Number(result & 0xffffffffn);
  }

  #call(function_: number, parameters: readonly bigint[], stack: number): bigint {
    if (stack > place.stack + frame.stride * frame.countMax) {
      throw new EngineFault({ kind: 'stack' });
    }
    const { stackByte } = this.#compiled;
    if (stackByte !== undefined) {
      this.#runtime.memory.bytes.fill(stackByte, stack - frame.bytes, stack);
    }
    const registers = [0n, ...parameters, 0n, 0n, 0n, 0n, BigInt(stack)];
    let current = function_;
    let code = this.#codeOf(current);
    for (let slot = 0; ;) {
      const instruction = code[slot];
      if (instruction === undefined) throw new RangeError(`slot ${slot} lies behind the function`);
      this.at.function = current;
      this.at.slot = slot;
      this.#count();
      if (instruction.kind === 'exit') return registers[0] ?? 0n;
      if (instruction.kind === 'helper' && instruction.id === intrinsic.tailCall) {
        const next = programOf(this.#runtime, registers);
        if (next !== undefined) {
          current = next;
          code = this.#codeOf(current);
          slot = 0;
          continue;
        }
      }
      slot = this.#step(instruction, registers, slot);
    }
  }

  #codeOf(function_: number): readonly Instruction[] {
    return this.#compiled.object.functions[function_]?.code ?? [];
  }

  #count(): void {
    this.#budget -= 1;
    if (this.#budget < 0) throw new EngineFault({ kind: 'budget' });
  }

  /** Executes one instruction and returns the slot of the next one. */
  #step(instruction: Instruction, registers: Registers, slot: number): number {
    const value = (register: number): bigint => registers[register] ?? 0n;
    switch (instruction.kind) {
      case 'alu': {
        const { target, source } = instruction;
        const right = source.kind === 'register' ? value(source.register) : BigInt(source.value);
        registers[target] = aluResult(instruction, { left: value(target), right });
        break;
      }
      case 'negate': {
        const { target, bits } = instruction;
        registers[target] = BigInt.asUintN(bits, -value(target));
        break;
      }
      case 'extend':
        registers[instruction.target] = extended(instruction, value(instruction.source));
        break;
      case 'swap':
        registers[instruction.target] = swapped(instruction, value(instruction.target));
        break;
      case 'constant':
        registers[instruction.target] = constantValue(this.#compiled.layout, instruction.value);
        break;
      case 'load': {
        const { signed, from, target } = instruction;
        const loaded = this.#load(this.#address(registers, from, 'read'), from);
        registers[target] = signed ? BigInt.asIntN(from.width * 8, loaded) & mask64 : loaded;
        break;
      }
      case 'store': {
        const { to, source } = instruction;
        const stored = source.kind === 'register' ? value(source.register) : BigInt(source.value);
        this.#store(this.#address(registers, to, 'write'), to, stored);
        break;
      }
      case 'atomic':
        this.#atomic(instruction, registers);
        break;
      case 'jump': {
        const { left, right, to } = instruction;
        const other = right.kind === 'register' ? value(right.register) : BigInt(right.value);
        if (compares(instruction, { left: value(left), right: other })) return to;
        break;
      }
      case 'goto': return instruction.to;
      case 'helper':
        registers[0] = this.#helper(instruction.id, registers);
        break;
      case 'call': {
        const stack = Number(value(10)) + frame.stride;
        registers[0] = this.#call(instruction.function, registers.slice(1, 6), stack);
        break;
      }
      case 'exit':
      case 'blank':
    }
    return slot + 1;
  }

  #address(registers: Registers, location: Location, wanted: 'read' | 'write'): number {
    const { base, offset, width } = location;
    const address = BigInt.asUintN(64, (registers[base] ?? 0n) + BigInt(offset));
    const { memory } = this.#runtime;
    const end = BigInt(memory.bytes.length - width);
    if (address > end) throw memory.faultAt(Number(address & 0xffffffffn), wanted);
    const at = Number(address);
    const span = { address: at, length: width };
    if (wanted === 'read') memory.checkRead(span);
    else memory.checkWrite(span);
    return at;
  }

  #load(at: number, { width }: Location): bigint {
    const { view } = this.#runtime.memory;
    switch (width) {
      case 1: return BigInt(view.getUint8(at));
      case 2: return BigInt(view.getUint16(at, true));
      case 4: return BigInt(view.getUint32(at, true));
      case 8: return view.getBigUint64(at, true);
    }
  }

  #store(at: number, { width }: Location, value: bigint): void {
    const { view } = this.#runtime.memory;
    switch (width) {
      case 1: return view.setUint8(at, Number(value & 0xffn));
      case 2: return view.setUint16(at, Number(value & 0xffffn), true);
      case 4: return view.setUint32(at, Number(value & 0xffffffffn), true);
      case 8: return view.setBigUint64(at, BigInt.asUintN(64, value), true);
    }
  }

  #atomic(atomic: Extract<Instruction, { kind: 'atomic' }>, registers: Registers): void {
    const { at, operation, fetch, source } = atomic;
    const address = this.#address(registers, at, 'write');
    const before = this.#load(address, at);
    const operand = registers[source] ?? 0n;
    const compared = BigInt.asUintN(at.width * 8, registers[0] ?? 0n);
    const after = operation === 'compareExchange'
      ? (before === compared ? operand : before)
      : atomicResult(operation, { left: before, right: operand });
    this.#store(address, at, after);
    if (operation === 'compareExchange') registers[0] = before;
    else if (fetch) registers[source] = before;
  }

  #helper(id: number, registers: Registers): bigint {
    const { view } = this.#runtime.memory;
    switch (id) {
      case intrinsic.monotonic: return view.getBigUint64(cell.monotonic, true);
      case intrinsic.boot: return view.getBigUint64(cell.boot, true);
      case intrinsic.coarse: return view.getBigUint64(cell.coarse, true);
      case intrinsic.cpu: return 0n;
      case intrinsic.loop: return this.#loop(registers);
      // The call that could not be made leaves r0 alone.
      case intrinsic.tailCall: return registers[0] ?? 0n;
      default: return this.#hostCall(id, registers);
    }
  }

  #hostCall(id: number, registers: Registers): bigint {
    const helper = helpers.get(id);
    if (helper === undefined) throw new RangeError(`helper ${id} does not exist`);
    const words: number[] = [];
    helper.takes.forEach((kind, index) => {
      const value = registers[index + 1] ?? 0n;
      const low = Number(BigInt.asIntN(32, value));
      const high = Number(BigInt.asIntN(32, value >> 32n));
      if (kind === 'word') words.push(low);
      else if (kind === 'flags') words.push(high === 0 ? low : -1);
      else if (kind === 'wide') words.push(low, high);
    });
    const result = BigInt(helper.call(this.#runtime, words));
    return helper.gives === 'word' ? BigInt.asUintN(32, result) : BigInt.asUintN(64, result);
  }

  #loop(registers: Registers): bigint {
    const [rounds = 0n, callback = 0n, context = 0n, flags = 0n] = registers.slice(1, 5);
    if (flags !== 0n) return BigInt.asUintN(64, BigInt(-errno.EINVAL));
    const count = BigInt.asUintN(32, rounds);
    if (count > BigInt(loopRoundsMax)) return BigInt.asUintN(64, BigInt(-errno.E2BIG));
    const stack = Number(registers[10] ?? 0n) + frame.stride;
    for (let round = 0n; round < count; round += 1n) {
      const result = this.#call(Number(callback) - 1, [round, context, 0n, 0n, 0n], stack);
      if (result !== 0n) return round + 1n;
    }
    return count;
  }
}

