import test from 'ava';
import { sources } from './sources.ts';

const edgeCount = 32;
const rowCount = 56;

/** `1` to `last`, each after `letter`. */
function numbers(letter: string, last: number): string[] {
  return Array.from({ length: last }, (_, index) => `${letter}${index + 1}`);
}

// Rows are those of bgp.md 12, edges those of its 5.5: titles begin with `bgp 15, G26: `.
test('every row and every sharp edge of BGP has a test whose title names it', (t) => {
  const named = new Set(sources('.test.ts', 'suite.ts').flatMap(({ lines }) => lines.flatMap(
    (line) => /['`]bgp (G?\d+(?:, G?\d+)*): /u.exec(line)?.[1]?.split(', ') ?? [],
  )));
  const all = [...numbers('', rowCount), ...numbers('G', edgeCount)];
  t.deepEqual(all.filter((name) => !named.has(name)), []);
});
