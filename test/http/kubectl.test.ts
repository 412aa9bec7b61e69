import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLiveCluster } from '../../cli/livecluster.ts';
import { readObjects } from '../../cli/scenariofile.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { root } from '../tidy/sources.ts';
import { kubectls, normalised, parseTranscript, Shell, versionOf } from './transcript.ts';

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
    const live = await cluster(t, versionOf(kubectl));
    const shell = new Shell(kubectl, live.kubeconfig);
    t.teardown(() => { shell.remove(); });
    const text = readFileSync(file, 'utf8');
    const outputs: string[] = [];
    const exchanges = parseTranscript(text);
    for (const { command } of exchanges) outputs.push(normalised(await shell.run(command)));
    if (update) writeFileSync(file, rewritten(text, outputs));
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
for (const kubectl of update ? chosen.slice(0, 1) : chosen) test.serial(prints, kubectl);

// The commands and comments as they stand, with new outputs between.
function rewritten(text: string, outputs: readonly string[]): string {
  const lines: string[] = [];
  let next = 0;
  let open = false;
  const close = (): void => {
    const output = outputs[next] ?? '';
    if (open && output !== '') lines.push(output);
    if (open) next += 1;
    open = false;
  };
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('$ ')) {
      close();
      open = true;
      lines.push(line);
    } else if (line.startsWith('> ')) lines.push(line);
    else if (line.startsWith('#') || (line === '' && !open)) {
      const section = open;
      close();
      if (section) lines.push('');
      lines.push(line);
    }
  }
  close();
  return `${lines.join('\n')}\n`;
}
