import test from 'ava';
import { tcpFlag } from '../../sim/net/packet.ts';
import { everyEndpoint, service, slice, vip } from './fixture.ts';
import { error, nodeA, quotedText, show, tcp, udp } from './walk.ts';

const { syn, ack } = tcpFlag;

test('datapath V49: a remote endpoint is reached from this node, one hop further', (t) => {
  const { programs } = nodeA({ draws: [1] });
  t.is(
    show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))),
    'redirect 192.0.2.11:57707 → 10.64.2.21:8080 ttl 63',
  );
  t.is(programs.flowCount, 1);
});

test('datapath V50: its reply leaves as the VIP, without a new row', (t) => {
  const { programs } = nodeA({ draws: [1] });
  programs.uplinkIn(tcp('X:40000', 'VIP:80', syn));
  const reply = programs.uplinkIn(tcp('b1:8080', 'A:57707', syn | ack));
  t.is(show(reply), `redirect ${vip}:80 → 203.0.113.7:40000 ttl 63`);
  t.is(programs.flowCount, 1);
});

test('datapath V51: a local endpoint sees the client, and its reply leaves as the VIP', (t) => {
  const { programs } = nodeA({ draws: [0] });
  t.is(
    show(programs.uplinkIn(tcp('X:40000', 'VIP:80', syn))),
    'pass 203.0.113.7:40000 → 10.64.1.21:8080 ttl 64',
  );
  t.is(
    show(programs.fromPod(tcp('a1:8080', 'X:40000', syn | ack))),
    'pass 10.64.1.21:8080 → 203.0.113.7:40000 ttl 64',
  );
  t.is(
    show(programs.uplinkOut(tcp('a1:8080', 'X:40000', syn | ack))),
    `pass ${vip}:80 → 203.0.113.7:40000 ttl 64`,
  );
});

test('datapath V4: of a NodePort, the local endpoint sees the client and remote ones this node', (t) => {
  const { programs } = nodeA({ draws: [0, 1, 2] });
  t.regex(
    show(programs.uplinkIn(tcp('X:40000', 'A:30080', syn))),
    /^pass 203\.0\.113\.7:40000 → 10\.64\.1\.21:8080/u,
  );
  t.regex(
    show(programs.uplinkIn(tcp('X:40001', 'A:30080', syn))),
    /^redirect 192\.0\.2\.11:\d+ → 10\.64\.2\.21:8080/u,
  );
  t.regex(
    show(programs.uplinkIn(tcp('X:40002', 'A:30080', syn))),
    /^redirect 192\.0\.2\.11:\d+ → 10\.64\.3\.21:8080/u,
  );
});

test('datapath V13, V14: an unallocated ClusterIP is dropped on its way out, an unknown VIP port at once', (t) => {
  const { programs } = nodeA();
  t.regex(show(programs.fromPod(tcp('P:40000', '10.200.9.9:80', syn))), /^pass/u);
  t.is(show(programs.uplinkOut(tcp('P:40000', '10.200.9.9:80', syn))), 'drop unallocated');
  t.is(show(programs.uplinkIn(tcp('X:40000', 'VIP:81', syn))), 'drop vipPort');
  t.is(programs.node.hooks.drops.get('vipPort'), 1);
});

const ping = {
  protocol: 'ICMP', sourcePort: 0, targetPort: 0,
  icmp: { kind: 'echo-request', id: 7, sequence: 3 }, payload: Uint8Array.of(1, 2),
} as const;
test('datapath V15: a ping of the VIP is dropped, or answered by option with equal id, sequence and data', (t) => {
  const { tcp: _tcp, ...bare } = tcp('X:0', 'VIP:0', 0);
  t.is(show(nodeA().programs.uplinkIn({ ...bare, ...ping })), 'drop echo');
  const step = nodeA({ options: { vipEcho: true } }).programs.uplinkIn({ ...bare, ...ping });
  t.is(show(step), `back ${vip}:0 → 203.0.113.7:0 ttl 64`);
  if (step.kind !== 'back') throw new Error('answered');
  t.deepEqual(step.packet.icmp, { kind: 'echo-reply', id: 7, sequence: 3 });
  t.deepEqual(step.packet.payload, Uint8Array.of(1, 2));
});

test('datapath V18: a pod that reaches itself sees the hairpin address, and the front in the reply', (t) => {
  const { programs } = nodeA({ draws: [0] });
  t.is(
    show(programs.fromPod(tcp('a1:40000', 'CIP:80', syn))),
    'back 169.254.77.1:40000 → 10.64.1.21:8080 ttl 64',
  );
  t.is(
    show(programs.fromPod(tcp('a1:8080', '169.254.77.1:40000', syn | ack))),
    'back 10.200.0.10:80 → 10.64.1.21:40000 ttl 64',
  );
});

test('datapath V26: the NodePort of another node is left to it', (t) => {
  const { programs } = nodeA();
  t.is(
    show(programs.fromPod(tcp('P:40000', '192.0.2.12:30080', syn))),
    'pass 10.64.1.9:40000 → 192.0.2.12:30080 ttl 64',
  );
});

test('datapath V46: an error about a translated request reaches the client in its own terms', (t) => {
  const { programs } = nodeA({ draws: [1] });
  programs.uplinkIn(tcp('X:40000', 'VIP:80', syn));
  const step = programs.uplinkIn(error('10.0.0.1', 'A', tcp('A:57707', 'b1:8080', ack)));
  t.is(show(step), 'redirect 10.0.0.1:0 → 203.0.113.7:0 ttl 63');
  t.is(quotedText(step), `203.0.113.7:40000 → ${vip}:80 mtu 1400`);
});

test('datapath V47: an error of a local endpoint leaves as the VIP', (t) => {
  const udpService = service({ ports: [{ name: 'web', protocol: 'UDP', port: 80, nodePort: 0 }] });
  const slices = [slice(everyEndpoint, { ports: [{ name: 'web', protocol: 'UDP', port: 8080 }] })];
  const { programs } = nodeA({ services: [udpService], slices, draws: [0] });
  programs.uplinkIn(udp('X:40000', 'VIP:80'));
  const step = programs.uplinkOut(error('a1', 'X', udp('X:40000', 'a1:8080')));
  t.is(show(step), `pass ${vip}:0 → 203.0.113.7:0 ttl 64`);
  t.is(quotedText(step), `203.0.113.7:40000 → ${vip}:80 mtu 1400`);
});

test('datapath V48: an error to a client pod quotes the front', (t) => {
  const { programs } = nodeA({ draws: [1] });
  programs.fromPod(tcp('P:40000', 'CIP:80', syn));
  const packet = programs.toPod(error('10.0.0.1', 'P', tcp('P:40000', 'b1:8080', ack)));
  t.is(quotedText(packet), '10.64.1.9:40000 → 10.200.0.10:80 mtu 1400');
});

test('an error about a VIP without a row is dropped', (t) => {
  const { programs } = nodeA();
  t.is(
    show(programs.uplinkIn(error('X', 'VIP', tcp('VIP:80', 'X:40000', ack)))),
    'drop icmpNoRow',
  );
});

test('a drop names its own reason, whatever was refused before it', (t) => {
  const { programs } = nodeA({ services: [service({ sourceRanges: ['198.51.100.0/24'] })] });
  t.regex(show(programs.uplinkIn(tcp('X:40000', 'CIP:81', syn))), /^back/u);
  t.is(show(programs.uplinkIn(tcp('X:40001', 'VIP:80', syn))), 'drop srcRange');
});
