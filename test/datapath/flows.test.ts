import test from 'ava';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import { tcpFlag } from '../../sim/net/packet.ts';
import { endpoint, everyEndpoint, names, service, slice, vip } from './fixture.ts';
import type { Probe } from './probe.ts';
import { backend, nodeA, quotedText, show, tcp, udp } from './walk.ts';

const { syn, ack, fin, rst } = tcpFlag;

test('datapath V55: a SYN on a row that closed 3 s ago chooses anew; within 2 s it keeps', (t) => {
  const { rig, programs } = nodeA({ draws: [1, 2] });
  programs.uplinkIn(tcp('X:40000', 'VIP:80', syn));
  programs.uplinkIn(tcp('X:40000', 'VIP:80', rst));
  rig.run(1);
  t.is(backend(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))), names['b1']);
  programs.uplinkIn(tcp('X:40000', 'VIP:80', rst));
  rig.run(3);
  t.is(backend(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))), names['c1']);
  t.is(programs.flowCount, 1);
});

test('datapath V56: a repeated SYN keeps endpoint and source port', (t) => {
  const { rig, programs } = nodeA({ draws: [1, 2] });
  const first = show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn)));
  rig.run(1);
  t.is(show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))), first);
});

const stray = test.macro({
  exec: (t, options: Partial<DatapathOptions>, outcome: string) => {
    const { programs } = nodeA({ options, draws: [0] });
    t.is(show(programs.uplinkIn(tcp('X:40000', 'VIP:80', ack))), outcome);
  },
  title: (_, options, outcome) =>
    `datapath V57: a segment without a row under ${JSON.stringify(options)}: ${outcome}`,
});
test(stray, {}, 'drop noRow');
test(stray, { algorithm: 'maglev' }, 'redirect 192.0.2.11:57707 → 10.64.3.21:8080 ttl 63');
test(stray, { midstream: 'pass' }, `pass 203.0.113.7:40000 → ${vip}:80 ttl 64`);
test(stray, { midstream: 'reset' }, `back ${vip}:80 → 203.0.113.7:40000 ttl 64`);

test('datapath V58: a UDP flow leaves an endpoint that left the Service, a TCP flow stays', (t) => {
  const ports = ['TCP', 'UDP'].map(
    (protocol) => ({ name: protocol, protocol: protocol as 'TCP' | 'UDP', port: 80, nodePort: 0 }),
  );
  const listed = ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 }));
  const [a1, b1] = everyEndpoint;
  const { rig, programs } = nodeA(
    { services: [service({ ports })], slices: [slice([a1!, b1!], { ports: listed })], draws: [0] },
  );
  t.is(backend(programs.fromPod(udp('P:40000', 'CIP:80'))), names['a1']);
  t.is(backend(programs.fromPod(tcp('P:40000', 'CIP:80', syn))), names['a1']);
  // No longer ready but serving: both stay (C28); gone: the datagram moves.
  rig.tables.slices.upsert(
    'default/s-1',
    slice(
      [endpoint('a1', { ready: false, serving: true, terminating: true }), b1!], { ports: listed },
    ),
  );
  rig.run(1);
  t.is(backend(programs.fromPod(udp('P:40000', 'CIP:80'))), names['a1']);
  rig.tables.slices.upsert('default/s-1', slice([b1!], { ports: listed }));
  rig.run(1);
  t.is(backend(programs.fromPod(udp('P:40000', 'CIP:80'))), names['b1']);
  t.is(backend(programs.fromPod(tcp('P:40000', 'CIP:80', ack))), names['a1']);
  t.is(programs.flowCount, 2);
});

test('datapath V59: 40,000 flows to one endpoint have 40,000 source ports, none of them a NodePort', (t) => {
  const slices = [slice([endpoint('b1')])];
  const { programs } = nodeA({ slices, options: { snatPorts: { first: 16_384, last: 65_535 } } });
  const ports = new Set<number>();
  let kept = 0;
  for (let port = 25_000; port < 65_000; port += 1) {
    const step = programs.uplinkIn(tcp(`X:${port}`, 'VIP:80', syn));
    if (step.kind !== 'redirect') return t.fail(show(step));
    ports.add(step.packet.sourcePort);
    if (step.packet.sourcePort === port) kept += 1;
    if (step.packet.sourcePort >= 30_000 && step.packet.sourcePort <= 32_767) {
      return t.fail(show(step));
    }
  }
  t.is(ports.size, 40_000);
  t.true(kept > 25_000, `${kept} clients kept their port`);
});

test('datapath V60: ten ports serve ten flows, the eleventh is refused until one closes', (t) => {
  const { rig, programs } = nodeA(
    { slices: [slice([endpoint('b1')])], options: { snatPorts: { first: 60_000, last: 60_009 } } },
  );
  const open = (port: number): string => programs.uplinkIn(
    tcp(`X:${port}`, 'VIP:80', syn),
  ).kind;
  for (let flow = 0; flow < 10; flow += 1) t.is(open(41_000 + flow), 'redirect');
  t.is(show(programs.uplinkIn(tcp('X:41010', 'VIP:80', syn))), 'drop natExhausted');
  programs.uplinkIn(tcp('X:41003', 'VIP:80', rst));
  rig.run(10);
  t.is(open(41_010), 'redirect');
});

