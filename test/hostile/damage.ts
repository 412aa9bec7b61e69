import fc from 'fast-check';
import type { Odd } from './site.ts';

const deep = (depth: number): unknown => {
  let value: unknown = 0;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { x: value };
  return value;
};

/** Values that have no business where they are put, some of them in disguise. */
export const junk: readonly unknown[] = [
  null, true, false, 0, -1, -0.5, 1.5, 1e308, 2 ** 53, 65_536, 4_294_967_296, '', ' ', '0', '-1',
  'null', [], {}, [[]], [null], [''], [0, 'a', {}], { '': '' }, deep(300), 'x'.repeat(20_000),
  JSON.parse('{"__proto__": {"polluted": "yes"}, "constructor": {"prototype": {"x": 1}}}'),
  '999.1.1.1', '010.0.0.1', '1.2.3', '::ffff:192.168.10.40', 'fe80::1%eth0', '0.0.0.0', '::',
  '127.0.0.1', '224.0.0.1', '255.255.255.255', '192.168.10.40', '192.168.10.41', '192.168.10.11',
  '0.0.0.0/0', '10.0.0.0/33', '::/-1', '/', '(', '(?=x)', '[', 'a**', '\\', '(a*)*b'.repeat(50),
  'a=(', 'In', 'NotIn', 'Is', '9999-99-99T99:99:99Z', 'not a time', '\u0000', '\ud800', '../../etc',
  'True', 'Unknown', '__proto__', 'constructor', '{"v":1}', '{"v":', '{"seq":-1,"links":7}', '[]',
  '192.168.10.40=pool/lan,192.168.10.41=pool/lan', '=,=,=', ',,,', 'node-1_00000000', '_',
];

/** Stands for the field's own value in a list, twice: a duplicate. */
export const twice = Symbol('twice');

export type Place = readonly (string | number)[];

/** Every field of a value, the lists and objects included. */
export function placesOf(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  const below = Array.isArray(value)
    ? value.flatMap((item, index) => placesOf(item, [...at, index]))
    : Object.entries(value).flatMap(([key, item]) => placesOf(item, [...at, key]));
  return at.length === 0 ? below : [at, ...below];
}

/** The value with another one at that place; undefined takes the field away. */
export function replaced(value: unknown, place: Place, by: unknown): unknown {
  const [step, ...rest] = place;
  if (step === undefined) return by === twice ? [value, value].flat() : by;
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === step ? replaced(item, rest, by) : item));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => {
    const next = key === step ? replaced(item, rest, by) : item;
    return next === undefined ? [] : [[key, next]];
  }));
}

const value = fc.oneof(
  { arbitrary: fc.constantFrom(...junk), weight: 6 },
  { arbitrary: fc.jsonValue({ maxDepth: 3 }), weight: 1 },
  { arbitrary: fc.constant(undefined), weight: 1 },
  { arbitrary: fc.constant(twice), weight: 1 },
);

/** `content` with one to five of its fields replaced; `below` narrows which. */
export function damaged(content: Odd, below: Place = []): fc.Arbitrary<Odd> {
  const places = placesOf(content)
    .filter((place) => below.every((step, index) => place[index] === step));
  const changes = fc.array(
    fc.tuple(fc.constantFrom(...places), value), { minLength: 1, maxLength: 5 },
  );
  return changes.map((list) => {
    let object: unknown = content;
    for (const [place, by] of list) object = replaced(object, place, by);
    return object as Odd;
  });
}
