import { readdir } from 'node:fs/promises';
import { figureText, median, verdictOf, type Bench } from './bench.ts';

// Rounds are interleaved, so that a slow minute of the machine meets every bench alike.
const short = process.argv.includes('--short');
const roundCount = short ? 1 : 5;

const all = await collect();
const benches = all.filter((bench) => !short || bench.long !== true);
const figures = new Map(benches.map((bench) => [bench.name, [] as number[]]));
for (let round = 1; round <= roundCount; round += 1) {
  for (const bench of benches) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001B[Kround ${round}: ${bench.name}`);
    figures.get(bench.name)?.push(bench.run());
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
    if (round === roundCount) report(bench);
  }
}
for (const { name } of all.filter((bench) => !benches.includes(bench))) {
  console.log(`${name}   skipped: takes long`);
}
const missed = benches.filter((bench) => missedBy(bench)).length;
console.log(`${benches.length - missed} passed, ${missed} failed`);
process.exitCode = missed === 0 ? 0 : 1;

function report(bench: Bench): void {
  const figure = median(figures.get(bench.name) ?? []);
  const verdict = verdictOf(bench, figure, short);
  console.log([bench.name, figureText(figure), bench.unit, bounds(bench), verdict].join('   '));
}

function missedBy(bench: Bench): boolean {
  const verdict = verdictOf(bench, median(figures.get(bench.name) ?? []), short);
  return verdict === 'BELOW' || verdict === 'ABOVE';
}

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
