// Another version of the agent takes a node over while clients hold connections through it, and the
// old one takes it back: its tables are laid out otherwise, so that what the kernel holds has to be
// carried over both times (simulator.md 13, scenario 8; datapath.md V78).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { layoutHash } from '../../bpf/layout.gen.ts';
import { ownerOf } from '../../kind/lab/faults.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { agentReady, bringUp } from '../../kind/lab/up.ts';
import { doubled, silenceOf, Watcher } from '../../kind/lab/watcher.ts';
import { ip } from '../../lb/ip.ts';
import { kernelTests } from '../kernel/machine.ts';
import { buildOtherLayout } from '../netns/otherlayout.ts';
import { Holder } from './client.ts';
import { labOf, readStory } from './story.ts';

const { skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const name = `u${process.pid}`;
const address = ip('192.168.10.40');
const flows = 40;
const node = 'node-1';
const talk = { do: 'talk', timeoutMs: 15_000 } as const;
const holders: Holder[] = [];

anyTest.after.always(async () => {
  await Promise.all(holders.map((holder) => holder.close()));
  const found = Lab.open(name);
  if (found.ok) await found.value.down();
});

/** One announcer and one node with the pods; a session long enough for any restart. */
async function twoNodes(): Promise<Lab> {
  const read = await readStory('power-off', 'default');
  const settings = { 'l2.session.duration': '8s', 'l2.session.renew': '1s' };
  const { scenario } = read;
  const spec = labOf(name, {
    ...read, scenario: { ...scenario, cluster: { ...scenario.cluster, settings } },
    objects: read.objects.filter(({ kind, metadata }) => (
      kind !== 'Node' || metadata?.name === node || metadata?.name === 'node-4'
    )),
  });
  const up = await bringUp(spec, () => undefined);
  if (!up.ok) throw new Error(up.error);
  return up.value;
}

/** Layouts of which the node has pins. */
function layoutsOf(lab: Lab, of: string): readonly string[] {
  const init = lab.machine(of).init();
  return readdirSync(`/proc/${init}/root/sys/fs/bpf/fairlead/${of}`);
}

test('a version with other layouts takes over and gives back, and no flow breaks', async (t) => {
  const other = buildOtherLayout(['cli', 'l2', 'bgp', 'sim', 'kind/lab']);
  t.teardown(() => other.remove());
  const hash = /layoutHash = '([^']+)'/u.exec(
    readFileSync(join(other.sources, 'bpf/layout.gen.ts'), 'utf8'),
  )?.[1] ?? '';
  t.not(hash, layoutHash);
  const lab = await twoNodes();
  while (await ownerOf(lab, address) !== node) await pause();
  const outside = new Holder(lab, { machine: 'phone' });
  const inside = new Holder(lab, { machine: node });
  holders.push(outside, inside);
  const order = { do: 'open', ip: address, port: 80, count: flows } as const;
  t.is((await outside.ask(order)).alive, flows);
  t.is((await inside.ask(order)).alive, flows);
  const watcher = new Watcher(lab.machine('laptop'), address, 20);
  await watcher.listening;
  for (const [build, layout] of [[other.sources, hash], [undefined, layoutHash]] as const) {
    await lab.machine(node).kill('agent');
    t.is((await outside.ask(talk)).alive, flows, 'without an agent');
    t.is((await inside.ask(talk)).alive, flows, 'from the host without an agent');
    lab.startAgent(node, build === undefined ? {} : { build });
    await agentReady(lab, lab.machine(node));
    t.deepEqual(layoutsOf(lab, node), [`v${layout}`], 'the pins of the other are gone');
    t.is((await outside.ask(talk)).alive, flows, 'after the restart');
    t.is((await inside.ask(talk)).alive, flows, 'from the host after the restart');
  }
  const heard = await watcher.stop();
  t.is(doubled(heard), 0);
  t.is(await ownerOf(lab, address), node);
  t.log(`${silenceOf(heard)} ms without an answer at most`);
});

function pause(): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, 50); });
}
