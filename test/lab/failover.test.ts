// Every fault of `kind/lab/failover` once, on real nodes with fast timing, and what must not shake
// an owner (l2.md 16, rows 43, 46 and 50). `test/lab/measure.ts` plays the faults many times, with
// both timings, beside the simulator.
import { readFileSync } from 'node:fs';
import anyTest from 'ava';
import type { SocketHandle } from '../../bpf/native.real.ts';
import { storyOf, strikeOnce, type Failover } from '../../kind/lab/failover.ts';
import { ownerOf } from '../../kind/lab/faults.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { monotonicMicros } from '../../kind/lab/probe.ts';
import { ownNamespace } from '../../kind/lab/spec.ts';
import { agentReady, bringUp } from '../../kind/lab/up.ts';
import { doubled, silenceOf, Watcher, type Heard } from '../../kind/lab/watcher.ts';
import { broadcastMac, encodeArp, zeroMac } from '../../l2/frames.ts';
import { openDevices, type SocketAddon } from '../../lb/devices.real.ts';
import { ip } from '../../lb/ip.ts';
import { kernelTests } from '../kernel/machine.ts';
import { deliveries, gracefulMaxMs, labOf, readStory, timings } from './story.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const name = `f${process.pid}`;
const { crashMaxMs, patienceMs } = timings.fast;
const address = ip('192.168.10.40');
const leases = `/apis/coordination.k8s.io/v1/namespaces/${ownNamespace}/leases`;
const lock = `${leases}/fairlead-l2-192-168-10-40`;

let lab: Lab;
/** Worst `u` of l2.md 7 on this machine now: it is a term of both bounds. */
let deliveryMs = 0;

if (!skip) {
  anyTest.before(async () => {
    const up = await bringUp(labOf(name, await readStory('power-off', 'fast')), () => undefined);
    if (!up.ok) throw new Error(up.error);
    lab = up.value;
    await until('owner', async () => (await owner()) !== '');
  });
  anyTest.after.always(async () => {
    const found = Lab.open(name);
    if (found.ok) await found.value.down();
  });
}

async function play(story: string): Promise<Failover> {
  const { scenario } = await readStory(story, 'fast');
  const struck = await strikeOnce(lab, { story: storyOf(scenario), watcher: 'laptop', patienceMs });
  deliveryMs = (await deliveries(lab, 20)).at(-1) ?? 0;
  return struck;
}

/** The bound of l2.md 7, which holds for the delivery times that it assumes; longer ones add up. */
function bound(kind: 'crash' | 'graceful'): number {
  return kind === 'crash'
    ? crashMaxMs + 3 * Math.max(0, deliveryMs - 70)
    : gracefulMaxMs + 2 * Math.max(0, deliveryMs - 42);
}

const takenOver = anyTest.macro({
  exec: async (t, story: string, kind: 'crash' | 'graceful') => {
    const { outageMs, silenceMs, resets, from, to, heard } = await play(story);
    t.is(doubled(heard), 0, 'two nodes answered one question');
    t.is(resets, 0, 'a frame that the switch sends everywhere is served by its addressee alone');
    t.not(to, from);
    t.true(heard.asks.length > 50);
    t.true(silenceMs <= bound(kind), `${silenceMs} ms without an answer, u is ${deliveryMs} ms`);
    t.true(outageMs <= bound(kind), `${outageMs} ms of outage, u is ${deliveryMs} ms`);
    const announced = new Set(heard.announcements.map(({ mac }) => mac));
    const cable = lab.spec.blueprint.cables.find(({ machine }) => machine === to);
    t.true(announced.has(cable?.mac ?? ''), 'the new owner tells the segment');
  },
  title: (_, story, kind) => `${story}: another node answers within the bound of a ${kind} end`,
});

test(takenOver, 'power-off', 'crash');
test(takenOver, 'agent-kill', 'crash');
test(takenOver, 'owner-without-api', 'crash');
test(takenOver, 'agent-stop', 'graceful');
test(takenOver, 'drain', 'graceful');
test(takenOver, 'link-down', 'graceful');

test('api-down: all fall silent at their fence, and the same owner is back with the API', async (t) => {
  const { silenceMs, from, to, heard } = await play('api-down');
  t.is(doubled(heard), 0);
  t.is(to, from);
  // 2.3 s without it: the fence passes within 1 s, and 2 s after its return all is well.
  t.true(silenceMs > 1_000 && silenceMs < 2_300 + 2_000, `${silenceMs} ms`);
});

test('lan-cut: an owner with carrier and session stays, nobody else answers', async (t) => {
  const { outageMs, from, to, heard } = await play('lan-cut');
  t.is(doubled(heard), 0);
  t.is(to, from);
  t.true(outageMs > 2_000, `${outageMs} ms`);
  t.is(new Set(heard.asks.flatMap(({ macs }) => macs)).size, 1);
});

const untilMs = 20_000;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + untilMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`no ${what} within ${untilMs / 1000} s`);
    await pauseMs(20);
  }
}

function pauseMs(delay: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, delay); });
}

async function owner(): Promise<string> {
  return await ownerOf(lab, address) ?? '';
}

