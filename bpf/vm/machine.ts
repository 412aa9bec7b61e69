import type { Place } from './btf.ts';
import type { CompiledObject } from './compile.ts';
import { Executor } from './executor.ts';
import { cell, place } from './layout.ts';
import { mapType, type MapDefinition } from './mapdefinition.ts';
import { ArrayMap } from './maps/array.ts';
import { HashMap } from './maps/hash.ts';
import { PrefixMap } from './maps/prefixes.ts';
import { ProgramMap } from './maps/programs.ts';
import { RingMap } from './maps/ring.ts';
import { access, Memory } from './memory.ts';
import { PacketOutcome } from './outcome.ts';
import { contextBytes, packetBytesMax, packetStart, type PacketSource } from './packet.ts';
import { Runtime, type AnyMap, type HostCalls, type Redirect } from './runtime.ts';
import { MachineMap } from './tablemap.ts';

export interface MachineOptions {
  readonly host: HostCalls;
  /** Decides the order in which dumps of maps show their entries; an integer of 32 bits. */
  readonly seed: number;
  /** Instructions that one run may execute in modes that count; default a million. */
  readonly instructionsMax?: number;
}

/** A packet for a program of type tc or xdp. */
export interface PacketInput {
  /** From the link header on; at most 16,064 bytes, for XDP 3,520. */
  readonly bytes: Uint8Array;
  /**
   * `struct __sk_buff` or `struct xdp_md` as the program finds it, without packet pointers. A
   * protocol of 0 is taken from the Ethernet header, as the stack does.
   */
  readonly context?: Uint8Array;
  /** Bytes of the link header; 14 when absent, 0 for devices without one. */
  readonly networkOffset?: number;
}

/** A frame at a hook of a device, and what the kernel says of it in `struct __sk_buff`. */
export interface PassInput {
  readonly frame: PacketSource;
  /** PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST. */
  readonly packetType: number;
  readonly mark: number;
  /** EtherType. */
  readonly protocol: number;
  /** 0 at egress. */
  readonly ingressIfindex: number;
  readonly ifindex: number;
}

/** Offsets of `struct __sk_buff` (include/uapi/linux/bpf.h). */
const skbField = {
  packetType: 4, mark: 8, protocol: 16, ingressIfindex: 36, ifindex: 40,
} as const;

/** What became of a frame; to be read before the next run. */
export interface PassOutcome {
  /** TC_ACT_*, u32. */
  readonly verdict: number;
  /** False where the program left the frame as it was. */
  readonly changed: boolean;
  /** Whether the two addresses of the link header are other ones. */
  readonly readdressed: boolean;
  readonly redirect: Redirect | undefined;
  /** Where the frame lies in the memory of the machine, and its bytes. */
  readonly at: number;
  readonly length: number;
}

export interface ContextOutcome {
  /** What the program returned, u32; cgroup hooks allow the call at 1 and refuse it at 0. */
  readonly result: number;
  readonly context: Uint8Array;
  /** What bpf_set_retval left: a negated errno, or 0, which a refusal turns into EPERM. */
  readonly returnCode: number;
}

/** Which blocks of a function have run since the machine began or coverage was cleared. */
export interface Coverage {
  readonly function: string;
  /** Slots of the instructions that have not run, and their source lines. */
  readonly missed: readonly { readonly slot: number; readonly place: Place | undefined }[];
  readonly instructionCount: number;
}

/**
 * One simulated kernel as far as programs go: the maps of an object and everything that its
 * programs can touch. Equal machines that get equal calls do equal things.
 */
export class Machine {
  readonly compiled: CompiledObject;
  readonly memory: Memory;
  readonly #runtime: Runtime;
  readonly #executor: Executor;
  readonly #maps = new Map<string, MachineMap>();
  readonly #programs: ReadonlyMap<string, number>;
  /** Address of a frame as it was before its run. */
  readonly #before: number;
  #contextLength = 0;

