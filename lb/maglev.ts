import { ipBytes16, type Ip } from './ip.ts';
import type { Protocol } from './model.ts';
import { murmur32, protocolNumbers } from './murmur.ts';
import { assert } from './result.ts';

/** Table sizes on offer: primes, so that every skip visits every slot (datapath.md 1). */
export const maglevTableSizes = [
  251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071,
] as const;

/** What a table is built of. Conditions are no part of it, so a change of state moves no slot. */
export interface MaglevEndpoint {
  readonly ip: Ip;
  readonly port: number;
  /** Relative share, a positive integer; 1 where nothing is said. */
  readonly weight?: number;
}

export interface MaglevSettings {
  /** A prime; number of slots. */
  readonly size: number;
  /** Unsigned 32-bit, equal on all nodes. */
  readonly seed: number;
  readonly protocol: Protocol;
}

interface Turn {
  readonly index: number;
  readonly key: Uint8Array;
  readonly first: number;
  readonly second: number;
  readonly weight: number;
}

/**
 * Index of an endpoint per slot (datapath.md 3; Eisenbud et al., NSDI 2016). Equal on all nodes: a
 * function of addresses, size and seed, whatever the order of the list. Empty for no endpoint.
 */
export function maglevTable(
  endpoints: readonly MaglevEndpoint[], settings: MaglevSettings,
): Uint32Array {
  if (endpoints.length === 0) return new Uint32Array(0);
  const { size } = settings;
  const turns = endpoints.map(
    (endpoint, index) => turnOf(endpoint, index, settings),
  ).sort(compareTurns);
  const positions = turns.map((turn) => turn.first % size);
  const skips = turns.map((turn) => (turn.second % (size - 1)) + 1);
  const credits = turns.map(() => 0);
  const weightMax = Math.max(...turns.map((turn) => turn.weight));
  const table = new Uint32Array(size);
  const taken = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    for (let turn = 0; turn < turns.length && filled < size; turn += 1) {
      const credit = (credits[turn] ?? 0) + (turns[turn]?.weight ?? 1);
      credits[turn] = credit >= weightMax ? credit - weightMax : credit;
      if (credit < weightMax) continue;
      const slot = nextFree(taken, positions[turn] ?? 0, skips[turn] ?? 1);
      taken[slot] = 1;
      table[slot] = turns[turn]?.index ?? 0;
      positions[turn] = (slot + (skips[turn] ?? 1)) % size;
      filled += 1;
    }
  }
  return table;
}

// Ends because the size is prime: any skip visits every slot, and one is free.
function nextFree(taken: Uint8Array, from: number, skip: number): number {
  let slot = from;
  while (taken[slot] === 1) slot = (slot + skip) % taken.length;
  return slot;
}

function turnOf(endpoint: MaglevEndpoint, index: number, settings: MaglevSettings): Turn {
  const weight = endpoint.weight ?? 1;
  assert(Number.isInteger(weight) && weight > 0, `weight ${weight} of ${endpoint.ip} is positive`);
  const key = new Uint8Array(19);
  key.set(ipBytes16(endpoint.ip), 0);
  new DataView(key.buffer).setUint16(16, endpoint.port);
  key[18] = protocolNumbers[settings.protocol];
  const second = murmur32(key, (settings.seed ^ 0x9e3779b9) >>> 0);
  return { index, key, first: murmur32(key, settings.seed), second, weight };
}

function compareTurns(left: Turn, right: Turn): number {
  if (left.first !== right.first) return left.first - right.first;
  if (left.second !== right.second) return left.second - right.second;
  for (let index = 0; index < left.key.length; index += 1) {
    const difference = (left.key[index] ?? 0) - (right.key[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
