import {
  decodeArp, decodeNdp, encodeArp, encodeNdp, type ArpFrame, type NdpFrame,
} from '../../l2/frames.ts';
import { assert } from '../../lb/result.ts';
import { familyOf } from '../../lb/ip.ts';
import { hashBytes } from '../hash.ts';
import { readMac } from './address.ts';
import {
  decodeFrame, etherTypes, writePacket, type EthernetAddresses, type PacketFault,
} from './codec.ts';
import type { AddressTexts } from './addresstexts.ts';
import { FrameBytes, newFrameMemory, type FrameMemory, type FrameStore } from './framebytes.ts';
import { LinkHeader } from './linkheader.ts';
import { decodeMld, encodeMld, type MldFrame } from './mld.ts';
import { agedPacket, transportLength, type Packet, type PacketTuple } from './packet.ts';

/** What a frame carries, once somebody asked. */
export type FrameContent =
  | { readonly kind: 'packet'; readonly packet: Packet }
  | { readonly kind: 'arp'; readonly arp: ArpFrame }
  | { readonly kind: 'ndp'; readonly ndp: NdpFrame }
  | { readonly kind: 'mld'; readonly mld: MldFrame }
  | { readonly kind: 'other'; readonly fault: PacketFault };

/** What the bytes of a frame do not tell. */
interface TranslatedBody {
  readonly trail: number;
  /** Where texts of addresses are kept. */
  readonly texts: AddressTexts;
}

const frameHeader = 14;
/** Where MLD and NDP may be found. */
const nextHeaders = { hopByHop: 0, icmpv6: 58 } as const;

/**
 * One immutable Ethernet frame. Bytes are what travels, yet a hop that needs the decoded packet
 * alone never pays for encoding, nor one that needs the bytes for decoding: each side is made from
 * the other on first use. Hops share both, and a frame counts how many it made since.
 */
export class Frame {
  readonly head: LinkHeader;
  readonly etherType: number;
  /** The packet as it was `#packetHops` ago. */
  #packet: Packet | undefined;
  #packetHops = 0;
  /** The bytes as they were `#storedHops` ago, under the addresses of that hop. */
  #stored: FrameBytes | undefined;
  #storedHops = 0;
  /** Anything that is no packet. */
  #content: FrameContent | undefined;
  #bytes: Uint8Array | undefined;
  #trail = 0;
  #texts: AddressTexts | undefined;
  /** Digest of the packet but for its TTL, which alone changes on its way; 0: not made. */
  #digest = 0;

  private constructor(
    head: LinkHeader, etherType: number,
    body: { packet: Packet | undefined; stored: FrameBytes | undefined },
  ) {
    this.head = head;
    this.etherType = etherType;
    this.#packet = body.packet;
    this.#stored = body.stored;
  }

  /**
   * At least the 14 bytes of an Ethernet header; they are copied. `trail` goes to the packet in it,
   * for bytes carry none.
   */
  static ofBytes(bytes: Uint8Array, trail = 0): Frame {
    assert(bytes.length >= frameHeader, `${bytes.length} bytes hold an Ethernet header`);
    const frame = Frame.#ofStored(undefined, FrameBytes.of(bytes));
    frame.#trail = trail;
    return frame;
  }

  /** What a program made of a frame; `head` has its Ethernet addresses where they are known. */
  static translated(
    head: LinkHeader | undefined, stored: FrameBytes, body: TranslatedBody,
  ): Frame {
    const frame = Frame.#ofStored(head, stored);
    frame.#trail = body.trail;
    frame.#texts = body.texts;
    return frame;
  }

