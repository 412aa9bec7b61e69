import { sha256 } from '@noble/hashes/sha2.js';
import { compareText } from '../lb/table.ts';

/**
 * The rendezvous order of l2.md 4: SHA-256 of `<node name>#<subject>`, ascending as bytes. A memo
 * of a pure function, so the processes of one world may share it.
 */
export interface Rank {
  /** Negative when `left` stands before `right` for that subject (an IP, or a session to close). */
  compare(subject: string, left: string, right: string): number;
  /**
   * How many of `others` stand before `node`, which may be one of them. Their order does not
   * matter; a list that comes again must not have been changed, for its ranking is remembered.
   */
  position(subject: string, node: string, others: readonly string[]): number;
}

/** Subjects remembered at most; the memo then starts anew, which costs time and nothing else. */
const subjectsMax = 20_000;

/** Sets of nodes whose rankings are remembered at most; a cluster changes its set rarely. */
const groupsMax = 64;

/** One set of nodes, with the position of each for the subjects asked about. */
interface Group {
  readonly indexes: ReadonlyMap<string, number>;
  readonly positions: Map<string, Uint32Array>;
}

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
  const compare = (subject: string, left: string, right: string): number => (
    compareIn(heads(subject), subject, [left, right])
  );
  const groups = new Groups((subject, node) => headOf(heads(subject), subject, node));
  return {
    compare,
    position(subject, node, others) {
      const known = groups.position(subject, node, others);
      if (known !== undefined) return known;
      return others.filter((other) => compare(subject, other, node) < 0).length;
    },
  };
}

/**
 * A hundred nodes ask for their place among the same hundred, for thousands of addresses: ranking a
 * set once per subject is what keeps that from being nodes² comparisons per address.
 */
class Groups {
  #headOf: (subject: string, node: string) => number;
  #byList = new WeakMap<readonly string[], Group>();
  #byNames = new Map<string, Group>();

  constructor(headOfNode: (subject: string, node: string) => number) {
    this.#headOf = headOfNode;
  }

  /** Undefined where the node is not one of the list. */
  position(subject: string, node: string, list: readonly string[]): number | undefined {
    const group = this.#byList.get(list) ?? this.#groupOf(list);
    const index = group.indexes.get(node);
    if (index === undefined) return undefined;
    const known = group.positions.get(subject) ?? this.#ranked(group, subject);
    return known[index];
  }

  #groupOf(list: readonly string[]): Group {
    const text = list.join(' ');
    let group = this.#byNames.get(text);
    if (group === undefined) {
      if (this.#byNames.size >= groupsMax) this.#byNames.clear();
      group = { indexes: new Map(list.map((name, index) => [name, index])), positions: new Map() };
      this.#byNames.set(text, group);
    }
    this.#byList.set(list, group);
    return group;
  }

  #ranked({ indexes, positions }: Group, subject: string): Uint32Array {
    if (positions.size >= subjectsMax) positions.clear();
    const names = [...indexes.keys()];
    const heads = Float64Array.from(names, (name) => this.#headOf(subject, name));
    const sorted = Uint32Array.from(names, (_, index) => index).sort((a, b) => (
      (heads[a] ?? 0) - (heads[b] ?? 0)
        || compareTails(subject, names[a] ?? '', names[b] ?? '')
    ));
    const ranked = new Uint32Array(names.length);
    sorted.forEach((index, position) => { ranked[index] = position; });
    positions.set(subject, ranked);
    return ranked;
  }
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
