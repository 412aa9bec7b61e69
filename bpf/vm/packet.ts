import { place } from './layout.ts';
import { access, type Memory } from './memory.ts';

/** The structure that a program gets as its context. */
export type ContextKind = 'skb' | 'xdp' | 'plain';

/** Offsets of the fields that the engine itself reads or writes (include/uapi/linux/bpf.h). */
const skbField = {
  length: 0, protocol: 16, hash: 68, data: 76, dataEnd: 80, dataMeta: 140,
} as const;
const xdpField = { data: 0, dataEnd: 4, dataMeta: 8 } as const;
export const contextBytes = { skb: 192, xdp: 24 } as const;

export const ethernetBytes = 14;
/** BPF_SKB_MAX_LEN: four pages without the kernel's own structure behind the bytes. */
export const skbBytesMax = 16_384 - 320;

const headroom = 256;
/** Where every packet begins. */
export const packetStart = place.packet + headroom;
/** XDP frames of a test run: a page with room for the driver in front and the skb behind. */
const xdpFrameBytes = 40;
const xdpHardEnd = 4096 - 320;

/** The longest packet that a run takes; segments of a larger one are not modelled. */
export const packetBytesMax = { skb: skbBytesMax, xdp: xdpHardEnd - headroom } as const;

/** A packet that is written where it is wanted: bytes of its own need not exist. */
export interface PacketSource {
  /** From the link header on, in bytes. */
  readonly length: number;
  /** Writes it at `at`, a multiple of four; up to three bytes behind it get no meaning. */
  put(memory: PacketMemory, at: number): void;
}

/** The same memory in bytes and in words of this machine's order. */
export interface PacketMemory {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/**
 * The packet of the running program. It always lies in the same place, so that equal packets have
 * equal pointers; its context holds the pointers as plain 32-bit fields.
 */
export class PacketBuffer {
  data = 0;
  end = 0;
  kind: ContextKind = 'plain';
  /** Bytes from the start of the packet to its network header. */
  networkOffset = ethernetBytes;
  /** Whether room for an outer header was made in this run. */
  encapsulated = false;
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get length(): number {
    return this.end - this.data;
  }

  /** Puts a packet in place for a run. */
  load(kind: ContextKind, bytes: Uint8Array): void {
    this.#memory.bytes.set(bytes, packetStart);
    this.#begin(kind, bytes.length);
  }

  loadFrom(kind: ContextKind, source: PacketSource): void {
    source.put(this.#memory, packetStart);
    this.#begin(kind, source.length);
  }

  #begin(kind: ContextKind, length: number): void {
    this.kind = kind;
    this.networkOffset = ethernetBytes;
    this.encapsulated = false;
    this.span(packetStart, packetStart + length);
  }

  /** The packet is now `[data, end)`; pointers of the context follow. */
  span(data: number, end: number): void {
    const { view } = this.#memory;
    if (data !== this.data || end !== this.end) {
      this.#memory.mark({ address: this.data, length: this.end - this.data }, access.none);
      this.#memory.mark({ address: data, length: end - data }, access.both);
    }
    this.data = data;
    this.end = end;
    const field = this.kind === 'skb' ? skbField : xdpField;
    view.setUint32(place.context + field.data, data, true);
    view.setUint32(place.context + field.dataEnd, end, true);
    view.setUint32(place.context + field.dataMeta, data, true);
    if (this.kind === 'skb') view.setUint32(place.context + skbField.length, end - data, true);
  }

  /** Whether `[offset, offset + length)` lies inside the packet; offsets are unsigned. */
  contains(offset: number, length: number): boolean {
    return offset >= 0 && offset + length <= this.length;
  }

  /** The protocol that the stack takes the packet for: an EtherType. */
  get protocol(): number {
    return this.#memory.view.getUint16(place.context + skbField.protocol);
  }

  set protocol(etherType: number) {
    const { view } = this.#memory;
    view.setUint32(place.context + skbField.protocol, 0, true);
    view.setUint16(place.context + skbField.protocol, etherType);
  }

  /** Forgets the flow hash, as a write with BPF_F_INVALIDATE_HASH does. */
  forgetHash(): void {
    if (this.kind === 'skb') this.#memory.view.setUint32(place.context + skbField.hash, 0, true);
  }

  /** New length at the tail: bytes that come are zero. */
  resize(length: number): void {
    this.#roomFor(0, length);
    const end = this.data + length;
    if (end > this.end) this.#memory.bytes.fill(0, this.end, end);
    this.span(this.data, end);
  }

  /** Puts zeroes between the first `offset` bytes and the rest. */
  insert(offset: number, count: number): void {
    this.#roomFor(count, this.length);
    const { bytes } = this.#memory;
    const start = this.data - count;
    bytes.copyWithin(start, this.data, this.data + offset);
    bytes.fill(0, start + offset, start + offset + count);
    this.span(start, this.end);
  }

  /** Takes out the bytes behind the first `offset` ones. */
  cut(offset: number, count: number): void {
    const start = this.data + count;
    this.#memory.bytes.copyWithin(start, this.data, this.data + offset);
    this.span(start, this.end);
  }

  /** Moves the start of an XDP frame by `by` bytes; false outside of the frame. */
  moveStart(by: number): boolean {
    const start = this.data + by;
    if (start < place.packet + xdpFrameBytes || start > this.end - ethernetBytes) return false;
    this.span(start, this.end);
    return true;
  }

  /** Moves the end of an XDP frame by `by` bytes; false outside of the frame. */
  moveEnd(by: number): boolean {
    const end = this.end + by;
    if (end > place.packet + xdpHardEnd || end < this.data + ethernetBytes) return false;
    if (by > 0) this.#memory.bytes.fill(0, this.end, end);
    this.span(this.data, end);
    return true;
  }

  // The kernel reallocates a buffer without room; here the packet moves to the middle.
  #roomFor(front: number, length: number): void {
    const fits = this.data - front >= place.packet
      && this.data + length <= place.packet + place.packetBytes;
    if (fits) return;
    const start = place.packet + headroom + front;
    const kept = this.length;
    this.#memory.bytes.copyWithin(start, this.data, this.end);
    this.span(start, start + kept);
  }
}
