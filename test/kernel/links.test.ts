import { setImmediate as turn } from 'node:timers/promises';
import anyTest from 'ava';
import { openDevices } from '../../lb/devices.real.ts';
import { ip } from '../../lb/ip.ts';
import type { DeviceFacts } from '../../lb/netlink.ts';
import type { LinkFacts } from '../../lb/ports.ts';
import { announcementMark, realLinks, type RealLinks } from '../../l2/link.real.ts';
import { allNodes, broadcastMac, encodeArp, encodeNdp, groupMac, solicitedNodeGroup, zeroMac }
  from '../../l2/frames.ts';
import type { SocketHandle } from '../../bpf/native.real.ts';
import { kernelTests, run } from './machine.ts';
import { Place, type Side } from './place.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

function inside<T>(side: Side, body: () => T): T {
  return addon.netnsCall(side.path, body) as T;
}

function links(place: Place, side: Side): RealLinks {
  const port = inside(side, () => realLinks<SocketHandle>({
    addon: addon as never, hears: ({ name }) => name === 'eth0',
  }));
  place.later(() => port.close());
  return port;
}

async function until(done: () => boolean): Promise<void> {
  for (let turns = 0; turns < 2_000 && !done(); turns += 1) await turn();
}

const vip = ip('192.0.2.100');
const macLeft = '02:00:00:00:00:0a';
const gratuitous = encodeArp({
  kind: 'arp', opcode: 1, ethSource: macLeft, ethTarget: broadcastMac,
  senderMac: macLeft, senderIp: vip, targetMac: zeroMac, targetIp: vip,
});
const advertisement = encodeNdp({
  kind: 'advertisement', ethSource: macLeft, ethTarget: groupMac(allNodes),
  source: ip('2001:db8::64'), destination: allNodes, target: ip('2001:db8::64'),
  linkLayer: macLeft, router: false, solicited: false, override: true, hopLimit: 255,
});
const solicitation = encodeNdp({
  kind: 'solicitation', ethSource: macLeft, ethTarget: groupMac(solicitedNodeGroup(vip6())),
  source: ip('2001:db8::c'), destination: solicitedNodeGroup(vip6()), target: vip6(),
  linkLayer: macLeft, router: false, solicited: false, override: false, hopLimit: 255,
});

function vip6(): ReturnType<typeof ip> {
  return ip('2001:db8::64');
}

test('a gratuitous ARP goes from one namespace to the other byte for byte', async (t) => {
  await Place.with(async (place) => {
    const [left, right] = place.pair();
    const [from, to] = [links(place, left), links(place, right)];
    const heard: [number, string][] = [];
    const own: string[] = [];
    to.onFrame((ifindex, frame) => heard.push([ifindex, Buffer.from(frame).toString('hex')]));
    from.onFrame((_, frame) => own.push(Buffer.from(frame).toString('hex')));
    t.true(from.send(left.ifindex, gratuitous).ok);
    t.true(from.send(left.ifindex, solicitation).ok);
    t.true(from.send(left.ifindex, advertisement).ok);
    await until(() => heard.length >= 2);
    const sent = [gratuitous, advertisement].map((frame) => Buffer.from(frame).toString('hex'));
    t.deepEqual(heard, sent.map((frame) => [right.ifindex, frame]), 'no solicitation among them');
    t.deepEqual(own, [], 'what the machine sends itself is not heard');
  });
});

test('what is sent bears the mark of announcements', async (t) => {
  await Place.with((place) => {
    const [left] = place.pair();
    const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o');
    place.later(() => rig.close());
    const link = inside(left, () => addon.linkCreate(
      rig.object.programs.get('t_mark')!, left.ifindex, 47, 0, 0,
    ));
    t.is(typeof link, 'object');
    t.true(links(place, left).send(left.ifindex, gratuitous).ok);
    const marks = rig.map('t_hash').dump()
      .map(({ key }) => new DataView(key.buffer, key.byteOffset).getUint32(0, true));
    t.deepEqual(marks, [announcementMark]);
    addon.close(link as never);
  });
});

test('padding of short frames is cut, frames of a VLAN are not heard on its parent', async (t) => {
  await Place.with(async (place) => {
    const [left, right] = place.pair();
    const [from, to] = [links(place, left), links(place, right)];
    const lengths: number[] = [];
    to.onFrame((_, frame) => lengths.push(frame.length));
    const tagged = Buffer.concat([
      gratuitous.subarray(0, 12), Buffer.from('81000064', 'hex'), gratuitous.subarray(12),
    ]);
    from.send(left.ifindex, tagged);
    from.send(left.ifindex, Buffer.concat([gratuitous, new Uint8Array(18)]));
    from.send(left.ifindex, Buffer.concat([advertisement, new Uint8Array(4)]));
    await until(() => lengths.length >= 2);
    t.deepEqual(lengths, [42, 86]);
  });
});

test('sends to a missing or downed link and oversized frames are refused by name', async (t) => {
  await Place.with((place) => {
    const [left] = place.pair();
    const port = links(place, left);
    const outcome = (result: ReturnType<typeof port.send>): string => (
      result.ok ? 'ok' : result.error.kind
    );
    t.is(outcome(port.send(99, gratuitous)), 'ENODEV');
    t.is(outcome(port.send(left.ifindex, new Uint8Array(9_000))), 'EMSGSIZE');
    run(`ip -n ${left.namespace} link set eth0 down`);
    t.is(outcome(port.send(left.ifindex, gratuitous)), 'ENETDOWN');
    t.is(outcome(port.join(99, solicitedNodeGroup(vip6()))), 'ENODEV');
  });
});

