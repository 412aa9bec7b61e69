import test from 'ava';
import { Migration, type LayoutMaps, type RowShapes } from '../../bpf/migration.ts';
import { reshape, type Shape } from '../../bpf/rowshape.ts';
import type { BatchResult, MapBatch, MapEntry } from '../../lb/ports.ts';

type Row = Readonly<Record<string, number>>;

// Rows as records of words: a layout is the order of the names.
class Words implements LayoutMaps {
  readonly written: (readonly [map: string, ...row: Row[]])[] = [];
  #layout: Readonly<Record<string, readonly [key: readonly string[], value: readonly string[]]>>;
  #rows: Readonly<Record<string, readonly (readonly [Row, Row])[]>>;
  #refuse: (map: string) => 'EEXIST' | 'E2BIG' | undefined;

  constructor(
    layout: Words['layout'], rows: Readonly<Record<string, readonly (readonly [Row, Row])[]>>,
    refuse: (map: string) => 'EEXIST' | 'E2BIG' | undefined = () => undefined,
  ) {
    this.#layout = layout;
    this.#rows = rows;
    this.#refuse = refuse;
  }

  get layout(): Readonly<Record<string, readonly [readonly string[], readonly string[]]>> {
    return this.#layout;
  }

  shapes(map: string): RowShapes | undefined {
    const of = this.#layout[map];
    return of && { key: shape(of[0]), value: shape(of[1]) };
  }

  *rows(map: string): Iterable<MapEntry> {
    for (const [key, value] of this.#rows[map] ?? []) {
      const [keys, values] = this.#layout[map]!;
      yield { key: bytes(keys, key), value: bytes(values, value) };
    }
  }

  cell(map: string, index: number): Uint8Array | undefined {
    return [...this.rows(map)].find(({ key }) => new Uint32Array(key.buffer)[0] === index)?.value;
  }

  add(map: string, { count, keys, values }: MapBatch): BatchResult {
    const kind = this.#refuse(map);
    if (kind !== undefined) return { written: 0, error: { kind } };
    const [key, value] = this.#layout[map]!;
    for (let row = 0; row < count; row += 1) {
      const [keyAt, valueAt] = [row * key.length * 4, row * value.length * 4];
      this.written.push([
        map, rowOf(key, keys.subarray(keyAt)), rowOf(value, values.subarray(valueAt)),
      ]);
    }
    return { written: count };
  }
}

function shape(names: readonly string[]): Shape {
  return {
    bytes: names.length * 4,
    fields: new Map(names.map((name, at) => [name, { offset: at * 4, bytes: 4 }])),
  };
}

function rowOf(names: readonly string[], from: Uint8Array): Row {
  const view = new DataView(from.buffer, from.byteOffset);
  return Object.fromEntries(names.map((name, at) => [name, view.getUint32(at * 4, true)]));
}

function bytes(names: readonly string[], row: Row): Uint8Array {
  return new Uint8Array(Uint32Array.from(names, (name) => row[name] ?? 0).buffer);
}

const before = {
  fl_front: [['addr'], ['svc_id']], fl_backend: [['id'], ['addr', 'gen']],
  fl_member: [['svc_id', 'backend_id'], ['bits']],
  fl_ct: [['flow'], ['svc_id', 'backend_id', 'gen', 'last_s']],
  fl_aff: [['client', 'svc_id'], ['backend_id']],
} as const;
const after = {
  ...before, fl_ct: [['flow'], ['state', 'last_s', 'gen', 'backend_id', 'svc_id']],
} as const;

const old = new Words(before, {
  fl_front: [[{ addr: 10 }, { svc_id: 7 }], [{ addr: 11 }, { svc_id: 8 }]],
  fl_backend: [[{ id: 3 }, { addr: 21, gen: 5 }], [{ id: 4 }, { addr: 22, gen: 6 }]],
  fl_ct: [
    [{ flow: 1 }, { svc_id: 7, backend_id: 3, gen: 9, last_s: 100 }],
    [{ flow: 2 }, { svc_id: 8, backend_id: 4, gen: 9, last_s: 101 }],
  ],
  fl_aff: [
    [{ client: 1, svc_id: 7 }, { backend_id: 4 }], [{ client: 1, svc_id: 8 }, { backend_id: 3 }],
  ],
});
// Front 11 and endpoint 22 are gone, and ids are others.
const tables = {
  fl_front: [[{ addr: 10 }, { svc_id: 1 }]],
  fl_backend: [[{ id: 2 }, { addr: 21, gen: 1 }]],
  fl_member: [[{ svc_id: 1, backend_id: 2 }, { bits: 7 }]],
} as const;

test('rows are carried over by names of fields, fronts and endpoints', (t) => {
  const fresh = new Words(after, tables);
  t.is(new Migration(old, fresh).carryFlows(), 3);
  t.deepEqual(fresh.written, [
    ['fl_ct', { flow: 1 }, { state: 0, last_s: 100, gen: 0, backend_id: 2, svc_id: 1 }],
    // A flow of a service that is gone still has its replies; no endpoint has id 0.
    ['fl_ct', { flow: 2 }, { state: 0, last_s: 101, gen: 0, backend_id: 0, svc_id: 0 }],
    // A client that stuck to an endpoint of a service that is gone sticks to nothing.
    ['fl_aff', { client: 1, svc_id: 1 }, { backend_id: 0 }],
  ]);
});

test('what is there already stays, and a full map ends its own rows only', (t) => {
  t.is(new Migration(old, new Words(after, tables, () => 'EEXIST')).carryFlows(), 0);
  const full = new Words(after, tables, (map) => (map === 'fl_ct' ? 'E2BIG' : undefined));
  t.is(new Migration(old, full).carryFlows(), 1);
  t.deepEqual(full.written.map(([map]) => map), ['fl_aff']);
});

test('pins without tables of services have nothing to carry over', (t) => {
  const { fl_ct: ct } = before;
  t.is(new Migration(new Words({ fl_ct: ct }, {}), new Words(after, tables)).carryFlows(), 0);
});

test('a field that grew has zeros behind, and one that shrank loses its high bytes', (t) => {
  const wide: Shape = { bytes: 8, fields: new Map([['n', { offset: 0, bytes: 8 }]]) };
  const narrow: Shape = { bytes: 6, fields: new Map([['n', { offset: 2, bytes: 4 }]]) };
  const number = Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0);
  t.deepEqual([...reshape(number, { from: wide, to: narrow })], [0, 0, 1, 2, 3, 4]);
  const grown = reshape(Uint8Array.of(9, 9, 1, 2, 3, 4), { from: narrow, to: wide });
  t.deepEqual([...grown], [...number]);
});
