import { ip, type Ip } from '../../lb/ip.ts';
import { Frame } from '../../sim/net/frame.ts';
import { Nic } from '../../sim/net/nic.ts';
import { payloadOf, type Packet } from '../../sim/net/packet.ts';
import { Segment } from '../../sim/net/segment.ts';
import type { SwitchOptions } from '../../sim/net/switch.ts';
import { PacketTap, type PacketStep } from '../../sim/net/tap.ts';
import { World, type OrderMode } from '../../sim/world.ts';

export const second = 1_000_000;
export const broadcast = 'ff:ff:ff:ff:ff:ff';
export const macs = {
  a: '02:00:00:00:00:0a', b: '02:00:00:00:00:0b', c: '02:00:00:00:00:0c',
} as const;
export type Name = keyof typeof macs;

export function build(options: SwitchOptions = {}, order: OrderMode = 'fifo') {
  const world = new World({ seed: 3n, order });
  const tap = new PacketTap(world);
  const segment = new Segment(tap, 'lan', options);
  const got: string[] = [];
  const drops: PacketStep[] = [];
  tap.onStep((step) => { if (step.what === 'dropped') drops.push(step); });
  const plug = (name: Name): Nic => {
    const nic = new Nic(tap, { owner: name, name: 'eth0', mac: macs[name], ifindex: 2 });
    segment.attach(nic);
    nic.onFrame = (frame) => got.push(
      `${world.now} ${name} ${frame.packet?.sourcePort ?? frame.etherType}`
    );
    return nic;
  };
  const nics = { a: plug('a'), b: plug('b'), c: plug('c') };
  const run = (time: number): void => {
    world.schedule(time - world.now, { kind: 'end', entity: 'test' }, () => undefined);
    world.run(time);
  };
  const send = (from: Name, to: string, port = 1, size = 4): boolean =>
    nics[from].send(frame({
      from: macs[from], to: to in macs ? macs[to as Name] : to, port, size }));
  const link = (name: Name) => segment.linkOf(name)!;
  return { world, tap, segment, got, drops, nics, run, send, link };
}

/** A second segment in the same world, with one machine `d`. */
export function buildBeside(bench: Bench, options: SwitchOptions = {}) {
  const segment = new Segment(bench.tap, 'lan2', options);
  const nic = new Nic(
    bench.tap, { owner: 'd', name: 'eth0', mac: '02:00:00:00:00:0d', ifindex: 2 },
  );
  segment.attach(nic);
  const got: string[] = [];
  nic.onFrame = (frame) => got.push(`${bench.world.now} ${frame.packet?.sourcePort}`);
  return { segment, nic, got };
}

export type Bench = ReturnType<typeof build>;

export function frame(of: { from: string; to: string; port: number; size: number }): Frame {
  const packet: Packet = {
    source: ip('10.0.0.1'), target: ip('10.0.0.2'), protocol: 'UDP', sourcePort: of.port,
    targetPort: 9, ttl: 64, payload: payloadOf('x'.repeat(of.size)) };
  return Frame.ofPacket(packet, { ethSource: of.from, ethTarget: of.to });
}

export function arp(from: Name, senderIp: Ip, targetIp: Ip): Frame {
  return Frame.ofArp({
    kind: 'arp', opcode: 1, ethSource: macs[from], ethTarget: broadcast, senderMac: macs[from],
    senderIp, targetMac: '00:00:00:00:00:00', targetIp });
}

/** Everybody has sent once, so the switch knows all ports. */
export function learned(bench: Bench): void {
  for (const name of ['a', 'b', 'c'] as const) bench.send(name, broadcast);
  bench.run(1_000);
  bench.got.length = 0;
}
