import test from 'ava';
import { ip, type Ip } from '../../lb/ip.ts';
import { Frame } from '../../sim/net/frame.ts';
import type { Host } from '../../sim/net/host.ts';
import { noPayload, payloadOf, type Packet } from '../../sim/net/packet.ts';
import { describeDrop } from '../../sim/net/tap.ts';
import { buildLan, second, type Lan } from './lan.ts';

const server = ip('192.168.10.10');
const server6 = ip('2001:db8:10::a');

function ping(lan: Lan, from: Host, target: Ip, change: Partial<Packet> = {}): void {
  const source = from.stack.addressOf(target.includes(':') ? 'IPv6' : 'IPv4')!;
  from.stack.send({ source, target, protocol: 'ICMP', sourcePort: 0, targetPort: 0, ttl: 64,
    icmp: { kind: 'echo-request', id: 1, sequence: 2 }, payload: payloadOf('hi'),
      trail: lan.tap.newTrail(), ...change });
}

/** What `host` is told by ICMP, from now on. */
function listen(host: Host): string[] {
  const heard: string[] = [];
  host.stack.onLocal = (packet) => {
    const { icmp } = packet;
    const detail = icmp?.kind === 'unreachable' ? ` ${icmp.cause}` : icmp?.kind === 'too-big'
      ? ` ${icmp.mtuBytes}` : '';
    heard.push(`${packet.source} ${icmp?.kind}${detail}`);
  };
  return heard;
}

function run(lan: Lan, time: number): void {
  lan.world.schedule(time - lan.world.now, { kind: 'end', entity: 'test' }, () => undefined);
  lan.world.run(time);
}

const pings = test.macro({
  exec: (t, client: 'laptop' | 'phone', target: Ip, trace: string[]) => {
    const lan = buildLan();
    const heard = listen(lan[client]);
    ping(lan, lan[client], target);
    run(lan, second);
    t.deepEqual(heard, [`${target} echo-reply`]);
    t.deepEqual(lan.router.stack.interfaces.flatMap((iface) =>
      iface.neighbours.addresses().filter((one) => !one.startsWith('fe80'))).toSorted(), trace);
  },
  title: (_, client, target) => `${client} pings ${target}`,
});
test(pings, 'laptop', server, []);
test(pings, 'laptop', server6, []);
test(pings, 'phone', server, ['192.168.10.10', '192.168.20.12']);
test(pings, 'phone', server6, ['2001:db8:10::a', '2001:db8:20::c']);
test(pings, 'phone', ip('192.168.10.1'), ['192.168.20.12']);
test(pings, 'laptop', ip('192.168.10.11'), []);

test('a TTL that ends on the way is told to the sender, and the drop is named', (t) => {
  const lan = buildLan();
  const heard = listen(lan.phone);
  ping(lan, lan.phone, server, { ttl: 1, trail: 77 });
  run(lan, second);
  t.deepEqual(heard, ['192.168.20.1 time-exceeded']);
  t.is(describeDrop(lan.tap.takeDrop(77)!), 'ttl at router router');
});

test('each hop takes one from the TTL', (t) => {
  const lan = buildLan();
  let seen = 0;
  lan.server.stack.ingress = (frame) => {
    seen = frame.packet?.ttl ?? seen;
    return frame;
  };
  ping(lan, lan.phone, server);
  run(lan, second);
  t.is(seen, 63);
});

test('a target without route and one that nobody has are told apart', (t) => {
  const lan = buildLan();
  const heard = listen(lan.phone);
  ping(lan, lan.phone, ip('203.0.113.1'), { trail: 1001 });
  run(lan, second);
  ping(lan, lan.phone, ip('192.168.10.99'), { trail: 1002 });
  run(lan, 9 * second);
  t.deepEqual(heard, ['192.168.20.1 unreachable network', '192.168.20.1 unreachable host']);
  t.is(describeDrop(lan.tap.takeDrop(1001)!), 'no-route at router router');
  t.is(describeDrop(lan.tap.takeDrop(1002)!), 'no-neighbour at router router: 192.168.10.99');
});

test('a packet larger than the next link is answered with its MTU', (t) => {
  const lan = buildLan();
  lan.router.stack.interfaces[0]!.nic.mtuBytes = 1_400;
  const heard = listen(lan.phone);
  ping(lan, lan.phone, server, { payload: new Uint8Array(1_400) });
  run(lan, second);
  t.deepEqual(heard, ['192.168.20.1 too-big 1400']);
});

test('no ICMP error is sent about an ICMP error', (t) => {
  const lan = buildLan();
  const heard = listen(lan.phone);
  const quoted = {
    source: server, target: server, protocol: 'UDP', sourcePort: 1, targetPort: 2,
  } as const;
  ping(
    lan, lan.phone, server, { ttl: 1, payload: noPayload, icmp: { kind: 'time-exceeded', quoted } },
  );
  run(lan, second);
  t.deepEqual(heard, []);
});

