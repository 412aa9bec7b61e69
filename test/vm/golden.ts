// What a kernel answered to the cases of `vectors.ts`, so that machines without bpf(2) compare with
// the same truth. Recorded anew, as root, by `node test/vm/golden.ts` on Linux 6.18.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelTests } from '../kernel/machine.ts';
import { kernelExecutor } from './executors.ts';
import {
  digest, helperCase, mapCase, tableMaps,
  type DumpingExecutor, type Executor, type Outcome,
} from './vectors.ts';

interface Suite {
  readonly name: 'helpers' | 'maps';
  readonly count: number;
  readonly dumps: readonly string[];
  readonly run: (executor: Executor, seed: number) => Outcome;
}

export const suites: readonly Suite[] = [
  { name: 'helpers', count: 3_000, dumps: [], run: helperCase },
  { name: 'maps', count: 3_000, dumps: tableMaps, run: mapCase },
];

/** Eight digits for each case in order, and the sorted rows of the maps at the end. */
export interface Golden {
  readonly digests: string;
  readonly dumps: Readonly<Record<string, readonly string[]>>;
}

/** The same figures as an executor makes them now. */
export function answers({ count, dumps, run }: Suite, executor: DumpingExecutor): Golden {
  const digests = Array.from({ length: count }, (_, seed) => digest(run(executor, seed + 1)));
  return {
    digests: digests.join(''),
    dumps: Object.fromEntries(dumps.map((map) => [map, executor.dump(map)])),
  };
}

const path = (name: string): string => join(import.meta.dirname, 'fixtures', `${name}.golden.json`);

export function goldenOf({ name }: Suite): Golden {
  return JSON.parse(readFileSync(path(name), 'utf8')) as Golden;
}

if (import.meta.main) {
  const { addon } = kernelTests();
  for (const suite of suites) {
    const kernel = kernelExecutor(addon, suite.name);
    writeFileSync(path(suite.name), `${JSON.stringify(answers(suite, kernel))}\n`);
    kernel.close();
  }
}
