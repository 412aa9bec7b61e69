import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as layout from '../../bpf/layout.gen.ts';
import type { ObjectHandle, RingHandle } from '../../bpf/native.real.ts';
import { kernelTests, run } from '../kernel/machine.ts';
import { Place, type Side } from '../kernel/place.ts';
import { Rig } from '../kernel/rig.ts';
import { root } from '../tidy/sources.ts';
import { at, bytes, type Rows } from '../vectors/fixture.ts';
import { shownEvent, shownFlows } from '../vectors/shown.ts';
import { drawState, type Step, type Vector } from '../vectors/vector.ts';

const shipped = 'bpf/fairlead.bpf.o';
const verdicts: ReadonlyMap<number, string> = new Map([[-1, 'next'], [2, 'drop'], [7, 'redirect']]);
const cleared = [
  'fl_front', 'fl_svc', 'fl_member', 'fl_range', 'fl_addr', 'fl_net', 'fl_dev', 'fl_ct', 'fl_snat',
  'fl_aff', 'fl_frag', 'fl_l2', 'fl_l2_stats', 'fl_sk', 'fl_netns',
];

/** What one packet came to. */
export interface Ran {
  readonly verdict: string;
  readonly packet: Uint8Array;
  readonly events: readonly string[];
}

export const { addon, skip } = kernelTests();

/** Executor E3: the shipped object under BPF_PROG_TEST_RUN, in a namespace with two devices. */
export class KernelRun {
  #place = new Place();
  #side: Side;
  #pod: number;
  #rigs = new Map<string, Rig>();
  #out = new Uint8Array(1 << 21);
  #rings = new Map<Rig, RingHandle>();

