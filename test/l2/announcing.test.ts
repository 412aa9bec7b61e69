import test from 'ava';
import { encodeArp } from '../../l2/frames.ts';
import { ip } from '../../lb/ip.ts';
import {
  link, macOf, ms, second, serviceObject, TestCluster,
} from './harness.ts';
import { lock, lockWrites, names, settled, synced, vip } from './settled.ts';

const foreign = (mac: string): Uint8Array => encodeArp({
  kind: 'arp', ethSource: mac, ethTarget: 'ff:ff:ff:ff:ff:ff', opcode: 1, senderMac: mac,
  senderIp: ip(vip), targetMac: '00:00:00:00:00:00', targetIp: ip(vip),
});

test('l2 50: a stranger is answered by one defence in ten seconds, and answering goes on', (t) => {
  const cluster = settled();
  cluster.run(10 * second);
  const owner = cluster.owner(vip);
  const frames = owner.frames.length;
  for (let index = 0; index < 5; index += 1) {
    owner.hear(2, foreign('02:00:00:00:00:dd'));
    cluster.run(1900 * ms);
  }
  t.is(owner.frames.length - frames, 1, 'one request');
  t.deepEqual(cluster.owners(vip), ['node-b']);
  const told = owner.events.filter((event) => event.reason === 'L2Conflict');
  t.deepEqual(told.map((event) => `${event.object.kind} ${event.object.name}`), [
    'Service s0', 'CiliumL2AnnouncementPolicy all',
  ]);
  const session = cluster.api.sessions().find((name) => name.includes('node-b'))!;
  t.true(JSON.stringify(cluster.api.get(session)).includes('address-conflict'));
});

test('l2 50: amid a burst a defence is sent at once, and the burst goes on', (t) => {
  const cluster = settled();
  const owner = cluster.owner(vip);
  const [first] = owner.frames;
  cluster.run(first!.time + 3000 * ms - cluster.world.now);
  owner.hear(2, foreign('02:00:00:00:00:dd'));
  cluster.run(10 * second);
  const offsets = owner.frames.map(({ time }) => (time - first!.time) / ms);
  t.deepEqual(offsets, [0, 0, 1100, 1100, 2200, 2200, 3000, 4400, 4400, 8800, 8800]);
  t.is(owner.frames[6]!.frame[21], 1, 'a request');
});

test('l2 51: a claim by another session’s MAC makes the owner read the lock', (t) => {
  const cluster = settled();
  cluster.run(10 * second);
  const owner = cluster.owner(vip);
  const { frames } = owner;
  const before = frames.length;
  owner.hear(2, foreign(macOf(0)));
  cluster.run(100 * ms);
  t.is(frames.length - before, 1, 'still ours: defended');
  owner.path.lag = () => 3600 * second;
  cluster.api.edit(
    lock, (object) => ({ ...object, spec: { ...object.spec, holderIdentity: 'node-a_00000000' } }),
  );
  owner.hear(2, foreign(macOf(0)));
  cluster.run(100 * ms);
  t.deepEqual(cluster.owners(vip), []);
});

test('l2 61: a burst goes at 0, 1.1, 2.2, 4.4 and 8.8 s, request then reply', (t) => {
  const cluster = settled();
  cluster.run(15 * second);
  const { frames } = cluster.owner(vip);
  const start = frames[0]!.time;
  t.deepEqual(
    frames.map((one) => (one.time - start) / ms),
    [0, 0, 1100, 1100, 2200, 2200, 4400, 4400, 8800, 8800],
  );
  t.deepEqual(frames.slice(0, 2).map((one) => one.frame[21]), [1, 2]);
});

test('l2 61: an IPv6 burst has three advertisements, and groups are joined and left (65)', (t) => {
  const cluster = synced();
  cluster.service('s0', ['2001:db8::64']);
  cluster.run(10 * second);
  const owner = cluster.owner('2001:db8::64');
  t.is(owner.name, 'node-a');
  const start = owner.frames[0]!.time;
  t.deepEqual(owner.frames.map((one) => (one.time - start) / ms), [0, 1100, 2200]);
  t.deepEqual([...owner.joined], ['2 ff02::1:ff00:64']);
  cluster.service('s0', []);
  cluster.run(second);
  t.is(owner.joined.size, 0);
});

