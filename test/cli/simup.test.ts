import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { readKindConfig } from '../../cli/kindconfig.ts';
import { writeKubeconfig } from '../../cli/simkubeconfig.ts';
import { root } from '../tidy/sources.ts';

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'fairlead-simup-'));
  t.teardown(() => { rmSync(made, { recursive: true, force: true }); });
  return made;
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `fairlead` with these words; `heard` may end it, and sees what it has printed so far. */
function fairlead(
  words: readonly string[], input: string,
  heard: (out: string, child: ReturnType<typeof spawn>) => void = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [join(root, 'cli/main.ts'), ...words], { cwd: root });
  let [out, err] = ['', ''];
  child.stdout.on('data', (piece) => {
    out += String(piece);
    heard(out, child);
  });
  child.stderr.on('data', (piece) => { err += String(piece); });
  child.stdin.write(input);
  return new Promise((resolve) => {
    child.on('close', (code) => { resolve({ code, out, err }); });
  });
}

test('a session is controlled by lines, saved, and repeated by sim run', async (t) => {
  const home = folder(t);
  const script = join(home, 'script');
  const saved = join(home, 'session.yaml');
  const fault = 'fault node.powerOff node=node-2 for=1m';
  writeFileSync(script, `until converged\n# a comment\npause\n${fault}\n`);
  const words = ['sim', 'up', '-f', 'kind/examples/homelab', '--script', script];
  const { code, out, err } = await fairlead(words, `step 20s\ndance\nsave ${saved}\nquit\n`);
  t.is(code, 0, err);
  t.regex(out, /^export KUBECONFIG=\/.+\nconverged after [^]+\npaused at [^]+node\.powerOff at /);
  t.regex(out, /\n20 s passed[^]+holds 1 deeds\n$/);
  t.regex(err, /Nodes: 3, Services: 5, at http:\/\/127\.0\.0\.1:\d+\n[^]*unknown command 'dance'/);
  // The kubeconfig that nobody asked to keep is gone with the cluster.
  t.false(existsSync(/KUBECONFIG=(.+)/u.exec(out)?.[1] ?? ''));
  const again = await fairlead(['sim', 'run', saved, '--twice'], '');
  t.regex(again.out, /^ok {5}session {3}seed 0/);
});

test('SIGTERM ends it in order', async (t) => {
  const { code, err } = await fairlead(['sim', 'up', '--nodes', '1'], '', (out, child) => {
    if (out.includes('export KUBECONFIG')) child.kill('SIGTERM');
  });
  t.is(code, 0, err);
});

test('what cannot be done is told before anything starts', async (t) => {
  const script = join(folder(t), 'script');
  writeFileSync(script, 'pause\nfault node.powerOff\n');
  const bad = await fairlead(['sim', 'up', '--script', script], '');
  t.is(bad.code, 64);
  t.regex(bad.err, /script:2: fault\.with\.node: is required/);
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => { taken.close(); });
  await new Promise((resolve) => { taken.once('listening', resolve); });
  const { port } = taken.address() as AddressInfo;
  const busy = await fairlead(['sim', 'up', '--port', String(port), '--nodes', '1'], '');
  t.is(busy.code, 3);
  t.regex(busy.err, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
});

test('a kubeconfig of somebody else is never replaced, its own is', (t) => {
  const home = folder(t);
  const file = join(home, 'config');
  writeKubeconfig('http://127.0.0.1:1', file);
  writeKubeconfig('http://127.0.0.1:2', file).remove();
  const { clusters } = parse(readFileSync(file, 'utf8')) as Record<string, any>;
  t.is(clusters[0].cluster.server, 'http://127.0.0.1:2');
  writeFileSync(file, 'kind: Config\n');
  t.throws(() => writeKubeconfig('http://127.0.0.1:3', file), { message: /not from sim up/ });
});

const kind = 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n';

test('a kind cluster file gives nodes, version and ranges', (t) => {
  const file = join(folder(t), 'kind.yaml');
  writeFileSync(file, `${kind}name: lab
nodes:
- role: control-plane
  image: kindest/node:v1.31.4@sha256:0
- role: worker
  labels: {zone: a}
- role: worker
networking: {podSubnet: "10.8.0.0/16,fd00:8::/56", serviceSubnet: 10.9.0.0/16, kubeProxyMode: none}
`);
  const { kubernetes, nodes, podCidrs, serviceCidrs } = readKindConfig(file);
  t.is(kubernetes, '1.31');
  t.deepEqual(nodes.map(({ name }) => name), ['lab-control-plane', 'lab-worker', 'lab-worker2']);
  t.deepEqual([nodes[0]?.controlPlane, nodes[1]?.labels], [true, { zone: 'a' }]);
  t.deepEqual([podCidrs, serviceCidrs], [['10.8.0.0/16', 'fd00:8::/56'], ['10.9.0.0/16']]);
});

const refused = test.macro({
  exec: (t, text: string, message: RegExp) => {
    const file = join(folder(t), 'kind.yaml');
    writeFileSync(file, text);
    t.throws(() => readKindConfig(file), { message });
  },
  title: (_, text: string) =>
    `a kind file with ${JSON.stringify(text.replace(kind, ''))} is refused`,
});
test(refused, 'kind: Scenario\n', /kind: expected Cluster/);
test(refused, `${kind}nodes: [{role: master}]\n`, /nodes\[0\]\.role: expected one of/);
test(refused, `${kind}networking: {podSubnet: nowhere}\n`, /networking\.podSubnet: nowhere is no prefix/);
test(refused, `${kind}networking: {podSubnets: 1}\n`, /networking\.podSubnets: unknown field/);
test(refused, '{', /kind\.yaml: /);
