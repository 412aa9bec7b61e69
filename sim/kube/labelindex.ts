import type { Labels } from '../../lb/model.ts';

export interface Place {
  readonly namespace: string;
  readonly key: string;
}

/**
 * Keys of labelled things, found by equality selectors without looking at every thing: the
 * smallest bucket of the selector's pairs is searched.
 */
export class LabelIndex {
  #buckets = new Map<string, Set<string>>();

  add(place: Place, labels: Labels): void {
    for (const pair of pairs(place.namespace, labels)) put(this.#buckets, pair, place.key);
  }

  remove(place: Place, labels: Labels): void {
    for (const pair of pairs(place.namespace, labels)) drop(this.#buckets, pair, place.key);
  }

  /** Keys in the namespace that carry every pair, in no promised order; none for no pair. */
  matching(namespace: string, selector: Labels): string[] {
    let smallest: ReadonlySet<string> | undefined;
    const wanted = pairs(namespace, selector);
    for (const pair of wanted) {
      const bucket = this.#buckets.get(pair);
      if (bucket === undefined) return [];
      if (smallest === undefined || bucket.size < smallest.size) smallest = bucket;
    }
    return [...smallest ?? []]
      .filter((key) => wanted.every((pair) => this.#buckets.get(pair)?.has(key) === true));
  }

  /** Keys that carry the pair, in no promised order. */
  withPair(namespace: string, pair: readonly [string, string]): Iterable<string> {
    return this.#buckets.get(pairText(namespace, pair)) ?? [];
  }
}

/** Adds to one set of an index of sets. */
export function put(index: Map<string, Set<string>>, bucket: string, key: string): void {
  const present = index.get(bucket);
  if (present === undefined) index.set(bucket, new Set([key]));
  else present.add(key);
}

/** Takes out of one set of an index of sets; an empty set goes. */
export function drop(index: Map<string, Set<string>>, bucket: string, key: string): void {
  const present = index.get(bucket);
  if (present === undefined) return;
  present.delete(key);
  if (present.size === 0) index.delete(bucket);
}

function pairs(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map((entry) => pairText(namespace, entry));
}

function pairText(namespace: string, pair: readonly [string, string]): string {
  return `${namespace}\0${pair[0]}=${pair[1]}`;
}
