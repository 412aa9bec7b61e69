import test from 'ava';
import fc from 'fast-check';
import { formatSelector, parseSelectorText } from '../../lb/selector-text.ts';
import { compileSelector } from '../../lb/selector.ts';

const reads = test.macro({
  exec: (t, text: string, canonical: string) => {
    const parsed = parseSelectorText(text);
    t.true(parsed.ok);
    if (parsed.ok) t.is(formatSelector(parsed.value), canonical);
  },
  title: (_, text, canonical) => `'${text}' is '${canonical}'`,
});
test(reads, '', '');
test(reads, '  ', '');
test(reads, 'a=b', 'a=b');
test(reads, ' a == b , c = d ', 'a=b,c=d');
test(reads, 'b=1,a=2', 'a=2,b=1');
test(reads, 'a=', 'a=');
test(reads, 'a=,b', 'a=,b');
test(reads, 'a!=b', 'a notin (b)');
test(reads, 'a!=', 'a notin ()');
test(reads, 'a in (b, c),d notin (e)', 'a in (b,c),d notin (e)');
test(reads, 'a in (,b)', 'a in (,b)');
test(reads, 'a in ()', 'a in ()'); // kubectl: a list of the empty value
test(reads, 'in in (in)', 'in in (in)');
test(reads, 'a,!b,! c', 'a,!b,!c');
test(reads, 'example.org/a.b_c=D-1', 'example.org/a.b_c=D-1');
test(reads, 'a=1,a=2', 'a=1,a in (2)');
test(reads, 'constructor=x', 'constructor=x');

const refuses = test.macro({
  exec: (t, text: string, position: number, message: RegExp) => {
    const parsed = parseSelectorText(text);
    t.false(parsed.ok);
    if (parsed.ok) return;
    t.is(parsed.error.position, position);
    t.regex(parsed.error.message, message);
  },
  title: (_, text, position) => `'${text}' is refused at ${position}`,
});
test(refuses, ',', 0, /a label key at 1, found ','/u);
test(refuses, 'a,', 2, /a requirement at 3, found the end/u);
test(refuses, 'a,,b', 2, /a label key/u);
test(refuses, '=b', 0, /a label key/u);
test(refuses, '!', 1, /a label key/u);
test(refuses, '!a=b', 2, /',' or the end/u);
test(refuses, 'a b', 2, /'in' or 'notin'/u);
test(refuses, 'a in', 4, /'\('/u);
test(refuses, 'a in b', 5, /'\('/u);
test(refuses, 'a in (b', 7, /',' or '\)'/u);
test(refuses, 'a=(', 2, /a label value/u);
test(refuses, 'a in (b))', 8, /',' or the end/u);
test(refuses, 'a=b=c', 3, /',' or the end/u);
test(refuses, 'a>1', 1, /found '>'/u);
test(refuses, '-a=b', 0, /a label key/u);
test(refuses, 'a=b.', 2, /a label value/u);
test(refuses, 'A/b=c', 0, /a label key/u);
test(refuses, `${'k'.repeat(64)}=v`, 0, /a label key/u);
test(refuses, 'a=ä', 2, /a label value/u);
test(refuses, 'a = b, c = $', 11, /a label value/u);

const name = fc.stringMatching(/^[a-z]([-a-z.]{0,6}[a-z])?$/u);
const expression = fc.oneof(
  fc.record({
    key: name,
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.array(name, { minLength: 1 }),
  }),
  fc.record({
    key: name,
    operator: fc.constantFrom('Exists', 'DoesNotExist'),
    values: fc.constant([]),
  }),
);
const selector = fc.record({
  matchLabels: fc.dictionary(name, name, { noNullPrototype: true }),
  matchExpressions: fc.array(expression, { maxLength: 4 }),
});

test('what is written is read back', (t) => {
  fc.assert(fc.property(selector, (value) => {
    const parsed = parseSelectorText(formatSelector(value));
    t.deepEqual(parsed.ok ? parsed.value : parsed.error, value);
  }), { seed: 2, numRuns: 500 });
});

test('no text ends the program, and what is read compiles', (t) => {
  const letters = fc.constantFrom(...'ab/. =!(),<>in tno\u0000é'.split(''));
  fc.assert(fc.property(fc.string({ unit: letters, maxLength: 20 }), (text) => {
    const parsed = parseSelectorText(text);
    if (parsed.ok) t.true(compileSelector(parsed.value).ok);
    else t.true(parsed.error.position >= 0 && parsed.error.position <= text.length);
  }), { seed: 3, numRuns: 5000 });
});
