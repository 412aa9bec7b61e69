import { setTimeout as pass } from 'node:timers/promises';
import test from 'ava';
import { kernelTests } from '../kernel/machine.ts';
import { paths, policy, pool, service, slice } from './objects.ts';
import { DaemonSite, hosts, secret, soon, type Daemon } from './site.ts';

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
  t.regex(site.probe('a', 'http://127.0.0.1:9474/other') ?? '', /^401 /u);
  t.is(site.probe('api', 'http://127.0.0.1:9475/livez'), '200 ok');
  t.is(site.probe('api', 'http://127.0.0.1:9475/readyz'), '200 ok');
});

/** The metrics of a process, by name and labels. */
function read(host: 'a' | 'api', port: number): ReadonlyMap<string, number> {
  const text = site.try(host, `curl -gsS -m 3 http://127.0.0.1:${port}/metrics`) ?? '';
  return new Map(text.split('\n').filter((line) => line.startsWith('fairlead_'))
    .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

serial('metrics say what the processes know', (t) => {
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
  const of = `{namespace="default",service="web",ip="${vip}",method="l2"}`;
  t.is(leader.get(`fairlead_service_announced${of}`), 1);
});

interface Said {
  readonly code: number;
  readonly body: any;
}

/** Asks the agent of a node by its socket, or over TCP with a token or none. */
function api(node: Node, words: string): Said {
  const said = site.try(node, `curl -gsS -m 3 -w %{http_code} ${words}`) ?? 'null000';
  return { code: Number(said.slice(-3)), body: JSON.parse(said.slice(0, -3)) };
}

function socket(node: Node, words: string): Said {
  return api(node, `--unix-socket ${site.socketOf(node)} ${words}`);
}

serial('at rest an agent writes its renewals and asks for nothing (l2.md 5.5)', async (t) => {
  const renewMs = 500;
  const asked = (kind: string): number => [...read('a', 9472)]
    .filter(([name]) => name.startsWith('fairlead_api_requests_total{'))
    .filter(([name]) => (name.includes('kind="Lease"') && name.includes('verb="update"'))
      === (kind === 'renewal') && !name.includes('verb="watch"') && !name.includes('"Event"'))
    .reduce((sum, [, count]) => sum + count, 0);
  // The burst and the Events of the take are over.
  await pass(3_000);
  const before = { renewal: asked('renewal'), other: asked('other') };
  const from = performance.now();
  await pass(3_000);
  const renewals = asked('renewal') - before.renewal;
  const elapsed = performance.now() - from;
  t.is(asked('other'), before.other, 'no read, and no other write');
  t.true(renewals > 0);
  t.true(renewals <= elapsed / renewMs + 1, `${renewals} renewals in ${elapsed} ms`);
});

serial('the agent tells of itself by its socket', async (t) => {
  const node = await owner() ?? 'a';
  t.is(socket(node, 'http://agent/version').body.node, process.versions.node);
  const status = socket(node, 'http://agent/v1/status').body;
  t.deepEqual([status.ok, status.state, status.problems], [true, 'running', []]);
  const { items } = socket(node, 'http://agent/v1/l2').body;
  t.deepEqual(items.map(({ ip, services }: any) => [ip, services]), [[vip, ['default/web']]]);
  t.regex(items[0].state, /^announc/u);
  const { items: fronts, total } = socket(node, 'http://agent/v1/lb/fronts').body;
  t.is(fronts.length, total);
  t.true(fronts.some(({ front }: any) => front === `${vip}:80/TCP`));
  t.deepEqual(socket(node, 'http://agent/v1/lb/check').body.items, []);
  t.is(socket(node, 'http://agent/v1/config').body.values['l2.session.duration'], '3s');
  t.is(socket(node, 'http://agent/v1/other').code, 404);
});

serial('over TCP nobody is answered without a good token, and nothing is written', (t) => {
  const url = 'http://127.0.0.1:9474';
  t.is(api('a', `${url}/v1/status`).code, 401);
  t.is(api('a', `--oauth2-bearer token ${url}/v1/status`).code, 401);
  const { code, body } = api('a', `-X POST ${url}/v1/drain`);
  t.deepEqual([code, body.kind, body.reason], [401, 'Error', 'Unauthorized']);
});

serial('levels of the log change at run time', (t) => {
  const put = (text: string): Said => (
    socket('a', `-X PUT -d ${text} http://agent/v1/log/levels`)
  );
  t.deepEqual(put('{"components":{"l2":"debug"}}'), {
    code: 200, body: { level: 'info', components: { l2: 'debug' } },
  });
  t.is(put('{"level":"loud"}').code, 422);
  t.is(put('[]').code, 400);
});

serial('a drained node hands over and goes on serving, by the command', async (t) => {
  const before = await owner() ?? 'a';
  const after = before === 'a' ? 'b' : 'a';
  const drain = (...more: readonly string[]): Promise<number | string> => (
    site.start(before, ['drain', '--socket', site.socketOf(before), ...more]).exited
  );
  t.is(await drain(), 0);
  t.is(await soon(async () => (await owner() === after ? after : undefined), 5), after);
  t.is(socket(before, 'http://agent/v1/status').body.state, 'drained');
  t.truthy(await soon(() => site.fetch('client', `http://${vip}/`), 3));
  t.is(await drain('--undo'), 0);
  t.is(await soon(() => {
    const { state } = socket(before, 'http://agent/v1/status').body;
    return state === 'running' ? state : undefined;
  }), 'running');
  const list = site.start(after, ['l2', 'list', '--socket', site.socketOf(after), '--no-headers']);
  t.is(await list.exited, 0);
  t.regex(list.stdout, new RegExp(`^${vip.replaceAll('.', '\\.')} +default/web +announc`, 'u'));
});

// interface.md X9.
serial('a probe of the segment finds the one who answers, and a second one', async (t) => {
  const by = await owner() ?? 'a';
  const mac = (host: Node | 'client'): string => (
    /link\/ether (\S+)/u.exec(site.try(host, 'ip link show eth0') ?? '')?.[1] ?? host
  );
  const probe = async (from: Node): Promise<readonly [unknown, string | undefined]> => {
    const list = site.start(from, [
      'l2', 'list', vip, '--probe', '--socket', site.socketOf(from), '--no-headers',
    ]);
    return [await list.exited, list.stdout.trim().split(/ {3,}/u).at(-1)];
  };
  const both = (): Promise<unknown> => Promise.all(nodes.map((node) => probe(node)));
  t.deepEqual(await both(), [[0, mac(by)], [0, mac(by)]]);
  site.try('client', `ip address add ${vip}/32 dev eth0`);
  // Once a second and address.
  await pass(1_000);
  const two = [mac(by), mac('client')].toSorted().join();
  t.deepEqual(await both(), [[1, two], [1, two]]);
  site.try('client', `ip address del ${vip}/32 dev eth0`);
  t.is(socket('a', '-X POST -d {"address":"web"} http://agent/v1/l2/probe').code, 422);
});

serial('events are streamed to four readers, a fifth one is refused', async (t) => {
  const url = 'http://agent/v1/events?kind=config';
  const words = ['curl', '-gsSN', '--unix-socket', site.socketOf('a'), url];
  const readers = [1, 2, 3, 4].map(() => site.command('a', words));
  const { values } = socket('a', 'http://agent/v1/config').body;
  // A reader that is not there yet misses a change, so there is another one until all have heard.
  const heard = (): boolean => readers.every(({ stdout }) => stdout.includes('\n'));
  for (let turn = 0; turn < 20 && !heard(); turn += 1) {
    site.config('agent-a', { ...values, 'log.level': turn % 2 === 0 ? 'warn' : 'debug' });
    // The file is looked at every second.
    await new Promise((resolve) => { setTimeout(resolve, 1_600); });
  }
  t.is(socket('a', `-m 0.5 ${url}`).code, 429);
  for (const reader of readers) {
    const { node, kind, type } = JSON.parse(reader.stdout.split('\n')[0]!);
    t.deepEqual([node, kind, type], [site.nodeName('a'), 'config', 'config.accepted']);
    reader.signal('SIGTERM');
  }
  site.config('agent-a', values);
});

serial('a bad configuration is refused in four places, a good one in force at once', async (t) => {
  const node = await owner() ?? 'a';
  const first = socket(node, 'http://agent/v1/config').body.values;
  const write = (more: object): string => site.config(`agent-${node}`, { ...first, ...more });
  const file = write({ 'l2.session.renew': [1] });
  const rejected = await soon(() => (
    agents[node].lines.find(({ reason }) => reason === 'config.rejected')
  ));
  t.regex(String(rejected?.['msg']), new RegExp(`${file}:[0-9]+:2: l2.session.renew`, 'u'));
  t.is(socket(node, 'http://agent/v1/status').body.problems[0]?.reason, 'ConfigRejected');
  t.regex(site.try(node, 'curl -gsS http://127.0.0.1:9472/metrics') ?? '', /config_valid 0/u);
  t.truthy(await soon(async () => {
    const { body } = await site.ask('GET', '/api/v1/events');
    return body.items.find(({ reason }: any) => reason === 'ConfigRejected');
  }));
  write({ 'log.level': 'debug' });
  t.is(await soon(() => {
    const level = socket(node, 'http://agent/v1/config').body.values['log.level'];
    return level === 'debug' ? level : undefined;
  }), 'debug');
  const { problems } = socket(node, 'http://agent/v1/status').body;
  t.false(problems.some(({ reason }: any) => reason === 'ConfigRejected'));
});

serial('a setting that takes a restart ends one life in order and begins the next', async (t) => {
  const { values } = socket('b', 'http://agent/v1/config').body;
  site.config('agent-b', { ...values, 'datapath.algorithm': 'maglev' });
  t.truthy(await soon(() => agents.b.lines.find(({ reason }) => reason === 'agent.restarts')));
  t.is(await soon(() => {
    const state = socket('b', 'http://agent/v1/status').body?.state;
    return state === 'running' ? state : undefined;
  }), 'running');
  const { items } = socket('b', 'http://agent/v1/lb/maglev').body;
  t.true(items.length > 0, 'Maglev tables are there');
  t.truthy(await soon(() => site.fetch('client', `http://${vip}/`), 5));
});

const dropped = (...names: readonly string[]): string[] => [
  'setpriv', `--bounding-set=-all,${names.map((name) => `+${name}`).join(',')}`,
];

serial('an agent works with five capabilities, and names one that is missing', async (t) => {
  agents.a.signal('SIGTERM');
  await agents.a.exited;
  const few = ['bpf', 'net_admin', 'net_raw', 'sys_admin'];
  agents.a = site.agent('a', {}, dropped(...few));
  const url = 'http://127.0.0.1:9474/readyz';
  t.is(await soon(() => site.probe('a', url)), '503 missing capabilities: PERFMON');
  agents.a.signal('SIGTERM');
  t.is(await agents.a.exited, 0);
  agents.a = site.agent('a', {}, dropped(...few, 'perfmon'));
  t.is(await soon(() => {
    const said = site.probe('a', url);
    return said === '200 ok' ? said : undefined;
  }), '200 ok', agents.a.stderr);
  t.deepEqual(agents.a.lines.filter(({ level }) => level === 'error'), []);
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

serial('no token is told, in a log or by the API', (t) => {
  const url = 'http://agent/v1';
  const told = ['config', 'status', 'l2'].map((route) => socket('a', `${url}/${route}`).body);
  t.false((site.said + JSON.stringify(told)).includes(secret));
});

serial('a controller that is asked to stop gives up its leadership', async (t) => {
  controller.signal('SIGTERM');
  t.is(await controller.exited, 0, controller.stderr);
  const lease = await site.ask('GET', `${paths.leases}/fairlead-controller`);
  t.is(lease.body.spec.holderIdentity ?? '', '');
});
