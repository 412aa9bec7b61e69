import type { Block, Graph } from '../graph.ts';
import type { Instruction } from '../instruction.ts';
import { writeCondition } from './arithmetic.ts';
import { op, type, type Code } from './code.ts';
import { local } from './plan.ts';

/** What a function gives to the writer of its control flow. */
export interface Flow {
  readonly graph: Graph;
  readonly code: Code;
  readonly instructions: readonly Instruction[];
  /** Writes a block up to the jump, goto or exit that ends it. */
  readonly straight: (block: number) => void;
}

/** Writes the whole control flow: structured where it can be, else a loop around a jump table. */
export function writeFlow(flow: Flow): void {
  if (flow.graph.reducible) writeStructured(flow);
  else writeDispatch(flow);
  // Every path has left by now; the validator cannot know.
  flow.code.op(op.unreachable);
}

type Step =
  | { readonly kind: 'tree' | 'body'; readonly block: number }
  | { readonly kind: 'open'; readonly opcode: number; readonly label: Label }
  | { readonly kind: 'else' | 'close' };

/** What a branch to an open construct means: the block behind it, the head of a loop, nothing. */
interface Label {
  readonly kind: 'block' | 'loop' | 'if';
  readonly block: number;
}

interface Structure {
  readonly flow: Flow;
  /** Blocks that each block dominates immediately, first to last. */
  readonly children: readonly (readonly number[])[];
  /** Whether several forward edges lead to the block, so that it stands behind a label. */
  readonly isMerge: readonly boolean[];
  readonly isLoop: readonly boolean[];
  readonly labels: Label[];
  readonly steps: Step[];
}

// Ramsey, "Beyond Relooper" (ICFP 2022), with a stack of steps in place of recursion, because a
// program may be a chain of thousands of blocks.
function writeStructured(flow: Flow): void {
  const structure = structureOf(flow);
  const { steps, labels } = structure;
  const { code } = flow;
  steps.push({ kind: 'tree', block: 0 });
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    switch (step.kind) {
      case 'tree':
        openTree(structure, step.block);
        break;
      case 'body':
        flow.straight(step.block);
        writeEnd(structure, step.block);
        break;
      case 'open':
        labels.push(step.label);
        code.op(step.opcode, type.empty);
        break;
      case 'else':
        code.op(op.else);
        break;
      case 'close':
        labels.pop();
        code.op(op.end);
    }
  }
}

function structureOf(flow: Flow): Structure {
  const { blocks, dominators } = flow.graph;
  const children: number[][] = blocks.map(() => []);
  const forward = blocks.map(() => 0);
  const isLoop = blocks.map(() => false);
  blocks.forEach(({ next }, from) => {
    if (from > 0) children[dominators[from] ?? 0]?.push(from);
    for (const to of next) {
      if (to <= from) isLoop[to] = true;
      else forward[to] = (forward[to] ?? 0) + 1;
    }
  });
  const isMerge = forward.map((count) => count > 1);
  return { flow, children, isMerge, isLoop, labels: [], steps: [] };
}

// A loop around everything that the block dominates; inside, a construct for each merge below it,
// the last one outermost, each closed where its block begins.
function openTree({ steps, isLoop, isMerge, children }: Structure, block: number): void {
  const merges = (children[block] ?? []).filter((child) => isMerge[child]);
  const sequence: Step[] = [];
  const open = (opcode: number, label: Label): void => {
    sequence.push({ kind: 'open', opcode, label });
  };
  if (isLoop[block]) open(op.loop, { kind: 'loop', block });
  for (const merge of merges.toReversed()) open(op.block, { kind: 'block', block: merge });
  sequence.push({ kind: 'body', block });
  for (const merge of merges) sequence.push({ kind: 'close' }, { kind: 'tree', block: merge });
  if (isLoop[block]) sequence.push({ kind: 'close' });
  for (const step of sequence.toReversed()) steps.push(step);
}

function writeEnd(structure: Structure, from: number): void {
  const { flow: { graph, code, instructions }, steps } = structure;
  const block = graph.blocks[from];
  const last = block && instructions[block.end - 1];
  const [taken, other] = block?.next ?? [];
  if (taken === undefined) return;
  if (other === undefined || last?.kind !== 'jump') {
    follow(structure, { from, to: taken });
    return;
  }
  writeCondition(code, last);
  const takenDepth = depthTo(structure, { from, to: taken });
  const otherDepth = depthTo(structure, { from, to: other });
  if (takenDepth !== undefined) {
    code.branch(op.brIf, takenDepth);
    follow(structure, { from, to: other });
  } else if (otherDepth !== undefined) {
    code.op(op.eqz32);
    code.branch(op.brIf, otherDepth);
    steps.push({ kind: 'tree', block: taken });
  } else {
    steps.push(
      { kind: 'close' }, { kind: 'tree', block: other }, { kind: 'else' },
      { kind: 'tree', block: taken },
      { kind: 'open', opcode: op.if, label: { kind: 'if', block: taken } },
    );
  }
}

interface Edge {
  readonly from: number;
  readonly to: number;
}

function follow(structure: Structure, edge: Edge): void {
  const depth = depthTo(structure, edge);
  if (depth === undefined) structure.steps.push({ kind: 'tree', block: edge.to });
  else structure.flow.code.branch(op.br, depth);
}

/** How many constructs a branch along the edge leaves; undefined for a block that follows here. */
function depthTo({ labels, isMerge }: Structure, { from, to }: Edge): number | undefined {
  const isBack = to <= from;
  if (!isBack && isMerge[to] !== true) return undefined;
  const kind = isBack ? 'loop' : 'block';
  const found = labels.findLastIndex((label) => label.kind === kind && label.block === to);
  return labels.length - 1 - found;
}

function writeDispatch({ graph, code, instructions, straight }: Flow): void {
  const { blocks } = graph;
  const count = blocks.length;
  code.op(op.loop, type.empty);
  for (let block = 0; block < count; block += 1) code.op(op.block, type.empty);
  code.get(local.next);
  code.op(op.brTable);
  code.unsigned(count - 1);
  for (let block = 0; block < count; block += 1) code.unsigned(block);
  blocks.forEach((block, index) => {
    code.op(op.end);
    straight(index);
    if (block.next.length === 0) return;
    pushNext(code, block, instructions);
    code.set(local.next);
    code.branch(op.br, count - 1 - index);
  });
  code.op(op.end);
}

function pushNext(code: Code, block: Block, instructions: readonly Instruction[]): void {
  const [taken = 0, other] = block.next;
  const last = instructions[block.end - 1];
  code.const32(taken);
  if (other === undefined || last?.kind !== 'jump') return;
  code.const32(other);
  writeCondition(code, last);
  code.op(op.select);
}
