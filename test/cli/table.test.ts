import test from 'ava';
import fc from 'fast-check';
import { nearestNames } from '../../cli/nearest.ts';
import { columnNamed, tableText, type Column } from '../../cli/table.ts';

interface Pool {
  readonly name: string;
  readonly used: number;
  readonly holder?: string;
}

const columns: readonly Column<Pool>[] = [
  { head: 'NAME', cell: ({ name }) => name, once: true },
  { head: 'USED', cell: ({ used }) => used },
  { head: 'HELD-BY', cell: ({ holder }) => holder, wide: true },
];
const pools: readonly Pool[] = [
  { name: 'lan', used: 12, holder: 'web/nginx' },
  { name: 'dmz', used: 9 },
  { name: 'dmz', used: 100 },
];
const plain = { wide: false, heads: true, sortBy: undefined };

test('a table has upper-case heads and three spaces, and no space at the end of a line', (t) => {
  t.is(tableText(columns, pools, plain), 'NAME   USED\nlan    12\ndmz    9\ndmz    100\n');
});

test('wide appends columns and keeps the first ones', (t) => {
  const wide = tableText(columns, pools, { ...plain, wide: true }).split('\n');
  t.deepEqual(wide.slice(0, 3), [
    'NAME   USED   HELD-BY',
    'lan    12     web/nginx',
    'dmz    9      -',
  ]);
});

test('numbers sort as numbers, names as text', (t) => {
  const used = tableText(columns, pools, { ...plain, heads: false, sortBy: 'used' });
  t.is(used, 'dmz   9\nlan   12\ndmz   100\n');
  const name = tableText(columns, pools, { ...plain, heads: false, sortBy: 'NAME' });
  t.is(name, 'dmz   9\ndmz   100\nlan   12\n');
});

test('a continuation row leaves the shared cells blank, unless there are no heads', (t) => {
  const group = ({ name }: Pool): string => name;
  t.is(
    tableText(columns, pools, { ...plain, group }),
    'NAME   USED\nlan    12\ndmz    9\n       100\n',
  );
  t.is(
    tableText(columns, pools, { ...plain, group, heads: false }),
    'lan   12\ndmz   9\ndmz   100\n',
  );
});

test('no rows print the heads alone, and nothing without heads', (t) => {
  t.is(tableText(columns, [], plain), 'NAME   USED\n');
  t.is(tableText(columns, [], { ...plain, heads: false }), '');
});

test('a column is found in any case, with or without dashes', (t) => {
  t.is(columnNamed(columns, 'held_by')?.head, 'HELD-BY');
  t.is(columnNamed(columns, 'heldby')?.head, 'HELD-BY');
  t.is(columnNamed(columns, 'age'), undefined);
});

test('each column begins at the same place in every line', (t) => {
  const cell = fc.stringMatching(/^[a-z]{1,12}$/u);
  fc.assert(fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
    const pairs: readonly Column<readonly [string, string]>[] = [
      { head: 'A', cell: ([left]) => left },
      { head: 'B', cell: ([, right]) => right },
    ];
    const lines = tableText(pairs, rows, plain).trimEnd().split('\n');
    const starts = new Set(lines.map((line) => /^(\S+ +)\S/u.exec(line)?.[1]?.length));
    t.is(starts.size, 1);
    t.is(lines.length, rows.length + 1);
  }), { seed: 1, numRuns: 100 });
});

const nearest = test.macro({
  exec: (t, typed: string, known: string, expected: string) => {
    t.is(nearestNames(typed, known.split(' ')).join(' '), expected);
  },
  title: (_, typed: string, _known, expected) => `'${typed}' may have meant '${expected}'`,
});

test(nearest, 'sttaus', 'service status sim ui', 'status');
test(nearest, 'vlaidate', 'validate version', 'validate');
test(nearest, 'serv', 'service status', 'service');
test(nearest, 'pool', 'ippool ippools l2', 'ippool ippools');
test(nearest, 'frobnicate', 'service status sim ui', '');
test(nearest, 'x', 'l2 ui lb', '');
