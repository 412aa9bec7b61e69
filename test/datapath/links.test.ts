import test from 'ava';
import { ip } from '../../lb/ip.ts';
import {
  encodeArp, broadcastMac, zeroMac, decodeArp, solicitedNodeGroup, encodeNdp, groupMac, allNodes,
} from '../../l2/frames.ts';
import {
  encodeResponderEntry, encodeResponderKey, responderMap, responderStats,
} from '../../l2/responder-map.ts';
import { Frame } from '../../sim/net/frame.ts';
import { Process } from '../../sim/process.ts';
import type { SimNode } from '../../sim/node/node.ts';
import { names, vip } from './fixture.ts';
import { Rig } from './rig.ts';

const macA = '02:00:00:00:00:01';
const macX = '02:00:00:00:00:77';

/** A key of the responder that holds until `seconds` of the node's boot time. */
function hold(node: SimNode, address: string, seconds: number): void {
  const expiryNs = BigInt(seconds) * 1_000_000_000n;
  node.kernel.update(
    responderMap, encodeResponderEntry({ ifindex: 2, ip: ip(address) }, { expiryNs, mac: macA }),
    'any',
  );
}

function request(address: string): Uint8Array {
  return encodeArp({
    kind: 'arp', opcode: 1, ethSource: macX, ethTarget: broadcastMac,
    senderMac: macX, senderIp: ip(names['X']!), targetMac: zeroMac, targetIp: ip(address),
  });
}

function gratuitous(address: string): Uint8Array {
  return encodeArp({
    kind: 'arp', opcode: 1, ethSource: macA, ethTarget: broadcastMac,
    senderMac: macA, senderIp: ip(address), targetMac: zeroMac, targetIp: ip(address),
  });
}

/** ARP frames that X hears. */
function heard(rig: Rig): string[] {
  const frames: string[] = [];
  const { onFrame } = rig.x.nic;
  rig.x.nic.onFrame = (frame) => {
    const arp = decodeArp(frame.bytes);
    if (arp !== undefined) {
      frames.push(`${arp.opcode === 1 ? 'request' : 'reply'} ${arp.senderIp} is ${arp.senderMac}`);
    }
    onFrame(frame);
  };
  return frames;
}

test('datapath V63: a request for a held address is answered until the fence, and not a moment longer', (t) => {
  const rig = new Rig();
  const node = rig.node('n-a');
  const frames = heard(rig);
  hold(node, vip, 10);
  t.true(node.wouldAnswer(ip(vip)));
  t.false(node.wouldAnswer(ip('198.51.100.77')));
  rig.x.nic.send(Frame.ofBytes(request(vip)));
  rig.run(1);
  t.deepEqual(frames, [`reply ${vip} is ${macA}`]);
  rig.x.nic.send(Frame.ofBytes(request('198.51.100.77')));
  rig.run(8.9999);
  t.true(node.wouldAnswer(ip(vip)));
  rig.run(0.0001);
  t.false(node.wouldAnswer(ip(vip)));
  rig.x.nic.send(Frame.ofBytes(request(vip)));
  rig.run(1);
  t.is(frames.length, 1);
  const counter = node.kernel.lookup(
    responderStats, encodeResponderKey({ ifindex: 2, ip: ip(vip) }),
  )!;
  t.is(new DataView(counter.buffer).getBigUint64(0, true), 1n);
});

test('a node answers for its own addresses by its stack, held keys or not', (t) => {
  const rig = new Rig();
  const frames = heard(rig);
  hold(rig.node('n-b'), vip, 10);
  rig.x.nic.send(Frame.ofBytes(request('192.0.2.12')));
  rig.run(1);
  t.deepEqual(frames, ['reply 192.0.2.12 is 02:00:00:00:00:02']);
});

/** A process on node A with its link port. */
function links(rig: Rig): { process: Process; port: ReturnType<SimNode['linkPort']> } {
  const node = rig.node('n-a');
  const process = new Process(rig.world, 'agent/n-a', node.clock);
  return { process, port: node.linkPort(process) };
}

test('the fence lets an announcement out while its key holds, and drops it silently otherwise', (t) => {
  const rig = new Rig();
  const node = rig.node('n-a');
  const { port } = links(rig);
  const frames = heard(rig);
  t.true(port.send(2, gratuitous(vip)).ok); // the sender is not told
  rig.run(1);
  t.deepEqual(frames, []);
  t.is(node.hooks.drops.get('l2Fence') ?? 0, 1);
  hold(node, vip, 5);
  port.send(2, gratuitous(vip));
  rig.run(1);
  t.deepEqual(frames, [`request ${vip} is ${macA}`]);
  rig.run(4);
  port.send(2, gratuitous(vip));
  rig.run(1);
  t.is(frames.length, 1);
  t.is(node.hooks.drops.get('l2Fence') ?? 0, 2);
});

