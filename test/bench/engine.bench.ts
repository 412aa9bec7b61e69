import type { Mode } from '../../bpf/vm/compile.ts';
import { Machine } from '../../bpf/vm/machine.ts';
import { at, service } from '../vectors/fixture.ts';
import { frame } from '../vectors/packet.ts';
import type { Vector } from '../vectors/vector.ts';
import { quietHost } from '../vm/bed.ts';
import { compileObject, ObjectRun } from '../vm/object-run.ts';

const devices = { uplink: 2, pod: 3 };
const vector: Vector = { name: 'bench', rows: service({ maglev: true }), steps: [] };

/** Every packet leaves by the uplink; its neighbour is not known yet. */
function anyRoute(memory: Uint8Array, at: number): number {
  memory[at + 8] = devices.uplink;
  return 7;
}

/** Nanoseconds of CPU that one of `count` rounds took: other work on the machine is not counted. */
function perRound(count: number, body: () => void): number {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / count;
}

/** Packets of one case; all go through `fl_uplink_in`. */
type Case = 'foreign' | 'established' | 'new';

function packetsOf(which: Case, count: number): Uint8Array[] {
  const source = at.x;
  const target = which === 'foreign' ? '203.0.113.99' : at.vip;
  const flags = which === 'new' ? 'S' : 'A';
  return Array.from({ length: which === 'new' ? count : 1 }, (_, port) => frame({
    source, target, body: { kind: 'tcp', ports: [1024 + port, 80], flags },
  }));
}

/** Nanoseconds for one packet, from the host's call to its verdict. */
function packet(mode: Mode, which: Case, count: number): number {
  const run = new ObjectRun(compileObject({ mode }), devices, anyRoute);
  run.begin(vector);
  const packets = packetsOf(which, count);
  const context = new Uint8Array(192);
  context[40] = devices.uplink;
  const { machine } = run;
  const step = { program: 'fl_uplink_in', device: 'uplink', seconds: 1000 } as const;
  run.step(vector, { ...step, packet: packets[0]! });
  const loop = (from: number): void => {
    for (let round = from; round < count; round += 1) {
      machine.runPacket('fl_uplink_in', { bytes: packets[round % packets.length]!, context });
      if ((round & 1023) === 0) machine.ring('fl_events').drain(100_000);
    }
  };
  // V8 translates a function well only after it has run for a while.
  if (which !== 'new') loop(0);
  return perRound(count, () => loop(which === 'new' ? 1 : 0));
}

/** Nanoseconds for one row that the host writes: 5,000 fronts on each of 100 nodes. */
function rows(): number {
  const compiled = compileObject({ mode: 'checked' });
  const key = new Uint8Array(20);
  const value = new Uint8Array(8);
  const view = new DataView(key.buffer);
  return perRound(500_000, () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const map = new Machine(compiled, { host: quietHost, seed }).map('fl_front');
      for (let row = 0; row < 5_000; row += 1) {
        view.setUint32(0, row, true);
        map.update({ key, value }, 'any');
      }
    }
  });
}

/** Milliseconds from the bytes of the object to a module. */
function translation(): number {
  return perRound(1_000_000, () => void compileObject({ mode: 'checked' }));
}

const fast = (which: Case, count: number) => () => packet('fast', which, count);
const checked = (which: Case, count: number) => () => packet('checked', which, count);

export const benches = [
  { name: 'engine: packet not ours, fast', unit: 'ns', ceiling: 3_000, run: fast('foreign', 200_000) },
  { name: 'engine: established packet, fast', unit: 'ns', ceiling: 6_000, run: fast('established', 200_000) },
  { name: 'engine: new flow, fast', unit: 'ns', ceiling: 20_000, run: fast('new', 40_000) },
  { name: 'engine: packet not ours, checked', unit: 'ns', ceiling: 4_000, run: checked('foreign', 200_000) },
  { name: 'engine: established packet, checked', unit: 'ns', ceiling: 8_000, run: checked('established', 200_000) },
  { name: 'engine: new flow, checked', unit: 'ns', ceiling: 30_000, run: checked('new', 40_000) },
  { name: 'engine: established packet, interpreted', unit: 'ns', ceiling: 1_000_000, run: () => packet('interpreted', 'established', 500) },
  { name: 'engine: row written by the host', unit: 'ns', ceiling: 1_500, run: rows },
  { name: 'engine: translation of the object', unit: 'ms', ceiling: 150, run: translation },
];
