import type { Labels } from '../../lb/model.ts';

/**
 * Keys of labelled things, found by equality selectors without looking at every thing. The
 * smallest bucket of the selector's pairs is searched.
 */
export class LabelIndex<T> {
  #buckets = new Map<string, Map<string, T>>();
  #all = new Map<string, Map<string, T>>();

  add(place: { readonly namespace: string; readonly key: string }, labels: Labels, thing: T): void {
    insert(this.#all, place.namespace, place.key, thing);
    for (const pair of pairs(place.namespace, labels)) insert(this.#buckets, pair, place.key, thing);
  }

  remove(place: { readonly namespace: string; readonly key: string }, labels: Labels): void {
    take(this.#all, place.namespace, place.key);
    for (const pair of pairs(place.namespace, labels)) take(this.#buckets, pair, place.key);
  }

  /** Things of the namespace that carry every pair, in no promised order; none for no pair. */
  matching(namespace: string, selector: Labels): T[] {
    let smallest: ReadonlyMap<string, T> | undefined;
    const wanted = pairs(namespace, selector);
    for (const pair of wanted) {
      const bucket = this.#buckets.get(pair);
      if (bucket === undefined) return [];
      if (smallest === undefined || bucket.size < smallest.size) smallest = bucket;
    }
    if (smallest === undefined) return [];
    const found: T[] = [];
    for (const [key, thing] of smallest) {
      if (wanted.every((pair) => this.#buckets.get(pair)?.has(key) === true)) found.push(thing);
    }
    return found;
  }

  /** Things that carry the pair, in no promised order. */
  withPair(namespace: string, pair: readonly [string, string]): Iterable<T> {
    return this.#buckets.get(pairText(namespace, pair))?.values() ?? [];
  }

  /** Everything of one namespace, in no promised order. */
  inNamespace(namespace: string): Iterable<T> {
    return this.#all.get(namespace)?.values() ?? [];
  }
}

function pairs(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map((entry) => pairText(namespace, entry));
}

function pairText(namespace: string, pair: readonly [string, string]): string {
  return `${namespace}\0${pair[0]}=${pair[1]}`;
}

function insert<T>(index: Map<string, Map<string, T>>, bucket: string, key: string, thing: T): void {
  const present = index.get(bucket);
  if (present === undefined) index.set(bucket, new Map([[key, thing]]));
  else present.set(key, thing);
}

function take<T>(index: Map<string, Map<string, T>>, bucket: string, key: string): void {
  const present = index.get(bucket);
  if (present === undefined) return;
  present.delete(key);
  if (present.size === 0) index.delete(bucket);
}
