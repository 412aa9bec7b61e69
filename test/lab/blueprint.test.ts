import { join } from 'node:path';
import test from 'ava';
import { run } from '../../cli/program.ts';
import { readObjects } from '../../cli/scenariofile.ts';
import { storyOf } from '../../kind/lab/failover.ts';
import { planSpec, type HostCount, type LabSpec } from '../../kind/lab/spec.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { root } from '../tidy/sources.ts';
import { readStory } from './story.ts';

const console = {
  out: () => undefined, err: () => undefined, outTty: false, env: {},
  input: () => Promise.resolve(''),
};
const cluster = defaultCluster();

async function plan(name: string, hosts?: HostCount): Promise<LabSpec | string> {
  const objects = await readObjects(console, [join(root, 'kind/examples/homelab')]);
  const read = planSpec({
    name, objects, cluster, network: undefined, ...(hosts === undefined ? {} : { hosts }),
  });
  return read.ok ? read.value : read.error;
}

async function machines(hosts: HostCount): Promise<readonly string[]> {
  const spec = await plan('lab', hosts);
  if (typeof spec === 'string') throw new Error(spec);
  return spec.blueprint.machines.map(({ name }) => name);
}

test('a lab has the machines that the simulator derives, a switch and a control plane', async (t) => {
  const nodes = ['switch', 'control', 'node-1', 'node-2', 'node-3'];
  t.deepEqual(
    await machines({ routers: 1, clients: 0 }), [...nodes, 'router', 'laptop', 'phone'],
  );
  t.deepEqual(
    await machines({ routers: 1, clients: 2 }),
    [...nodes, 'router', 'laptop', 'phone', 'client-1', 'client-2'],
  );
  // Without a way out nobody is behind it.
  t.deepEqual(await machines({ routers: 0, clients: 1 }), [...nodes, 'laptop', 'client-1']);
});

test('every cable has its own port and hardware address, and both its ends in the lab', async (t) => {
  const spec = await plan('lab', { routers: 1, clients: 20 });
  if (typeof spec === 'string') return t.fail(spec);
  const { cables, machines: all } = spec.blueprint;
  t.is(new Set(cables.map(({ port }) => port)).size, cables.length);
  t.is(new Set(cables.map(({ mac }) => mac)).size, cables.length);
  const lines = all.flatMap((machine) => machine.lines);
  const links = lines.filter((line) => line.startsWith('link add') && line.includes(' veth '));
  t.true(links.length > cables.length);
  return t.true(links.every((line) => / netns lab-[a-z0-9-]+$/u.test(line)), links.join('\n'));
});

const refused = test.macro({
  exec: async (t, name: string) => {
    const error = await plan(name);
    t.is(error, `'${name}' is no name of a lab: 1 to 16 of a-z, 0-9 and hyphens`);
  },
  title: (_, name) => `'${name}' is no name of a lab`,
});
test(refused, '');
test(refused, '-lab');
test(refused, 'Lab');
test(refused, 'a/b');
test(refused, '..');
test(refused, 'a-name-far-too-long');

test('no command takes a name that is none', async (t) => {
  for (const words of [['down'], ['status'], ['up'], ['exec', 'node-1', 'true']]) {
    let said = '';
    const code = await run(['lab', ...words, '--name', '../lab'], {
      ...console, err: (text) => { said += text; },
    });
    t.is(code, 64);
    t.regex(said, /'\.\.\/lab' is no name of a lab/u);
  }
});

test('a lab without Nodes assumes some, and a Node may not be called as the switch', (t) => {
  const named = planSpec({ name: 'lab', objects: [], cluster, network: undefined });
  t.is(named.ok && named.value.blueprint.cables.length, 7);
  const nodes = [{ name: 'switch', labels: {}, controlPlane: false }];
  const spec = planSpec({
    name: 'lab', objects: [], cluster: { ...cluster, nodes }, network: undefined,
  });
  t.is(spec.ok ? '' : spec.error, 'no machine of a lab may be called switch');
});

test('a lab plays scenarios of one fault and one line of traffic', async (t) => {
  const { scenario } = await readStory('power-off', 'fast');
  t.is(storyOf(scenario).service.name, 'web');
  t.throws(() => storyOf({ ...scenario, traffic: [] }), { message: /one fault and one line/u });
  t.throws(() => storyOf({ ...scenario, steps: [] }), { message: /one fault and one line/u });
});