test('l2 61: ownership lost after 1.5 s ends the burst', (t) => {
  const cluster = settled();
  const owner = cluster.owner(vip);
  cluster.run(owner.frames[0]!.time + 1500 * ms - cluster.world.now);
  cluster.service('s0', []);
  cluster.run(10 * second);
  t.is(owner.frames.length, 4);
});

test('l2 62: a link that becomes usable gets keys and a burst after two seconds', (t) => {
  const cluster = settled();
  const owner = cluster.owner(vip);
  cluster.run(10 * second);
  const before = owner.frames.length;
  owner.changeLinks(
    (links) => [...links, link('eth1', { ifindex: 3, mac: macOf(16), carrier: false })],
  );
  cluster.run(3 * second);
  t.deepEqual(owner.answering().get(ip(vip)), [2]);
  owner.changeLinks((links) => links.map((one) => ({ ...one, carrier: true })));
  cluster.run(1900 * ms);
  t.deepEqual(owner.answering().get(ip(vip)), [2]);
  cluster.run(200 * ms);
  t.deepEqual(owner.answering().get(ip(vip)), [2, 3]);
  t.true(
    owner.frames.slice(before).every((one) => one.ifindex === 3) && owner.frames.length > before,
  );
  t.is(cluster.notes('l2.announcedAfterHeal').length, 1);
});

test('l2 63: a send that fails twice is tried again and the key stays', (t) => {
  const cluster = synced();
  for (const node of cluster.nodes) node.sendError = 'ENETDOWN';
  cluster.service('s0', [vip]);
  cluster.run(1500 * ms);
  const owner = cluster.owner(vip);
  t.is(owner.frames.length, 0);
  owner.sendError = undefined;
  cluster.run(second);
  t.is(owner.frames.length >= 2, true);
});

test('l2 64: a changed MAC rewrites the keys and announces with it', (t) => {
  const cluster = settled();
  cluster.run(10 * second);
  const owner = cluster.owner(vip);
  const before = owner.frames.length;
  owner.changeLinks((links) => links.map((one) => ({ ...one, mac: '02:00:00:00:00:77' })));
  cluster.run(100 * ms);
  const value = [...owner.kernel.map.values()][0]!.value;
  t.is(Buffer.from(value.subarray(8, 14)).toString('hex'), '020000000077');
  t.is(owner.frames.length - before, 2);
});

test('l2 64: of two links in one segment the lower ifindex answers', (t) => {
  const cluster = settled();
  const owner = cluster.owner(vip);
  owner.changeLinks((links) => [...links, link('eth1', { ifindex: 3, mac: macOf(16) })]);
  cluster.run(4 * second);
  t.deepEqual(owner.answering().get(ip(vip)), [2, 3]);
  owner.hear(2, foreign(macOf(16)));
  cluster.run(100 * ms);
  const told = owner.events.filter((event) => event.reason === 'L2DuplicateSegment');
  t.deepEqual(told.map((event) => event.object.kind), ['Service', 'CiliumL2AnnouncementPolicy']);
  t.deepEqual(owner.answering().get(ip(vip)), [2]);
  cluster.run(70 * second);
  t.deepEqual(owner.answering().get(ip(vip)), [2, 3]);
});

test('l2 43: a second process on the owner’s node waits for the host lock', (t) => {
  const cluster = settled();
  const owner = cluster.owner(vip);
  const { process } = owner;
  owner.start();
  t.is(owner.process, process);
  cluster.run(5 * second);
  t.deepEqual(owner.announcer?.pending(), ['waits for the host lock @fairlead-l2']);
  t.deepEqual(cluster.owners(vip), ['node-b']);
});

test('C9: without a front in the datapath a node is no candidate', (t) => {
  const cluster = new TestCluster(names);
  for (const node of cluster.nodes) node.front = { is: node.name === 'node-c' };
  cluster.start();
  cluster.run(6 * second);
  cluster.service('s0', [vip]);
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-c']);
});

test('a Service row of another class is never selected', (t) => {
  const cluster = synced();
  cluster.tables.services.upsert(
    'prod/x', serviceObject('x', { loadBalancerClass: 'unsupported.io/x', externalIps: [vip] }),
  );
  cluster.run(6 * second);
  t.deepEqual(lockWrites(cluster), []);
});
