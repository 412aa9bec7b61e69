import anyTest, { type ExecutionContext } from 'ava';
import {
  allNodes, broadcastMac, encodeArp, encodeNdp, groupMac, solicitedNodeGroup, zeroMac,
} from '../../l2/frames.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import type { LinkFacts, LinkPort } from '../../lb/ports.ts';

/** Two nodes on one segment. Their links are both called `eth0`. */
export interface LinkBench {
  readonly near: LinkPort;
  readonly far: LinkPort;
  /** Lets the near node announce the address, where something fences announcements. */
  permit(address: Ip): void;
  /** Administrative state of the near link. */
  setUp(up: boolean): void;
  /** Lets happen what is due until `done`, or for as long as that may take. */
  pass(done: () => boolean): Promise<void>;
}

export interface LinkContract {
  /** Begins every title. */
  readonly name: string;
  readonly skip?: boolean;
  /** Makes a bench, gives it to `body`, and takes it away. */
  with(body: (bench: LinkBench) => Promise<void>): Promise<void>;
}

const vip = ip('192.0.2.100');
const vip6 = ip('2001:db8::64');
const group = solicitedNodeGroup(vip6);
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');
const outcome = (result: ReturnType<LinkPort['send']>): string => (
  result.ok ? 'ok' : result.error.kind
);

function eth0(port: LinkPort): LinkFacts {
  return port.links().find(({ name }) => name === 'eth0')!;
}

function garp(mac: string, opcode: 1 | 2): Uint8Array {
  return encodeArp({
    kind: 'arp', opcode, ethSource: mac, ethTarget: broadcastMac, senderMac: mac, senderIp: vip,
    targetMac: opcode === 1 ? zeroMac : mac, targetIp: vip,
  });
}

function neighbour(mac: string, kind: 'advertisement' | 'solicitation'): Uint8Array {
  const destination = kind === 'advertisement' ? allNodes : group;
  return encodeNdp({
    kind, ethSource: mac, ethTarget: groupMac(destination), source: vip6, destination,
    target: vip6, linkLayer: mac, router: false, solicited: false,
    override: kind === 'advertisement', hopLimit: 255,
  });
}

type Claim = (
  title: string, body: (t: ExecutionContext, bench: LinkBench) => Promise<void>,
) => void;

/** What every `LinkPort` does, whoever stands behind it (ARCHITECTURE.md, rule 2). */
export function linkContract(contract: LinkContract): void {
  const test = contract.skip === true ? anyTest.skip : anyTest.serial;
  const claim: Claim = (title, body) => {
    test(`${contract.name}: ${title}`, (t) => contract.with((bench) => body(t, bench)));
  };
  frames(claim);
  facts(claim);
}

function frames(claim: Claim): void {
  claim('evidence of conflicts arrives byte for byte, with the link it came by', async (t, of) => {
    const mac = eth0(of.near).mac;
    for (const address of [vip, vip6]) of.permit(address);
    const heard: string[] = [];
    of.far.onFrame((ifindex, frame) => heard.push(`${ifindex} ${hex(frame)}`));
    const sent = [garp(mac, 1), garp(mac, 2), neighbour(mac, 'advertisement')];
    for (const frame of sent) t.is(outcome(of.near.send(eth0(of.near).ifindex, frame)), 'ok');
    await of.pass(() => heard.length === sent.length);
    t.deepEqual(heard, sent.map((frame) => `${eth0(of.far).ifindex} ${hex(frame)}`));
  });

  claim('solicitations are not heard, nor what the node sends itself', async (t, of) => {
    const mac = eth0(of.near).mac;
    of.permit(vip);
    const heard: string[] = [];
    const own: string[] = [];
    of.far.onFrame((_, frame) => heard.push(hex(frame)));
    of.near.onFrame((_, frame) => own.push(hex(frame)));
    of.near.send(eth0(of.near).ifindex, neighbour(mac, 'solicitation'));
    of.near.send(eth0(of.near).ifindex, garp(mac, 1));
    await of.pass(() => heard.length > 0);
    t.deepEqual(heard, [hex(garp(mac, 1))]);
    t.deepEqual(own, []);
  });

  claim('sends by a missing or downed link and long frames are refused', async (t, of) => {
    const { mac, ifindex } = eth0(of.near);
    of.permit(vip);
    t.is(outcome(of.near.send(9_999, garp(mac, 1))), 'ENODEV');
    t.is(outcome(of.near.send(ifindex, new Uint8Array(1_515))), 'EMSGSIZE');
    of.setUp(false);
    t.is(outcome(of.near.send(ifindex, garp(mac, 1))), 'ENETDOWN');
    of.setUp(true);
    await of.pass(() => eth0(of.near).carrier);
    t.is(outcome(of.near.send(ifindex, garp(mac, 1))), 'ok');
  });

  claim('groups are joined and left, twice is once', async (t, of) => {
    const { ifindex } = eth0(of.near);
    t.is(outcome(of.near.join(9_999, group)), 'ENODEV');
    t.is(outcome(of.near.join(ifindex, group)), 'ok');
    t.is(outcome(of.near.join(ifindex, group)), 'ok');
    for (const link of [ifindex, ifindex, 9_999]) of.near.leave(link, group);
    await of.pass(() => true);
  });
}

function facts(claim: Claim): void {
  claim('links have their facts, loopback is among them', async (t, of) => {
    t.like(eth0(of.near), {
      adminUp: true, carrier: true, loopback: false, noArp: false, enslaved: false,
    });
    t.regex(eth0(of.near).mac, /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/u);
    t.true(of.near.links().some(({ loopback }) => loopback));
    await of.pass(() => true);
  });

  claim('a change is told afterwards, never inside the call that made or saw it', async (t, of) => {
    let told = 0;
    let inside = false;
    const during: boolean[] = [];
    of.near.onLinks(() => {
      told += 1;
      during.push(inside);
    });
    inside = true;
    of.setUp(false);
    of.near.links();
    inside = false;
    t.is(told, 0);
    await of.pass(() => told > 0);
    t.true(told > 0);
    t.false(eth0(of.near).carrier);
    of.setUp(true);
    await of.pass(() => eth0(of.near).carrier);
    t.true(eth0(of.near).carrier);
    t.false(during.includes(true));
  });
}
