import type { Graph } from '../graph.ts';
import type { Instruction } from '../instruction.ts';

const callerSaved: readonly number[] = [0, 1, 2, 3, 4, 5];

/**
 * The map that r1 holds at each helper call, by slot, where the same block loads it: what clang
 * writes for nearly every look-up.
 */
export function knownMaps(
  code: readonly Instruction[], graph: Graph | undefined,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { first, end } of graph?.blocks ?? []) {
    const held = new Map<number, number>();
    for (let slot = first; slot < end; slot += 1) {
      const instruction = code[slot];
      if (instruction === undefined) continue;
      const map = held.get(1);
      if (instruction.kind === 'helper' && map !== undefined) found.set(slot, map);
      follow(held, instruction);
    }
  }
  return found;
}

function follow(held: Map<number, number>, instruction: Instruction): void {
  switch (instruction.kind) {
    case 'constant':
      held.delete(instruction.target);
      if (instruction.value.kind === 'map') held.set(instruction.target, instruction.value.map);
      return;
    case 'alu': {
      const { operation, bits, target, source } = instruction;
      const isCopy = operation === 'move' && bits === 64 && source.kind === 'register';
      const map = isCopy ? held.get(source.register) : undefined;
      if (map === undefined) held.delete(target);
      else held.set(target, map);
      return;
    }
    case 'helper':
    case 'call':
      for (const register of callerSaved) held.delete(register);
      return;
    case 'atomic':
      held.delete(instruction.source);
      held.delete(0);
      return;
    case 'negate':
    case 'extend':
    case 'swap':
    case 'load':
      held.delete(instruction.target);
      return;
    case 'store':
    case 'jump':
    case 'goto':
    case 'exit':
    case 'blank':
  }
}
