import type { Instruction } from './instruction.ts';

/** A run of slots that is entered at its first one and left at its last one only. */
export interface Block {
  readonly first: number;
  /** The slot after the last one. */
  readonly end: number;
  /**
   * Blocks that may follow, by position in `Graph.blocks`: none after exit, one after goto or where
   * the run falls into the next one, two after a jump: where it is taken, then where it is not.
   */
  readonly next: readonly number[];
}

/** Control flow of one function. Unreachable code is left out. */
export interface Graph {
  /** Reachable blocks in reverse postorder, the entry first: forward edges lead to later ones. */
  readonly blocks: readonly Block[];
  /** Immediate dominator of each block; that of the entry is the entry. */
  readonly dominators: readonly number[];
  /** Whether each edge back leads to a block that dominates its source. */
  readonly reducible: boolean;
}

/** The control flow of `code`. Throws a RangeError where it leads out of the function. */
export function graphOf(code: readonly Instruction[]): Graph {
  const raw = rawBlocks(code);
  const order = reversePostorder(raw);
  const positions = new Map(order.map((block, position) => [block, position]));
  const position = (block: number): number => positions.get(block) ?? 0;
  const blocks = order.flatMap((index) => {
    const block = raw[index];
    return block === undefined ? [] : [{ ...block, next: block.next.map(position) }];
  });
  const dominators = dominatorsOf(blocks);
  const reducible = blocks.every((block, from) => block.next.every(
    (to) => to > from || dominates(dominators, { over: to, under: from }),
  ));
  return { blocks, dominators, reducible };
}

/** Whether every path from the entry to `under` passes `over`. */
function dominates(
  dominators: readonly number[], { over, under }: { over: number; under: number },
): boolean {
  let at = under;
  while (at > over) at = dominators[at] ?? 0;
  return at === over;
}

function rawBlocks(code: readonly Instruction[]): Block[] {
  const starts = new Set([0]);
  code.forEach((instruction, slot) => {
    if (instruction.kind === 'jump' || instruction.kind === 'goto') starts.add(instruction.to);
    if (endsBlock(instruction)) starts.add(slot + 1);
  });
  const firsts = [...starts].filter((slot) => slot < code.length).toSorted((a, b) => a - b);
  const indices = new Map(firsts.map((slot, index) => [slot, index]));
  return firsts.map((first, index) => {
    const end = firsts[index + 1] ?? code.length;
    const next = followers(code, end - 1).map((slot) => {
      const follower = indices.get(slot);
      if (follower === undefined) throw new RangeError(`slot ${end - 1} leads out of the function`);
      return follower;
    });
    return { first, end, next };
  });
}

function endsBlock({ kind }: Instruction): boolean {
  return kind === 'jump' || kind === 'goto' || kind === 'exit';
}

function followers(code: readonly Instruction[], last: number): number[] {
  const instruction = code[last];
  switch (instruction?.kind) {
    case 'exit': return [];
    case 'goto': return [instruction.to];
    case 'jump': return [instruction.to, last + 1];
    default: return [last + 1];
  }
}

// An explicit stack: a program may be a chain of thousands of blocks.
function reversePostorder(blocks: readonly Block[]): number[] {
  const postorder: number[] = [];
  const seen = new Set([0]);
  const stack = [{ block: 0, edge: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const to = blocks[top.block]?.next[top.edge];
    top.edge += 1;
    if (to === undefined) {
      postorder.push(top.block);
      stack.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      stack.push({ block: to, edge: 0 });
    }
  }
  return postorder.reverse();
}

// Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
function dominatorsOf(blocks: readonly Block[]): number[] {
  const before: number[][] = blocks.map(() => []);
  blocks.forEach(({ next }, from) => next.forEach((to) => before[to]?.push(from)));
  const dominators: number[] = blocks.map(() => -1);
  dominators[0] = 0;
  const common = (left: number, right: number): number => {
    let [a, b] = [left, right];
    while (a !== b) {
      if (a > b) a = dominators[a] ?? 0;
      else b = dominators[b] ?? 0;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let block = 1; block < blocks.length; block += 1) {
      const known = (before[block] ?? []).filter((from) => dominators[from] !== -1);
      const found = known.reduce(common);
      if (found === dominators[block]) continue;
      dominators[block] = found;
      changed = true;
    }
  }
  return dominators;
}
