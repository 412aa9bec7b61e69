
/** What one executor made of one input: everything that another must agree with. */
export interface Outcome {
  /** u32 */
  readonly verdict: number;
  readonly packet: Uint8Array;
  /** Rows of maps that the case looks at, in a fixed order. */
  readonly rows: readonly string[];
}

/** A kernel or a machine with one object in it. */
export interface Executor {
  update(map: string, key: Uint8Array, value: Uint8Array): void;
  lookup(map: string, key: Uint8Array): Uint8Array | undefined;
  run(program: string, packet: Uint8Array): Omit<Outcome, 'rows'>;
}

/** One that shows all rows of a map, as sorted text. */
export interface DumpingExecutor extends Executor {
  dump(map: string): string[];
}

/** Numbers from a seed, the same everywhere (mulberry32). */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  bytes(length: number): Uint8Array {
    // Long runs of zeroes and of ones are where sums of ones' complement go wrong.
    const fill = this.pick([undefined, undefined, 0, 0xff]);
    return Uint8Array.from({ length }, () => fill ?? this.below(256));
  }
}

const word = (value: number): Uint8Array => (
  Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24)
);

/** Words and halves that break arithmetic; as u32. */
const edges = [0, 1, 2, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

const etherTypes = [0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8100, 0x0600, 0x0100];

/** An Ethernet frame of up to 200 bytes; a test run demands a whole header after an IP type. */
export function framed(draws: Draws): Uint8Array {
  const type = draws.pick(etherTypes);
  const shortest = type === 0x0800 ? 34 : type === 0x86dd ? 54 : 15;
  const bytes = draws.bytes(draws.pick([shortest, 60, 64, 100, 54 + draws.below(146)]));
  bytes[12] = type >> 8;
  bytes[13] = type;
  return bytes;
}

const operation = {
  difference: 0, layer3: 1, layer4: 2, store: 3, load: 4, tail: 5, head: 6, room: 7, pull: 8,
  mtu: 9, xdpHead: 10, xdpTail: 11, none: 99,
} as const;

interface Step {
  readonly operation: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly flags: readonly [number, number];
}

const small = [0, 0, 0, 1, 2, 4, 8, 14, 16, 20, 24, 28, 32, 40, 48, 60, 63, 100, 0xff0, 0x1000];
const checksumFlags = [
  0, 2, 4, 0x10, 0x12, 0x14, 0x20, 0x22, 0x24, 0x34, 0x54, 0x74, 0x94, 1, 3, 8, 0x100,
];
const roomFlags = [
  0, 0, 0, 1, 2, 4, 6, 8, 10, 16, 18, 20, 24, 26, 32, 33, 64, 66, 80, 128, 130, 256, 384, 512,
];

function signedSmall(draws: Draws): number {
  return draws.pick([1, -1]) * draws.pick(small);
}

function stepOf(draws: Draws, kinds: readonly number[]): Step {
  const kind = draws.pick(kinds);
  const edge = (): number => draws.pick([draws.pick(edges), draws.below(2 ** 32)]);
  const upper = draws.pick([0, 0, 0, 0, 0xffffffff, 1]);
  const base = {
    operation: kind, a: draws.pick([...small, ...edges]), b: draws.pick(edges), c: draws.below(64),
    from: [edge(), upper] as const, to: [edge(), upper] as const, flags: [0, 0] as const,
  };
  switch (kind) {
    case operation.difference:
      return { ...base, a: draws.below(16) * 4, b: draws.below(16) * 4, c: edge() };
    case operation.layer3:
    case operation.layer4: {
      const flags = [draws.pick(checksumFlags), draws.pick([0, 0, 0, 0, 0, 1])] as const;
      const from = draws.below(4) === 0 ? [0, 0] as const : base.from;
      return { ...base, a: draws.pick([14 + draws.below(60), 24, 50, 40, 56]), from, flags };
    }
    case operation.store: return { ...base, flags: [draws.pick([0, 0, 1, 2, 3, 4]), 0] };
    case operation.tail:
      return { ...base, a: draws.pick([...small, ...edges, draws.below(400), 16_064, 16_065]) };
    case operation.head:
      return { ...base, a: draws.pick([...small, draws.below(300), 16_000, 0xffffffff]) };
    case operation.room: return {
      ...base, a: signedSmall(draws), b: draws.pick([0, 0, 1, 1, 2]),
      flags: [draws.pick(roomFlags), draws.pick([0, 0, 0, 14 << 24, 1])],
    };
    case operation.mtu: return {
      ...base, a: signedSmall(draws), b: draws.pick([0, 0, 100, 65_536, 65_537, 70_000]),
      flags: [draws.pick([0, 0, 1, 2]), 0],
    };
    case operation.xdpHead:
      return { ...base, a: draws.pick([signedSmall(draws), -draws.below(300), draws.below(80)]) };
    case operation.xdpTail:
      return { ...base, a: draws.pick([signedSmall(draws), draws.below(4000), -draws.below(80)]) };
    default: return base;
  }
}

const stepBytes = 168;

function encodeSteps(draws: Draws, steps: readonly Step[]): Uint8Array {
  const bytes = new Uint8Array(stepBytes * 2);
  const view = new DataView(bytes.buffer);
  steps.forEach((step, index) => {
    const at = index * stepBytes;
    const words = [
      step.operation, step.a, step.b, step.c, ...step.from, ...step.to, ...step.flags,
    ];
    words.forEach((value, place) => view.setUint32(at + place * 4, value, true));
    bytes.set(draws.bytes(64), at + 40);
    bytes.set(draws.bytes(64), at + 104);
  });
  return bytes;
}

const skbKinds = [
  operation.difference, operation.layer3, operation.layer4, operation.layer4, operation.store,
  operation.load, operation.tail, operation.head, operation.room, operation.room, operation.pull,
  operation.mtu,
];

/** One or two helper calls on a random frame. */
export function helperCase(executor: Executor, seed: number): Outcome {
  const draws = new Draws(seed);
  const isXdp = seed % 6 === 0;
  const kinds = isXdp ? [operation.xdpHead, operation.xdpTail] : skbKinds;
  const second = draws.below(2) === 0 ? [operation.none] : kinds;
  const steps = [stepOf(draws, kinds), stepOf(draws, second)];
  executor.update('h_order', word(0), encodeSteps(draws, steps));
  executor.update('h_result', word(0), new Uint8Array(96));
  const program = isXdp ? 'xdp_helpers' : 'skb_helpers';
  const { verdict, packet: whole } = executor.run(program, framed(draws));
  // What comes to light in front of an XDP frame is whatever the page held before.
  const isBared = steps.some(({ operation: kind, a }) => kind === operation.xdpHead && a < 0);
  const packet = isBared ? new Uint8Array() : whole;
  return { verdict, packet, rows: [hex(executor.lookup('h_result', word(0)))] };
}

/** A few keys, so that updates meet each other, and prefixes that contain each other. */
function operationPacket(draws: Draws): Uint8Array {
  const packet = new Uint8Array(64);
  packet[12] = 8;
  const view = new DataView(packet.buffer);
  const map = draws.below(8);
  packet[14] = map;
  packet[15] = draws.pick([0, 0, 1, 1, 1, 2, 3]);
  packet[16] = draws.pick([0, 0, 0, 1, 2, 3]);
  if (map === 6) {
    view.setUint32(18, draws.pick([0, 1, 8, 9, 16, 24, 31, 32, 32, 33]), true);
    for (let at = 0; at < 4; at += 1) packet[22 + at] = draws.pick([0, 10, 128, 255]);
  } else {
    view.setUint32(18, draws.pick([0, 1, 2, 3, 4, 5, 6, 99_999, 100_000, 0xffffffff]), true);
  }
  view.setUint32(38, draws.below(2 ** 32), true);
  return packet;
}

export const tableMaps = ['m_hash', 'm_array', 'm_cpu', 'm_cpuhash', 'm_lru', 'm_prefix'] as const;

/** One operation on one map; the state goes on from case to case. */
export function mapCase(executor: Executor, seed: number): Outcome {
  return { ...executor.run('map_operation', operationPacket(new Draws(seed))), rows: [] };
}

export function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'none' : Buffer.from(bytes).toString('hex');
}

/** Eight hexadecimal digits over everything in an outcome (FNV-1a). */
export function digest({ verdict, packet, rows }: Outcome): string {
  let hash = 0x811c9dc5;
  for (const letter of [String(verdict), hex(packet), ...rows].join('|')) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

