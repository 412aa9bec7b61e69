import type { Graph } from '../graph.ts';
import type { ArgumentKind, ResultKind } from '../helpers/call.ts';
import type { Layout } from '../layout.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import type { BpfObject } from '../object.ts';
import { Code, type } from './code.ts';

/** Parameters and result of a function of the module, as value types. */
export interface Signature {
  readonly takes: readonly number[];
  readonly gives: readonly number[];
}

export interface Import {
  readonly name: string;
  readonly signature: Signature;
}

/** Everything that the translation of one function must know about the rest. */
export interface Plan {
  readonly object: BpfObject;
  readonly maps: readonly MapDefinition[];
  readonly layout: Layout;
  readonly checked: boolean;
  /** What the frame of a call holds at first; undefined leaves what was there. */
  readonly stackByte: number | undefined;
  readonly graphs: readonly Graph[];
  /** Number of the first block of each function, for coverage. */
  readonly blockBases: readonly number[];
  /** Index of an imported function by its name. */
  importIndex(name: string): number;
  /** Index of the function that implements a function of the object. */
  functionIndex(function_: number): number;
  /** Index of the function that looks up in a hash map; undefined where the host does. */
  findIndex(map: number): number | undefined;
  /** Index of the function that implements bpf_loop. */
  readonly loopIndex: number;
}

/** Names of imported functions. */
export const imported = {
  helper: (id: number): string => `helper ${id}`,
  lookup: (map: number): string => `lookup ${map}`,
  element: (map: number): string => `element ${map}`,
  tailCall: 'tail call',
  outOfBounds: 'out of bounds',
  budget: 'budget',
  stack: 'stack',
} as const;

/** Type 0 of each module: r1 to r5, the frame pointer, and the result in r0. */
export const bpfSignature: Signature = {
  takes: [type.i64, type.i64, type.i64, type.i64, type.i64, type.i64], gives: [type.i64],
};

/** Locals of a translated function. */
export const local = {
  frame: 5, r0: 6, address: 11, second: 12, third: 13, wide: 14, next: 15,
} as const;

/** The local that holds a register. */
export function registerLocal(register: number): number {
  if (register === 0) return local.r0;
  if (register === 10) return local.frame;
  return register <= 5 ? register - 1 : register + 1;
}

/** One function while it is written. */
export interface Writing {
  readonly plan: Plan;
  readonly function: number;
  readonly code: Code;
  /** Where the code of each instruction begins. */
  readonly positions: Position[];
}

/** The code behind byte `at`, up to the next position, does what the instruction at `slot` says. */
export interface Position {
  readonly at: number;
  readonly slot: number;
}

export function signatureOf(helper: {
  readonly takes: readonly ArgumentKind[]; readonly gives: ResultKind;
}): Signature {
  const takes = helper.takes.flatMap((kind) => {
    if (kind === 'unused') return [];
    return kind === 'wide' ? [type.i32, type.i32] : [type.i32];
  });
  return { takes, gives: [helper.gives === 'number' ? type.f64 : type.i32] };
}
