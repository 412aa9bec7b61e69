import test from 'ava';
import { liveCluster, type LiveRig } from './liverig.ts';
import { parseCommand } from '../../sim/live/command.ts';
import { parseScenario } from '../../sim/scenario/parse.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import { resources } from '../../kube/resource.ts';
import type { Heard } from './place.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';

const services = '/api/v1/namespaces/default/services';
const pools = '/apis/cilium.io/v2/ciliumloadbalancerippools';

function everything(cluster: Cluster): unknown {
  return Object.values(resources).flatMap((resource) => cluster.api.list(resource));
}

function play(at: LiveRig): void {
  at.say('until converged');
  at.pass(0.35);
  const spec = { blocks: [{ cidr: '192.0.2.0/24' }] };
  at.ask(`POST ${pools}`, { metadata: { name: 'p' }, spec });
  at.pass(0.001);
  at.ask(`POST ${services}?fieldManager=me`, {
    metadata: { name: 'web' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
  at.ask(`POST ${services}`, { metadata: { name: 'web' } }); // refused: it exists
  at.ask(`POST ${services}`, { metadata: { name: 'bad' }, spec: { type: 'Odd' } }); // invalid
  const ports = [{ port: 80 }];
  at.ask(`POST ${services}?dryRun=All`, { metadata: { name: 'dry' }, spec: { ports } });
  at.ask(`POST ${services}`, { metadata: { name: 'late' }, spec: { ports } });
  at.pass(2);
  at.say('fault process.crash target=agent/node-2 for=3s');
  at.say('pause');
  at.ask(`PATCH ${services}/web`, { metadata: { labels: { a: 'b' } } }, {
    'content-type': 'application/merge-patch+json',
  });
  at.say('step 2s');
  at.say('fault api.outage form=refuse');
  at.say('step 700ms');
  at.say('heal api.outage');
  at.say('resume');
  at.pass(1.2);
  at.ask(`DELETE ${services}/web`);
  at.pass(1);
  at.say('pause');
}

test('a recorded session repeats as a scenario, down to every uid and version', (t) => {
  const at = liveCluster();
  play(at);
  t.is(at.session.recording.count, 8);
  const document = at.session.recording.scenario({
    name: 'session', cluster: at.spec, manifests: [], end: at.session.cluster.world.now,
  });
  const parsed = parseScenario(JSON.parse(JSON.stringify(document)));
  if (!parsed.ok) return t.fail(JSON.stringify(parsed.error));
  const run = runScenario({
    scenario: parsed.value, objects: [], files: new Map(), seed: at.seed,
  });
  t.deepEqual(run.verdict.expectations.filter((each) => !each.passed), []);
  t.deepEqual(everything(run.cluster), everything(at.session.cluster));
});

const commands = test.macro({
  exec: (t, line: string, expected: unknown) => {
    const parsed = parseCommand(line);
    t.deepEqual(parsed.ok ? parsed.value : parsed.error, expected as never);
  },
  title: (_, line, expected) => `'${line}' is ${JSON.stringify(expected)}`,
});

test(commands, 'pause', { kind: 'pause' });
test(commands, ' exit ', { kind: 'quit' });
test(commands, '# nothing', { kind: 'none' });
test(commands, 'step', { kind: 'step', time: 1_000_000 });
test(commands, 'step 500ms', { kind: 'step', time: 500_000 });
test(commands, '10x', { kind: 'rate', rate: { virtual: 10_000, host: 1000 } });
test(commands, '0.25x', { kind: 'rate', rate: { virtual: 250, host: 1000 } });
test(commands, 'until converged', { kind: 'until', state: 'converged', timeout: 600_000_000 });
test(commands, 'fault node.powerOff node=node-2 for=3s', { kind: 'fault', use: { name: 'node.powerOff', with: { node: 'node-2' }, for: 3_000_000, path: 'fault' } });
test(commands, 'heal node.powerOff', { kind: 'heal', name: 'node.powerOff', with: undefined });
test(commands, 'heal node.powerOff node=n1', { kind: 'heal', name: 'node.powerOff', with: { node: 'n1' } });
test(commands, 'save a.yaml', { kind: 'save', file: 'a.yaml' });
test(commands, 'pause now', 'pause takes nothing after it');
test(commands, 'step soon', "'soon' is no time such as 30s or 500ms");
test(commands, 'step 1s 2s', "'1s 2s' is no time such as 30s or 500ms");
test(commands, '0x', "unknown command '0x'; help lists all");
test(commands, 'dance', "unknown command 'dance'; help lists all");
test(commands, 'until later', 'until takes converged or quiescent');
test(commands, 'save', 'save takes the name of a file');
test(commands, 'fault', 'fault takes the name of a fault; faults lists them');
test(commands, 'fault node.powerOff for=ever', 'for takes a time such as 30s');
test(commands, 'fault node.powerOff node', "'node' is not KEY=VALUE");
test(commands, 'fault node.powerOff', 'fault.with.node: is required: names, any, all; or owner-of: ADDRESS, labels: a=b');

test('an outage of the API strikes requests and open watches, and ends', (t) => {
  const at = liveCluster();
  const watch = at.ask('GET /api/v1/pods?watch=1');
  at.say('fault api.outage form=refuse');
  t.true(watch.reset);
  t.true(at.ask('GET /api/v1/pods').reset);
  at.say('heal api.outage');
  t.is(at.ask('GET /api/v1/pods').code, 200);
});

test('errors, delays and lost answers strike requests over HTTP, as their scope says', (t) => {
  const at = liveCluster();
  at.say('fault api.error status=429 kinds=Pod');
  const throttled = at.ask('GET /api/v1/pods');
  t.deepEqual([throttled.code, throttled.body.reason], [429, 'TooManyRequests']);
  t.is(throttled.headers['retry-after'], '1');
  t.is(at.ask('GET /api/v1/services').code, 200);
  t.is(at.ask('GET /api/v1').code, 200, 'discovery is about no kind');
  at.say('heal api.error');
  at.say('fault api.slow min=2s clients=tester');
  const late = at.ask('GET /api/v1/pods');
  at.pass(1);
  t.is(late.code, 0);
  at.pass(2);
  t.is(late.code, 200);
  t.is(at.ask('GET /api/v1/pods', undefined, { 'user-agent': 'other/1' }).code, 200);
  at.say('pause');
  t.is(at.ask('GET /api/v1/pods').code, 504, 'nobody can wait while time stands still');
  at.say('resume');
  at.say('heal api.slow');
  at.say('fault api.lostReply form=reset verbs=create');
  const body = { metadata: { name: 'kept' } };
  const { count } = at.session.recording;
  t.true(at.ask('POST /api/v1/namespaces', body).reset);
  t.is(at.ask('GET /api/v1/namespaces/kept').code, 200, 'what got lost is the answer');
  t.is(at.session.recording.count, count + 1);
  at.say('heal api.lostReply');
  at.say('fault api.conflict ratio=100%');
  const read = at.ask('GET /api/v1/namespaces/kept').body;
  t.is(at.ask('PUT /api/v1/namespaces/kept', read).code, 409);
});

test('watches over HTTP stall, are cut in their line, and close', (t) => {
  const at = liveCluster();
  const open = (): Heard => at.ask('GET /api/v1/namespaces?watch=1&resourceVersion=0');
  const create = (name: string): void => {
    t.is(at.ask('POST /api/v1/namespaces', { metadata: { name } }).code, 201);
    at.pass(1);
  };
  const watch = open();
  at.pass(1);
  const before = watch.lines.length;
  at.say('fault api.watchStall kinds=Namespace');
  create('late');
  t.is(watch.lines.length, before);
  at.say('heal api.watchStall');
  t.true(watch.lines.length > before, 'what was kept back arrives in its order');
  at.say('fault api.watchDrop form=cut');
  t.true(watch.reset);
  const second = open();
  at.say('fault api.leaderChange');
  t.deepEqual([second.ended, second.reset], [true, false]);
  const third = open();
  at.say('fault api.outage form=blackhole');
  const silent = at.ask('GET /api/v1/pods');
  at.pass(5);
  t.deepEqual([silent.code, third.ended], [0, false]);
  at.say('heal api.outage');
  t.is(silent.code, 200);
});

test('commands say what they did', (t) => {
  const at = liveCluster();
  t.regex(at.say('until converged'), /^converged after .*, now .*\n$/);
  t.is(at.say('pause').slice(0, 9), 'paused at');
  t.is(at.say('10x'), '10x, still paused\n');
  t.is(at.say('resume'), 'going on at 10x\n');
  t.regex(at.say('step 3s'), /^3 s passed, now /);
  t.is(at.say('heal node.powerOff'), 'no such fault is in force\n');
  t.regex(at.say('fault node.powerOff node=nobody'), /^node nobody .*there are node-1, node-2/);
  t.regex(at.say('fault node.powerOff node=node-1'), /^node\.powerOff at /);
  t.regex(at.say('faults'), /^api\.[^]*in force: node\.powerOff \{"node":"node-1"\}\n$/);
  t.regex(at.say('status'), /nodes 2 of 2 ready\nservices 0\nfaults node\.powerOff\n/);
  t.is(at.say('heal node.powerOff'), 'healed node.powerOff\n');
  t.regex(at.say('until converged 1ms'), /^not converged within 1 ms: \S/);
  t.regex(at.say('help'), /^pause {2,}/);
});
