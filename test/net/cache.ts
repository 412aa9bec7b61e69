import type { ArpFrame, NdpFrame } from '../../l2/frames.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import { NeighbourCache } from '../../sim/net/neighbour.ts';
import type { NeighbourSettings } from '../../sim/net/neighbour-rules.ts';
import { noPayload, type Packet } from '../../sim/net/packet.ts';
import { World } from '../../sim/world.ts';

export const second = 1_000_000;
export const own = { ip: ip('192.168.10.11'), ip6: ip('2001:db8::b'), mac: '02:00:00:00:00:0b' };
export const other = ip('192.168.10.77');
export const vip = ip('192.168.10.200');
export const vip6 = ip('2001:db8::200');
export const offNet = ip('203.0.113.9');
export const macA = '02:00:00:00:00:aa';
export const macB = '02:00:00:00:00:bb';
export const broadcast = 'ff:ff:ff:ff:ff:ff';
export const zero = '00:00:00:00:00:00';
export const any4 = ip('0.0.0.0');

export function build(settings: Partial<NeighbourSettings> = {}) {
  const world = new World({ seed: 7n });
  const solicits: string[] = [];
  const sent: string[] = [];
  const lost: string[] = [];
  const cache = new NeighbourCache<Packet>(world, {
    mac: own.mac,
    isLocal: (address) => address === own.ip || address === own.ip6,
    inSubnet: (address) => address.startsWith('192.168.10.') || address.startsWith('2001:db8::'),
    solicit: (target, mac) => solicits.push(`${world.now} ${target} ${mac ?? 'all'}`),
    transmit: (packet, mac) => sent.push(`${packet.sourcePort} ${mac}`),
    unresolved: (packet, why) => lost.push(`${packet.sourcePort} ${why}`),
  }, { name: 'laptop', ...settings });
  // An empty heap ends a run early, so time gets an event of its own.
  const run = (time: number): void => {
    world.schedule(time - world.now, { kind: 'end', entity: 'test' }, () => undefined);
    world.run(time);
  };
  return { world, cache, solicits, sent, lost, run };
}

export type Bench = ReturnType<typeof build>;

export function packet(target: Ip, sourcePort = 1): Packet {
  return {
    source: own.ip, target, protocol: 'UDP', sourcePort, targetPort: 9, ttl: 64, payload: noPayload,
  };
}

export function arp(change: Partial<ArpFrame>): ArpFrame {
  return { kind: 'arp', opcode: 1, ethSource: macB, ethTarget: broadcast, senderMac: macB,
    senderIp: vip,
    targetMac: zero, targetIp: vip, ...change };
}

export const frames = {
  'gratuitous request': arp({}),
  'gratuitous reply, target hardware = sender': arp({ opcode: 2, targetMac: macB }),
  'gratuitous reply, target hardware zero': arp({ opcode: 2, targetMac: zero }),
  'gratuitous reply, target hardware broadcast': arp({ opcode: 2, targetMac: broadcast }),
  'broadcast request for another host': arp({ targetIp: other }),
  'broadcast request for this host': arp({ targetIp: own.ip }),
  'unicast request for this host': arp({ targetIp: own.ip, ethTarget: own.mac }),
  'unicast reply to this host': arp({ opcode: 2, ethTarget: own.mac, targetMac: own.mac, targetIp: own.ip }),
  'probe': arp({ senderIp: any4 }),
} as const;
export type FrameName = keyof typeof frames;

/** The entry points to A; it last changed at time 0. */
export function known(bench: Bench, address: Ip = vip): void {
  bench.cache.resolve(address, packet(address));
  if (address.includes(':')) bench.cache.onNdp(na({ linkLayer: macA }));
  else bench.cache.onArp({ ...frames['unicast reply to this host'], senderMac: macA });
}


export function na(change: Partial<NdpFrame>): NdpFrame {
  return { kind: 'advertisement', ethSource: macB, ethTarget: own.mac, source: vip6,
    destination: own.ip6, target: vip6,
    linkLayer: macB, router: false, solicited: true, override: true, hopLimit: 255, ...change };
}
