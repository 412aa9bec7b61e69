import { checkedPrograms } from '../vm/checked.ts';
import test from 'ava';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../kube/port.ts';
import { parseScenario } from '../../sim/scenario/parse.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import { exitClass } from '../../sim/scenario/verdict.ts';
import { compiles } from '../netns/otherlayout.ts';
import { otherBuilds } from './builds.ts';

const here = import.meta.dirname;
/** Seeds of each scenario: few in every test run, many in the soak. */
const seeds = Number(process.env['FAIRLEAD_SEEDS'] ?? '5');

const holds = test.macro({
  exec: async (t, file: string) => {
    const parsed = parseScenario(parse(readFileSync(join(here, file), 'utf8')));
    if (!parsed.ok) return t.deepEqual(parsed.error, []);
    const scenario = parsed.value;
    if (scenario.cluster.builds !== undefined && !compiles) {
      t.log('no other build: no clang-14');
      return t.pass();
    }
    const objects = scenario.manifests.flatMap((name) => readManifests(join(here, name)));
    const others = scenario.cluster.builds === undefined ? undefined : await otherBuilds();
    const input = { scenario, objects, files: new Map(), ...(others && { builds: others }) };
    let hash = '';
    for (let seed = 0; seed < seeds; seed += 1) {
      const { verdict } = runScenario({ ...input, seed: BigInt(seed), programs: checkedPrograms });
      const failed = [...verdict.checks, ...verdict.expectations].filter((one) => !one.passed);
      t.deepEqual(failed, [], `seed ${seed}`);
      t.deepEqual(
        verdict.findings.map(({ oracle, object, text }) => `${oracle} ${object}: ${text}`),
        [],
        `seed ${seed}`,
      );
      t.is(exitClass(verdict), 'ok', `seed ${seed}`);
      if (seed === 0) hash = `${verdict.hash} ${verdict.unseed} ${verdict.blocks.join()}`;
    }
    const again = runScenario({ ...input, seed: 0n, programs: checkedPrograms }).verdict;
    t.is(
      `${again.hash} ${again.unseed} ${again.blocks.join()}`,
      hash,
      'a second run of seed 0 is the same run',
    );
    return undefined;
  },
  title: (_, file) => `${file} holds for ${seeds} seeds and repeats event by event`,
});

for (const file of readdirSync(here)
  .filter((name) => name.endsWith('.yaml'))
  .toSorted())
  test(holds, file);

function readManifests(path: string): KubeObject[] {
  if (statSync(path).isDirectory()) {
    return readdirSync(path)
      .toSorted()
      .flatMap((name) => readManifests(join(path, name)));
  }
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document): KubeObject =>
    document.toJS(),
  );
}
