import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { readObjects } from '../../cli/scenariofile.ts';
import { dismantle } from '../../kind/lab/dismantle.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { labProgram } from '../../kind/lab/programs.ts';
import { LabRecord } from '../../kind/lab/record.ts';
import { runIn, startIn } from '../../kind/lab/site.ts';
import { planSpec, type LabSpec } from '../../kind/lab/spec.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { kernelTests } from '../kernel/machine.ts';
import { root } from '../tidy/sources.ts';
import { hostNetwork, leftOf } from './host.ts';

const { skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const name = `t${process.pid}`;

async function homelab(): Promise<LabSpec> {
  const console = {
    out: () => undefined, err: () => undefined, outTty: false, env: {},
    input: () => Promise.resolve(''),
  };
  const objects = await readObjects(console, [join(root, 'kind/examples/homelab')]);
  const spec = planSpec({ name, objects, cluster: defaultCluster(), network: undefined });
  if (!spec.ok) throw new Error(spec.error);
  return spec.value;
}

anyTest.after.always(async () => {
  const lab = Lab.open(name);
  if (lab.ok) await lab.value.down();
});

test('a lab touches nothing of this machine and goes away whole', async (t) => {
  const before = hostNetwork();
  const made = await Lab.make(await homelab());
  if (!made.ok) throw new Error(made.error);
  const lab = made.value;
  t.deepEqual(hostNetwork(), before);
  t.true(leftOf(name).length > 0);
  const again = await Lab.make(lab.spec);
  t.regex(again.ok ? '' : again.error, /^already there: lab t\d+, namespace t\d+-switch, /u);
  // A process that nobody wrote down, and one of a node with mounts of its own.
  startIn(lab.machine('phone').site('stray'), ['sleep', '1000'], { detached: true }).unref();
  startIn(lab.machine('node-2').site('stray'), ['sleep', '1000'], { detached: true }).unref();
  const gone = await lab.down();
  t.is(gone.namespaces, lab.spec.blueprint.machines.length);
  t.true(gone.processes >= 3);
  t.deepEqual(hostNetwork(), before);
  t.deepEqual(leftOf(name), []);
  t.false(new LabRecord(name).present);
  t.false(Lab.open(name).ok);
});

test('its machines reach each other as the topology says', async (t) => {
  const made = await Lab.make(await homelab());
  if (!made.ok) throw new Error(made.error);
  const lab = made.value;
  const probe = labProgram('probe');
  if (!probe.ok) throw new Error(probe.error);
  // Nobody listens: a refusal is an answer of the machine asked.
  const reaches = (from: string, to: string): boolean => {
    const ask = `${probe.value} ${to} 9 50 500 | head -1`;
    return runIn(lab.machine(from).site('ask'), ['sh', '-c', ask]).endsWith(' refused\n');
  };
  t.true(reaches('laptop', '192.168.10.12'));
  t.true(reaches('phone', '192.168.10.12'), 'through the router');
  t.true(reaches('phone', 'fd00:10::12'), 'through the router over IPv6');
  t.true(reaches('node-1', '192.168.10.13'));
  t.true(reaches('node-1', lab.spec.blueprint.control), 'over the management network');
  t.false(reaches('laptop', lab.spec.blueprint.control), 'which is no LAN');
  // Each node has its own bpffs and /run.
  const seen = runIn(lab.machine('node-1').site('look'), ['ls', '/run']);
  t.is(seen, '');
  await lab.machine('node-3').kill();
  t.is(lab.machine('node-3').init(), undefined);
  await lab.down();
  t.deepEqual(leftOf(name), []);
});

test('a lab whose making was cut short is taken down all the same', async (t) => {
  const made = await Lab.make(await homelab());
  if (!made.ok) throw new Error(made.error);
  const { record } = made.value;
  // Written down, and then its maker died.
  record.add({ kind: 'namespace', name: `${name}-pod-never` });
  appendFileSync(record.path('record.jsonl'), '{"kind":"names');
  t.is((await made.value.down()).namespaces, made.value.spec.blueprint.machines.length);
  t.deepEqual(leftOf(name), []);
});

test('a lab whose maker is killed while it starts everything goes away whole', async (t) => {
  const before = hostNetwork();
  const words = ['lab', 'up', '-m', join(root, 'kind/examples/homelab'), '--name', name];
  const child = spawn(process.execPath, [join(root, 'cli/main.ts'), ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // By then the control plane runs, starts pods, and agents are being started.
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (text) => {
      if (String(text).includes('api server')) resolve();
    });
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.true((await dismantle(new LabRecord(name))).namespaces >= 8);
  t.deepEqual(leftOf(name), []);
  t.deepEqual(hostNetwork(), before);
});

test('pods of the control plane are processes that answer over the network', async (t) => {
  const made = await Lab.make(await homelab());
  if (!made.ok) throw new Error(made.error);
  const lab = made.value;
  const url = await lab.startControlPlane();
  const path = '/api/v1/namespaces/ingress/pods';
  const ready = ({ status: { conditions = [] } }: Pod): boolean => (
    conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  );
  let pods: readonly Pod[] = [];
  for (let tries = 0; tries < 200 && (pods.length < 2 || !pods.every(ready)); tries += 1) {
    pods = ((await (await fetch(`${url}${path}`)).json()) as { items: Pod[] }).items;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  t.is(pods.length, 2);
  for (const pod of pods) {
    // From another node, over plain routes, without any Service.
    const from = pod.spec.nodeName === 'node-1' ? 'node-2' : 'node-1';
    const ask = `fetch('http://${pod.status.podIP}:8000/').then((answer) => answer.text())`;
    const words = [process.execPath, '-e', `${ask}.then((text) => process.stdout.write(text))`];
    const answer = runIn(lab.machine(from).site('ask'), words);
    const { server, client } = JSON.parse(answer) as { server: string; client: string };
    t.is(server, `ingress/${pod.metadata.name}`);
    t.is(client.split(':')[0], `192.168.10.1${from.at(-1)}`);
  }
  await lab.down();
  t.deepEqual(leftOf(name), []);
});

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}