  constructor(compiled: CompiledObject, options: MachineOptions) {
    const { layout, maps, content, object } = compiled;
    this.compiled = compiled;
    this.memory = new Memory(layout.end, compiled.mode !== 'fast');
    const all = maps.map((map, index) => this.#newMap(map, index));
    this.#runtime = new Runtime(this.memory, all, options.host);
    all.forEach((map, index) => {
      if (map instanceof RingMap || map instanceof ProgramMap) return;
      const seed = Math.imul(options.seed ^ (index + 1), 0x85ebca6b) >>> 0;
      this.#maps.set(map.definition.name, new MachineMap(this.memory, map, seed));
    });
    content.forEach((bytes, index) => {
      const address = layout.sections[index] ?? 0;
      const mark = object.sections[index]?.writable === true ? access.both : access.read;
      this.memory.bytes.set(bytes, address);
      this.memory.mark({ address, length: bytes.length }, mark);
    });
    this.memory.mark({ address: place.stack, length: place.stackBytes }, access.both);
    this.#before = this.memory.allocate(packetBytesMax.skb);
    this.#programs = new Map(object.functions.flatMap(
      ({ name, isProgram }, index) => isProgram ? [[name, index] as const] : [],
    ));
    this.#executor = new Executor(compiled, this.#runtime, options.instructionsMax ?? 1_000_000);
  }

  /** Names of the programs, as functions of the object. */
  get programs(): readonly string[] {
    return [...this.#programs.keys()];
  }

  /** A map with keys and values. Throws a RangeError for a name that the object does not have. */
  map(name: string): MachineMap {
    const found = this.find(name);
    if (found === undefined) throw new RangeError(`no map ${name}`);
    return found;
  }

  /** The same where the name may be anything. */
  find(name: string): MachineMap | undefined {
    return this.#maps.get(name);
  }

  get maps(): readonly MachineMap[] {
    return [...this.#maps.values()];
  }

  /** A ring buffer, to be drained. */
  ring(name: string): RingMap {
    const found = this.#runtime.maps.find((map) => map.definition.name === name);
    if (found instanceof RingMap) return found;
    throw new RangeError(`no ring ${name}`);
  }

  /** Puts a program into a slot of a PROG_ARRAY, or empties the slot. */
  setProgram(map: string, slot: number, program: string | undefined): void {
    const found = this.#runtime.maps.find(({ definition }) => definition.name === map);
    if (!(found instanceof ProgramMap)) throw new RangeError(`no program array ${map}`);
    found.set(slot, program === undefined ? undefined : this.#programIndex(program));
  }

  /** Lets a hash or prefix map be full at fewer entries than it was declared with. */
  setLimit(name: string, entriesMax: number): void {
    const { map } = this.map(name);
    if (map instanceof ArrayMap) throw new RangeError(`${name} is an array: it is always full`);
    map.limit = entriesMax;
  }

  /** Time of bpf_ktime_get_ns and bpf_ktime_get_boot_ns from now on, in microseconds. */
  setClock(monotonicMicros: number, bootMicros: number): void {
    this.#setCell(cell.monotonic, monotonicMicros);
    const { view } = this.memory;
    view.setUint32(cell.coarse, view.getUint32(cell.monotonic, true), true);
    view.setUint32(cell.coarse + 4, view.getUint32(cell.monotonic + 4, true), true);
    this.#setCell(cell.boot, bootMicros);
  }

  /** Runs a program on a packet. Throws EngineFault for what a verified program never does. */
  runPacket(program: string, input: PacketInput): PacketOutcome {
    const index = this.#programIndex(program);
    const kind = this.#isXdp(index) ? 'xdp' : 'skb';
    if (input.bytes.length > packetBytesMax[kind]) {
      throw new RangeError(`a packet of ${input.bytes.length} bytes`);
    }
    this.#openContext(contextBytes[kind], input.context);
    const { packet } = this.#runtime;
    packet.load(kind, input.bytes);
    packet.networkOffset = input.networkOffset ?? packet.networkOffset;
    if (kind === 'skb' && packet.protocol === 0) packet.protocol = etherTypeOf(input.bytes);
    return new PacketOutcome(this.#runtime, this.#executor.run(index));
  }

  /** The number of a program; machines of one object number them alike. */
  programNumber(name: string): number {
    return this.#programIndex(name);
  }

  /**
   * `runPacket` for those that let millions of packets pass: by the number of the program, and
   * without a copy of the context or the packet.
   */
  passPacket(program: number, input: PassInput): PassOutcome {
    const { length } = input.frame;
    if (length > packetBytesMax.skb) throw new RangeError(`a packet of ${length} bytes`);
    this.#openContext(contextBytes.skb, undefined);
    const { packet } = this.#runtime;
    packet.loadFrom('skb', input.frame);
    const { words } = this.memory;
    const shift = (this.#before - packetStart) >> 2;
    const end = (packetStart + length + 3) >> 2;
    for (let word = packetStart >> 2; word < end; word += 1) words[word + shift] = words[word] ?? 0;
    this.#describe(input);
    const verdict = this.#executor.run(program);
    const first = this.#firstChange(length);
    return {
      verdict, changed: first >= 0, readdressed: first >= 0 && first < 12,
      redirect: this.#runtime.redirect, at: packet.data, length: packet.length,
    };
  }

  #describe(input: PassInput): void {
    const { view } = this.memory;
    view.setUint32(place.context + skbField.packetType, input.packetType, true);
    view.setUint32(place.context + skbField.mark, input.mark, true);
    // The EtherType stands in network order in the low half of the word.
    view.setUint16(place.context + skbField.protocol, input.protocol);
    view.setUint32(place.context + skbField.ingressIfindex, input.ingressIfindex, true);
    view.setUint32(place.context + skbField.ifindex, input.ifindex, true);
  }

  /** Offset of a changed word or byte of the packet, 0 for one that moved; -1: left as it was. */
  #firstChange(length: number): number {
    const { packet } = this.#runtime;
    if (packet.data !== packetStart || packet.length !== length) return 0;
    const { words, bytes } = this.memory;
    const shift = (this.#before - packetStart) >> 2;
    const whole = (packetStart + length) >> 2;
    for (let word = packetStart >> 2; word < whole; word += 1) {
      if (words[word] !== words[word + shift]) return word * 4 - packetStart;
    }
    for (let at = whole * 4 - packetStart; at < length; at += 1) {
      if (bytes[packetStart + at] !== bytes[this.#before + at]) return at;
    }
    return -1;
  }

  /**
   * Runs a program on a context of its own, `struct bpf_sock_addr` or `struct bpf_sock`.
   * `returnCode` is what bpf_get_retval finds.
   */
  runContext(program: string, context: Uint8Array, returnCode = 0): ContextOutcome {
    this.#openContext(context.length, context);
    this.#runtime.packet.kind = 'plain';
    const result = this.#executor.run(this.#programIndex(program), returnCode);
    const end = place.context + context.length;
    return {
      result, context: this.memory.bytes.slice(place.context, end),
      returnCode: this.#runtime.returnCode,
    };
  }

  /** Coverage of every function; only mode `checked` counts. */
  coverage(): Coverage[] {
    const { object, graphs, blockBases, layout } = this.compiled;
    return object.functions.map((one, function_) => {
      const base = layout.coverage + (blockBases[function_] ?? 0);
      const blocks = graphs[function_]?.blocks ?? [];
      const missed = blocks.filter((_, block) => this.memory.bytes[base + block] === 0)
        .flatMap(({ first, end }) => Array.from({ length: end - first }, (_, at) => first + at))
        .map((slot) => ({ slot, place: object.placeOf({ function: function_, slot }) }));
      const instructionCount = blocks.reduce((sum, { first, end }) => sum + end - first, 0);
      return { function: one.name, missed, instructionCount };
    });
  }

  clearCoverage(): void {
    const { layout, blockCount } = this.compiled;
    this.memory.bytes.fill(0, layout.coverage, layout.coverage + blockCount);
  }

  #newMap(definition: MapDefinition, index: number): AnyMap {
    const shape = this.compiled.layout.arrays[index];
    if (shape !== undefined) return new ArrayMap(this.memory, definition, shape);
    const table = this.compiled.layout.tables[index] ?? 0;
    switch (definition.type) {
      case mapType.prefixes: return new PrefixMap(this.memory, definition, table);
      case mapType.ring: return new RingMap(this.memory, definition);
      case mapType.programs: return new ProgramMap(definition);
      default: return new HashMap(this.memory, definition, table);
    }
  }

  #programIndex(name: string): number {
    const index = this.#programs.get(name);
    if (index === undefined) throw new RangeError(`no program ${name}`);
    return index;
  }

  #isXdp(index: number): boolean {
    return this.compiled.object.functions[index]?.section.startsWith('xdp') === true;
  }

  #openContext(length: number, context: Uint8Array | undefined): void {
    const given = Math.max(length, context?.length ?? 0);
    if (given > length || length > place.contextBytes) {
      throw new RangeError(`a context of ${given} bytes`);
    }
    if (context?.length !== length) this.#clearContext(length);
    if (context !== undefined) this.memory.bytes.set(context, place.context);
    if (length === this.#contextLength) return;
    this.memory.mark({ address: place.context, length: place.contextBytes }, access.none);
    this.memory.mark({ address: place.context, length }, access.both);
    this.#contextLength = length;
  }

  // As a loop, for a call of `fill` costs more than all of it.
  #clearContext(length: number): void {
    const { words } = this.memory;
    const end = (place.context + length + 3) >> 2;
    for (let word = place.context >> 2; word < end; word += 1) words[word] = 0;
  }

  // Nanoseconds may exceed 2^53, so the product is made of halves.
  #setCell(at: number, micros: number): void {
    const high = Math.floor(micros / 0x100000000);
    const low = (micros % 0x100000000) * 1000;
    this.memory.view.setUint32(at, low % 0x100000000, true);
    this.memory.view.setUint32(at + 4, high * 1000 + Math.floor(low / 0x100000000), true);
  }
}


const etherTypeMin = 0x0600;
const linkProtocol = { raw: 0x0001, llc: 0x0004 } as const;

// eth_type_trans: what is below the smallest EtherType is a length.
function etherTypeOf(bytes: Uint8Array): number {
  const type = (bytes[12] ?? 0) << 8 | (bytes[13] ?? 0);
  if (type >= etherTypeMin) return type;
  return bytes[14] === 0xff && bytes[15] === 0xff ? linkProtocol.raw : linkProtocol.llc;
}
