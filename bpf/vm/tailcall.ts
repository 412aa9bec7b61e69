import { EngineFault } from './fault.ts';
import { tailCallsMax } from './helpers/table.ts';
import { mapHandle } from './layout.ts';
import { ProgramMap } from './maps/programs.ts';
import type { Runtime } from './runtime.ts';

/**
 * The function that bpf_tail_call(context, map, slot) goes on with; undefined when the slot is
 * empty or the run has made all the tail calls that it may, and the caller continues.
 */
export function tailCall(runtime: Runtime, handle: number, slot: number): number | undefined {
  const map = runtime.maps[mapHandle.index(handle)];
  if (!(map instanceof ProgramMap)) {
    throw new EngineFault({ kind: 'argument', helper: 'tail_call' });
  }
  const found = map.function(slot);
  if (found === undefined || runtime.tailCalls >= tailCallsMax) return undefined;
  runtime.tailCalls += 1;
  return found;
}

/** The same with the arguments in registers. */
export function programOf(runtime: Runtime, registers: readonly bigint[]): number | undefined {
  const [, , handle = 0n, slot = 0n] = registers;
  return tailCall(runtime, Number(handle), Number(BigInt.asUintN(32, slot)));
}
