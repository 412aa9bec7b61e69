import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLiveCluster } from '../../cli/livecluster.ts';
import { readObjects } from '../../cli/scenariofile.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { parseCommand } from '../../sim/live/command.ts';
import { root } from '../tidy/sources.ts';
import {
  kubectls, normalised, parseTranscript, rewritten, Shell, versionOf,
} from './transcript.ts';

const file = join(import.meta.dirname, 'kubectl.transcript');
const update = process.env['FAIRLEAD_UPDATE'] === '1';
const found = kubectls();
// Each costs some seconds: the one on the path counts, the others are for a soak.
const chosen = process.env['FAIRLEAD_KUBECTLS'] === 'all' ? found : found.slice(0, 1);

// Of the version of its kubectl, which would warn of a difference.
async function cluster(t: ExecutionContext, kubernetes: string) {
  const console = {
    out: () => undefined, err: () => undefined, outTty: false, env: {},
    input: () => Promise.resolve(''),
  };
  const objects = await readObjects(console, [join(root, 'kind/examples/homelab')]);
  const live = await startLiveCluster({
    objects, cluster: { ...defaultCluster(), kubernetes }, rate: { virtual: 20, host: 1 },
    seed: 0n, host: '127.0.0.1', port: 0, kubeconfig: undefined,
  });
  t.teardown(() => live.close());
  await live.perform({ kind: 'until', state: 'converged', timeout: 600_000_000 });
  return live;
}

const prints = test.macro({
  exec: async (t, kubectl: string) => {
    const version = versionOf(kubectl);
    const live = await cluster(t, version);
    const shell = new Shell(kubectl, live.kubeconfig);
    t.teardown(() => { shell.remove(); });
    const text = readFileSync(file, 'utf8');
    const outputs: string[] = [];
    const exchanges = parseTranscript(text, Number(version.split('.')[1]));
    for (const { command } of exchanges) outputs.push(normalised(await shell.run(command)));
    if (update) writeFileSync(file, rewritten(text, exchanges, outputs));
    const wanted = exchanges.map(({ command, output }) => `$ ${command}\n${normalised(output)}`);
    const printed = exchanges.map(({ command }, index) => `$ ${command}\n${outputs[index]}`);
    const differs = (_: string, index: number): boolean => printed[index] !== wanted[index];
    if (update) t.pass();
    else t.deepEqual(printed.filter(differs), wanted.filter(differs));
  },
  title: (_, kubectl: string) => `${basename(kubectl)} prints what it prints against a cluster`,
});

if (chosen.length === 0) {
  test('kubectl is not there', (t) => {
    t.log('no kubectl on the path: Debian has one in package kubernetes-client');
    t.pass();
  });
}
test('the commands of the README work', async (t) => {
  const [kubectl] = found;
  if (kubectl === undefined) return t.log('no kubectl on the path');
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const lines = /```sh\n(kubectl[^]*?)```/u.exec(readme)?.[1]?.trim().split('\n') ?? [];
  t.is(lines.length, 6);
  const live = await cluster(t, versionOf(kubectl));
  const shell = new Shell(kubectl, live.kubeconfig);
  t.teardown(() => { shell.remove(); });
  for (const line of lines) t.notRegex(await shell.run(line), /error|\(exit/iu, line);
  const controls = /```\n(pause\n[^]*?)```/u.exec(readme)?.[1]?.trim().split('\n') ?? [];
  t.is(controls.length, 6);
  for (const line of controls) t.true(parseCommand(line).ok, line);
});

for (const kubectl of update ? chosen.slice(0, 1) : chosen) test.serial(prints, kubectl);