  constructor() {
    [this.#side] = this.#place.pair();
    const { namespace } = this.#side;
    const commands = [
      'addr add 192.0.2.11/24 dev eth0', 'route add default via 192.0.2.1',
      'route add 10.64.2.0/24 via 192.0.2.12', 'route add 10.64.3.0/24 via 192.0.2.13',
      'route add blackhole 10.64.9.0/24',
      'link add pod0 address 02:00:00:00:00:0b type veth peer name pod1', 'link set pod1 up',
      'link set pod0 up',
      'route add 10.64.1.0/24 dev pod0',
    ];
    for (const command of commands) run(`ip -n ${namespace} ${command}`);
    const settings = [
      'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv6.conf.eth0.accept_dad=0',
      'net.ipv6.conf.eth0.disable_ipv6=0',
    ];
    for (const setting of settings) run(`ip netns exec ${namespace} sysctl -qw ${setting}`);
    for (const command of [
      'addr add 2001:db8:c::11/64 dev eth0 nodad', 'route add 2001:db8:2::/64 via 2001:db8:c::12',
      'route add default via 2001:db8:c::1',
    ]) run(`ip -n ${namespace} -6 ${command}`);
    const [facts] = JSON.parse(run(`ip -n ${namespace} -j link show pod0`)) as
      { ifindex: number }[];
    this.#pod = facts?.ifindex ?? 0;
  }

  close(): void {
    for (const rig of this.#rigs.values()) rig.close();
    this.#place.close();
  }

  /** Clears the maps and writes the rows of a vector; the object is loaded once for its options. */
  begin(vector: Vector, file = shipped): Rig {
    const rig = this.rig(vector.options ?? {}, file);
    for (const name of cleared) {
      const map = rig.map(name);
      const rows = map.dump();
      const keys = Uint8Array.from(rows.flatMap(({ key }) => [...key]));
      map.removeMany({ count: rows.length, keys });
    }
    put(rig, 'fl_rate', [[index(0), new Uint8Array(16)]]);
    write(rig, vector.rows);
    const common = { headerLen: 14, mtu: 1500, source6: bytes(at.node6) };
    put(rig, 'fl_dev', [[layout.encodeDevKey({ ifindex: this.#side.ifindex }), layout.encodeDev({
      ...common, mac: Uint8Array.of(2, 0, 0, 0, 0, 10), source4: bytes(at.node),
    })]]);
    return rig;
  }

  /** One packet of a vector that has begun. */
  step(rig: Rig, vector: Vector, step: Step): Ran {
    if (step.rows !== undefined) write(rig, step.rows);
    configure(rig, vector, step);
    const ifindex = step.device === 'uplink' ? this.#side.ifindex : this.#pod;
    const { packet, mark = 0, repeat = 1 } = step;
    const outcome = rig.inside(this.#side.namespace, () =>
      rig.run(step.program, { packet, skb: { ifindex, mark }, repeat }),
    );
    return {
      verdict: verdicts.get(outcome.verdict) ?? String(outcome.verdict),
      packet: outcome.packet,
      events: this.events(rig),
    };
  }

  /** Where the devices are. */
  get namespace(): string {
    return this.#side.namespace;
  }

  /** The ifindex that stands for a device of a vector. */
  ifindex(device: Step['device']): number {
    return device === 'uplink' ? this.#side.ifindex : this.#pod;
  }

  /** What the programs told since the last look. */
  events(rig: Rig): string[] {
    const ring = this.#rings.get(rig) ?? rig.addon.ringOpen(rig.map('fl_events').handle);
    this.#rings.set(rig, ring as RingHandle);
    const [count = 0] = rig.addon.ringRead(ring as RingHandle, this.#out) as readonly number[];
    return Array.from({ length: count }, (_, record) => shownEvent(
      this.#out.subarray(record * (layout.eventBytes + 8) + 8),
    ));
  }

  /** The object loaded with these options over what it ships with. */
  rig(options: Partial<layout.Options>, file = shipped): Rig {
    const name = `${file} ${JSON.stringify(options)}`;
    const known = this.#rigs.get(name);
    if (known !== undefined) return known;
    const object = addon.objectOpen(readFileSync(join(root, file))) as ObjectHandle;
    const defaults = layout.decodeOptions(addon.objectInitial(object, '.rodata') as Uint8Array);
    addon.close(object);
    const chosen = layout.encodeOptions({ ...defaults, test: 1, ...options });
    const rig = new Rig(addon, file, {
      constants: new Map([['fl_options', chosen]]),
      entriesMax: new Map([['fl_ct', 65_536], ['fl_frag', 4096], ['fl_aff', 4096]]),
    });
    this.#rigs.set(name, rig);
    return rig;
  }
}

/** The rows of `fl_ct` and `fl_snat` as text. */
export function flowRows(rig: Rig): string[] {
  return shownFlows((map) => rig.map(map).dump());
}

export function put(
  rig: Rig, name: string, entries: readonly (readonly [Uint8Array, Uint8Array])[],
): void {
  const map = rig.map(name);
  for (const [key, value] of entries) {
    const done = map.update({ key, value }, 'any');
    if (!done.ok) throw new Error(`${name} refuses a row: ${done.error.kind}`);
  }
}

function index(number: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, number, true);
  return key;
}

/** Writes `fl_cfg`: clock and draws of a step, everything told. */
export function configure(
  rig: Rig, { cfg }: Vector, { seconds, draw = 0 }: Pick<Step, 'seconds' | 'draw'>,
): void {
  const now = BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  put(rig, 'fl_cfg', [[index(0), layout.encodeCfg({
    eventLevel: layout.eventLevel.all, eventSample: 0, refusalRate: 500, refusalBurst: 1000,
    nodeCookie: 1n, testNowNs: now, testBootNs: now, testDraws: drawState(draw),
    node4: bytes(at.node), node6: bytes('::'), ...cfg,
  })]]);
}

function write(rig: Rig, rows: Rows): void {
  put(rig, 'fl_lut', rows.cells.map((row) => [index(row.cell), layout.encodeLut(row)]));
  put(rig, 'fl_backend', rows.backends.map((row) => [index(row.id), layout.encodeBackend(row)]));
  put(rig, 'fl_member', rows.members.map((row) =>
    [layout.encodeMemberKey(row), layout.encodeMember(row)]));
  put(rig, 'fl_range', rows.ranges.map((row) =>
    [layout.encodeRangeKey(row), layout.encodeRange(row)]));
  put(rig, 'fl_set', rows.sets.map((row) => [index(row.id), layout.encodeSet(row)]));
  put(rig, 'fl_svc', rows.services.map((row) => [layout.encodeSvcKey(row), layout.encodeSvc(row)]));
  put(rig, 'fl_front', rows.fronts.map((row) =>
    [layout.encodeFrontKey(row), layout.encodeFront(row)]));
  put(rig, 'fl_addr', rows.addresses.map((row) =>
    [layout.encodeAddrKey(row), layout.encodeAddr(row)]));
  put(rig, 'fl_net', rows.nets.map((row) => [layout.encodeNetKey(row), layout.encodeNet(row)]));
}
