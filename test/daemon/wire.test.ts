import test from 'ava';
import { kernelTests } from '../kernel/machine.ts';
import { paths, policy, pool, service, slice } from './objects.ts';
import { DaemonSite, hosts, soon, type Daemon } from './site.ts';

const { skip } = kernelTests();
const serial = skip ? test.serial.skip : test.serial;

let site: DaemonSite;
let controller: Daemon;
let agents: { a: Daemon; b: Daemon };
let vip = '';

const nodes = ['a', 'b'] as const;
type Node = (typeof nodes)[number];

/** The node that the lock of the address names. */
async function owner(): Promise<Node | undefined> {
  const lease = `${paths.leases}/fairlead-l2-${vip.replaceAll('.', '-')}`;
  const holder = (await site.ask('GET', lease)).body.spec?.holderIdentity as string | undefined;
  return nodes.find((node) => holder?.startsWith(`${site.nodeName(node)}_`));
}

if (!skip) {
  test.before(async () => {
    site = await DaemonSite.open();
    await Promise.all([site.addNode('a'), site.addNode('b'), site.serve('a')]);
    await site.create(paths.pools, pool);
    await site.create(paths.policies, policy);
    await site.create(paths.services, service('web'));
    await site.create(paths.slices, slice('web', { [hosts.a]: site.nodeName('a') }));
    controller = site.controller();
    agents = { a: site.agent('a'), b: site.agent('b') };
  });
  test.after.always(() => site.close());
}

serial('a Service gets its address, and a client gets through it', async (t) => {
  const path = `${paths.services}/web`;
  vip = await soon(async () => (
    (await site.ask('GET', path)).body.status?.loadBalancer?.ingress?.[0]?.ip
  )) ?? '';
  t.is(vip, '192.0.2.100', controller.stderr);
  const got = await soon(() => site.fetch('client', `http://${vip}/`));
  const by = await owner();
  t.not(by, undefined, agents.a.stderr + agents.b.stderr);
  // Over the other node the client comes by that node's address.
  t.is(got, by === 'a' ? hosts.client : hosts.b);
});

serial('probes say so when an agent and a controller are ready', async (t) => {
  for (const path of ['startupz', 'livez', 'readyz']) {
    t.is(await soon(() => {
      const said = site.probe('a', `http://127.0.0.1:9474/${path}`);
      return said === '200 ok' ? said : undefined;
    }), '200 ok', path);
  }
  t.is(site.probe('a', 'http://127.0.0.1:9474/other'), '404 not found');
  t.is(site.probe('api', 'http://127.0.0.1:9475/livez'), '200 ok');
  t.is(site.probe('api', 'http://127.0.0.1:9475/readyz'), '200 ok');
});

serial('metrics say what the processes know', (t) => {
  const read = (host: 'a' | 'api', port: number): Map<string, number> => new Map(
    (site.try(host, `curl -gsS -m 2 http://127.0.0.1:${port}/metrics`) ?? '').split('\n')
      .filter((line) => line.startsWith('fairlead_'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
  const agent = read('a', 9472);
  t.is(agent.get('fairlead_config_valid'), 1);
  t.is(agent.get('fairlead_datapath_ready'), 1);
  t.is(agent.get('fairlead_l2_session_state{state="live"}'), 1);
  t.is([...agent].filter(([name]) => name.startsWith(`fairlead_l2_owner{ip="${vip}"`)).length, 1);
  const lists = 'fairlead_api_requests_total{verb="list",kind="Service",code="200"}';
  t.true((agent.get(lists) ?? 0) > 0);
  t.true((agent.get('fairlead_l2_session_echo_seconds_count') ?? 0) > 0);
  t.true((agent.get('fairlead_datapath_sync_duration_seconds_count') ?? 0) > 0);
  t.true((agent.get('fairlead_datapath_map_entries{map="fl_svc"}') ?? 0) >= 2);
  const leader = read('api', 9473);
  t.is(leader.get('fairlead_leader'), 1);
  const used = 'fairlead_ippool_addresses{pool="lan",family="IPv4",state="used"}';
  t.is(leader.get(used), 1);
});

serial('a second agent of a node waits and owns nothing', async (t) => {
  const second = site.agent('a', { 'health.address': '127.0.0.1:9484', 'api.socket': '' });
  t.truthy(await soon(() => second.lines.find(({ reason }) => reason === 'agent.waits')));
  t.is(site.probe('a', 'http://127.0.0.1:9484/startupz'), '503 the node is not open yet');
  t.deepEqual(second.lines.filter(({ component }) => component === 'l2'), []);
  second.signal('SIGTERM');
  t.is(await second.exited, 0);
});

serial('an agent that is asked to stop hands over and ends well', async (t) => {
  const before = await owner() ?? 'a';
  const after = before === 'a' ? 'b' : 'a';
  agents[before].signal('SIGTERM');
  t.is(await agents[before].exited, 0, agents[before].stderr);
  t.is(await soon(async () => (await owner() === after ? after : undefined)), after);
  t.truthy(await soon(() => site.fetch('client', `http://${vip}/`), 3));
  agents[before] = site.agent(before);
  t.truthy(await soon(() => (
    site.probe(before, 'http://127.0.0.1:9474/readyz') === '200 ok' || undefined
  )));
});

serial('a node whose agent was killed goes on forwarding, another answers for it', async (t) => {
  const before = await owner() ?? 'a';
  const { body } = await site.ask('GET', `${paths.services}/web`);
  const nodePort = `http://${hosts[before]}:${body.spec.ports[0].nodePort}/`;
  t.truthy(await soon(() => site.fetch('client', nodePort), 3));
  agents[before].signal('SIGKILL');
  await agents[before].exited;
  t.truthy(site.fetch('client', nodePort), 'pinned programs and tables serve');
  const after = before === 'a' ? 'b' : 'a';
  t.is(await soon(async () => (await owner() === after ? after : undefined), 8), after);
  t.truthy(await soon(() => site.fetch('client', `http://${vip}/`), 3));
  agents[before] = site.agent(before);
  t.truthy(await soon(() => (
    site.probe(before, 'http://127.0.0.1:9474/readyz') === '200 ok' || undefined
  )));
  t.truthy(site.fetch('client', nodePort));
});

serial('a controller that is asked to stop gives up its leadership', async (t) => {
  controller.signal('SIGTERM');
  t.is(await controller.exited, 0, controller.stderr);
  const lease = await site.ask('GET', `${paths.leases}/fairlead-controller`);
  t.is(lease.body.spec.holderIdentity ?? '', '');
});
