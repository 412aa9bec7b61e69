// The homelab example on real nodes, brought up as a user does it: every front of every Service
// from clients, pods and hosts, against the service oracle; then what hostile neighbours do.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import anyTest from 'ava';
import { run as runCommand } from '../../cli/program.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { familyOf, ip, type Ip } from '../../lb/ip.ts';
import type { FlowPacket, Ingress } from '../../lb/decide.ts';
import type { Protocol } from '../../lb/model.ts';
import { kernelTests } from '../kernel/machine.ts';
import { root } from '../tidy/sources.ts';
import type { Reply } from './asker.ts';
import { Client, type ClientPlace } from './client.ts';
import { Oracle } from './oracle.ts';

const { skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const name = `h${process.pid}`;

let lab: Lab;
let oracle: Oracle;
const clients: Client[] = [];
const printed = { out: '', err: '' };

function command(...words: readonly string[]): Promise<number> {
  return runCommand(words, {
    out: (text) => { printed.out += text; }, err: (text) => { printed.err += text; },
    outTty: false, env: {}, input: () => Promise.resolve(''),
  });
}

if (!skip) {
  anyTest.before(async () => {
    const manifests = join(root, 'kind/examples/homelab');
    const code = await command('lab', 'up', '-m', manifests, '--timing', 'fast', '--name', name);
    if (code !== 0) throw new Error(printed.err);
    const found = Lab.open(name);
    if (!found.ok) throw new Error(found.error);
    lab = found.value;
    oracle = await settled();
  });
  anyTest.after.always(async () => {
    await Promise.all(clients.map((client) => client.close()));
    const found = Lab.open(name);
    if (found.ok) await found.value.down();
  });
}

/** Waits until every Service has its addresses, each with an owner, and every pod is ready. */
async function settled(): Promise<Oracle> {
  for (;;) {
    const now = await Oracle.of(lab);
    const addresses = now.services.filter(({ type }) => type === 'LoadBalancer')
      .map(({ ingress }) => ingress.map((each) => each.ip ?? ''));
    const all = addresses.length === 5 && addresses.every((ips) => (
      ips.length > 0 && ips.every((each) => now.owner(each) !== undefined)
    ));
    if (all && now.pods.length === 7 && now.pods.every((pod) => pod.ready)) return now;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/** Where a question comes from, as the oracle and the lab see it. */
interface Asker {
  readonly name: string;
  readonly ingress: Ingress;
  /** Node whose datapath sees it first; undefined: that of whoever has the address. */
  readonly node: string | undefined;
  readonly ips: readonly Ip[];
  readonly client: Client;
}

function asker(who: Omit<Asker, 'client'>, place: ClientPlace): Asker {
  const client = new Client(lab, place);
  clients.push(client);
  return { ...who, client };
}

function askers(): readonly Asker[] {
  const ipsOf = (machine: string): readonly Ip[] => (
    lab.spec.blueprint.cables.filter((cable) => cable.machine === machine)
      .flatMap((cable) => cable.ips)
  );
  const outside = ['laptop', 'phone'].map((machine) => asker(
    { name: machine, ingress: 'external', node: undefined, ips: ipsOf(machine) }, { machine },
  ));
  const hosts = ['node-1', 'node-2', 'node-3'].map((machine) => asker(
    { name: machine, ingress: 'host', node: machine, ips: ipsOf(machine) }, { machine },
  ));
  const pods = ['dns', 'media'].flatMap((namespace) => (
    oracle.pods.filter(({ key }) => key.startsWith(`${namespace}/`)).slice(0, 1)
  )).map((pod) => asker(
    { name: pod.key, ingress: 'pod', node: pod.node, ips: pod.ips },
    { machine: pod.node, podUid: pod.uid },
  ));
  return [...outside, ...hosts, ...pods];
}

interface Front {
  readonly service: string;
  readonly kind: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  readonly ip: Ip;
  readonly port: number;
  readonly protocol: Protocol;
}

function fronts(): readonly Front[] {
  const nodeIps = oracle.nodes.map((node) => ip(node.addresses[0]?.address ?? ''));
  return oracle.services.flatMap((service) => service.ports.flatMap((port): Front[] => {
    const common = { service: service.key, protocol: port.protocol };
    const at = (kind: Front['kind'], ips: readonly string[], number: number): Front[] => (
      ips.map((each) => ({ ...common, kind, ip: ip(each), port: number }))
    );
    return [
      ...at('ClusterIP', service.clusterIps, port.port),
      ...at('LoadBalancer', service.ingress.map((each) => each.ip ?? ''), port.port),
      ...port.nodePort === 0 ? [] : at('NodePort', nodeIps, port.nodePort),
    ];
  }));
}

function sentence(reply: Reply): string {
  if ('error' in reply) return reply.error;
  return `${reply.server} sees ${reply.client.replace(/:\d+$/u, '').replaceAll(/[[\]]/gu, '')}`;
}

interface Asked {
  readonly from: Asker;
  readonly front: Front;
  readonly expected: readonly string[];
}

/** Every question that can be asked, with what the oracle says. */
function questions(from: Asker): readonly Asked[] {
  return fronts().flatMap((front): Asked[] => {
    const source = from.ips.find((each) => familyOf(each) === familyOf(front.ip));
    const first = from.node ?? oracle.owner(front.ip);
    // The world outside has no route to ClusterIPs.
    const unroutable = from.node === undefined && front.kind === 'ClusterIP';
    if (unroutable || source === undefined || first === undefined) return [];
    const { ip: target, port: targetPort, protocol } = front;
    const packet: FlowPacket = {
      ingress: from.ingress, source, sourcePort: 40_000, target, targetPort, protocol,
    };
    return [{ from, front, expected: oracle.expected(first, packet) }];
  });
}

/** What is wrong with the answer; undefined: nothing. */
async function wrongAnswer({ from, front, expected }: Asked): Promise<string | undefined> {
  const { service, kind, ip: target, port, protocol } = front;
  if (protocol === 'SCTP') return undefined;
  const silent = expected.includes('timeout');
  const reply = sentence(await from.client.ask({
    protocol, ip: target, port, timeoutMs: silent ? 500 : 5_000,
  }));
  if (expected.includes(reply)) return undefined;
  return `${from.name} → ${service} ${kind} ${target} ${port}/${protocol}: ${reply}`
    + `, expected ${expected.join(' or ')}`;
}

test('every front of every Service answers clients, hosts and pods as the oracle says', async (t) => {
  const asked = askers().flatMap(questions);
  t.true(asked.length > 150, `${asked.length} questions`);
  const wrong: (string | undefined)[] = [];
  for (const one of asked.filter(({ expected }) => !expected.includes('timeout'))) {
    wrong.push(await wrongAnswer(one));
  }
  const silent = asked.filter(({ expected }) => expected.includes('timeout'));
  t.true(silent.length > 5, `${silent.length} without an answer`);
  wrong.push(...await Promise.all(silent.map(wrongAnswer)));
  t.deepEqual(wrong.filter((text) => text !== undefined), []);
});

test('a Service with externalTrafficPolicy Local sees its clients', async (t) => {
  const traefik = oracle.services.find(({ key }) => key === 'ingress/traefik');
  t.is(traefik?.externalTrafficPolicy, 'Local');
  for (const machine of ['laptop', 'phone']) {
    const client = new Client(lab, { machine });
    clients.push(client);
    const reply = await client.ask({
      protocol: 'TCP', ip: '192.168.10.50', port: 80, timeoutMs: 5_000,
    });
    const own = lab.spec.blueprint.cables.find((cable) => cable.machine === machine)?.ips[0];
    t.regex(sentence(reply), /^ingress\/traefik-/u);
    t.is(sentence(reply).split(' ').at(-1), own);
  }
});

test('commands show the lab: its addresses, its machines, and what runs in a place', async (t) => {
  t.regex(printed.err, new RegExp(`^namespaces   ok   ${name}-switch ${name}-control `, 'mu'));
  t.regex(printed.err, /^agents {7}ok {3}3 ready/mu);
  t.regex(printed.out, new RegExp(`^export KUBECONFIG=\\S*lab/${name}/kubeconfig\\n$`, 'u'));
  printed.out = '';
  t.is(await command('lab', 'status', '--name', name), 0);
  t.regex(printed.out, /^node-2 +node +192\.168\.10\.12,fd00:10::12 +agent runs +\d+$/mu);
  t.is(await command('lab', 'exec', '--name', name, 'phone', '--', 'sh', '-c', 'exit 7'), 7);
  t.is(await command('lab', 'exec', '--name', name, 'nobody', '--', 'true'), 1);
  const pod = oracle.pods.find(({ key }) => key.startsWith('media/'))?.key ?? '';
  const inPod = ['sh', '-c', 'ip -br address show eth0 | grep -q 10.42.'];
  t.is(await command('lab', 'exec', '--name', name, pod, '--', ...inPod), 0);
  printed.err = '';
  t.is(await command('lab', 'up', '--name', name), 1);
  t.regex(printed.err, /already there: lab /u);
  printed.err = '';
  t.is(await command('lab', 'down', '--name', 'nobody-made-it'), 0);
  t.is(printed.err, 'nothing to do: no lab nobody-made-it is here\n');
});

test('kubectl shows addresses and conditions', async (t) => {
  const kubectl = (...words: readonly string[]): string => (
    execFileSync('kubectl', ['--kubeconfig', lab.kubeconfig, ...words], { encoding: 'utf8' })
  );
  if (spawnSync('kubectl', ['version', '--client']).error !== undefined) {
    t.log('skipped: kubectl absent');
    t.pass();
    return;
  }
  const service = (path: string): string => (
    kubectl('get', 'svc', '-n', 'media', 'jellyfin', '-o', `jsonpath={${path}}`)
  );
  t.is(service('.status.loadBalancer.ingress[0].ip'), '192.168.10.41');
  const announced = '.status.conditions[?(@.type=="fairlead.dev/Announced")].status';
  t.is(service(announced), 'True');
  t.regex(kubectl('get', 'lease', '-n', 'fairlead-system', '-l', 'fairlead.dev/l2=lock'), /41/u);
});
