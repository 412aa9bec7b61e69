import test from 'ava';
import type { CompiledObject, Mode } from '../../bpf/vm/compile.ts';
import { bytes, service, type ServiceFacts } from '../vectors/fixture.ts';
import { flowVectors } from '../vectors/flows.ts';
import { podVectors } from '../vectors/pod.ts';
import { refusalVectors } from '../vectors/refusal.ts';
import { shownFlows } from '../vectors/shown.ts';
import { oddVectors } from '../vectors/six.ts';
import { uplinkVectors } from '../vectors/uplink.ts';
import type { Vector } from '../vectors/vector.ts';
import { modes } from './bed.ts';
import { goldenObject, objectDigest, objectDigits } from './golden-object.ts';
import { configRow } from './object-rows.ts';
import { compileObject, ObjectRun, type Ran } from './object-run.ts';
import { packetStep, programs, site } from './traffic.ts';

const vectors: readonly Vector[] = [
  ...uplinkVectors, ...flowVectors, ...podVectors, ...refusalVectors, ...oddVectors,
];
const devices = { uplink: 2, pod: 3 };

// Vectors of equal options share a module, as machines of a world do.
const compiled = new Map<string, CompiledObject>();

function compiledFor(mode: Mode, { options = {} }: Vector): CompiledObject {
  const name = `${mode} ${JSON.stringify(options)}`;
  const known = compiled.get(name) ?? compileObject({ mode }, options);
  compiled.set(name, known);
  return known;
}

for (const vector of vectors) {
  for (const mode of modes) {
    test(`${mode}: ${vector.name}`, (t) => {
      const run = new ObjectRun(compiledFor(mode, vector), devices);
      run.begin(vector);
      for (const [index, step] of vector.steps.entries()) {
        const name = `step ${index}`;
        const ran = run.step(vector, step);
        t.is(ran.verdict, step.verdict, name);
        const expected = step.bytes ?? (step.verdict === 'redirect' ? ran.packet : step.packet);
        t.is(hex(ran.packet), hex(expected), name);
        if (step.reason !== undefined) {
          t.deepEqual(ran.events.map((event) => event.split(' ')[1]), [step.reason], name);
        }
        if (step.redirect !== undefined) t.is(ran.redirect, devices[step.redirect], name);
        if (step.events !== undefined) t.deepEqual(ran.events, step.events, name);
        if (step.left !== undefined) {
          t.deepEqual(shownFlows((map) => run.dump(map)), step.left.toSorted(), name);
        }
      }
    });
  }
}

/** Everything that a stream of packets comes to: the rows at the end are the last line. */
function* story(run: ObjectRun, count: number): Generator<string> {
  const vector = site(true);
  run.begin(vector);
  for (const program of programs) {
    for (let seed = 1; seed <= count; seed += 1) {
      yield told(run.step(vector, packetStep(seed, program)));
    }
  }
  const rows = run.machine.maps.filter(({ name }) => !name.startsWith('fl_lut')).map((map) => (
    map.touched().map(({ key, value }) => hex(key) + hex(value)).toSorted().join()
  ));
  yield rows.join();
}

function told({ verdict, packet, events, redirect }: Ran): string {
  return [verdict, hex(packet), redirect ?? '-', ...events].join();
}

/** `struct bpf_sock_addr` of a TCP socket of IPv4 that connects there. */
function connecting(address: string, port: number): Uint8Array {
  const context = new Uint8Array(72);
  const view = new DataView(context.buffer);
  [2, 2, 1, 6].forEach((word, at) => view.setUint32([0, 28, 32, 36][at]!, word, true));
  context.set(bytes(address).subarray(12), 4);
  view.setUint16(24, port);
  return context;
}

const connects = test.macro({
  exec: (t, facts: ServiceFacts, target: string, expected: readonly [number, number, string]) => {
    for (const mode of modes) {
      const vector = { name: '', rows: service(facts), steps: [] };
      const run = new ObjectRun(compiledFor(mode, vector), devices);
      run.begin(vector);
      run.write(configRow(1000, 1));
      const [address = '', port] = target.split(':');
      const outcome = run.machine.runContext('fl_connect4', connecting(address, Number(port)));
      const view = new DataView(outcome.context.buffer);
      const now = `${[4, 5, 6, 7].map((at) => view.getUint8(at)).join('.')}:${view.getUint16(24)}`;
      t.deepEqual([outcome.result, outcome.returnCode, now], expected, mode);
    }
  },
  title: (name, _, target) => `a host that connects to ${target} ${name}`,
});
test('reaches an endpoint', connects, {}, '10.200.0.10:80', [1, 0, '10.64.2.21:8080']);
test('is refused without endpoints', connects, { endpoints: [] }, '10.200.0.10:80', [0, -111, '10.200.0.10:80']);
test('is left alone where no Service is', connects, {}, '203.0.113.7:80', [1, 0, '203.0.113.7:80']);

test('random packets come to what they came to in the kernel', (t) => {
  const golden = goldenObject();
  const hint = 'the object changed: record again, as root, with node test/vm/golden-object.ts';
  t.is(objectDigest(), golden.object, hint);
  const digits = objectDigits((vector) => {
    const run = new ObjectRun(compileObject({ mode: 'checked' }), devices);
    run.begin(vector);
    return (step) => run.step(vector, step);
  });
  for (const program of programs) t.is(digits[program], golden.programs[program], program);
});

test('interpreter and translation agree on random packets and all rows of all maps', (t) => {
  const stories = modes.map((mode) => story(new ObjectRun(compileObject({ mode }), devices), 400));
  for (const line of stories[0]!) {
    for (const other of stories.slice(1)) t.is(other.next().value, line);
  }
});

test('no outcome depends on what the stack held before', (t) => {
  const [first, second] = [0, 0xa5].map(
    (stackByte) => story(new ObjectRun(compileObject({ mode: 'fast', stackByte }), devices), 2_000),
  );
  let at = 0;
  for (const line of first!) {
    if (second!.next().value !== line) return t.fail(`packet ${at % 2_000 + 1}`);
    at += 1;
  }
  return t.pass();
});

test('most instructions of the packet programs run under random packets', (t) => {
  const run = new ObjectRun(compileObject({ mode: 'checked' }), devices);
  for (const line of story(run, 3_000)) t.truthy(line);
  const reached = run.machine.coverage().filter((one) => one.missed.length < one.instructionCount);
  const missed = reached.reduce((sum, one) => sum + one.missed.length, 0);
  const all = reached.reduce((sum, one) => sum + one.instructionCount, 0);
  const percent = ((1 - missed / all) * 100).toFixed(1);
  t.log(`${percent} % of ${all} instructions in ${reached.length} functions`);
  t.true(1 - missed / all > 0.75);
});

function hex(packet: Uint8Array): string {
  return Buffer.from(packet).toString('hex').replace(/(.{32})/g, '$1 ');
}
