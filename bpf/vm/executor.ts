import type { CompiledObject } from './compile.ts';
import { EngineFault, type FaultCause } from './fault.ts';
import { lookupIn } from './helpers/maps.ts';
import { forgetWorld } from './helpers/route.ts';
import type { HelperCall } from './helpers/call.ts';
import { helpers } from './helpers/table.ts';
import { Interpreter, type Whereabouts } from './interpreter.ts';
import { cell, mapHandle, place } from './layout.ts';
import { ArrayMap } from './maps/array.ts';
import { access } from './memory.ts';
import type { Runtime } from './runtime.ts';
import { tailCall } from './tailcall.ts';
import { wasm } from './wasm/host.ts';
import { imported } from './wasm/plan.ts';

type Entry = (context: number) => number;

/** Runs the programs of one machine: by the translated module, or by the interpreter. */
export class Executor {
  readonly #compiled: CompiledObject;
  readonly #runtime: Runtime;
  readonly #instructionsMax: number;
  readonly #entries: readonly (Entry | undefined)[];
  readonly interpreter: Interpreter | undefined;

  constructor(compiled: CompiledObject, runtime: Runtime, instructionsMax: number) {
    this.#compiled = compiled;
    this.#runtime = runtime;
    this.#instructionsMax = instructionsMax;
    const { module, object } = compiled;
    if (module === undefined) {
      this.interpreter = new Interpreter(compiled, runtime);
      this.#entries = [];
      return;
    }
    const { exports } = new wasm.Instance(module, { env: importsOf(compiled, runtime) });
    // An export of the module is a function for exactly the programs.
    this.#entries = object.functions.map(
      (_, index) => exports[`program ${index}`] as Entry | undefined,
    );
  }

  /** Runs a program on the context that is in place; r0 as u32. */
  run(program: number, returnCode = 0): number {
    const runtime = this.#runtime;
    forgetWorld(runtime);
    runtime.returnCode = returnCode;
    runtime.tailCalls = 0;
    runtime.runs += 1;
    runtime.memory.view.setInt32(cell.budget, this.#instructionsMax, true);
    try {
      const { interpreter } = this;
      if (interpreter !== undefined) return interpreter.run(program, this.#instructionsMax);
      const entry = this.#entries[program];
      if (entry === undefined) throw new RangeError(`function ${program} is no program`);
      return entry(place.context) >>> 0;
    } catch (error) {
      throw this.#located(error, program);
    }
  }

  #located(error: unknown, program: number): unknown {
    const fault = faultOf(error);
    if (fault === undefined) return error;
    const { object } = this.#compiled;
    const at = this.interpreter?.at ?? whereabouts(this.#compiled, fault.stack ?? '');
    if (at === undefined) return fault;
    const nameOf = (index: number): string => object.functions[index]?.name ?? '';
    fault.locate({
      program: nameOf(program), function: nameOf(at.function), slot: at.slot,
      place: object.placeOf(at),
    });
    return fault;
  }
}



/** A fault for what stopped the code; undefined for an error of the engine or of the host. */
function faultOf(error: unknown): EngineFault | undefined {
  if (error instanceof EngineFault) return error;
  const isTrap = error instanceof wasm.RuntimeError;
  if (!(error instanceof Error) || !(isTrap || isStackOverflow(error))) return undefined;
  const cause: FaultCause = isTrap ? { kind: 'trap', text: error.message } : { kind: 'stack' };
  const fault = new EngineFault(cause);
  // The trace of the trap says where it was.
  fault.stack = error.stack ?? '';
  return fault;
}

function isStackOverflow(error: Error): boolean {
  return error instanceof RangeError && error.message.startsWith('Maximum call stack');
}

/**
 * The instruction that the topmost frame of the module was at. V8 writes such a frame as
 * `wasm-function[3]:0x1a4`: index of the function, byte of the module.
 */
function whereabouts({ translation }: CompiledObject, trace: string): Whereabouts | undefined {
  if (translation === undefined) return undefined;
  for (const [, index = '', at = ''] of trace.matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)) {
    const function_ = Number(index) - translation.functionBase;
    const byte = Number.parseInt(at, 16);
    const position = translation.positions[function_]?.findLast((one) => one.at <= byte);
    if (position !== undefined) return { function: function_, slot: position.slot };
  }
  return undefined;
}

function importsOf(compiled: CompiledObject, runtime: Runtime): Record<string, unknown> {
  const { memory } = runtime;
  const entries: [string, unknown][] = (compiled.translation?.imports ?? []).map(
    ({ name }) => [name, importOf(name, runtime)],
  );
  return { ...Object.fromEntries(entries), memory: memory.main, shadow: memory.shadow };
}

function importOf(name: string, runtime: Runtime): unknown {
  const { memory } = runtime;
  switch (name) {
    case imported.outOfBounds:
      return (address: number, length: number, bit: number) => {
        const wanted = bit === access.read ? 'read' : 'write';
        const span = { address: address >>> 0, length };
        throw memory.faultAt(memory.firstRefused(span, wanted), wanted);
      };
    case imported.budget: return () => {
      throw new EngineFault({ kind: 'budget' });
    };
    case imported.stack: return () => {
      throw new EngineFault({ kind: 'stack' });
    };
    case imported.tailCall:
      // Slot 0 of the table of functions is empty, so 0 says "no call".
      return (handle: number, slot: number) => (tailCall(runtime, handle, slot >>> 0) ?? -1) + 1;
    default: return namedImport(name, runtime);
  }
}

// A list per call would be most of what a call costs. No helper reads its words after it has run
// code of the object, so one list per helper will do.
function helperImport(helper: HelperCall, runtime: Runtime): unknown {
  if (helper.direct !== undefined) return helper.direct(runtime);
  const words = [0, 0, 0, 0, 0, 0];
  // oxlint-disable-next-line max-params -- the words of a call cross as they are
  return (a: number, b: number, c: number, d: number, e: number, f: number) => {
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
    words[4] = e;
    words[5] = f;
    return helper.call(runtime, words);
  };
}

function namedImport(name: string, runtime: Runtime): unknown {
  const [kind, number] = name.split(' ');
  const index = Number(number);
  if (kind === 'helper') {
    const helper = helpers.get(index);
    if (helper === undefined) throw new RangeError(`no helper ${index}`);
    return helperImport(helper, runtime);
  }
  const map = runtime.table(mapHandle.of(index), 'map_lookup_elem');
  if (kind === 'element' && map instanceof ArrayMap) return (at: number) => map.element(at);
  return (key: number) => lookupIn(runtime, map, key >>> 0);
}
