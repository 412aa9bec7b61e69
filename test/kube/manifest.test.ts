import test from 'ava';
import fc from 'fast-check';
import { parseManifests, placeManifests } from '../../kube/manifest.ts';

const shown = (text: string) => {
  const { objects, faults } = parseManifests(text, 'f.yaml');
  return {
    objects: objects.map(({ object }) => `${object.kind} ${object.metadata?.name}`),
    faults: faults.map(({ line, column, path, message }) =>
      `${line}:${column} ${path}: ${message}`),
  };
};

const reads = test.macro({
  exec: (t, text: string, objects: readonly string[]) =>
    t.deepEqual(shown(text), { objects: [...objects], faults: [] }),
  title: (_, text, objects) => `${JSON.stringify(text).slice(0, 80)} holds ${String(objects)}`,
});
const node = (name: string): string => `apiVersion: v1\nkind: Node\nmetadata:\n  name: ${name}\n`;
test(reads, '', []);
test(reads, '# nothing\n---\n---\n', []);
test(reads, node('a'), ['Node a']);
test(reads, `${node('a')}---\n${node('b')}---\n`, ['Node a', 'Node b']);
test(reads, '{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"}}', ['Node a']);
test(reads, `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: a}}
- {apiVersion: v1, kind: NodeList, items: [{apiVersion: v1, kind: Node, metadata: {name: b}}]}\n`,
['Node a', 'Node b']);
test(reads, 'apiVersion: v1\nkind: List\nitems: []\n', []);
// A kind that merely ends like a list and has no items is an object.
test(reads, 'apiVersion: x/v1\nkind: WaitingList\nmetadata: {name: a}\n', ['WaitingList a']);

const refuses = test.macro({
  exec: (t, text: string, faults: readonly string[], objects: readonly string[] = []) =>
    t.deepEqual(shown(text), { objects: [...objects], faults: [...faults] }),
  title: (_, text, faults) => `${JSON.stringify(text).slice(0, 60)} is refused: ${String(faults)}`,
});
test(refuses, 'text', ['1:1 : expected an object, got "text"']);
test(refuses, '- 1', ['1:1 : expected an object, got a list']);
test(refuses, 'kind: Node\nmetadata: {name: a}', ['1:1 apiVersion: expected text, got nothing']);
test(refuses, 'apiVersion: v1\nmetadata: {name: a}', ['1:1 kind: expected text, got nothing']);
test(refuses, 'apiVersion: v1\nkind: Node\nmetadata:\n  labels: {}', [
  '3:1 metadata.name: expected text, got nothing',
]);
test(refuses, 'apiVersion: v1\nkind: Node\nmetadata:\n  name: 5', [
  '4:3 metadata.name: expected text, got 5',
]);
test(refuses, 'apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: 5}', [
  '3:21 metadata.namespace: expected text, got 5',
]);
test(refuses, 'apiVersion: v1\nkind: Node\nmetadata: []', [
  '3:1 metadata.name: expected text, got nothing',
]);
const list = 'apiVersion: v1\nkind: List\nitems:\n';
test(refuses, `${list}- 7\n- {apiVersion: v1, kind: Node, metadata: {name: a}}`, [
  '4:3 : expected an object, got 7',
], ['Node a']);
// A bad document takes no other one with it.
test(refuses, `a: [1\n---\n${node('b')}`, [
  '2:1 : Flow sequence in block collection must be sufficiently indented and end with a ]',
], ['Node b']);
test(refuses, 'a: 1\na: 2\n', ['2:1 : Map keys must be unique']);

test('values are those that kubectl reads', (t) => {
  const { objects } = parseManifests(`${node('a')}spec:
  bare: No
  quoted: "No"
  octal: 0644
  day: 2026-01-01
  clock: 12:30
  moment: 2026-01-01T00:00:00Z
  base: &base {x: 1}
  merged: {<<: *base, z: 2, y: 3}
  empty:
`, 'f');
  t.deepEqual(objects[0]?.object['spec'], {
    bare: false, quoted: 'No', octal: 420, day: '2026-01-01', clock: '12:30',
    // A bare y is a boolean even as a key; kubectl makes the same of it.
    moment: '2026-01-01T00:00:00Z', base: { x: 1 }, merged: { x: 1, z: 2, true: 3 }, empty: null,
  });
});

