import { compilePath } from '../check/jsonpath.ts';
import type { Reader } from './reader.ts';
import type { CheckSpec, Expectation, Lookup } from './spec.ts';

/**
 * One entry of a `check` step: what to look at, which part of it, and what must hold there. Several
 * expectations in one entry are several checks.
 */
export function readCheck(check: Reader): CheckSpec[] {
  const lookup = readLookup(check);
  const part = check.text('path') ?? '';
  const query = part === '' ? undefined : compilePath(part);
  if (part !== '' && query === undefined) check.fault('path', `${part} is no JSONPath`);
  const expectations = readExpectations(check);
  check.finish();
  if (lookup === undefined) return [];
  return expectations.map((expectation) => ({
    lookup,
    part,
    query,
    expectation,
    path: check.path,
  }));
}

function readLookup(check: Reader): Lookup | undefined {
  if (check.has('object')) return { kind: 'object', object: check.text('object') ?? '' };
  // `lookup` may hold the derived thing, or the derived thing may stand in the check itself.
  const place = check.has('lookup') ? check.child('lookup') : check;
  const lookup = readDerived(place);
  if (lookup === undefined) {
    place.fault('', 'expected object, owner-of, neighbour, frontends or route');
  }
  if (place !== check) place.finish();
  return lookup;
}

function readDerived(place: Reader): Lookup | undefined {
  if (place.has('owner-of')) return { kind: 'owner-of', address: place.text('owner-of') ?? '' };
  if (place.has('neighbour')) {
    const entry = place.child('neighbour');
    const [host = '', address = ''] = [entry.text('host'), entry.text('address')];
    entry.finish();
    return { kind: 'neighbour', host, address };
  }
  if (place.has('frontends')) {
    const entry = place.child('frontends');
    const node = entry.text('node') ?? '';
    entry.finish();
    return { kind: 'frontends', node };
  }
  if (place.has('route')) {
    const entry = place.child('route');
    const [router = '', prefix = ''] = [entry.text('router'), entry.text('prefix')];
    entry.finish();
    return { kind: 'route', router, prefix };
  }
  return undefined;
}

function readExpectations(check: Reader): Expectation[] {
  const expectations: Expectation[] = [];
  for (const kind of ['equals', 'contains'] as const) {
    if (check.has(kind)) expectations.push({ kind, value: check.raw(kind) });
  }
  const pattern = check.text('matches');
  if (pattern !== undefined) {
    if (isPattern(pattern)) expectations.push({ kind: 'matches', pattern });
    else check.fault('matches', `${pattern} is no regular expression`);
  }
  const absent = check.flag('absent');
  if (absent !== undefined) expectations.push({ kind: absent ? 'absent' : 'present' });
  if (expectations.length === 0) {
    check.fault('', 'expected one of equals, contains, matches, absent');
  }
  return expectations;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
