import type { Runtime, TableMap } from '../runtime.ts';
import { signed, unsigned, type HelperCall } from './call.ts';

/** bpf_map_lookup_elem: the address of the value, or 0. */
const lookup: HelperCall = {
  name: 'map_lookup_elem', takes: ['word', 'word'], gives: 'word',
  call(runtime, words) {
    const map = runtime.table(unsigned(words, 0), 'map_lookup_elem');
    return lookupIn(runtime, map, unsigned(words, 1));
  },
};

const update: HelperCall = {
  name: 'map_update_elem', takes: ['word', 'word', 'word', 'flags'], gives: 'status',
  call(runtime, words) {
    const map = runtime.table(unsigned(words, 0), 'map_update_elem');
    const { keySize, valueSize } = map.definition;
    const key = unsigned(words, 1);
    const value = unsigned(words, 2);
    runtime.memory.checkRead({ address: key, length: keySize });
    runtime.memory.checkRead({ address: value, length: valueSize });
    const address = map.place(key, signed(words, 3));
    if (address <= 0) return address;
    runtime.memory.copy(address, { address: value, length: valueSize });
    return 0;
  },
};

const remove: HelperCall = {
  name: 'map_delete_elem', takes: ['word', 'word'], gives: 'status',
  call(runtime, words) {
    const map = runtime.table(unsigned(words, 0), 'map_delete_elem');
    const key = unsigned(words, 1);
    runtime.memory.checkRead({ address: key, length: map.definition.keySize });
    return map.remove(key);
  },
};

const reserve: HelperCall = {
  name: 'ringbuf_reserve', takes: ['word', 'word', 'flags'], gives: 'word',
  call(runtime, words) {
    const ring = runtime.ring(unsigned(words, 0), 'ringbuf_reserve');
    return ring.reserve(unsigned(words, 1), signed(words, 2));
  },
};

const submit: HelperCall = {
  name: 'ringbuf_submit', takes: ['word', 'flags'], gives: 'status',
  call: (runtime, words) => finish(runtime, unsigned(words, 0), 'submitted'),
};

const discard: HelperCall = {
  name: 'ringbuf_discard', takes: ['word', 'flags'], gives: 'status',
  call: (runtime, words) => finish(runtime, unsigned(words, 0), 'discarded'),
};

const output: HelperCall = {
  name: 'ringbuf_output', takes: ['word', 'word', 'word', 'flags'], gives: 'status',
  call(runtime, words) {
    const ring = runtime.ring(unsigned(words, 0), 'ringbuf_output');
    const from = unsigned(words, 1);
    const length = unsigned(words, 2);
    runtime.memory.checkRead({ address: from, length });
    return ring.output(from, length, signed(words, 3));
  },
};

const query: HelperCall = {
  name: 'ringbuf_query', takes: ['word', 'flags'], gives: 'number',
  call(runtime, words) {
    return runtime.ring(unsigned(words, 0), 'ringbuf_query').query(signed(words, 1));
  },
};

/** A look-up of a map that the code names itself: the translator calls it without the handle. */
export function lookupIn(runtime: Runtime, map: TableMap, key: number): number {
  runtime.memory.checkRead({ address: key, length: map.definition.keySize });
  return map.lookup(key);
}

// The record does not say its map, as in the kernel; few objects have more than one ring.
function finish(runtime: Runtime, address: number, state: 'submitted' | 'discarded'): number {
  for (const map of runtime.maps) {
    if ('finish' in map && map.finish(address, state)) return 0;
  }
  throw runtime.memory.faultAt(address, 'write');
}

export const mapHelpers: ReadonlyMap<number, HelperCall> = new Map([
  [1, lookup], [2, update], [3, remove],
  [130, output], [131, reserve], [132, submit], [133, discard], [134, query],
]);
