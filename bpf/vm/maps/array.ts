import { errno } from '../errno.ts';
import type { ArrayShape } from '../layout.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import { access, type Memory } from '../memory.ts';
import { updateFlag, type EngineMap } from './map.ts';

/**
 * ARRAY and PERCPU_ARRAY for one CPU (kernel/bpf/arraymap.c). A large array costs only the chunks
 * that were looked at: the rest reads as zeroes without being there.
 */
export class ArrayMap implements EngineMap {
  readonly definition: MapDefinition;
  readonly #memory: Memory;
  readonly #shape: ArrayShape;

  constructor(memory: Memory, definition: MapDefinition, shape: ArrayShape) {
    this.#memory = memory;
    this.definition = definition;
    this.#shape = shape;
    if (shape.kind === 'piece') this.#open(shape.address, shape.count);
  }

  get size(): number {
    return this.#shape.count;
  }

  get positions(): number {
    return this.#shape.count;
  }

  lookup(keyAddress: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    return index < this.#shape.count ? this.element(index) : 0;
  }

  peek(keyAddress: number): number {
    return this.lookup(keyAddress);
  }

  place(keyAddress: number, flags: number): number {
    if (flags < 0 || flags > updateFlag.exist) return -errno.EINVAL;
    const index = this.#memory.view.getUint32(keyAddress, true);
    if (index >= this.#shape.count) return -errno.E2BIG;
    if (flags === updateFlag.noexist) return -errno.EEXIST;
    return this.element(index);
  }

  remove(): number {
    return -errno.EINVAL;
  }

  valueAt(position: number): number {
    return this.element(position);
  }

  keyAt(): number {
    return 0;
  }

  /** Indices of elements that may differ from zero: not those of chunks that nobody looked at. */
  *touched(): Generator<number> {
    const shape = this.#shape;
    const step = shape.kind === 'piece' ? shape.count : 1 << shape.shift;
    for (let first = 0; first < shape.count; first += step) {
      const isThere = shape.kind === 'piece'
        || this.#memory.view.getInt32(shape.directory + (first >> shape.shift) * 4, true) !== 0;
      const end = isThere ? Math.min(shape.count, first + step) : first;
      for (let index = first; index < end; index += 1) yield index;
    }
  }

  /** Address of an element, `index` being in range. */
  element(index: number): number {
    const shape = this.#shape;
    if (shape.kind === 'piece') return shape.address + index * shape.stride;
    const entry = shape.directory + (index >> shape.shift) * 4;
    const inside = (index & ((1 << shape.shift) - 1)) * shape.stride;
    const chunk = this.#memory.view.getUint32(entry, true);
    if (chunk !== 0) return chunk + inside;
    const count = 1 << shape.shift;
    const address = this.#memory.allocate(count * shape.stride);
    this.#memory.view.setUint32(entry, address, true);
    this.#open(address, count);
    return address + inside;
  }

  #open(address: number, count: number): void {
    const { stride } = this.#shape;
    const { valueSize } = this.definition;
    if (stride === valueSize) {
      this.#memory.mark({ address, length: count * stride }, access.both);
      return;
    }
    for (let index = 0; index < count; index += 1) {
      this.#memory.mark({ address: address + index * stride, length: valueSize }, access.both);
    }
  }
}