/** Waits for the change after which `eth0` is as wanted. */
function told(port: RealLinks, wanted: (eth0: LinkFacts) => boolean): Promise<void> {
  return new Promise((resolve) => {
    port.onLinks(() => {
      if (port.links().some((link) => link.name === 'eth0' && wanted(link))) resolve();
    });
  });
}

test('links are told with their facts after each change', async (t) => {
  await Place.with(async (place) => {
    const [left, right] = place.pair();
    const port = links(place, left);
    t.like(port.links().find(({ name }) => name === 'eth0'), {
      ifindex: left.ifindex, mac: macLeft, adminUp: true, carrier: true, loopback: false,
      noArp: false, enslaved: false, defaultRoute: false,
    });
    t.true(port.links().some(({ loopback }) => loopback));
    run(`ip -n ${left.namespace} address add 192.0.2.11/24 dev eth0`);
    run(`ip -n ${left.namespace} route add default via 192.0.2.1`);
    await told(port, (eth0) => eth0.defaultRoute && eth0.addresses[0] === ip('192.0.2.11'));
    run(`ip -n ${right.namespace} link set eth0 down`);
    await told(port, (eth0) => eth0.adminUp && !eth0.carrier);
    t.pass();
  });
});

test('groups are joined per link and left, and a second join is the same', async (t) => {
  await Place.with((place) => {
    const [left] = place.pair();
    const port = links(place, left);
    run(`ip netns exec ${left.namespace} sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0`);
    const joined = (): string[] => run(`ip -n ${left.namespace} -6 maddress show dev eth0`)
      .split('\n').filter((line) => line.includes('ff02::1:ff00:64')).map((line) => line.trim());
    const group = solicitedNodeGroup(vip6());
    inside(left, () => {
      t.true(port.join(left.ifindex, group).ok);
      t.true(port.join(left.ifindex, group).ok);
    });
    t.deepEqual(joined(), ['inet6 ff02::1:ff00:64']);
    inside(left, () => port.leave(left.ifindex, group));
    t.deepEqual(joined(), []);
  });
});

function devicesOf(side: Side): readonly DeviceFacts[] {
  const opened = inside(side, () => openDevices<SocketHandle>(addon as never));
  const devices = opened.read();
  opened.close();
  return devices;
}

function device(devices: readonly DeviceFacts[], name: string): DeviceFacts | undefined {
  return devices.find((one) => one.name === name);
}

test('devices are known with kind, master, peer and the namespace of the peer', async (t) => {
  await Place.with((place) => {
    const [left, right] = place.pair();
    const ns = left.namespace;
    run(`ip -n ${ns} link add near type veth peer name far`);
    const devices = devicesOf(left);
    const [near, far] = [device(devices, 'near')!, device(devices, 'far')!];
    t.like(near, { kind: 'veth', peer: far.ifindex, ethernet: true, mtu: 1500 });
    t.is(near.peerNetns, undefined);
    const eth0 = device(devices, 'eth0')!;
    t.is(eth0.peer, right.ifindex);
    t.is(typeof eth0.peerNetns, 'number');
    t.is(device(devices, 'lo')!.ethernet, false);
  });
});

test('a thousand addresses are read without waiting', async (t) => {
  await Place.with((place) => {
    const [left] = place.pair();
    const lines = Array.from({ length: 1_000 }, (_, number) => (
      `address add 10.9.${number >> 8}.${number & 255}/32 dev eth0`
    ));
    place.batch(left.namespace, lines);
    const devices = devicesOf(left);
    t.is(device(devices, 'eth0')!.addresses.length, 1_000);
  });
});

test('frames are heard again after the device was down', async (t) => {
  await Place.with(async (place) => {
    const [left, right] = place.pair();
    const [from, to] = [links(place, left), links(place, right)];
    let heard = 0;
    to.onFrame(() => { heard += 1; });
    from.send(left.ifindex, gratuitous);
    await until(() => heard === 1);
    run(`ip -n ${right.namespace} link set eth0 down`);
    await told(to, (eth0) => !eth0.adminUp);
    run(`ip -n ${right.namespace} link set eth0 up`);
    await told(to, (eth0) => eth0.adminUp && eth0.carrier);
    t.true(from.send(left.ifindex, gratuitous).ok);
    await until(() => heard === 2);
    t.is(heard, 2);
  });
});

test('changes are told on after more of them came than the socket has room for', async (t) => {
  await Place.with(async (place) => {
    const [left] = place.pair();
    const port = links(place, left);
    // Nothing is read while the commands run; each of them makes two messages.
    const add = Array.from({ length: 3_000 }, (_, number) => (
      `address add 10.9.${number >> 8}.${number & 255}/32 dev eth0`
    ));
    place.batch(left.namespace, add);
    await told(port, (eth0) => eth0.addresses.length === 3_000);
    run(`ip -n ${left.namespace} address flush dev eth0`);
    await told(port, (eth0) => eth0.addresses.length === 0);
    t.pass();
  });
});
