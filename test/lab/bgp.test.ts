// The rack example on real nodes: agents with their GoBGP daemons, routers that run BIRD, both
// forms of the manifests, traffic over several paths into the eBPF datapath, restarts that nobody
// sees.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { run as runCommand } from '../../cli/program.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { processesOf, runIn, startIn } from '../../kind/lab/site.ts';
import { agentReady } from '../../kind/lab/up.ts';
import { RouteMonitor, routersMissing } from '../bgp/routers/segment.ts';
import { rest, until } from '../bgp/routers/node.ts';
import { kernelTests } from '../kernel/machine.ts';
import { root } from '../tidy/sources.ts';

const skip = kernelTests().skip || routersMissing() !== undefined;
const test = skip ? anyTest.serial.skip : anyTest.serial;
const name = `g${process.pid}`;
const service = '203.0.113.0';

let lab: Lab;
let printed = '';

if (!skip) {
  anyTest.before(async () => {
    const manifests = join(root, 'kind/examples/bgp-rack');
    const code = await runCommand(['lab', 'up', '-m', manifests, '--name', name], {
      out: () => undefined, err: (text) => { printed += text; }, outTty: false, env: {},
      input: () => Promise.resolve(''),
    });
    if (code !== 0) throw new Error(printed);
    const found = Lab.open(name);
    if (!found.ok) throw new Error(found.error);
    lab = found.value;
    await until('every router has every route', () => (
      routes('tor-a1').length === 6 && routes('tor-a2').length === 6
      && routes('router-10.10.2.1').length === 6 && routes('router').length === 6
      && nextHops('router', service).length === 2
    ), 90_000);
  });
  anyTest.after.always(async () => {
    const found = Lab.open(name);
    if (found.ok) await found.value.down();
  });
}

function inside(machine: string, ...words: readonly string[]): string {
  return runIn(lab.machine(machine).site('test'), words);
}

/** Prefixes that BGP gave the kernel of a router. */
function routes(router: string): readonly string[] {
  return inside(router, 'ip', 'route', 'show', 'proto', 'bird').split('\n')
    .filter((line) => /^\d/u.test(line)).map((line) => line.split(' ')[0]!).toSorted();
}

function nextHops(router: string, prefix: string): readonly string[] {
  const shown = inside(router, 'ip', 'route', 'show', prefix);
  return [...shown.matchAll(/via (\S+)/gu)].map(([, via]) => via!).toSorted();
}

function monitor(router: string): RouteMonitor {
  return new RouteMonitor(startIn(
    lab.machine(router).site('test'), ['ip', '-ts', 'monitor', 'route'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  ));
}

/** The daemon of a node, by its command line. */
function speakerOf(node: string): number {
  const found = processesOf(join(lab.machine(node).cgroup, 'agent')).find((pid) => {
    const file = `/proc/${pid}/cmdline`;
    return existsSync(file) && readFileSync(file, 'utf8').startsWith('gobgpd');
  });
  if (found === undefined) throw new Error(`no speaker runs on ${node}`);
  return found;
}

const both = ['10.50.1.0/24', '10.50.2.0/24', '10.50.3.0/24', '10.50.4.0/24', service];

test('both forms of the manifests give the same prefixes', (t) => {
  for (const router of ['tor-a1', 'tor-a2', 'router-10.10.2.1']) {
    const found = routes(router);
    for (const prefix of both) t.true(found.includes(prefix), `${prefix} at ${router}`);
    // The Service that nobody may see.
    t.false(found.includes('203.0.113.2'));
  }
  t.deepEqual(nextHops('tor-a1', service), ['10.10.1.101', '10.10.1.102']);
  t.deepEqual(nextHops('router-10.10.2.1', service), ['10.10.2.101', '10.10.2.102']);
});

test('traffic takes every path into the datapath and back', (t) => {
  const received = (node: string): number => (JSON.parse(
    inside(node, 'ip', '-s', '-j', 'link', 'show', 'eth0'),
  ) as readonly [{ readonly stats64: { readonly rx: { readonly packets: number } } }])[0]
    .stats64.rx.packets;
  const paths = nextHops('router', service);
  const nodes = paths.map((via) => `rack-${via.startsWith('10.10.1.') ? 'a' : 'b'}-${via.at(-1)}`);
  const before = nodes.map(received);
  const answers = Array.from({ length: 40 }, () => JSON.parse(
    inside('phone', 'curl', '-s', '-m', '5', `http://${service}:443/`),
  ) as { readonly server: string });
  for (const { server } of answers) t.regex(server, /^default\/api-/u);
  t.is(new Set(answers.map(({ server }) => server)).size, 3);
  // A connection is five packets or more towards the Service.
  for (const [index, node] of nodes.entries()) t.true(received(node) - before[index]! > 20, node);
});

test('a restarted agent takes its speaker up, and routers hear nothing', async (t) => {
  const speaker = speakerOf('rack-a-1');
  const watched = monitor('tor-a1');
  await rest(200);
  const agents = processesOf(join(lab.machine('rack-a-1').cgroup, 'agent'))
    .filter((pid) => pid !== speaker);
  lab.stopAgent('rack-a-1');
  await until('the agent ended', () => agents.every((pid) => !existsSync(`/proc/${pid}`)));
  lab.startAgent('rack-a-1');
  await agentReady(lab, lab.machine('rack-a-1'));
  await rest(3_000);
  t.is(speakerOf('rack-a-1'), speaker);
  for (const prefix of both) t.deepEqual(watched.changes(prefix), [], prefix);
  t.deepEqual(nextHops('tor-a1', service), ['10.10.1.101', '10.10.1.102']);
});

test('a killed speaker comes back before its routes are missed', async (t) => {
  const speaker = speakerOf('rack-a-2');
  const watched = monitor('tor-a1');
  await rest(200);
  process.kill(speaker, 'SIGKILL');
  await until('another one runs', () => {
    try {
      return speakerOf('rack-a-2') !== speaker;
    } catch {
      return false;
    }
  });
  await until('its session is up', () => inside(
    'tor-a1', 'birdc', '-s', lab.record.path('tor-a1.ctl'), 'show', 'protocols',
  ).split('Established').length === 4, 60_000);
  await rest(3_000);
  for (const prefix of both) t.deepEqual(watched.changes(prefix), [], prefix);
});

test('a node that is no longer selected leaves its routers, and only them', async (t) => {
  await lab.patch('/api/v1/nodes/rack-b-2', { metadata: { labels: { rack: null } } });
  await until('its routes are gone', () => (
    !routes('router-10.10.2.1').includes('10.50.4.0/24')
    && nextHops('router-10.10.2.1', service).join() === '10.10.2.101'
  ));
  t.true(routes('router-10.10.2.1').includes('10.50.3.0/24'));
  t.deepEqual(nextHops('tor-a1', service), ['10.10.1.101', '10.10.1.102']);
});
