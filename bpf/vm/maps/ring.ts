import { errno } from '../errno.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import { access, type Memory } from '../memory.ts';

/** A piece of memory for records; it is used anew when none of its records is left. */
interface Segment {
  readonly address: number;
  readonly length: number;
  used: number;
  records: number;
}

interface RingRecord {
  readonly segment: Segment;
  readonly address: number;
  readonly length: number;
  state: 'reserved' | 'submitted' | 'discarded';
}

const headerBytes = 8;
const segmentBytesMin = 4096;

/**
 * RINGBUF (kernel/bpf/ringbuf.c): positions and the refusal of a full ring are the kernel's. The
 * records themselves lie where there is room, so an idle ring of 1 MiB costs nothing.
 */
export class RingMap {
  readonly definition: MapDefinition;
  readonly #memory: Memory;
  #segments: Segment[] = [];
  #segment: Segment | undefined;
  #records: RingRecord[] = [];
  #reserved = new Map<number, RingRecord>();
  #producer = 0;
  #consumer = 0;

  constructor(memory: Memory, definition: MapDefinition) {
    this.#memory = memory;
    this.definition = definition;
  }

  /** Address of a record to be filled, or 0 when the ring has no room for it. */
  reserve(length: number, flags: number): number {
    const { entriesMax } = this.definition;
    const taken = Math.ceil((length + headerBytes) / 8) * 8;
    if (flags !== 0 || taken > entriesMax) return 0;
    if (this.#producer + taken - this.#consumer > entriesMax - 1) return 0;
    const segment = this.#segmentFor(taken);
    const address = segment.address + segment.used + headerBytes;
    segment.used += taken;
    segment.records += 1;
    this.#producer += taken;
    const record: RingRecord = { segment, address, length, state: 'reserved' };
    this.#records.push(record);
    this.#reserved.set(address, record);
    this.#memory.mark({ address, length }, access.both);
    return address;
  }

  /** Ends the reservation of the record at an address; false where there is none. */
  finish(address: number, state: 'submitted' | 'discarded'): boolean {
    const record = this.#reserved.get(address);
    if (record === undefined) return false;
    record.state = state;
    this.#reserved.delete(address);
    this.#memory.mark(record, access.freed);
    return true;
  }

  /** Copies bytes from `from` into a new record (bpf_ringbuf_output). */
  output(from: number, length: number, flags: number): number {
    // Only the two wake-up flags are legal here.
    if ((flags & ~3) !== 0) return -errno.EINVAL;
    const address = this.reserve(length, 0);
    if (address === 0) return -errno.EAGAIN;
    this.#memory.copy(address, { address: from, length });
    this.finish(address, 'submitted');
    return 0;
  }

  /** bpf_ringbuf_query: 0 unread bytes, 1 size, 2 consumer, 3 producer position; else 0. */
  query(what: number): number {
    switch (what) {
      case 0: return this.#producer - this.#consumer;
      case 1: return this.definition.entriesMax;
      case 2: return this.#consumer;
      case 3: return this.#producer;
      default: return 0;
    }
  }

  /** Takes up to `countMax` submitted records in order; one still reserved holds up the rest. */
  drain(countMax: number): Uint8Array[] {
    const records: Uint8Array[] = [];
    let passed = 0;
    for (const record of this.#records) {
      if (record.state === 'reserved' || records.length === countMax) break;
      const { address, length, state } = record;
      if (state === 'submitted') records.push(this.#memory.bytes.slice(address, address + length));
      this.#consumer += Math.ceil((length + headerBytes) / 8) * 8;
      record.segment.records -= 1;
      passed += 1;
    }
    this.#records.splice(0, passed);
    return records;
  }

  #segmentFor(length: number): Segment {
    const current = this.#segment;
    if (current?.records === 0) current.used = 0;
    if (current !== undefined && current.used + length <= current.length) return current;
    const idle = this.#segments.find((one) => one.records === 0 && one.length >= length);
    this.#segment = idle ?? this.#newSegment(length);
    this.#segment.used = 0;
    return this.#segment;
  }

  #newSegment(length: number): Segment {
    const size = Math.max(segmentBytesMin, length);
    const segment = { address: this.#memory.allocate(size), length: size, used: 0, records: 0 };
    this.#segments.push(segment);
    return segment;
  }
}
