import { readdir } from 'node:fs/promises';
import { figureText, median, short, verdictOf, type Bench } from './bench.ts';

// Rounds are interleaved, so that a slow minute of the machine meets every bench alike.
const roundCount = short ? 1 : 5;

// Words choose figures by a part of their names.
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const all = (await collect()).filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
);
const wanted = all.filter((bench) => !short || bench.long !== true);
const reasons = new Map(wanted.map((bench) => [bench, bench.skipped?.()] as const));
const benches = wanted.filter((bench) => reasons.get(bench) === undefined);
const figures = new Map(benches.map((bench) => [bench.name, [] as number[]]));
for (let round = 1; round <= roundCount; round += 1) {
  for (const bench of benches) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001B[Kround ${round}: ${bench.name}`);
    figures.get(bench.name)?.push(bench.run());
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
    if (round === roundCount) report(bench);
  }
}
const left = Map.groupBy(
  all.filter((bench) => !benches.includes(bench)), (bench) => reasons.get(bench) ?? 'takes long',
);
for (const [reason, group] of left) {
  for (const { name } of group) console.log(`${name}   skipped: ${reason}`);
}
// A runner that lacks what the figures need would report success for ever.
const unmeasured = process.env['CI'] === undefined ? 0 : wanted.length - benches.length;
const missed = benches.filter((bench) => missedBy(bench)).length + unmeasured;
console.log(`${benches.length + unmeasured - missed} passed, ${missed} failed`);
process.exitCode = missed === 0 ? 0 : 1;

function report(bench: Bench): void {
  const measured = figures.get(bench.name) ?? [];
  const figure = median(measured);
  const verdict = verdictOf(bench, figure, short);
  const columns = [bench.name, figureText(figure), bench.unit, bounds(bench), verdict];
  console.log([...columns, spread(measured), bench.notes?.() ?? ''].filter(Boolean).join('   '));
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

function spread(measured: readonly number[]): string {
  if (measured.length < 2) return '';
  return `from ${figureText(Math.min(...measured))} to ${figureText(Math.max(...measured))}`;
}

function bounds({ floor, ceiling }: Bench): string {
  const parts = [
    floor === undefined ? '' : `floor ${figureText(floor)}`,
    ceiling === undefined ? '' : `ceiling ${figureText(ceiling)}`,
  ];
  return parts.filter((part) => part !== '').join(', ') || '-';
}
