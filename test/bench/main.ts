import { readdir } from 'node:fs/promises';
import { figureText, median, verdictOf, type Bench } from './bench.ts';

// Rounds are interleaved, so that a slow minute of the machine meets every bench alike.
const short = process.argv.includes('--short');
const roundCount = short ? 1 : 5;

const benches = await collect();
const figures = new Map(benches.map((bench) => [bench.name, [] as number[]]));
for (let round = 1; round <= roundCount; round += 1) {
  for (const bench of benches) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001B[Kround ${round}: ${bench.name}`);
    figures.get(bench.name)?.push(bench.run());
  }
}
if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');

let missed = 0;
for (const bench of benches) {
  const figure = median(figures.get(bench.name) ?? []);
  const verdict = verdictOf(bench, figure, short);
  if (verdict === 'BELOW' || verdict === 'ABOVE') missed += 1;
  console.log([bench.name, figureText(figure), bench.unit, bounds(bench), verdict].join('   '));
}
console.log(`${benches.length - missed} passed, ${missed} failed`);
process.exitCode = missed === 0 ? 0 : 1;

async function collect(): Promise<Bench[]> {
  const names = await readdir(import.meta.dirname);
  const found: Bench[] = [];
  for (const name of names.filter((file) => file.endsWith('.bench.ts')).toSorted()) {
    const module = (await import(`./${name}`)) as { benches?: readonly Bench[] };
    if (module.benches === undefined) throw new Error(`${name} exports no benches`);
    found.push(...module.benches);
  }
  return found;
}

function bounds({ floor, ceiling }: Bench): string {
  const parts = [
    floor === undefined ? '' : `floor ${figureText(floor)}`,
    ceiling === undefined ? '' : `ceiling ${figureText(ceiling)}`,
  ];
  return parts.filter((part) => part !== '').join(', ') || '-';
}
