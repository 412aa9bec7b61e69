import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { TrafficLine } from '../../sim/net/client.ts';
import { clusterIp, endpoint, everyEndpoint, meta, names, service, slice, vip } from './fixture.ts';
import { Rig } from './rig.ts';

/** A rig whose nodes are programmed, with all pods. */
function running(
  more: {
    services?: Parameters<Rig['load']>[0]; slices?: Parameters<Rig['load']>[1]; seed?: bigint,
  } = {},
): Rig {
  const rig = new Rig({}, more.seed);
  rig.load(more.services, more.slices);
  rig.startPods();
  for (const name of ['n-a', 'n-b', 'n-c']) rig.datapath(name);
  rig.run(1);
  return rig;
}

const seenBy: Readonly<Record<string, string>> = {
  a1: names['X']!, b1: '192.0.2.11', c1: '192.0.2.11',
};

test('requests from outside reach every endpoint, the local one with the client address', (t) => {
  const rig = running();
  const answers = new Set(
    Array.from({ length: 16 }, () => rig.ask(rig.x.transport, names['X']!, vip)),
  );
  t.deepEqual(
    [...answers].sort(), Object.entries(seenBy).map(([name, source]) => `${name} sees ${source}`),
  );
});

test('datapath V5, V6: eTP Local keeps the client address, and without a local endpoint nobody answers', (t) => {
  const rig = running({ services: [service({ externalTrafficPolicy: 'Local' })] });
  for (let count = 0; count < 4; count += 1) {
    t.is(rig.ask(rig.x.transport, names['X']!, vip), `a1 sees ${names['X']!}`);
  }
  rig.tables.slices.upsert('default/s-1', slice(everyEndpoint.slice(1)));
  t.is(rig.ask(rig.x.transport, names['X']!, vip), 'timeout, datapath at node n-a: policyEmpty');
  rig.tables.slices.upsert('default/s-1', slice([]));
  t.is(rig.ask(rig.x.transport, names['X']!, vip), 'refused');
});

test('pods and host processes reach the ClusterIP; pods keep their address', (t) => {
  const rig = running();
  for (let count = 0; count < 6; count += 1) {
    t.regex(
      rig.ask(rig.pod('n-a', 'P'), names['P']!, clusterIp), /^(?:a1|b1|c1) sees 10\.64\.1\.9$/u,
    );
    t.regex(
      rig.ask(rig.node('n-a').host, '192.0.2.11', clusterIp), /^(?:a1|b1|c1) sees 192\.0\.2\.11$/u,
    );
  }
  t.is(rig.ask(rig.pod('n-a', 'P'), names['P']!, clusterIp, 81), 'refused');
  t.regex(
    rig.ask(rig.node('n-a').host, '127.0.0.1', '127.0.0.1', 30080),
    /^(?:a1|b1|c1) sees 192\.0\.2\.11$/u,
  );
});

// By its socket: the kernel picks the source. What no socket hook sees goes by V18.
test('a pod that connects to itself through a front gets an answer', (t) => {
  const rig = running({ slices: [slice([endpoint('a1')])] });
  t.is(rig.ask(rig.pod('n-a', 'a1'), names['a1']!, clusterIp), 'a1 sees 10.64.1.21');
});

test('a NodePort of another node is served there, the pod being a stranger to it', (t) => {
  const rig = running({ slices: [slice([endpoint('b1')])] });
  t.is(
    rig.ask(rig.pod('n-a', 'P'), names['P']!, '192.0.2.12', 30080), 'b1 sees 192.0.2.11',
  ); // masqueraded on its way out
  rig.node('n-a').masquerade = false;
  t.is(rig.ask(rig.pod('n-a', 'P'), names['P']!, '192.0.2.12', 30080), 'b1 sees 10.64.1.9');
});

test('pods of different nodes see each other, and a closed FORWARD chain stops that', (t) => {
  const rig = running();
  t.is(rig.ask(rig.pod('n-a', 'P'), names['P']!, names['b1']!, 8080), 'b1 sees 10.64.1.9');
  rig.node('n-b').forwardPolicy = 'drop';
  t.is(
    rig.ask(rig.pod('n-a', 'P'), names['P']!, names['b1']!, 8080),
    'timeout, policy at node n-b: FORWARD',
  );
});

