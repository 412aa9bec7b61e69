import { demand } from '../elf.ts';
import { helpers, intrinsic } from '../helpers/table.ts';
import type { Instruction } from '../instruction.ts';
import { cell, constantValue, frame, isHash } from '../layout.ts';
import { writeAlu, writeExtend, writeNegate, writeSwap } from './arithmetic.ts';
import { writeAtomic, writeLoad, writeStore } from './access.ts';
import { added, writeCall, writeHelperCall } from './calls.ts';
import { Code, op, type } from './code.ts';
import { findBody, findLocals } from './find.ts';
import { writeFlow } from './flow.ts';
import { knownMaps } from './knownmaps.ts';
import {
  bpfSignature, imported, local, registerLocal, signatureOf,
  type Import, type Plan, type Position, type Signature, type Writing,
} from './plan.ts';

/** A module and where the instructions went. */
export interface Translation {
  readonly bytes: Uint8Array;
  readonly imports: readonly Import[];
  /** By function of the object: positions counted from the start of the module, ascending. */
  readonly positions: readonly (readonly Position[])[];
  /** Index in the module of the first function of the object. */
  readonly functionBase: number;
}

type Shape = Omit<Plan, 'importIndex' | 'functionIndex' | 'findIndex' | 'loopIndex'>;

/** Writes the module for an object whose helpers are all known. */
export function translate(shape: Shape): Translation {
  const imports = importsOf(shape);
  const names = new Map(imports.map(({ name }, index) => [name, index]));
  const functionBase = imports.length;
  const { functions } = shape.object;
  const loopIndex = functionBase + functions.length;
  const findBase = loopIndex + 1 + programsOf(shape).length;
  const finds = foundInside(shape);
  const plan: Plan = {
    ...shape,
    importIndex: (name) => names.get(name) ?? 0,
    functionIndex: (index) => functionBase + index,
    findIndex: (map) => finds.includes(map) ? findBase + finds.indexOf(map) : undefined,
    loopIndex,
  };
  const bodies = functions.map((_, index) => bodyOf(plan, index));
  return { ...assemble(plan, imports, { bodies, finds }), imports, functionBase };
}

/** Maps whose look-ups stay in the module: hashes, where no key has to be checked. */
function foundInside({ maps, checked }: Shape): number[] {
  return maps.flatMap((map, index) => !checked && isHash(map) ? [index] : []);
}

function programsOf({ object }: Shape): number[] {
  return object.functions.flatMap(({ isProgram }, index) => isProgram ? [index] : []);
}

/** Functions that the code calls outside of the module, each once. */
function importsOf(shape: Shape): Import[] {
  const { object, maps, layout, graphs } = shape;
  const inside = foundInside(shape);
  const lookup: Signature = { takes: [type.i32], gives: [type.i32] };
  const found = new Map<string, Signature>([
    [imported.outOfBounds, { takes: [type.i32, type.i32, type.i32], gives: [] }],
    [imported.budget, { takes: [], gives: [] }],
    [imported.stack, { takes: [], gives: [] }],
    [imported.tailCall, { takes: [type.i32, type.i32], gives: [type.i32] }],
  ]);
  object.functions.forEach(({ code, name }, index) => {
    const known = knownMaps(code, graphs[index]);
    code.forEach((instruction, slot) => {
      if (instruction.kind !== 'helper') return;
      const { id } = instruction;
      const map = known.get(slot);
      if (id === 1 && map !== undefined && map < maps.length) {
        const isArray = layout.arrays[map] !== undefined;
        if (inside.includes(map)) return;
        found.set(isArray ? imported.element(map) : imported.lookup(map), lookup);
        return;
      }
      const helper = helpers.get(id);
      const isKnown = helper !== undefined || intrinsics.has(id);
      demand(isKnown, `${name} calls helper ${id} at slot ${slot}, which the engine does not have`);
      if (helper !== undefined) found.set(imported.helper(id), signatureOf(helper));
    });
  });
  return [...found].map(([name, signature]) => ({ name, signature }));
}

const intrinsics: ReadonlySet<number> = new Set(Object.values(intrinsic));

