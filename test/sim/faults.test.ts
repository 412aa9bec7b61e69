import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { faultNames } from '../../sim/fault/fault.ts';
import { parseScenario } from '../../sim/scenario/parse.ts';

const folder = join(import.meta.dirname, '..', 'scenario');

test('every fault strikes in a scenario that the suite holds to its expectations', (t) => {
  const used = readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => {
      const parsed = parseScenario(parse(readFileSync(join(folder, file), 'utf8')));
      const steps = parsed.ok ? parsed.value.steps : [];
      return steps.flatMap(({ action }) => (action.kind === 'fault' ? [action.fault.name] : []));
    });
  t.deepEqual(
    faultNames().filter((name) => !used.includes(name)),
    [],
  );
});
