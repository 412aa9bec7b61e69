import type { Micros } from '../../lb/ports.ts';
import type { IcmpMessage, Packet, PacketTuple } from '../net/packet.ts';
import type { Flow, FlowEnd, FlowTable } from './flows.ts';

/**
 * An ICMP error about a translated flow as its reader must see it (datapath.md 8.6): the quoted
 * tuple, the outer target, and the outer source where it is the endpoint's. Undefined: no row.
 */
export function translateError(packet: Packet, flows: FlowTable, now: Micros): Packet | undefined {
  const { icmp } = packet;
  if (icmp === undefined || !isError(icmp)) return undefined;
  const { quoted } = icmp;
  const request = flows.reply(reversed(quoted), now);
  if (request !== undefined) return aboutRequest(packet, icmp, request);
  const reply = flows.forward(reversed(quoted), now);
  return reply === undefined ? undefined : aboutReply(packet, icmp, reply);
}

type IcmpError = Extract<IcmpMessage, { readonly quoted: PacketTuple }>;

function isError(icmp: IcmpMessage): icmp is IcmpError {
  return 'quoted' in icmp;
}

// The endpoint's side complains about what the client sent: the client must find its own tuple.
function aboutRequest(packet: Packet, icmp: IcmpError, flow: Flow): Packet {
  const source = packet.source === flow.backend.ip ? flow.front.ip : packet.source;
  const quoted = tuple(flow.client, flow.front, icmp.quoted);
  return { ...packet, source, target: flow.client.ip, icmp: { ...icmp, quoted } };
}

// The client's side complains about what the endpoint sent.
function aboutReply(packet: Packet, icmp: IcmpError, flow: Flow): Packet {
  const quoted = tuple(flow.backend, flow.seen, icmp.quoted);
  const source = packet.source === flow.client.ip ? flow.seen.ip : packet.source;
  return { ...packet, source, target: flow.backend.ip, icmp: { ...icmp, quoted } };
}

function tuple(source: FlowEnd, target: FlowEnd, { protocol }: PacketTuple): PacketTuple {
  return {
    protocol, source: source.ip, sourcePort: source.port, target: target.ip,
    targetPort: target.port,
  };
}

function reversed(of: PacketTuple): PacketTuple {
  const { protocol, source, sourcePort, target, targetPort } = of;
  return {
    protocol, source: target, sourcePort: targetPort, target: source, targetPort: sourcePort,
  };
}