interface Body {
  readonly code: Code;
  readonly positions: readonly Position[];
}

function bodyOf(plan: Plan, index: number): Body {
  const { code: instructions } = plan.object.functions[index] ?? { code: [] };
  const graph = plan.graphs[index];
  demand(graph !== undefined, 'each function has a graph');
  const code = new Code();
  const writing: Writing = { plan, function: index, code, positions: [] };
  const known = knownMaps(instructions, graph);
  // Behind the parameters: r0 and r6 to r9, then the scratch locals of `local`.
  code.op(4, 5, type.i64, 3, type.i32, 1, type.i64, 1, type.i32);
  if (plan.stackByte !== undefined) writeStackFill(code, plan.stackByte);
  writeFlow({
    graph, code, instructions,
    straight(block) {
      const { first, end } = graph.blocks[block] ?? { first: 0, end: 0 };
      const position = { at: code.bytes.length, slot: first };
      writing.positions.push(position);
      if (plan.checked) writeCounters(writing, block, end - first);
      for (let slot = first; slot < end; slot += 1) {
        const instruction = instructions[slot];
        writing.positions.push({ at: code.bytes.length, slot });
        if (instruction !== undefined) writeInstruction(writing, instruction, known.get(slot));
      }
    },
  });
  code.op(op.end);
  return { code, positions: writing.positions };
}

function writeStackFill(code: Code, byte: number): void {
  code.get(local.frame);
  code.op(op.wrap);
  code.const32(-frame.bytes);
  code.op(op.add32);
  code.const32(byte);
  code.const32(frame.bytes);
  code.op(...op.fill);
}

/** Marks the block as run and takes its instructions from the budget. */
function writeCounters(writing: Writing, block: number, count: number): void {
  const { code, plan, function: index } = writing;
  code.const32(0);
  code.const32(1);
  code.memory(op.store32as8, plan.layout.coverage + (plan.blockBases[index] ?? 0) + block);
  code.const32(0);
  code.const32(0);
  code.memory(op.load32, cell.budget);
  code.const32(count);
  code.op(op.sub32);
  code.tee(local.address);
  code.memory(op.store32, cell.budget);
  code.get(local.address);
  code.const32(0);
  code.op(op.ltS32, op.if, type.empty);
  code.call(plan.importIndex(imported.budget));
  code.op(op.end);
}

function writeInstruction(
  writing: Writing, instruction: Instruction, map: number | undefined,
): void {
  const { code, plan } = writing;
  switch (instruction.kind) {
    case 'alu': return writeAlu(code, instruction);
    case 'negate': return writeNegate(code, instruction);
    case 'extend': return writeExtend(code, instruction);
    case 'swap': return writeSwap(code, instruction);
    case 'constant':
      code.const64(constantValue(plan.layout, instruction.value));
      return code.set(registerLocal(instruction.target));
    case 'load': return writeLoad(writing, instruction);
    case 'store': return writeStore(writing, instruction);
    case 'atomic': return writeAtomic(writing, instruction);
    case 'helper': return writeHelperCall(writing, instruction.id, map);
    case 'call': return writeCall(writing, instruction.function);
    case 'exit':
      code.get(local.r0);
      return code.op(op.return);
    case 'jump':
    case 'goto':
    case 'blank': return undefined;
  }
}

const sectionId = {
  types: 1, imports: 2, functions: 3, tables: 4, exports: 7, elements: 9, code: 10,
} as const;

