import test from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { parseScenario } from '../../sim/scenario/parse.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import type { Odd } from './site.ts';

const folder = join(import.meta.dirname, '../scenario');
/** Few in every test run, many in the soak. */
const seeds = Number(process.env['FAIRLEAD_SEEDS'] ?? '4');

const agrees = test.macro({
  exec(t, file: string) {
    const parsed = parseScenario(parse(readFileSync(join(folder, file), 'utf8')));
    if (!parsed.ok) return t.deepEqual(parsed.error, []);
    const objects = parsed.value.manifests.flatMap((name) => (
      parseAllDocuments(readFileSync(join(folder, name), 'utf8'))
        .map((document) => document.toJS() as KubeObject)
    ));
    const outcomes = new Set<string>();
    for (let seed = 0n; seed < seeds; seed += 1n) {
      for (const order of ['fifo', 'uniform'] as const) {
        const input = { scenario: parsed.value, objects, files: new Map(), seed, order };
        const { verdict, cluster } = runScenario(input);
        const unmet = [...verdict.checks, ...verdict.expectations].filter((one) => !one.passed);
        t.deepEqual([unmet, verdict.findings], [[], []], `seed ${seed}, ${order}`);
        outcomes.add(cluster.api.list(resources.services).map(({ metadata, status }) => (
          `${metadata?.name} ${JSON.stringify((status as Odd | undefined)?.['loadBalancer'])}`
        )).join('\n'));
      }
    }
    return t.deepEqual([...outcomes].slice(1), []);
  },
  title: (_, file) => `${file} ends with the same addresses in ${seeds} seeds and both orders`,
});

test(agrees, '10-pool-surgery.yaml');
test(agrees, '12-clock-trouble.yaml');
