import type { Runtime } from '../runtime.ts';

/**
 * How an argument crosses from code to host, none of them as a BigInt: `word` is the lower half of
 * the register as i32; `flags` too, but -1 when the upper half is not zero, so that no legal value
 * arises from an illegal one; `wide` is two words, lower half first; `unused` does not cross.
 */
export type ArgumentKind = 'word' | 'flags' | 'wide' | 'unused';

/**
 * How a result becomes a register: `status` by sign extension, `word` (u32 or address) by zero
 * extension, `number` from a safe integer.
 */
export type ResultKind = 'status' | 'word' | 'number';

/** One helper that is a call to the host (include/uapi/linux/bpf.h, `__BPF_FUNC_MAPPER`). */
export interface HelperCall {
  readonly name: string;
  readonly takes: readonly ArgumentKind[];
  readonly gives: ResultKind;
  call(runtime: Runtime, words: readonly number[]): number;
  /**
   * The same for translated code, with the words as arguments: for helpers that most packets meet,
   * where a list is most of what a call costs.
   */
  readonly direct?: (runtime: Runtime) => DirectCall;
}

/** Takes the words of a call, as `takes` lists them. */
export type DirectCall = (
  ...words: readonly [number, number, number, number, number]
) => number;

/** The n-th word as an address or any other unsigned number. */
export function unsigned(words: readonly number[], position: number): number {
  return (words[position] ?? 0) >>> 0;
}

/** The n-th word as a signed number. */
export function signed(words: readonly number[], position: number): number {
  return (words[position] ?? 0) | 0;
}