function assemble(
  plan: Plan, imports: readonly Import[],
  { bodies, finds }: { readonly bodies: readonly Body[]; readonly finds: readonly number[] },
): Pick<Translation, 'bytes' | 'positions'> {
  const { functions } = plan.object;
  const programs = programsOf(plan);
  const types = new TypeTable();
  types.index(bpfSignature);
  const importTypes = imports.map(({ signature }) => types.index(signature));
  const entryType = types.index({ takes: [type.i32], gives: [type.i32] });
  const out = new Code();
  out.op(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  section(out, sectionId.types, types.items);
  section(out, sectionId.imports, [
    ...memoriesOf(plan),
    ...imports.map(({ name }, index) => importItem(name, 0, [importTypes[index] ?? 0])),
  ]);
  section(out, sectionId.functions, [
    ...functions.map(() => number(0)), number(0),
    // Entries and look-ups: one address in, one number out.
    ...[...programs, ...finds].map(() => number(entryType)),
  ]);
  section(out, sectionId.tables, [bytes(type.functions, 0, ...leb(functions.length + 1))]);
  section(out, sectionId.exports, programs.map((index, order) => exportItem(
    `program ${index}`, plan.loopIndex + 1 + order,
  )));
  const targets = functions.map((_, index) => plan.functionIndex(index));
  section(out, sectionId.elements, [elementItem(targets)]);
  const own = [
    // The loop counts in one more local; an entry needs none.
    withLocals(added.loop(), [type.i64]),
    ...programs.map((index) => withLocals(added.entry(plan, index), [])),
    ...finds.map((map) => withLocals(findOf(plan, map), findLocals)),
  ];
  const offsets = codeSection(out, [
    ...bodies.map(({ code }) => code), ...own,
  ]);
  return {
    bytes: Uint8Array.from(out.bytes),
    positions: bodies.map(({ positions }, index) => positions.map(
      ({ at, slot }) => ({ at: at + (offsets[index] ?? 0), slot }),
    )),
  };
}

class TypeTable {
  readonly items: Code[] = [];
  readonly #known = new Map<string, number>();

  index({ takes, gives }: Signature): number {
    const text = `${takes.join()}>${gives.join()}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#known.set(text, this.items.length);
    this.items.push(bytes(
      type.function, ...leb(takes.length), ...takes, ...leb(gives.length), ...gives,
    ));
    return this.items.length - 1;
  }
}

function memoriesOf({ checked }: Plan): Code[] {
  const limits = [0x01, ...leb(1), ...leb(0x10000)];
  const main = importItem('memory', 2, limits);
  return checked ? [main, importItem('shadow', 2, limits)] : [main];
}

function importItem(name: string, kind: number, rest: readonly number[]): Code {
  return bytes(...text('env'), ...text(name), kind, ...rest);
}

function exportItem(name: string, index: number): Code {
  return bytes(...text(name), 0, ...leb(index));
}

function elementItem(indices: readonly number[]): Code {
  const item = new Code();
  item.op(0);
  item.const32(1);
  item.op(op.end, ...leb(indices.length));
  for (const index of indices) item.unsigned(index);
  return item;
}

/** Appends the code section and returns where each body begins in the module. */
function codeSection(out: Code, bodies: readonly Code[]): number[] {
  const content = new Code();
  content.unsigned(bodies.length);
  const starts = bodies.map((body) => {
    content.unsigned(body.bytes.length);
    const start = content.bytes.length;
    content.append(body);
    return start;
  });
  out.op(sectionId.code);
  out.unsigned(content.bytes.length);
  const base = out.bytes.length;
  out.append(content);
  return starts.map((start) => base + start);
}

function findOf({ maps, layout }: Plan, map: number): Code {
  const definition = maps[map];
  demand(definition !== undefined, 'what is looked up is a map of the object');
  return findBody(definition, layout.tables[map] ?? 0);
}

function withLocals(body: Code, types: readonly number[]): Code {
  const code = new Code();
  code.unsigned(types.length);
  for (const one of types) code.op(1, one);
  code.append(body);
  return code;
}

function section(out: Code, id: number, items: readonly Code[]): void {
  const content = new Code();
  content.unsigned(items.length);
  for (const item of items) content.append(item);
  out.op(id);
  out.unsigned(content.bytes.length);
  out.append(content);
}

function bytes(...values: readonly number[]): Code {
  const code = new Code();
  code.op(...values);
  return code;
}

function number(value: number): Code {
  return bytes(...leb(value));
}

function leb(value: number): readonly number[] {
  const code = new Code();
  code.unsigned(value);
  return code.bytes;
}

function text(value: string): readonly number[] {
  return [...leb(value.length), ...Array.from(value, (letter) => letter.charCodeAt(0))];
}
