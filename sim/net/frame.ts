import {
  decodeArp, decodeNdp, encodeArp, encodeNdp, type ArpFrame, type NdpFrame,
} from '../../l2/frames.ts';
import { assert } from '../../lb/result.ts';
import { hashBytes } from '../trace.ts';
import { readMac } from './address.ts';
import {
  decodeFrame, encodeFrame, etherTypes, type EthernetAddresses, type PacketFault,
} from './codec.ts';
import { decodeMld, encodeMld, type MldFrame } from './mld.ts';
import { transportLength, type Packet } from './packet.ts';
import { familyOf } from '../../lb/ip.ts';

/** What a frame carries, once somebody asked. */
export type FrameContent =
  | { readonly kind: 'packet'; readonly packet: Packet }
  | { readonly kind: 'arp'; readonly arp: ArpFrame }
  | { readonly kind: 'ndp'; readonly ndp: NdpFrame }
  | { readonly kind: 'mld'; readonly mld: MldFrame }
  | { readonly kind: 'other'; readonly fault: PacketFault };

const frameHeader = 14;

/**
 * One immutable Ethernet frame. Bytes are what travels, yet a hop that needs the decoded packet
 * alone never pays for encoding, nor one that needs the bytes for decoding: each side is made from
 * the other on first use and kept.
 */
export class Frame {
  readonly ethSource: string;
  readonly ethTarget: string;
  readonly etherType: number;
  #bytes: Uint8Array | undefined;
  #content: FrameContent | undefined;
  #digest = 0;
  #length = -1;

  private constructor(
    head: EthernetAddresses, etherType: number,
    body: { bytes?: Uint8Array; content?: FrameContent },
  ) {
    this.ethSource = head.ethSource;
    this.ethTarget = head.ethTarget;
    this.etherType = etherType;
    this.#bytes = body.bytes;
    this.#content = body.content;
  }

  /** At least the 14 bytes of an Ethernet header; the caller must not write to `bytes` again. */
  static ofBytes(bytes: Uint8Array): Frame {
    assert(bytes.length >= frameHeader, `${bytes.length} bytes hold an Ethernet header`);
    const head = { ethSource: readMac(bytes, 6), ethTarget: readMac(bytes, 0) };
    return new Frame(head, ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0), { bytes });
  }

  static ofPacket(packet: Packet, head: EthernetAddresses): Frame {
    const etherType = familyOf(packet.target) === 'IPv4' ? etherTypes.ipv4 : etherTypes.ipv6;
    return new Frame(head, etherType, { content: { kind: 'packet', packet } });
  }

  static ofArp(arp: ArpFrame): Frame {
    return new Frame(arp, etherTypes.arp, { content: { kind: 'arp', arp } });
  }

  static ofNdp(ndp: NdpFrame): Frame {
    return new Frame(ndp, etherTypes.ipv6, { content: { kind: 'ndp', ndp } });
  }

  static ofMld(mld: MldFrame): Frame {
    return Frame.ofBytes(encodeMld(mld));
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.#encode();
    return this.#bytes;
  }

  get content(): FrameContent {
    this.#content ??= decodeContent(this.etherType, this.bytes);
    return this.#content;
  }

  /** The TCP, UDP or ICMP packet, or undefined for everything else. */
  get packet(): Packet | undefined {
    const { content } = this;
    return content.kind === 'packet' ? content.packet : undefined;
  }

  get arp(): ArpFrame | undefined {
    const { content } = this;
    return content.kind === 'arp' ? content.arp : undefined;
  }

  get ndp(): NdpFrame | undefined {
    const { content } = this;
    return content.kind === 'ndp' ? content.ndp : undefined;
  }

  /** Bytes behind the Ethernet header: what an MTU limits. */
  get payloadLength(): number {
    if (this.#length < 0) this.#length = this.#measure();
    return this.#length;
  }

  /** 32 bits of what the frame says, for the trace; not a checksum. */
  get digest(): number {
    if (this.#digest === 0) {
      const { content } = this;
      this.#digest = content.kind === 'packet'
        ? packetDigest(content.packet)
        : hashBytes(this.bytes);
    }
    return this.#digest;
  }

  /** The same packet under other Ethernet addresses, as a hop sends it on. */
  withAddresses(head: EthernetAddresses): Frame {
    const packet = this.packet;
    if (packet !== undefined) return Frame.ofPacket(packet, head);
    const bytes = this.bytes.slice();
    return new Frame(head, this.etherType, { bytes: readdressed(bytes, head) });
  }

  #measure(): number {
    if (this.#bytes !== undefined) return this.#bytes.length - frameHeader;
    const content = this.#content;
    if (content?.kind !== 'packet') return this.bytes.length - frameHeader;
    const header = this.etherType === etherTypes.ipv4 ? 20 : 40;
    return header + transportLength(content.packet);
  }

  #encode(): Uint8Array {
    const content = this.#content;
    assert(content !== undefined && content.kind !== 'other', 'a frame has bytes or a content');
    switch (content.kind) {
      case 'packet': return encodeFrame(content.packet, this);
      case 'arp': return encodeArp(content.arp);
      case 'ndp': return encodeNdp(content.ndp);
      case 'mld': return encodeMld(content.mld);
    }
  }
}

function readdressed(bytes: Uint8Array, head: EthernetAddresses): Uint8Array {
  const macs = [head.ethTarget, head.ethSource].join(':').split(':');
  macs.forEach((octet, index) => { bytes[index] = Number.parseInt(octet, 16); });
  return bytes;
}

function decodeContent(etherType: number, bytes: Uint8Array): FrameContent {
  if (etherType === etherTypes.arp) {
    const arp = decodeArp(bytes);
    return arp === undefined ? { kind: 'other', fault: 'malformed' } : { kind: 'arp', arp };
  }
  if (etherType !== etherTypes.ipv4 && etherType !== etherTypes.ipv6) {
    return { kind: 'other', fault: 'unsupported' };
  }
  if (etherType === etherTypes.ipv6) {
    const ndp = decodeNdp(bytes);
    if (ndp !== undefined) return { kind: 'ndp', ndp };
    const mld = decodeMld(bytes);
    if (mld !== undefined) return { kind: 'mld', mld };
  }
  const decoded = decodeFrame(bytes);
  if (!decoded.ok) return { kind: 'other', fault: decoded.error };
  return { kind: 'packet', packet: decoded.value };
}

function packetDigest(packet: Packet): number {
  const { tcp, source, target } = packet;
  let hash = Math.imul(packet.sourcePort ^ (packet.targetPort << 16), 0x9e3779b1);
  hash = Math.imul(hash ^ textEnd(source), 0x85ebca6b);
  hash = Math.imul(hash ^ (textEnd(target) << 8), 0xc2b2ae35);
  hash = Math.imul(hash ^ packet.payload.length ^ (packet.ttl << 16), 0x27d4eb2f);
  if (tcp !== undefined) hash = Math.imul(hash ^ tcp.seq ^ (tcp.flags << 24), 0x9e3779b1) ^ tcp.ack;
  return hash >>> 0;
}

// The end of an address tells hosts of one subnet apart; hashing all of it for every hop of every
// packet would cost more than the hop.
function textEnd(text: string): number {
  const { length } = text;
  return (text.charCodeAt(length - 1) << 16) ^ (text.charCodeAt(length - 2) << 8)
    ^ text.charCodeAt(length - 3) ^ length;
}
