import type { Micros } from '../../lb/ports.ts';
import { noPayload, tcpFlag, tupleOf, type Packet } from '../net/packet.ts';

const perSecond = 500;
const burst = 1_000;
const microsPerSecond = 1_000_000;

/** The bucket that bounds refusals: 500 per second, 1,000 at once (datapath.md 8.5). */
export class RefusalBucket {
  // In millionths of a token, so that refilling is exact for whole microseconds.
  #level = burst * microsPerSecond;
  #since: Micros = 0;

  /** True when one more refusal may be sent at `now`. */
  take(now: Micros): boolean {
    this.#level = Math.min(burst * microsPerSecond, this.#level + (now - this.#since) * perSecond);
    this.#since = now;
    if (this.#level < microsPerSecond) return false;
    this.#level -= microsPerSecond;
    return true;
  }
}

/**
 * The packet that tells a sender "nobody here", from the front that it asked: RST for TCP (RFC 9293
 * section 3.10.7.1), port unreachable for the rest. Undefined: RST and errors are never answered.
 */
export function refusalOf(packet: Packet): Packet | undefined {
  if (packet.protocol === 'ICMP') return undefined;
  const back = {
    source: packet.target, target: packet.source, ttl: 64, payload: noPayload,
    ...(packet.trail === undefined ? {} : { trail: packet.trail }),
  };
  const { tcp } = packet;
  if (tcp === undefined) {
    const icmp = { kind: 'unreachable', cause: 'port', quoted: tupleOf(packet) } as const;
    return { ...back, protocol: 'ICMP', sourcePort: 0, targetPort: 0, icmp };
  }
  if ((tcp.flags & tcpFlag.rst) !== 0) return undefined;
  const ports = {
    protocol: 'TCP', sourcePort: packet.targetPort, targetPort: packet.sourcePort,
  } as const;
  if ((tcp.flags & tcpFlag.ack) !== 0) {
    return { ...back, ...ports, tcp: { seq: tcp.ack, ack: 0, flags: tcpFlag.rst } };
  }
  const counted = (tcp.flags & tcpFlag.syn ? 1 : 0) + (
    tcp.flags & tcpFlag.fin ? 1 : 0
  ) + packet.payload.length;
  const ack = (tcp.seq + counted) >>> 0;
  return { ...back, ...ports, tcp: { seq: 0, ack, flags: tcpFlag.rst | tcpFlag.ack } };
}