/** Asks the LAN all the while that `body` runs. */
async function watched(body: (watcher: Watcher) => Promise<void>): Promise<Heard> {
  const watcher = new Watcher(lab.machine('laptop'), address, 5);
  await watcher.listening;
  try {
    await body(watcher);
  } finally {
    await watcher.stop();
  }
  return watcher.stop();
}

interface Lease {
  readonly spec: { readonly holderIdentity?: string; readonly leaseTransitions?: number };
}

async function lockNow(): Promise<Lease['spec']> {
  return (await lab.get(lock) as Lease).spec;
}

async function sessions(): Promise<readonly string[]> {
  const list = await lab.get(`${leases}?labelSelector=fairlead.dev/l2%3Dsession`) as
    { readonly items: readonly Lease[] };
  return list.items.map(({ spec }) => spec.holderIdentity ?? '').filter((each) => each !== '');
}

test('a second agent on the node of the owner waits and owns nothing, until the first dies', async (t) => {
  const node = await owner();
  const before = await lockNow();
  const machine = lab.machine(node);
  const said = (word: string) => async (): Promise<boolean> => (
    readFileSync(lab.record.path(`logs/${node}.agent2.log`), 'utf8').includes(word)
  );
  const heard = await watched(async () => {
    lab.startAgent(node, { part: 'agent2' });
    await until('word of its waiting', said('"agent.waits"'));
    await pauseMs(500);
    t.deepEqual(await lockNow(), before, 'the lock is as it was');
    t.is((await sessions()).filter((each) => each.startsWith(`${node}_`)).length, 1);
  });
  t.is(doubled(heard), 0);
  t.is(silenceOf(heard), 0, 'the first agent goes on answering');
  await machine.kill('agent');
  await until('session', said('"l2.sessionLive"'));
  await machine.kill('agent2');
  lab.startAgent(node);
  await agentReady(lab, machine);
  await until('owner', async () => (await owner()) !== '');
});

test('a lock that is given to somebody else by hand silences its owner, and W later has one again', async (t) => {
  const node = await owner();
  const { leaseTransitions: epoch = 0 } = await lockNow();
  const thief = (await sessions()).find((each) => !each.startsWith(`${node}_`)) ?? '';
  t.not(thief, '');
  const heard = await watched(async () => {
    await pauseMs(300);
    await lab.patch(lock, { spec: { holderIdentity: thief } });
    await until('take', async () => ((await lockNow()).leaseTransitions ?? 0) > epoch);
    await pauseMs(300);
  });
  t.is(doubled(heard), 0);
  // W is 1.02 s with this timing (l2.md 5.1); what follows is one take.
  t.true(silenceOf(heard) > 900 && silenceOf(heard) < 2_000, `${silenceOf(heard)} ms`);
  t.not(await owner(), '');
});

test('a machine that claims the address is answered, told of, and changes nothing', async (t) => {
  const before = await lockNow();
  const mac = lab.spec.blueprint.cables.find(({ machine }) => (
    before.holderIdentity?.startsWith(`${machine}_`) === true
  ))?.mac ?? '';
  const claims = 5;
  let claimedAt = 0;
  const heard = await watched(async (watcher) => {
    claimedAt = monotonicMicros();
    for (let claim = 0; claim < claims; claim += 1) {
      claimAddress('02:aa:aa:aa:aa:aa');
      await pauseMs(100);
    }
    await until('condition', async () => (await conflictSeen()) === 'True');
    await until('defence', async () => watcher.announcedSince(claimedAt, mac));
  });
  t.deepEqual(await lockNow(), before);
  t.is(doubled(heard), 0);
  t.is(silenceOf(heard), 0, 'answering goes on');
  const defences = heard.announcements.filter((each) => each.mac === mac && each.at > claimedAt);
  t.true((defences[0]?.at ?? Infinity) - claimedAt < 1_000_000, 'at once, amid a burst or not');
  // One frame, and two of a step of a burst that may be under way: not one for every claim.
  t.true(defences.length < claims, `${defences.length} frames`);
});

async function conflictSeen(): Promise<string | undefined> {
  const policy = await lab.get('/apis/cilium.io/v2alpha1/ciliuml2announcementpolicies/lan') as {
    readonly status?: { readonly conditions?: readonly { type: string; status: string }[] };
  };
  return policy.status?.conditions?.find(({ type }) => type === 'fairlead.dev/address-conflict')
    ?.status;
}

/** One gratuitous ARP request of somebody who has no business with the address. */
function claimAddress(mac: string): void {
  const frame = encodeArp({
    kind: 'arp', ethSource: mac, ethTarget: broadcastMac, opcode: 1, senderMac: mac,
    senderIp: address, targetMac: zeroMac, targetIp: address,
  });
  const sent = addon.netnsCall(`/run/netns/${lab.machine('laptop').plan.namespace}`, () => {
    const devices = openDevices<SocketHandle>(addon as SocketAddon<SocketHandle>);
    const device = devices.read().find((each) => each.name === 'eth0');
    devices.close();
    const socket = addon.packetOpen(device?.ifindex ?? 0, 0, new Uint8Array());
    if (typeof socket === 'number') return socket;
    const code = addon.socketSend(socket, frame);
    addon.close(socket);
    return code;
  });
  if (typeof sent !== 'number' || sent < 0) throw new Error(`the claim is not sent: ${sent}`);
}