test('the fence judges advertisements as it judges ARP', (t) => {
  const rig = new Rig();
  const node = rig.node('n-a');
  const { port } = links(rig);
  const target = ip('2001:db8::64');
  const advertisement = encodeNdp({
    kind: 'advertisement', ethSource: macA, ethTarget: groupMac(allNodes), source: target,
    destination: allNodes, target,
    linkLayer: macA, router: false, solicited: false, override: true, hopLimit: 255,
  });
  port.send(2, advertisement);
  t.is(node.hooks.drops.get('l2Fence') ?? 0, 1);
  hold(node, '2001:db8::64', 5);
  port.send(2, advertisement);
  t.is(node.hooks.drops.get('l2Fence') ?? 0, 1);
});

test('sends to a missing or downed link and oversized frames are refused by name', (t) => {
  const rig = new Rig();
  const { port } = links(rig);
  const outcome = (result: ReturnType<typeof port.send>): string => (
    result.ok ? 'ok' : result.error.kind
  );
  t.is(outcome(port.send(9, gratuitous(vip))), 'ENODEV');
  t.is(outcome(port.send(2, new Uint8Array(1_515))), 'EMSGSIZE');
  rig.node('n-a').nics[0]!.setAdminUp(false);
  t.is(outcome(port.send(2, gratuitous(vip))), 'ENETDOWN');
  t.deepEqual(
    port.join(9, solicitedNodeGroup(ip('2001:db8::64'))), { ok: false, error: { kind: 'ENODEV' } },
  );
});

test('links are told with their facts, once per change and never inside a call', (t) => {
  const rig = new Rig();
  const { port } = links(rig);
  let told = 0;
  port.onLinks(() => { told += 1; });
  const eth0 = port.links().find((link) => link.name === 'eth0')!;
  t.like(
    eth0,
    { ifindex: 2, mac: macA, adminUp: true, carrier: true, loopback: false, defaultRoute: false },
  );
  t.true(eth0.addresses.includes(ip('192.0.2.11')));
  t.true(port.links().some((link) => link.loopback));
  rig.lan.linkOf('n-a')!.setUp(false);
  t.is(told, 0);
  rig.run(1);
  t.is(told, 1);
  t.false(port.links().find((link) => link.name === 'eth0')!.carrier);
});

test('conflict evidence reaches a listening process: ARP of any kind and advertisements, no solicitations', (t) => {
  const rig = new Rig();
  const { process, port } = links(rig);
  const kinds: string[] = [];
  port.onFrame((ifindex, frame) => kinds.push(`${ifindex} ${frame.length}`));
  rig.x.nic.send(Frame.ofBytes(request(vip)));
  rig.run(1);
  t.deepEqual(kinds, ['2 42']);
  process.crash();
  rig.x.nic.send(Frame.ofBytes(request(vip)));
  rig.run(1);
  t.is(kinds.length, 1);
});

test('memberships of a process end with it, those of the kernel stay', (t) => {
  const rig = new Rig();
  const { process, port } = links(rig);
  const nic = rig.node('n-a').nics[0]!;
  const group = solicitedNodeGroup(ip('2001:db8::64'));
  const solicitation = Frame.ofNdp({
    kind: 'solicitation', ethSource: macX, ethTarget: groupMac(group), source: ip('2001:db8::c'),
    destination: group,
    target: ip('2001:db8::64'), linkLayer: macX, router: false,
    solicited: false, override: false, hopLimit: 255,
  });
  t.false(nic.accepts(solicitation));
  port.join(2, group);
  port.join(2, group);
  t.true(nic.accepts(solicitation));
  process.crash();
  rig.run(1);
  t.false(nic.accepts(solicitation));
});

test('whatever changes who answers names the address and touches the world', (t) => {
  const rig = new Rig();
  const node = rig.node('n-a');
  const changes: string[] = [];
  node.onResponderChange((address) => changes.push(`${address} ${node.wouldAnswer(address)}`));
  hold(node, vip, 100);
  node.freeze();
  node.thaw();
  rig.lan.linkOf('n-a')!.setUp(false);
  rig.lan.linkOf('n-a')!.setUp(true);
  node.kernel.remove(responderMap, encodeResponderKey({ ifindex: 2, ip: ip(vip) }));
  t.deepEqual(
    changes.map((change) => change.replace(`${vip} `, '')),
    ['true', 'false', 'true', 'false', 'true', 'false'],
  );
});
