import { execFileSync } from 'node:child_process';
import anyTest from 'ava';
import * as layout from '../../bpf/layout.gen.ts';
import { at, service } from '../vectors/fixture.ts';
import { tcp, uplink, vip } from '../vectors/uplink.ts';
import type { Step, Vector } from '../vectors/vector.ts';
import { KernelRun, skip, type Ran } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());
// Token buckets are per CPU; a test run happens on the CPU of its caller.
if (!skip) execFileSync('taskset', ['-p', '-c', '0', String(process.pid)], { stdio: 'ignore' });

function play(vector: Omit<Vector, 'steps'>, steps: Iterable<Step>): Ran[] {
  const whole = { ...vector, steps: [] };
  const rig = kernel!.begin(whole);
  return Array.from(steps, (step) => kernel!.step(rig, whole, step));
}

const sourcePort = ({ packet }: Ran): number => (packet[34]! << 8) | packet[35]!;
const reasons = (ran: Ran): string => ran.events[0]?.split(' ')[1] ?? '';
// The spec's million takes a soak; a tenth of it keeps the test within seconds.
const randomFrames = process.env['SOAK_SEEDS'] === undefined ? 30_000 : 1_000_000;
const quiet = { cfg: { eventLevel: layout.eventLevel.off } };

test('V59 40,000 flows get as many ports, none of a NodePort, and keep what is free', (t) => {
  const ports = Array.from({ length: 40_000 }, (_, index) => 25_000 + index);
  const ran = play(
    { name: 'V59', rows: service({ endpoints: ['b1'] }), options: { snatPortLo: 16_384 }, ...quiet },
    ports.map((port) => uplink({ packet: tcp([at.x, port], vip), draw: 0 })),
  );
  const taken = new Set<number>();
  for (const [index, one] of ran.entries()) {
    const port = sourcePort(one);
    const own = ports[index]!;
    const free = !taken.has(own) && (own < 30_000 || own > 32_767);
    if (one.verdict !== 'redirect' || (free && port !== own)) t.fail(`${own} became ${port}`);
    taken.add(port);
  }
  t.is(taken.size, 40_000);
  t.false([...taken].some((port) => port >= 30_000 && port <= 32_767));
});

test('V60 ten ports serve ten flows; what a closed one frees is used', (t) => {
  const flow = (port: number, flags: string, seconds: number): Step =>
    uplink({ packet: tcp([at.x, port], vip, flags), draw: 0, seconds });
  const opened = Array.from({ length: 11 }, (_, index) => flow(1000 + index, 'S', 1000));
  const rows = service({ endpoints: ['b1'] });
  const options = { snatPortLo: 60_000, snatPortHi: 60_009 };
  const closed = [flow(1003, 'R', 1001), flow(1020, 'S', 1005), flow(1021, 'S', 1012)];
  const ran = play({ name: 'V60', rows, options }, [...opened, ...closed]);
  const first = ran.slice(0, 10).map(sourcePort);
  const ten = Array.from({ length: 10 }, (_, index) => 60_000 + index);
  t.deepEqual(first.toSorted((left, right) => left - right), ten);
  t.deepEqual([ran[10]!.verdict, reasons(ran[10]!)], ['drop', 'natExhausted']);
  t.deepEqual([ran[12]!.verdict, reasons(ran[12]!)], ['drop', 'natExhausted']);
  t.deepEqual([ran[13]!.verdict, sourcePort(ran[13]!)], ['redirect', sourcePort(ran[3]!)]);
});

test('V64 random frames are never ours, unchanged and without fault', (t) => {
  const vector: Vector = { name: 'V64', rows: service(), steps: [] };
  const rig = kernel!.begin(vector);
  kernel!.step(rig, vector, uplink({ packet: new Uint8Array(64) }));
  let state = 0x2545f491;
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  };
  const programs = ['fl_uplink_in', 'fl_uplink_out', 'fl_from_pod', 'fl_to_pod'];
  const types = [[0x08, 0x00], [0x86, 0xdd], [0x08, 0x06], [0x81, 0x00]];
  const frame = new Uint8Array(64);
  for (let turn = 0; turn < randomFrames; turn += 1) {
    for (let index = 0; index < 64; index += 1) frame[index] = random();
    // Three of four reach the parsers.
    if ((turn & 3) !== 0) frame.set(types[random() & 3]!, 12);
    if ((turn & 3) === 2) frame[14] = frame[13] === 0 ? 0x45 : 0x60;
    const program = programs[random() & 3]!;
    const ran = rig.run(program, { packet: frame });
    if (ran.verdict !== -1 || Buffer.compare(ran.packet, frame) !== 0) {
      t.fail(`${program} of ${Buffer.from(frame).toString('hex')}`);
      return;
    }
  }
  t.deepEqual(rig.dump('fl_ct'), []);
});

test('a flow that goes on is told once in five seconds, where it is asked for', (t) => {
  const level = layout.eventLevel.drops | layout.eventLevel.refresh;
  const at0 = Array.from({ length: 12 }, (_, second) => uplink({
    packet: tcp([at.x, 40000], vip, second === 0 ? 'S' : 'A'), draw: 1, seconds: 1000 + second,
  }));
  const vector = { name: 'refresh', rows: service(), cfg: { eventLevel: level } };
  const told = play(vector, at0).flatMap(({ events }, second) => events.map(() => second));
  t.deepEqual(told, [5, 10]);
});

test('of a sample only every nth flow is told, drops always', (t) => {
  const cfg = { eventLevel: layout.eventLevel.sampled, eventSample: 4_294_967_295 };
  const steps = [
    uplink({ packet: tcp([at.x, 40000], vip), draw: 1 }),
    uplink({ packet: tcp([at.x, 40000], [at.vip, 81]) }),
  ];
  const ran = play({ name: 'sample', rows: service(), cfg }, steps);
  t.deepEqual(ran.map(({ events }) => events.length), [0, 1]);
});

test('V65 of 2,000 SYNs at one instant 1,000 are answered', (t) => {
  const syn = uplink({ packet: tcp([at.x, 40000], vip) });
  const ran = play(
    { name: 'V65', rows: service({ endpoints: [] }) }, Array.from({ length: 2_000 }, () => syn),
  );
  const answered = ran.filter(({ verdict }) => verdict === 'redirect').length;
  t.is(answered, 1_000);
  t.true(ran.slice(1_000).every((one) => one.verdict === 'drop' && reasons(one) === 'rate'));
});
