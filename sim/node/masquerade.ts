import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { Frame } from '../net/frame.ts';
import { tcpFlag, type Packet, type PacketTuple } from '../net/packet.ts';

interface Binding {
  readonly inner: { readonly ip: Ip; readonly port: number };
  readonly forwardKey: string;
  last: Micros;
}

const idleMax: Micros = 600_000_000;
/** How long an answer to a datagram counts as one (RFC 4787). */
const datagramLife: Micros = 120_000_000;
const sweepEvery = 1_024;
const portFirst = 1_024;
const portLast = 65_535;

/**
 * The stack's own source translation for pods that call the outside, as a CNI's masquerade rule
 * sets it up: node address, the pod's port if it is free, else the next one.
 */
export class Masquerade {
  #byPacket = new Map<string, number>();
  #byReply = new Map<string, Binding>();
  #askedAt = new Map<string, Micros>();
  #added = 0;

  /** True for what `out` leaves as it is, as long as nothing is masqueraded. */
  spares(packet: Packet): boolean {
    return this.#byPacket.size === 0 && answersTcp(packet);
  }

  /**
   * The packet as it leaves under `address`, unchanged where it answers somebody: connection
   * tracking translates the first packet of a flow or none. Undefined: every port towards the
   * target is taken.
   */
  out(packet: Packet, address: Ip, now: Micros): Packet | undefined {
    const forwardKey = keyOf(packet);
    const known = this.#byPacket.get(forwardKey);
    if (known === undefined && this.#answers(packet, forwardKey, now)) return packet;
    const binding = known === undefined
      ? undefined
      : this.#byReply.get(replyKey(packet, address, known));
    if (known !== undefined && binding !== undefined) {
      binding.last = now;
      return { ...packet, source: address, sourcePort: known };
    }
    const port = this.#freePort(packet, address, now);
    if (port === undefined) return undefined;
    const inner = { ip: packet.source, port: packet.sourcePort };
    this.#byPacket.set(forwardKey, port);
    this.#byReply.set(replyKey(packet, address, port), { inner, forwardKey, last: now });
    this.#added += 1;
    if (this.#added % sweepEvery === 0) this.#sweep(now);
    return { ...packet, source: address, sourcePort: port };
  }

  /** An answer to a masqueraded packet, on its way to the pod that asked; all else as it came. */
  in(frame: Frame, now: Micros): Frame {
    if (this.#byReply.size === 0) return frame;
    const { packet } = frame;
    if (packet === undefined) return frame;
    const binding = this.#byReply.get(keyOf(packet));
    if (binding === undefined || now - binding.last > idleMax) return frame;
    binding.last = now;
    const { ip, port } = binding.inner;
    return Frame.ofPacket({ ...packet, target: ip, targetPort: port }, frame.head);
  }

  /** Notes a datagram that came in to a pod, so that the answer leaves as it is. */
  asked(packet: PacketTuple, now: Micros): void {
    if (packet.protocol !== 'UDP') return;
    const { protocol, source, sourcePort, target, targetPort } = packet;
    const answer = {
      protocol, source: target, sourcePort: targetPort, target: source, targetPort: sourcePort,
    };
    this.#askedAt.set(keyOf(answer), now);
    if (this.#askedAt.size > 2 * sweepEvery) this.#forgetAsked(now);
  }

  #answers(packet: Packet, key: string, now: Micros): boolean {
    if (packet.tcp !== undefined) return answersTcp(packet);
    return now - (this.#askedAt.get(key) ?? -datagramLife) < datagramLife;
  }

  #forgetAsked(now: Micros): void {
    for (const [key, at] of this.#askedAt) if (now - at > datagramLife) this.#askedAt.delete(key);
  }

  clear(): void {
    this.#askedAt.clear();
    this.#byPacket.clear();
    this.#byReply.clear();
  }

  #freePort(packet: Packet, address: Ip, now: Micros): number | undefined {
    const span = portLast - portFirst + 1;
    for (let step = 0; step < span; step += 1) {
      const port = portFirst + ((packet.sourcePort - portFirst + step + span) % span);
      const taken = this.#byReply.get(replyKey(packet, address, port));
      if (taken === undefined || now - taken.last > idleMax) return port;
    }
    return undefined;
  }

  #sweep(now: Micros): void {
    for (const [key, binding] of this.#byReply) {
      if (now - binding.last <= idleMax) continue;
      this.#byReply.delete(key);
      this.#byPacket.delete(binding.forwardKey);
    }
  }
}

// Whatever does not open a connection belongs to one.
function answersTcp({ tcp }: Packet): boolean {
  return tcp !== undefined && (tcp.flags & (tcpFlag.syn | tcpFlag.ack)) !== tcpFlag.syn;
}

function keyOf({ protocol, source, sourcePort, target, targetPort }: PacketTuple): string {
  return `${protocol}${source}|${sourcePort}>${target}|${targetPort}`;
}

function replyKey(packet: PacketTuple, address: Ip, port: number): string {
  return `${packet.protocol}${packet.target}|${packet.targetPort}>${address}|${port}`;
}
