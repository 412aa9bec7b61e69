import { demand } from './elf.ts';
import { graphOf, type Graph } from './graph.ts';
import { layoutOf, type Layout } from './layout.ts';
import type { MapDefinition } from './mapdefinition.ts';
import type { BpfObject, Variable } from './object.ts';
import { wasm, type WasmModule } from './wasm/host.ts';
import { translate, type Translation } from './wasm/module.ts';

/**
 * How a machine executes: `fast` without checks, `checked` with bounds, budget and coverage (what
 * simulations and tests run), `interpreted` as a second opinion, a hundred times slower.
 */
export type Mode = 'fast' | 'checked' | 'interpreted';

export interface CompileOptions {
  readonly mode: Mode;
  /**
   * New values of global variables by name, as libbpf sets `.rodata` before a load: a number fills
   * the variable in little-endian order, bytes must have its size.
   */
  readonly variables?: Readonly<Record<string, number | bigint | Uint8Array>>;
  /**
   * Fills the frame of each call before it runs. Without it a function finds what earlier ones
   * left, as in the kernel: a program whose outcome depends on this byte reads what it never wrote.
   */
  readonly stackByte?: number;
  /** Other limits than the declared ones, by map name. */
  readonly entriesMax?: Readonly<Record<string, number>>;
}

/** A translated object. Any number of machines share it; it never changes. */
export interface CompiledObject {
  readonly object: BpfObject;
  readonly mode: Mode;
  readonly stackByte: number | undefined;
  readonly maps: readonly MapDefinition[];
  readonly layout: Layout;
  readonly graphs: readonly Graph[];
  /** Number of the first block of each function. */
  readonly blockBases: readonly number[];
  readonly blockCount: number;
  /** Content of the data sections at the start of a machine. */
  readonly content: readonly Uint8Array[];
  readonly translation: Translation | undefined;
  readonly module: WasmModule | undefined;
}

/** Translates an object. Throws ObjectError for helpers and variables that do not exist. */
export function compile(object: BpfObject, options: CompileOptions): CompiledObject {
  const { mode, stackByte, entriesMax = {} } = options;
  const maps = object.maps.map(
    (map) => ({ ...map, entriesMax: entriesMax[map.name] ?? map.entriesMax }),
  );
  const graphs = object.functions.map(({ code }) => graphOf(code));
  const blockBases: number[] = [];
  let blockCount = 0;
  for (const { blocks } of graphs) {
    blockBases.push(blockCount);
    blockCount += blocks.length;
  }
  const layout = layoutOf(object, maps, blockCount);
  const content = contentOf(object, options.variables ?? {});
  const shape = { object, maps, layout, graphs, blockBases, stackByte };
  const translation = translate({ ...shape, checked: mode === 'checked' });
  const module = mode === 'interpreted' ? undefined : new wasm.Module(translation.bytes);
  return { ...shape, mode, blockCount, content, translation, module };
}

/** The same translation with other values of variables, as another load of the object has them. */
export function withVariables(
  compiled: CompiledObject, values: NonNullable<CompileOptions['variables']>,
): CompiledObject {
  return { ...compiled, content: contentOf(compiled.object, values) };
}

function contentOf(
  object: BpfObject, values: Readonly<Record<string, number | bigint | Uint8Array>>,
): Uint8Array[] {
  const content = object.sections.map(({ bytes }) => bytes.slice());
  for (const [name, value] of Object.entries(values)) {
    const variable = object.variables.find((one) => one.name === name);
    demand(variable !== undefined, `the object has no variable ${name}`);
    content[variable.section]?.set(bytesOf(variable, value), variable.offset);
  }
  return content;
}

function bytesOf(variable: Variable, value: number | bigint | Uint8Array): Uint8Array {
  const { name, size } = variable;
  if (value instanceof Uint8Array) {
    demand(value.length === size, `variable ${name} has ${size} bytes, not ${value.length}`);
    return value;
  }
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, BigInt(value));
  const fits = rest === BigInt(value) || BigInt(value) < 0n;
  demand(fits, `variable ${name} has room for ${size} bytes`);
  for (let at = 0; at < size; at += 1) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}
