import type { RowShapes } from '../../bpf/migration.ts';
import { reshape, shapeOf } from '../../bpf/rowshape.ts';
import type { BpfObject } from '../../bpf/vm/object.ts';
import type { MapEntry } from '../../lb/ports.ts';

/** How an object lays out the rows of its maps, by its own BTF. */
export class ObjectShapes {
  #object: BpfObject;
  #read = new Map<string, RowShapes | undefined>();

  constructor(object: BpfObject) {
    this.#object = object;
  }

  /** Undefined for a map that it has not, and for one without declared types. */
  of(map: string): RowShapes | undefined {
    if (!this.#read.has(map)) this.#read.set(map, this.#shapesOf(map));
    return this.#read.get(map);
  }

  /** A row of the same map of another object, as this one would have it. */
  translate(map: string, { key, value }: MapEntry, from: ObjectShapes): MapEntry {
    const [there, here] = [from.of(map), this.of(map)];
    if (there === undefined || here === undefined) return { key, value };
    return {
      key: reshape(key, { from: there.key, to: here.key }),
      value: reshape(value, { from: there.value, to: here.value }),
    };
  }

  #shapesOf(map: string): RowShapes | undefined {
    const { btf, maps } = this.#object;
    const found = maps.find(({ name }) => name === map);
    if (btf === undefined || found === undefined || found.valueType === 0) return undefined;
    const value = shapeOf(btf, found.valueType);
    const key = found.keyType === 0 ? undefined : shapeOf(btf, found.keyType);
    return value === undefined ? undefined : { key: key ?? bareIndex, value };
  }
}

/** The key of an array: no field of it has a name, and it is the same in every layout. */
const bareIndex = { bytes: 4, fields: new Map([['index', { offset: 0, bytes: 4 }]]) };
