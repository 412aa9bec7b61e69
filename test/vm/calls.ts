import type { Mode } from '../../bpf/vm/compile.ts';
import { fixture, frame, machineOf } from './bed.ts';

const object = fixture('calls');

/** Runs a program of the fixture on words of `cb` and gives the words afterwards. */
export function words(mode: Mode, program: string, cb: readonly number[]): number[] {
  const machine = machineOf(object, { mode });
  machine.setProgram('c_next', 0, 'call_tail');
  machine.setProgram('c_next', 1, 'call_last');
  const { verdict, context } = machine.runPacket(program, { bytes: frame, context: contextOf(cb) });
  return [verdict, ...wordsIn(context)];
}

export function contextOf(cb: readonly number[]): Uint8Array {
  const context = new Uint8Array(192);
  cb.forEach((word, at) => new DataView(context.buffer).setUint32(48 + at * 4, word, true));
  return context;
}

export function wordsIn(context: Uint8Array): number[] {
  return [2, 3, 4].map((at) => new DataView(context.buffer).getUint32(48 + at * 4, true));
}

/** Programs of the fixture and the first words of `cb`. */
export const cases: readonly (readonly [string, readonly number[]])[] = [
  ['call_loop', [0, 0]],
  ['call_loop', [10, 99]],
  ['call_loop', [10, 3]],   // the callback ends it at index 3
  ['call_loop', [1 << 13, 1 << 20]],
  ['call_loop', [(1 << 23) + 1, 0]],   // E2BIG
  ['call_loop', [0xffffffff, 0]],
  ['call_local', [0, 0]],
  ['call_local', [0xffffffff, 0x80000000]],
  ['call_local', [12345, 678]],
];