  static #ofStored(head: LinkHeader | undefined, stored: FrameBytes): Frame {
    const { memory: { bytes }, at } = stored;
    const etherType = ((bytes[at + 12] ?? 0) << 8) | (bytes[at + 13] ?? 0);
    const own = head ?? new LinkHeader({
      ethSource: readMac(bytes, at + 6), ethTarget: readMac(bytes, at),
    });
    return new Frame(own, etherType, { packet: undefined, stored });
  }

  static ofPacket(packet: Packet, head: EthernetAddresses): Frame {
    const etherType = familyOf(packet.target) === 'IPv4' ? etherTypes.ipv4 : etherTypes.ipv6;
    return new Frame(headerOf(head), etherType, { packet, stored: undefined });
  }

  static ofArp(arp: ArpFrame): Frame {
    return Frame.#ofContent(arp, etherTypes.arp, { kind: 'arp', arp });
  }

  static ofNdp(ndp: NdpFrame): Frame {
    return Frame.#ofContent(ndp, etherTypes.ipv6, { kind: 'ndp', ndp });
  }

  static ofMld(mld: MldFrame): Frame {
    return Frame.ofBytes(encodeMld(mld));
  }

  // oxlint-disable-next-line max-params -- the three parts of a frame
  static #ofContent(head: EthernetAddresses, etherType: number, content: FrameContent): Frame {
    const frame = new Frame(headerOf(head), etherType, { packet: undefined, stored: undefined });
    frame.#content = content;
    return frame;
  }

  get ethSource(): string {
    return this.head.ethSource;
  }

  get ethTarget(): string {
    return this.head.ethTarget;
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.#written();
    return this.#bytes;
  }

  get content(): FrameContent {
    const { packet } = this;
    if (packet !== undefined) return { kind: 'packet', packet };
    return this.#content ?? { kind: 'other', fault: 'unsupported' };
  }

  /** The TCP, UDP or ICMP packet, or undefined for everything else. */
  get packet(): Packet | undefined {
    this.#read();
    if (this.#packetHops > 0 && this.#packet !== undefined) {
      this.#packet = agedPacket(this.#packet, this.#packetHops);
      this.#packetHops = 0;
    }
    return this.#packet;
  }

  /** What of the packet no hop changes, for those that look at nothing else. */
  get flow(): PacketTuple | undefined {
    this.#read();
    return this.#packet;
  }

  /** TTL or hop limit of the packet; 0 where there is none. */
  get ttl(): number {
    this.#read();
    return this.#packet === undefined ? 0 : this.#packet.ttl - this.#packetHops;
  }

  /** Number of the request that the packet serves; 0 for none. */
  get trail(): number {
    return this.#packet?.trail ?? this.#trail;
  }

  get arp(): ArpFrame | undefined {
    this.#read();
    return this.#content?.kind === 'arp' ? this.#content.arp : undefined;
  }

  get ndp(): NdpFrame | undefined {
    this.#read();
    return this.#content?.kind === 'ndp' ? this.#content.ndp : undefined;
  }

  /** Bytes behind the Ethernet header: what an MTU limits. */
  get payloadLength(): number {
    return this.length - frameHeader;
  }

  /** All bytes, those of the Ethernet header included. */
  get length(): number {
    if (this.#stored !== undefined) return this.#stored.length;
    if (this.#packet === undefined) return this.#encoded().length;
    const header = this.etherType === etherTypes.ipv4 ? 20 : 40;
    return frameHeader + header + transportLength(this.#packet);
  }

  /**
   * Writes the bytes at `at`, a multiple of four, without making any of its own; up to three bytes
   * behind them get no meaning.
   */
  put(memory: FrameMemory, at: number): void {
    if (this.#stored === undefined && this.#packet !== undefined) {
      writePacket(memory.bytes, at, { packet: this.#packet, ttl: this.ttl });
    } else {
      (this.#stored ?? this.#encoded()).put(memory, at);
      for (let hop = 0; hop < this.#storedHops; hop += 1) {
        ageHeader(memory.bytes, at + frameHeader, this.etherType);
      }
    }
    this.head.put(memory.words, at >> 2);
  }

  /** Keeps the bytes that were put at `at`, so that the next hop need not encode them again. */
  keep(store: FrameStore, memory: FrameMemory, at: number): void {
    if (this.#stored === undefined) this.#stored = store.keep(memory, at, this.length);
  }

  /** 32 bits of what the frame says, for the trace; not a checksum. Signed. */
  get digest(): number {
    this.#read();
    const packet = this.#packet;
    if (packet === undefined) return hashBytes(this.bytes) | 0;
    if (this.#digest === 0) this.#digest = packetDigest(packet);
    return Math.imul(this.#digest ^ ((packet.ttl - this.#packetHops) << 16), 0x27d4eb2f);
  }

  /** The same packet under other Ethernet addresses, as a hop sends it on. */
  withAddresses(addresses: EthernetAddresses): Frame {
    const head = headerOf(addresses);
    // What ARP and NDP say repeats the addresses, so that is read anew.
    if (this.flow === undefined) {
      const bytes = FrameBytes.of(this.bytes);
      head.put(bytes.memory.words, 0);
      return Frame.#ofStored(head, bytes);
    }
    const frame = new Frame(head, this.etherType, { packet: this.#packet, stored: this.#stored });
    frame.#packetHops = this.#packetHops;
    frame.#storedHops = this.#storedHops;
    frame.#trail = this.#trail;
    frame.#digest = this.#digest;
    return frame;
  }

  /** The IP packet in it one hop further: other Ethernet addresses, one TTL less. */
  forwarded(addresses: EthernetAddresses): Frame {
    assert(this.ttl > 0, 'what is forwarded is a packet that may live');
    const frame = this.withAddresses(addresses);
    frame.#packetHops += 1;
    frame.#storedHops += 1;
    return frame;
  }

  /** Afterwards packet or content are there. */
  #read(): void {
    if (this.#packet === undefined && this.#content === undefined) this.#decode();
  }

  #decode(): void {
    const stored = this.#stored;
    assert(stored !== undefined, 'a frame has bytes or a content');
    const other = this.#isPlainIp(stored) ? undefined : contentOf(this.etherType, this.bytes);
    if (other !== undefined) {
      this.#content = other;
      return;
    }
    const decoded = decodeFrame(stored, { texts: this.#texts, trail: this.#trail });
    if (!decoded.ok) {
      this.#content = { kind: 'other', fault: decoded.error };
      return;
    }
    this.#packet = decoded.value;
    this.#packetHops = this.#storedHops;
  }

  /** Whether an IP packet is in it that is none of those that speak about the link itself. */
  #isPlainIp({ memory, at, length }: FrameBytes): boolean {
    if (this.etherType === etherTypes.ipv4) return true;
    if (this.etherType !== etherTypes.ipv6 || length <= frameHeader + 6) return false;
    const next = memory.bytes[at + frameHeader + 6];
    return next !== nextHeaders.hopByHop && next !== nextHeaders.icmpv6;
  }

  #written(): Uint8Array {
    const { length } = this;
    const memory = newFrameMemory(length);
    this.put(memory, 0);
    return memory.bytes.slice(0, length);
  }

  #encoded(): FrameBytes {
    const content = this.#content;
    assert(content !== undefined, 'a frame has bytes or a content');
    this.#stored = FrameBytes.of(encodedContent(content));
    return this.#stored;
  }
}

function headerOf(addresses: EthernetAddresses): LinkHeader {
  return addresses instanceof LinkHeader ? addresses : new LinkHeader(addresses);
}

function encodedContent(content: FrameContent): Uint8Array {
  switch (content.kind) {
    case 'arp': return encodeArp(content.arp);
    case 'ndp': return encodeNdp(content.ndp);
    case 'mld': return encodeMld(content.mld);
    case 'packet': case 'other': assert(false, 'a packet has no content, what is read has bytes');
  }
}

/** One TTL less in the IP header at `header`, whose checksum rises by as much (RFC 1141). */
function ageHeader(bytes: Uint8Array, header: number, etherType: number): void {
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

/** What the bytes are where they are no packet of IP. */
function contentOf(etherType: number, bytes: Uint8Array): FrameContent | undefined {
  if (etherType === etherTypes.ipv4) return undefined;
  if (etherType === etherTypes.arp) {
    const arp = decodeArp(bytes);
    return arp === undefined ? { kind: 'other', fault: 'malformed' } : { kind: 'arp', arp };
  }
  if (etherType !== etherTypes.ipv6) return { kind: 'other', fault: 'unsupported' };
  const ndp = decodeNdp(bytes);
  if (ndp !== undefined) return { kind: 'ndp', ndp };
  const mld = decodeMld(bytes);
  return mld === undefined ? undefined : { kind: 'mld', mld };
}

function packetDigest(packet: Packet): number {
  const { tcp, source, target } = packet;
  let hash = Math.imul(packet.sourcePort ^ (packet.targetPort << 16), 0x9e3779b1);
  hash = Math.imul(hash ^ textEnd(source), 0x85ebca6b);
  hash = Math.imul(hash ^ (textEnd(target) << 8), 0xc2b2ae35);
  hash = Math.imul(hash ^ packet.payload.length, 0x27d4eb2f);
  if (tcp !== undefined) hash = Math.imul(hash ^ tcp.seq ^ (tcp.flags << 24), 0x9e3779b1) ^ tcp.ack;
  return hash;
}

// The end of an address tells hosts of one subnet apart; hashing all of it for every hop of every
// packet would cost more than the hop.
function textEnd(text: string): number {
  const { length } = text;
  return (text.charCodeAt(length - 1) << 16) ^ (text.charCodeAt(length - 2) << 8)
    ^ text.charCodeAt(length - 3) ^ length;
}
