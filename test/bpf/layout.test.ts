import test from 'ava';
import fc from 'fast-check';
import { readLayout, type BtfType, type LayoutError } from '../../bpf/btf.ts';
import * as layout from '../../bpf/layout.gen.ts';
import { dropReasonNumber, dropReasons } from '../../lb/reasons.ts';
import { AssertionError } from '../../lb/result.ts';

type Codec = Readonly<Record<string, any>>;
const codec = layout as Codec;
const structs = Object.keys(layout)
  .filter((name) => name.startsWith('encode'))
  .map((name) => name.slice('encode'.length));

// Any value of a struct is what it decodes to from random bytes.
for (const name of structs) {
  test(`${name} survives its round trip, at any offset`, (t) => {
    const bytes = codec[`${name.slice(0, 1).toLowerCase()}${name.slice(1)}Bytes`];
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: bytes, maxLength: bytes }), fc.nat(40), (raw, at) => {
          const value = codec[`decode${name}`](raw);
          const encoded: Uint8Array = codec[`encode${name}`](value);
          t.deepEqual(codec[`decode${name}`](encoded), value);
          const into = new Uint8Array(bytes + 40).fill(0xee);
          codec[`put${name}`](into, at, value);
          t.deepEqual(into.slice(at, at + bytes), encoded);
          t.true(into.every((one, index) => (index >= at && index < at + bytes) || one === 0xee));
        },
      ),
      { numRuns: 30 },
    );
  });
}

test('ports and addresses keep the order of the wire, other numbers that of the host', (t) => {
  const addr = Uint8Array.from({ length: 16 }, (_, index) => index);
  const key = layout.encodeFrontKey({ addr, port: 0x1234, proto: 6 });
  t.deepEqual([...key], [...addr, 0x12, 0x34, 6, 0]);
  t.deepEqual([...layout.encodeSvc({ gen: 1, setId: 0x0102 })], [1, 0, 0, 0, 2, 1, 0, 0]);
});

test('padding is written as zero whatever was there', (t) => {
  const into = new Uint8Array(layout.frontBytes).fill(0xff);
  layout.putFront(into, 0, { svcId: 1, kind: 2, flags: 0 });
  t.deepEqual([...into], [1, 0, 0, 0, 2, 0, 0, 0]);
});

const refuses = test.macro({
  exec: (t, write: () => unknown, fact: string) => {
    const thrown = t.throws(write, { instanceOf: AssertionError });
    t.is(thrown.message, fact);
  },
  title: (_, __, fact) => `encoding states that ${fact}`,
});

const addr = new Uint8Array(16);
test(refuses, () => layout.encodeFrontKey({ addr, port: 65_536, proto: 6 }),
  'fl_front_key.port is u16');
test(refuses, () => layout.encodeFrontKey({ addr, port: 80, proto: -1 }),
  'fl_front_key.proto is u8');
test(refuses, () => layout.encodeFrontKey({ addr: new Uint8Array(4), port: 80, proto: 6 }),
  'fl_front_key.addr has 16 bytes');
test(refuses, () => layout.encodeSvc({ gen: 1, setId: 1.5 }), 'fl_svc.set_id is u32');
test(refuses, () => layout.encodeSvc({ gen: 2 ** 32, setId: 1 }), 'fl_svc.gen is u32');
test(refuses, () => layout.encodeL2Stats({ answers: 1n << 64n }), 'fl_l2_stats.answers is u64');
test(refuses, () => layout.encodeLut({ backend: [1] }), 'fl_lut.backend has 16 words');

const refusesLayout = test.macro({
  exec: (t, fields: readonly [string, number, number][], size: number, error: LayoutError) => {
    const members = fields.map(([name, type_id, bits_offset]) => ({ name, type_id, bits_offset }));
    const types: BtfType[] = [
      { id: 1, kind: 'INT', name: 'unsigned char', size: 1 },
      { id: 2, kind: 'INT', name: 'unsigned int', size: 4 },
      { id: 3, kind: 'FLOAT', name: 'float', size: 4 },
      { id: 4, kind: 'STRUCT', name: 'fl_row', size, members },
    ];
    t.deepEqual(readLayout(types), { ok: false, error });
  },
  title: (_, __, ___, { kind, place }) => `a layout with a ${kind} is refused by the name ${place}`,
});

test(refusesLayout, [['a', 1, 0], ['b', 2, 32]], 8, { kind: 'hole', place: 'fl_row.b' });
test(refusesLayout, [['a', 2, 0], ['b', 1, 32]], 8, { kind: 'tail-padding', place: 'fl_row' });
test(refusesLayout, [['a', 2, 0], ['b', 1, 33]], 8, { kind: 'bit-field', place: 'fl_row.b' });
test(refusesLayout, [['a', 3, 0]], 4, { kind: 'unknown-type', place: 'fl_row.a' });

test('the programs number drop reasons as everybody else does', (t) => {
  t.deepEqual(
    Object.entries(layout.reason),
    dropReasons.map((reason) => [reason, dropReasonNumber(reason)]),
  );
});

test('every map has the sizes that the datapath was specified with', (t) => {
  const sizes = Object.entries(layout.maps).map(
    ([name, { keyBytes, valueBytes }]) => `${name} ${keyBytes} ${valueBytes}`,
  );
  t.deepEqual(sizes, [
    'fl_front 20 8', 'fl_svc 4 8', 'fl_set 4 64', 'fl_lut 4 64', 'fl_backend 4 32',
    'fl_member 8 4', 'fl_range 24 4', 'fl_addr 16 4', 'fl_net 20 4', 'fl_dev 4 48',
    'fl_netns 8 40', 'fl_ct 40 64', 'fl_snat 40 64', 'fl_aff 24 16', 'fl_sk 32 24',
    'fl_frag 40 8', 'fl_l2 20 16', 'fl_l2_stats 20 8', 'fl_events 0 0', 'fl_stats 4 16',
    'fl_rate 4 16', 'fl_cfg 4 80',
  ]);
  t.is(layout.eventBytes, 80);
  t.regex(layout.layoutHash, /^[0-9a-f]{16}$/);
});
