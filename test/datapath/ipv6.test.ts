import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { noPayload, tcpFlag, type Packet } from '../../sim/net/packet.ts';
import { endpoint, ingressEntry, meta, node, service, slice } from './fixture.ts';
import { Probe } from './probe.ts';
import { Rig } from './rig.ts';
import { quotedText, show } from './walk.ts';

const vip6 = '2001:db8:3::10';
const client = '2001:db8:9::7';
const dual = service({
  clusterIps: ['10.200.0.10', '2001:db8:2::10'], ipFamilies: ['IPv4', 'IPv6'],
  ingress: [ingressEntry(vip6)],
});
const near = endpoint('2001:db8:64:1::21', { nodeName: 'n-a' });
const far = endpoint('2001:db8:64:2::21', { nodeName: 'n-b' });

/** Node A with a second family, whose helpers draw `draw`. */
function programs(draw: number, endpoints = [near, far]): Probe {
  const rig = new Rig();
  const v6 = slice(endpoints, { meta: meta('s-6'), addressType: 'IPv6' });
  rig.load([dual], [v6]);
  const kernelOf = rig.node('n-a');
  kernelOf.startPod({
    uid: 'near', name: 'near', namespace: 'default', ips: [ip('2001:db8:64:1::21')],
    hostNetwork: false, ports: [],
  });
  const [uplink] = kernelOf.stack.interfaces;
  kernelOf.stack.addAddress(uplink!, { ip: ip('2001:db8::11'), prefixBits: 64 });
  for (const prefix of ['2001:db8:64:2::/64', '2001:db8:9::/64']) {
    kernelOf.stack.addSubnet(uplink!, prefix);
  }
  rig.tables.nodes.upsert('n-a', node('n-a', ['192.0.2.11', '2001:db8::11']));
  rig.datapath('n-a');
  rig.run(1);
  const { kernel } = rig.node('n-a');
  Object.defineProperty(kernel.chance, 'next', { value: () => draw });
  return new Probe(rig.node('n-a'));
}

function syn(target: string, port = 80): Packet {
  return {
    source: ip(client), sourcePort: 40_000, target: ip(target), targetPort: port, protocol: 'TCP',
    ttl: 64, tcp: { seq: 1, ack: 0, flags: tcpFlag.syn }, payload: noPayload,
  };
}

test('datapath V54 without its headers: an IPv6 flow to a v6 VIP is translated there and back', (t) => {
  const of = programs(1);
  const request = of.uplinkIn(syn(vip6));
  if (request.kind !== 'redirect') return t.fail(show(request));
  const { source, sourcePort, target, targetPort } = request.packet;
  t.deepEqual([source, target, targetPort], [ip('2001:db8::11'), ip('2001:db8:64:2::21'), 8080]);
  const reply = {
    ...request.packet,
    source: target,
    sourcePort: targetPort,
    target: source,
    targetPort: sourcePort,
  };
  t.is(show(of.uplinkIn(reply)), `redirect ${vip6}:80 → ${client}:40000 ttl 62`);
});

test('an IPv6 flow to a local endpoint keeps its source', (t) => {
  t.is(
    show(programs(0).uplinkIn(syn(vip6))), `pass ${client}:40000 → 2001:db8:64:1::21:8080 ttl 64`,
  );
});

test('datapath C11: families do not stand in for each other', (t) => {
  const of = programs(0);
  t.regex(show(of.uplinkIn({ ...syn('10.200.0.10'), source: ip('203.0.113.7') })), /^back/u);
  t.is(show(of.uplinkIn(syn('2001:db8:2::10', 81))).split(' ')[0], 'back');
});

test('an IPv6 pod that reaches itself sees the hairpin address of its family', (t) => {
  const packet = { ...syn('2001:db8:2::10'), source: ip('2001:db8:64:1::21') };
  t.is(
    show(programs(0, [near]).fromPod(packet)),
    'back fd66:6c65:6164::1:40000 → 2001:db8:64:1::21:8080 ttl 64',
  );
});

test('the NodePort of the second family is its own', (t) => {
  t.regex(
    show(programs(0).uplinkIn(syn('2001:db8::11', 30080))), /^pass .* → 2001:db8:64:1::21:8080/u,
  );
  t.regex(show(programs(0, []).uplinkIn(syn('2001:db8::11', 30080))), /^back 2001:db8::11:30080/u);
});

test('a datagram that is refused quotes the front in the error of its family', (t) => {
  const { tcp: _tcp, ...rest } = syn('2001:db8:2::10');
  const refusal = programs(0, []).uplinkIn({ ...rest, protocol: 'UDP' });
  t.is(quotedText(refusal), `${client}:40000 → 2001:db8:2::10:80`);
});