test('a host does not forward', (t) => {
  const lan = buildLan();
  lan.laptop.setGateway(server);
  ping(lan, lan.laptop, ip('203.0.113.1'), { trail: 9 });
  run(lan, second);
  t.is(describeDrop(lan.tap.takeDrop(9)!), 'not-mine at host server');
});

test('sim 5.5: a router resolves addresses of an extra prefix on the segment itself', (t) => {
  const lan = buildLan();
  const vip = ip('198.51.100.7');
  lan.router.stack.addSubnet(lan.router.stack.interfaces[0]!, '198.51.100.0/24');
  lan.server.stack.addAddress(lan.server.iface, { ip: vip, prefixBits: 32 });
  const heard = listen(lan.phone);
  ping(lan, lan.phone, vip);
  run(lan, second);
  t.deepEqual(heard, [`${vip} echo-reply`]);
  t.is(lan.router.neighbour(vip)?.mac, lan.server.nic.mac);
});

test('a route by way of a next hop beats the default route, and goes when removed', (t) => {
  const lan = buildLan();
  const inner = ip('10.42.0.9');
  lan.server.stack.addAddress(lan.server.iface, { ip: inner, prefixBits: 32 });
  lan.router.stack.routes.add('10.42.0.0/16', lan.router.stack.interfaces[0]!, server);
  const heard = listen(lan.phone);
  ping(lan, lan.phone, inner);
  run(lan, second);
  lan.router.stack.routes.remove('10.42.0.0/16');
  ping(lan, lan.phone, inner);
  run(lan, 2 * second);
  t.deepEqual(heard, [`${inner} echo-reply`, '192.168.20.1 unreachable network']);
});

test('an address that is taken away is answered for no more', (t) => {
  const lan = buildLan();
  lan.server.stack.removeAddress(lan.server.iface, server6);
  const heard = listen(lan.laptop);
  ping(lan, lan.laptop, server6);
  run(lan, 9 * second);
  t.deepEqual(heard, []);
  t.is(lan.laptop.neighbour(server6)?.state, 'failed');
});

test('duplicate address detection for an address in use is answered to all nodes', (t) => {
  const lan = buildLan();
  const heard: string[] = [];
  lan.tap.onStep(({ what, frame, place }) => {
    const ndp = frame?.ndp;
    if (what === 'delivered' && ndp?.kind === 'advertisement') {
      heard.push(`${place} ${ndp.destination} ${ndp.solicited}`);
    }
  });
  lan.laptop.nic.send(probeFor(lan));
  run(lan, second);
  t.deepEqual(heard, ['laptop:eth0 ff02::1 false', 'router:eth0 ff02::1 false']);
});

function probeFor(lan: Lan) {
  return Frame.ofNdp({ kind: 'solicitation', ethSource: lan.laptop.nic.mac,
    ethTarget: '33:33:ff:00:00:0a', source: ip('::'),
    destination: ip('ff02::1:ff00:a'), target: server6, linkLayer: undefined, router: false,
      solicited: false,
    override: false, hopLimit: 255 });
}

test('losing the carrier empties the neighbour table', (t) => {
  const lan = buildLan();
  ping(lan, lan.laptop, server);
  run(lan, second);
  t.not(lan.laptop.neighbour(server), undefined);
  lan.lan.linkOf('laptop')!.setUp(false);
  t.is(lan.laptop.neighbour(server), undefined);
});

test('sim 8: a router that reboots forwards nothing, then again', (t) => {
  const lan = buildLan();
  const heard = listen(lan.phone);
  lan.router.setPower(false);
  ping(lan, lan.phone, server);
  run(lan, 10 * second);
  t.deepEqual(heard, []);
  lan.router.setPower(true);
  ping(lan, lan.phone, server);
  run(lan, 20 * second);
  t.deepEqual(heard, [`${server} echo-reply`]);
});

test('a corrupted packet is dropped by the host with the reason', (t) => {
  const lan = buildLan();
  const reasons: (string | undefined)[] = [];
  ping(lan, lan.laptop, server);
  run(lan, second);
  lan.tap.onStep(({ what, why }) => { if (what === 'dropped') reasons.push(why); });
  lan.lan.linkOf('server')!.setRatio('corruptPpm', 1_000_000, 'fromSwitch');
  for (let count = 0; count < 20; count += 1) ping(lan, lan.laptop, server);
  run(lan, 2 * second);
  t.true(reasons.filter((why) => why === 'bad-checksum').length >= 10);
});

test('steps tell the way of a packet', (t) => {
  const lan = buildLan();
  ping(lan, lan.phone, server);
  run(lan, second);
  const steps: string[] = [];
  const stop = lan.tap.onStep(({ what, place, packet }) => {
    if (packet !== undefined) steps.push(`${what} ${place}`); });
  ping(lan, lan.phone, server);
  run(lan, second + 250);
  stop();
  t.deepEqual(steps,
    ['sent phone:eth0', 'delivered router:eth1', 'sent router:eth0', 'delivered server:eth0',
    'received host server', 'sent server:eth0']);
});