const positioned = `apiVersion: v1
kind: List
items:
- apiVersion: cilium.io/v2
  kind: CiliumLoadBalancerIPPool
  metadata:
    name: lan
    labels:
      example.org/team: web
  spec:
    blocks:
    - cidr: 10.0.0.0/24
    - start: 10.0.1.1
      stop: junk
    serviceSelector: &selector
      matchLabels: {app: web}
    copy: *selector
`;

const stands = test.macro({
  exec: (t, path: string, line: number, column: number) => {
    const { objects } = parseManifests(positioned, 'f');
    t.deepEqual(objects[0]?.positionOf(path), { line, column });
  },
  title: (_, path, line, column) => `'${path}' stands at ${line}:${column}`,
});
test(stands, '', 4, 3);
test(stands, 'kind', 5, 3);
test(stands, 'metadata.name', 7, 5);
test(stands, 'metadata.labels[example.org/team]', 9, 7);
test(stands, 'spec.blocks[0]', 12, 7);
test(stands, 'spec.blocks[1].stop', 14, 7);
test(stands, 'spec.blocks[1].cidr', 13, 7); // absent: its block
test(stands, 'spec.blocks[7].cidr', 11, 5); // absent: the list
test(stands, 'spec.serviceSelector.matchLabels.app', 16, 21);
test(stands, 'spec.copy.matchLabels.app', 16, 21); // through the alias
test(stands, 'status.conditions[0]', 4, 3);
test(stands, 'spec.blocks.cidr', 11, 5);

test('namespaced objects go into the default namespace, others stay as they are', (t) => {
  const { objects } = parseManifests(`
{apiVersion: v1, kind: Service, metadata: {name: a}}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: web}}
---
{apiVersion: v1, kind: Node, metadata: {name: a}}
---
{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}}
`, 'f');
  const namespaces = (namespace?: string) => placeManifests(objects, namespace).objects
    .map(({ object }) => object.metadata?.namespace);
  t.deepEqual(namespaces(), ['default', 'web', undefined, undefined]);
  t.deepEqual(namespaces('lab'), ['lab', 'web', undefined, undefined]);
});

test('an object defined twice is a fault at the second, whatever the version', (t) => {
  const pool = (version: string) =>
    `apiVersion: cilium.io/${version}\nkind: CiliumLoadBalancerIPPool\nmetadata:\n  name: a\n`;
  const first = parseManifests(pool('v2'), 'one.yaml').objects;
  const second = parseManifests(`# again\n${pool('v2alpha1')}`, 'two.yaml').objects;
  const other = '{apiVersion: v1, kind: Service, metadata: {name: a}}';
  const service = parseManifests(other, 's').objects;
  const { objects, faults } = placeManifests([...first, ...second, ...service]);
  t.deepEqual(objects.map(({ file }) => file), ['one.yaml', 's']);
  t.deepEqual(faults, [{
    file: 'two.yaml', path: 'metadata.name', line: 5, column: 3,
    message: 'CiliumLoadBalancerIPPool.cilium.io a is already defined at one.yaml:4',
  }]);
});

test('texts made to break the reader are faults', (t) => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((key, index) =>
      `${key}: &${key} [${Array(10).fill(`*${'abcdefghi'[index]}`).join()}]`)].join('\n');
  t.is(parseManifests(bomb, 'f').objects.length, 0);
  t.regex(parseManifests(bomb, 'f').faults[0]?.message ?? '', /alias/u);
  t.true(parseManifests('['.repeat(20_000), 'f').faults.length > 0);
  t.deepEqual(parseManifests('__proto__: {polluted: 1}\n', 'f').objects, []);
  t.is(({} as Record<string, unknown>)['polluted'], undefined);
});

test('no text ends the program', (t) => {
  const part = fc.constantFrom(
    'apiVersion', 'kind', 'List', 'items', 'metadata', 'name', ': ', ':', '- ', '\n', '  ', '{',
    '}', '[', ']', ',', '"', "'", '&a ', '*a', '!!binary ', '---\n', '...', '#', '|', '>',
    '%YAML 9', '0x', '?', '\t', '\u0000', 'é', '<<',
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 25 }), (parts) => {
    const { objects, faults } = parseManifests(parts.join(''), 'f');
    for (const object of objects) t.true(object.positionOf('spec.a[0]').line >= 1);
    for (const { line, column } of faults) t.true(line >= 1 && column >= 1, `${line}:${column}`);
  }), { seed: 5, numRuns: 2000 });
});
