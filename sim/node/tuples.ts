import type { Ip } from '../../lb/ip.ts';
import type { Packet } from '../net/packet.ts';

/** One direction of a flow as packets show it. */
export interface Tuple {
  readonly protocol: Packet['protocol'];
  readonly source: Ip;
  readonly sourcePort: number;
  readonly target: Ip;
  readonly targetPort: number;
}

interface Entry<V> {
  readonly tuple: Tuple;
  value: V;
}

/**
 * A map by tuple. Packets are looked up several times at every hop, so the key is a small integer
 * of the two ports and the addresses are compared only within a bucket: building a text for each
 * look-up cost a tenth of a whole simulation.
 */
export class TupleMap<V> {
  #buckets = new Map<number, Entry<V>[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(tuple: Tuple): V | undefined {
    const bucket = this.#buckets.get(bucketOf(tuple));
    if (bucket === undefined) return undefined;
    for (const entry of bucket) if (sameTuple(entry.tuple, tuple)) return entry.value;
    return undefined;
  }

  set(tuple: Tuple, value: V): void {
    const key = bucketOf(tuple);
    const bucket = this.#buckets.get(key);
    const present = bucket?.find((entry) => sameTuple(entry.tuple, tuple));
    if (present !== undefined) {
      present.value = value;
      return;
    }
    this.#size += 1;
    if (bucket === undefined) this.#buckets.set(key, [{ tuple, value }]);
    else bucket.push({ tuple, value });
  }

  delete(tuple: Tuple): void {
    const key = bucketOf(tuple);
    const bucket = this.#buckets.get(key);
    const index = bucket?.findIndex((entry) => sameTuple(entry.tuple, tuple)) ?? -1;
    if (bucket === undefined || index < 0) return;
    this.#size -= 1;
    if (bucket.length === 1) this.#buckets.delete(key);
    else bucket.splice(index, 1);
  }

  clear(): void {
    this.#buckets.clear();
    this.#size = 0;
  }

  /** In an order that means nothing. */
  *values(): Generator<V> {
    for (const bucket of this.#buckets.values()) for (const { value } of bucket) yield value;
  }
}

// Below 2^30, so that engines keep it as a small integer.
function bucketOf({ sourcePort, targetPort }: Tuple): number {
  return (Math.imul(sourcePort, 0x9e3779b1) ^ targetPort) & 0x3fffffff;
}

function sameTuple(left: Tuple, right: Tuple): boolean {
  return left.sourcePort === right.sourcePort && left.targetPort === right.targetPort
    && left.source === right.source && left.target === right.target
    && left.protocol === right.protocol;
}
