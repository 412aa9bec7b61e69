import { ip } from '../../lb/ip.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import { noPayload, type Packet } from '../../sim/net/packet.ts';
import type { SimNode } from '../../sim/node/node.ts';
import { clusterIp, names, vip } from './fixture.ts';
import { Probe, type Step } from './probe.ts';
import { Rig } from './rig.ts';

export interface Options {
  readonly services?: readonly Service[];
  readonly slices?: readonly EndpointSlice[];
  readonly options?: Partial<DatapathOptions>;
  /** What the node's helpers draw, in turn; the last one repeats. */
  readonly draws?: readonly number[];
}

/** Node A with its rows programmed, and draws that the row names. */
export function nodeA({ services, slices, options, draws = [0] }: Options = {}): {
  rig: Rig; node: SimNode; programs: Probe,
} {
  const rig = new Rig(options);
  rig.load(services, slices);
  rig.startPods();
  rig.datapath('n-a');
  rig.run(1);
  const node = rig.node('n-a');
  let turn = 0;
  Object.defineProperty(node.kernel.chance, 'next', {
    value: () => {
      turn += 1;
      return draws[Math.min(turn, draws.length) - 1];
    },
  });
  return { rig, node, programs: new Probe(node) };
}

export function tcp(from: string, to: string, flags: number, more: Partial<Packet> = {}): Packet {
  const [source, sourcePort] = end(from);
  const [target, targetPort] = end(to);
  return {
    source, sourcePort, target, targetPort, protocol: 'TCP', ttl: 64,
    tcp: { seq: 100, ack: 0, flags }, payload: noPayload, ...more,
  };
}

export function udp(from: string, to: string): Packet {
  const { tcp: _tcp, ...rest } = tcp(from, to, 0);
  return { ...rest, protocol: 'UDP' };
}

function end(text: string): [Packet['source'], number] {
  const [name = '', port = '0'] = text.split(':');
  const address = { VIP: vip, CIP: clusterIp, A: '192.0.2.11' }[name] ?? names[name] ?? name;
  return [ip(address), Number(port)];
}

/** `redirect 192.0.2.11:57707 → 10.64.2.21:8080 ttl 63`. */
export function show(step: Step): string {
  if (step.kind === 'drop') return `drop ${step.reason}`;
  const { source, sourcePort, target, targetPort, ttl } = step.packet;
  return `${step.kind} ${source}:${sourcePort} → ${target}:${targetPort} ttl ${ttl}`;
}

/** Quotes a packet in an ICMP error. */
export function error(from: string, to: string, quoted: Packet): Packet {
  const { tcp: _tcp, ...bare } = tcp(`${from}:0`, `${to}:0`, 0);
  const { source, target, protocol, sourcePort, targetPort } = quoted;
  const tuple = { source, target, protocol, sourcePort, targetPort };
  return { ...bare, protocol: 'ICMP', icmp: { kind: 'too-big', mtuBytes: 1400, quoted: tuple } };
}

export function quotedText(step: Step): string {
  if (step.kind === 'drop' || step.packet.icmp === undefined || !('quoted' in step.packet.icmp)) {
    return 'nothing';
  }
  const { quoted } = step.packet.icmp;
  const mtu = step.packet.icmp.kind === 'too-big' ? ` mtu ${step.packet.icmp.mtuBytes}` : '';
  return `${quoted.source}:${quoted.sourcePort} → ${quoted.target}:${quoted.targetPort}${mtu}`;
}

export const backend = (step: Step): string | undefined => (
  step.kind === 'drop' ? `drop ${step.reason}` : step.packet.target
);