test('a stopped pod does not answer, a started one does, host-network pods answer at the node', (t) => {
  const rig = running({ slices: [slice([endpoint('a1')])] });
  const node = rig.node('n-a');
  node.stopPod('a1');
  t.regex(rig.ask(rig.x.transport, names['X']!, vip), /^timeout/u);
  const spec = {
    uid: 'h', name: 'h', namespace: 'default', ips: [ip('192.0.2.11')], hostNetwork: true,
    ports: [{ protocol: 'TCP', port: 8080 }],
  } as const;
  node.startPod(spec);
  t.is(rig.ask(rig.x.transport, names['X']!, '192.0.2.11', 8080), 'h sees 203.0.113.7');
  node.stopPod('h');
  t.is(rig.ask(rig.x.transport, names['X']!, '192.0.2.11', 8080), 'refused');
});

test('loss of power is silent: nobody answers, and after boot the rows come from a new agent only', (t) => {
  const rig = running({ slices: [slice([endpoint('a1')])] });
  const node = rig.node('n-a');
  const boot = node.bootId;
  node.powerOff();
  t.false(node.running);
  t.regex(rig.ask(rig.x.transport, names['X']!, vip), /^timeout/u);
  node.powerOn();
  t.not(node.bootId, boot);
  t.deepEqual(node.kernel.dump('fl_front'), []);
  rig.datapath('n-a');
  rig.startPods();
  rig.run(1);
  t.is(rig.ask(rig.x.transport, names['X']!, vip), 'a1 sees 203.0.113.7');
});

test('a frozen node forwards nothing and goes on as it was', (t) => {
  const rig = running({ slices: [slice([endpoint('a1')])] });
  const node = rig.node('n-a');
  node.freeze();
  t.regex(rig.ask(rig.x.transport, names['X']!, vip), /^timeout/u);
  node.thaw();
  t.is(rig.ask(rig.x.transport, names['X']!, vip), 'a1 sees 203.0.113.7');
});

test('datapath V73 in small: an agent that dies and returns breaks no request and no flow', (t) => {
  const rig = new Rig();
  rig.load();
  rig.startPods();
  const agents = ['n-a', 'n-b', 'n-c'].map((name) => rig.datapath(name));
  rig.run(1);
  const line = new TrafficLine(
    rig.tap,
    {
      name: 'probe', from: rig.x, target: ip(vip), port: 80, protocol: 'TCP', every: 20_000,
      flows: 10,
    },
  );
  line.start();
  rig.run(5);
  agents[0]!.process.crash();
  rig.tables.slices.upsert('default/s-1', slice(everyEndpoint.slice(0, 2)));
  rig.run(10);
  rig.datapath('n-a');
  rig.run(5);
  t.deepEqual(line.failures, []);
  t.true(line.counts.ok > 900);
});

test('UDP requests are answered from the front, by pods near and far', (t) => {
  const ports = [{ name: 'dns', protocol: 'UDP' as const, port: 53, nodePort: 0 }];
  const slices = [
    slice(
      everyEndpoint, { meta: meta('s-1'), ports: [{ name: 'dns', protocol: 'UDP', port: 5353 }] },
    ),
  ];
  const rig = running({ services: [service({ ports })], slices });
  const line = new TrafficLine(
    rig.tap,
    { name: 'probe', from: rig.x, target: ip(vip), port: 53, protocol: 'UDP', every: 100_000 },
  );
  line.start();
  rig.run(5);
  t.deepEqual(line.failures, []);
  t.true(line.counts.ok > 40);
});

test('traffic may start in pods and on hosts', (t) => {
  const rig = running();
  const pod = rig.node('n-a').podClient('P')!;
  t.is(rig.node('n-a').podClient('none'), undefined);
  const lines = [pod, rig.node('n-b').hostClient()].map((from, index) => new TrafficLine(rig.tap, {
    name: `line-${index}`, from, target: ip(clusterIp), port: 80, protocol: 'TCP', every: 100_000,
  }));
  for (const line of lines) line.start();
  rig.run(5);
  for (const line of lines) {
    t.deepEqual(line.failures, []);
    t.true(line.counts.ok > 40);
  }
});

test('equal seeds give equal traces', (t) => {
  const run = (seed: bigint): string => {
    const rig = running({ seed });
    const line = new TrafficLine(
      rig.tap,
      { name: 'probe', from: rig.x, target: ip(vip), port: 80, protocol: 'TCP', every: 20_000 },
    );
    line.start();
    rig.run(5);
    return rig.world.trace.hash;
  };
  t.is(run(7n), run(7n));
  t.not(run(7n), run(8n));
});
