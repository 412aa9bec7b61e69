import { sha256 } from '@noble/hashes/sha2.js';
import { compareText } from '../lb/table.ts';

/**
 * The rendezvous order of l2.md 4: SHA-256 of `<node name>#<subject>`, ascending as bytes. A memo
 * of a pure function, so the processes of one world may share it.
 */
export interface Rank {
  /** Negative when `left` stands before `right` for that subject (an IP, or a session to close). */
  compare(subject: string, left: string, right: string): number;
  /** How many of `others` stand before `node`; the order of `others` does not matter. */
  position(subject: string, node: string, others: readonly string[]): number;
}

/** Subjects remembered at most; the memo then starts anew, which costs time and nothing else. */
const subjectsMax = 20_000;

/** Creates an empty memo. */
export function createRank(): Rank {
  const subjects = new Map<string, Map<string, number>>();
  const heads = (subject: string): Map<string, number> => {
    let known = subjects.get(subject);
    if (known !== undefined) return known;
    if (subjects.size >= subjectsMax) subjects.clear();
    known = new Map();
    subjects.set(subject, known);
    return known;
  };
  const compareIn = (
    known: Map<string, number>, subject: string, nodes: readonly [string, string],
  ): number => {
    const [left, right] = nodes;
    const difference = headOf(known, subject, left) - headOf(known, subject, right);
    return difference !== 0 ? difference : compareTails(subject, left, right);
  };
  return {
    compare: (subject, left, right) => compareIn(heads(subject), subject, [left, right]),
    position(subject, node, others) {
      const known = heads(subject);
      let before = 0;
      for (const other of others) {
        if (other !== node && compareIn(known, subject, [other, node]) < 0) before += 1;
      }
      return before;
    },
  };
}

// The first 48 bits decide all but one comparison in 2^48, at the price of one number per name.
function headOf(known: Map<string, number>, subject: string, node: string): number {
  const found = known.get(node);
  if (found !== undefined) return found;
  const digest = digestOf(subject, node);
  let head = 0;
  for (let index = 0; index < 6; index += 1) head = head * 256 + (digest[index] ?? 0);
  known.set(node, head);
  return head;
}

function compareTails(subject: string, left: string, right: string): number {
  if (left === right) return 0;
  const a = digestOf(subject, left);
  const b = digestOf(subject, right);
  for (let index = 0; index < a.length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return compareText(left, right);
}

function digestOf(subject: string, node: string): Uint8Array {
  const text = `${node}#${subject}`;
  return sha256(Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff));
}
