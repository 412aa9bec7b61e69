import {
  decodeArp, decodeNdp, encodeArp, encodeNdp, type ArpFrame, type NdpFrame,
} from '../../l2/frames.ts';
import { assert } from '../../lb/result.ts';
import { hashBytes } from '../hash.ts';
import { readMac, writeMac } from './address.ts';
import {
  decodeFrame, encodeFrame, etherTypes, type EthernetAddresses, type PacketFault,
} from './codec.ts';
import type { AddressTexts } from './addresstexts.ts';
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

/** What a frame is made of: its bytes, those of an earlier hop, or what it carries. */
interface FrameBody {
  readonly bytes?: Uint8Array;
  readonly from?: Uint8Array | undefined;
  /** Hops since `from`. */
  readonly age?: number;
  readonly content?: FrameContent | undefined;
  readonly trail?: number;
  readonly texts?: AddressTexts | undefined;
}

/** What the bytes of a frame do not tell. */
interface TranslatedBody {
  readonly trail: number;
  /** Where texts of addresses are kept. */
  readonly texts: AddressTexts;
}

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
  #trail: number;
  // Bytes of an earlier hop, to be readdressed and aged when somebody asks for them.
  #from: Uint8Array | undefined;
  #age: number;
  #texts: AddressTexts | undefined;
  #digest = 0;
  #length = -1;

  private constructor(
    head: EthernetAddresses, etherType: number,
    body: FrameBody,
  ) {
    this.ethSource = head.ethSource;
    this.ethTarget = head.ethTarget;
    this.etherType = etherType;
    this.#bytes = body.bytes;
    this.#content = body.content;
    this.#trail = body.trail ?? 0;
    this.#texts = body.texts;
    this.#from = body.from;
    this.#age = body.from === undefined ? 0 : body.age ?? 0;
  }

  /**
   * At least the 14 bytes of an Ethernet header; the caller must not write to `bytes` again.
   * `trail` goes to the packet in it, for bytes carry none.
   */
  static ofBytes(bytes: Uint8Array, trail = 0): Frame {
    assert(bytes.length >= frameHeader, `${bytes.length} bytes hold an Ethernet header`);
    return new Frame(headOf(bytes), etherTypeOf(bytes), { bytes, trail });
  }

  /** What a program made of a frame; `head` has its Ethernet addresses where they are known. */
  static translated(
    head: EthernetAddresses | undefined, bytes: Uint8Array, body: TranslatedBody,
  ): Frame {
    return new Frame(head ?? headOf(bytes), etherTypeOf(bytes), { bytes, ...body });
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
    this.#bytes ??= this.#from === undefined ? this.#encode() : this.#renewed(this.#from);
    return this.#bytes;
  }

  get content(): FrameContent {
    this.#content ??= trailed(this.#decode(), this.#trail);
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

  /** All bytes, those of the Ethernet header included. */
  get length(): number {
    return this.payloadLength + frameHeader;
  }

  /** Writes the bytes at `at`, without making them where those of an earlier hop will do. */
  put(target: Uint8Array, at: number): void {
    const from = this.#bytes === undefined ? this.#from : undefined;
    target.set(from ?? this.bytes, at);
    if (from !== undefined) this.#renew(target, at);
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
    // What ARP and NDP say repeats the addresses, so that is read anew.
    const content = this.#content?.kind === 'packet' ? this.#content : undefined;
    const from = content === undefined ? this.bytes : this.#bytes ?? this.#from;
    return new Frame(head, this.etherType, { trail: this.#trail, from, content, age: this.#age });
  }

  /** The IP packet in it one hop further: other Ethernet addresses, one TTL less. */
  forwarded(head: EthernetAddresses): Frame {
    const { packet } = this;
    assert(packet !== undefined && packet.ttl > 0, 'what is forwarded is a packet that may live');
    const content = { kind: 'packet', packet: { ...packet, ttl: packet.ttl - 1 } } as const;
    const from = this.#bytes ?? this.#from;
    const age = this.#bytes === undefined ? this.#age + 1 : 1;
    return new Frame(head, this.etherType, { content, from, age });
  }

  #decode(): FrameContent {
    return decodeContent(this.etherType, this.bytes, this.#texts);
  }

  #measure(): number {
    const known = this.#bytes ?? this.#from;
    if (known !== undefined) return known.length - frameHeader;
    const content = this.#content;
    if (content?.kind !== 'packet') return this.bytes.length - frameHeader;
    const header = this.etherType === etherTypes.ipv4 ? 20 : 40;
    return header + transportLength(content.packet);
  }

  #renewed(from: Uint8Array): Uint8Array {
    const bytes = from.slice();
    this.#renew(bytes, 0);
    return bytes;
  }

  /** Makes bytes of an earlier hop those of this one. */
  #renew(bytes: Uint8Array, at: number): void {
    writeMac(bytes, at, this.ethTarget);
    writeMac(bytes, at + 6, this.ethSource);
    for (let hop = 0; hop < this.#age; hop += 1) ageHeader(bytes, at, this.etherType);
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

function trailed(content: FrameContent, trail: number): FrameContent {
  if (trail === 0 || content.kind !== 'packet') return content;
  return { kind: 'packet', packet: { ...content.packet, trail } };
}

/** One TTL less in the header, whose IPv4 checksum rises by as much (RFC 1141). */
function ageHeader(bytes: Uint8Array, frameAt: number, etherType: number): void {
  const header = frameAt + frameHeader;
  if (etherType !== etherTypes.ipv4) {
    bytes[header + 7] = (bytes[header + 7] ?? 0) - 1;
    return;
  }
  bytes[header + 8] = (bytes[header + 8] ?? 0) - 1;
  const sum = (((bytes[header + 10] ?? 0) << 8) | (bytes[header + 11] ?? 0)) + 0x100;
  const folded = (sum & 0xffff) + (sum >>> 16);
  bytes[header + 10] = folded >>> 8;
  bytes[header + 11] = folded;
}

function headOf(bytes: Uint8Array): EthernetAddresses {
  return { ethSource: readMac(bytes, 6), ethTarget: readMac(bytes, 0) };
}

function etherTypeOf(bytes: Uint8Array): number {
  return ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
}

function decodeContent(
  etherType: number, bytes: Uint8Array, texts: AddressTexts | undefined,
): FrameContent {
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
  const decoded = decodeFrame(bytes, texts);
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