test('datapath V61: affinity holds until the timeout and restarts at each new connection', (t) => {
  const { rig, programs } = nodeA(
    { services: [service({ affinitySeconds: 10 })], draws: [1, 2, 2, 2] },
  );
  const ask = (port: number): string | undefined => backend(
    programs.uplinkIn(tcp(`X:${port}`, 'VIP:80', syn)),
  );
  t.is(ask(40_000), names['b1']);
  rig.run(3);
  t.is(ask(40_001), names['b1']);
  rig.run(9.9);
  t.is(ask(40_002), names['b1']);
  rig.run(10);
  t.is(ask(40_003), names['c1']);
});

test('datapath V62: affinity leaves an endpoint that terminates', (t) => {
  const services = [service({ affinitySeconds: 10 })];
  const { rig, programs } = nodeA({ services, draws: [1, 1, 0] });
  t.is(backend(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))), names['b1']);
  const terminating = endpoint('b1', { ready: false, serving: true, terminating: true });
  rig.tables.slices.upsert(
    'default/s-1', slice([everyEndpoint[0]!, terminating, everyEndpoint[2]!]),
  );
  rig.run(1);
  t.is(backend(programs.uplinkIn(tcp('X:40001', 'VIP:80', syn))), names['c1']);
  t.is(backend(programs.uplinkIn(tcp('X:40002', 'VIP:80', syn))), names['c1']);
});

test('datapath V65: refusals are RST and port unreachable from the VIP, none for RST, 1,000 at once', (t) => {
  const both = service(
    {
      ports: [
        { name: 'web', protocol: 'TCP', port: 80, nodePort: 0 },
        { name: 'dns', protocol: 'UDP', port: 80, nodePort: 0 },
      ],
    },
  );
  const { rig, programs } = nodeA({ services: [both], slices: [slice([])] });
  rig.run(2); // a bucket that was empty at boot is full
  const refusal = programs.uplinkIn(tcp('X:40000', 'VIP:80', syn));
  t.is(show(refusal), `back ${vip}:80 → 203.0.113.7:40000 ttl 64`);
  t.deepEqual(
    refusal.kind === 'back' ? refusal.packet.tcp : undefined,
    { seq: 0, ack: 101, flags: rst | ack },
  );
  const unreachable = programs.uplinkIn(udp('X:40000', 'VIP:80'));
  t.is(quotedText(unreachable), `203.0.113.7:40000 → ${vip}:80`);
  t.is(show(programs.uplinkIn(tcp('X:40000', 'VIP:80', rst))), 'drop noEndpoint');
  const outcomes = Array.from(
    { length: 2_000 },
    (_, index) => show(programs.uplinkIn(tcp(`X:${index + 1}`, 'VIP:80', syn))),
  );
  t.is(outcomes.filter((outcome) => outcome.startsWith('back')).length, 998);
  t.is(outcomes.at(-1), 'drop rate');
});

test('datapath V72: an established flow stays with a terminating endpoint until its rows end', (t) => {
  const { rig, programs } = nodeA({ draws: [1, 1] });
  programs.uplinkIn(tcp('X:40000', 'VIP:80', syn));
  rig.tables.slices.upsert(
    'default/s-1',
    slice(
      [
        everyEndpoint[0]!, endpoint('b1', { ready: false, serving: true, terminating: true }),
        everyEndpoint[2]!,
      ],
    ),
  );
  rig.run(30);
  t.is(backend(programs.uplinkIn(tcp('X:40000', 'VIP:80', ack))), names['b1']);
  t.is(backend(programs.uplinkIn(tcp('X:40001', 'VIP:80', syn))), names['c1']);
  t.is(
    backend(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))), names['c1'],
  ); // a SYN never finds a draining one
});

const life = test.macro({
  exec: (t, exchange: (programs: Probe) => void, seconds: number) => {
    const later = (wait: number): string => {
      const { rig, programs } = nodeA({ draws: [1] });
      exchange(programs);
      rig.run(wait);
      return show(programs.uplinkIn(tcp('X:40000', 'VIP:80', ack)));
    };
    t.regex(later(seconds - 1), /^redirect/u);
    t.is(later(seconds + 1), 'drop noRow');
  },
  title: (name, _, seconds) => `datapath 8.4: a row in state ${name} lives ${seconds} s`,
});
const open = (programs: Probe): void => {
  programs.uplinkIn(tcp('X:40000', 'VIP:80', syn));
  programs.uplinkIn(tcp('b1:8080', 'A:57707', syn | ack));
  programs.uplinkIn(tcp('X:40000', 'VIP:80', ack));
};
test('handshake', life, (programs) => void programs.uplinkIn(tcp('X:40000', 'VIP:80', syn)), 60);
test('established', life, open, 7_440);
test('one FIN', life, (programs) => {
  open(programs);
  programs.uplinkIn(tcp('X:40000', 'VIP:80', fin | ack));
}, 3_600);
test('both FIN', life, (programs) => {
  open(programs);
  programs.uplinkIn(tcp('X:40000', 'VIP:80', fin | ack));
  programs.uplinkIn(tcp('b1:8080', 'A:57707', fin | ack));
}, 10);
test('RST', life, (programs) => {
  open(programs);
  programs.uplinkIn(tcp('X:40000', 'VIP:80', rst));
}, 10);

test('a packet on its last hop is not sent on', (t) => {
  const { programs } = nodeA({ draws: [1] });
  t.is(show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn, { ttl: 1 }))), 'drop ttl');
});

test('packets flow by the old rows while the agent is away, and by nothing after loss of power', (t) => {
  const { rig, node, programs } = nodeA({ draws: [1] });
  rig.tables.services.delete('default/s');
  t.is(show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))).slice(0, 8), 'redirect');
  node.powerOff();
  node.powerOn();
  t.regex(show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))), /^pass/u);
  t.is(programs.flowCount, 0);
});
