import anyTest from 'ava';
import { service as vectorRows } from '../vectors/fixture.ts';
import { frame } from '../vectors/packet.ts';
import type { Vector } from '../vectors/vector.ts';
import type { Service } from '../../lb/model.ts';
import { endpoint, everyEndpoint, service, slice, type Given } from '../datapath/fixture.ts';
import { MapRig, oracle, packetOf } from '../datapath/maprig.ts';
import { KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const nothing: Vector['rows'] = {
  ...vectorRows(), fronts: [], services: [], sets: [], cells: [], backends: [], members: [],
  ranges: [], addresses: [], nets: [],
};

/** What the program makes of the first packet of a flow, in the words of the oracle. */
function outcome(given: Given, questions: readonly string[]): string[] {
  const vector: Vector = { name: 'programmed', rows: nothing, steps: [] };
  const maps = kernel!.begin(vector);
  // The executor writes devices and switches itself.
  const devices = { facts: () => undefined, onChange: () => undefined };
  const rig = new MapRig({ more: { kernel: maps.kernel, devices } });
  rig.load(given.services, given.slices).start().run();
  return questions.map((question, index) => {
    const { source, target, targetPort, ingress } = packetOf(question);
    const packet = frame({
      source, target, body: { kind: 'tcp', ports: [40_000 + index, targetPort], flags: 'S' },
    });
    const pod = ingress === 'pod';
    const ran = kernel!.step(maps, vector, {
      program: pod ? 'fl_from_pod' : 'fl_uplink_in', device: pod ? 'pod' : 'uplink', packet,
      seconds: 1_000, draw: 0, verdict: 'next',
    });
    const [event = ''] = ran.events;
    const [type = '', reason = '', , , chosen = ''] = event.split(' ');
    if (type === 'new') return `one is ${chosen}`;
    return type === '' ? `nothing, ${ran.verdict}` : `${type.toUpperCase()} ${reason}`;
  });
}

function expected(given: Given, question: string): string {
  const answer = oracle(question, given);
  if (answer === 'NOT_MINE') return 'nothing, next';
  return /^(?:DROP|REJECT)/.test(answer) ? answer : `one is ${answer.split(' ')[0]}`;
}

const questions = [
  'P → CIP:80', 'X → CIP:80', 'X → VIP:80', 'Y → VIP:80', 'X → VIP:81', 'P → CIP:81', 'X → EIP:80',
  'X → node:30080', 'X → node2:30080', 'P → VIP:80',
];

const asOracle = anyTest.macro({
  exec: (t, more: Partial<Service>, slices: Given['slices'] = [slice(everyEndpoint)]) => {
    const given = { services: [service(more)], slices };
    const outcomes = outcome(given, questions);
    for (const [index, question] of questions.entries()) {
      t.is(`${question}: ${outcomes[index]}`, `${question}: ${expected(given, question)}`);
    }
  },
  title: (name = '') => `the shipped programs read programmed maps as the oracle says: ${name}`,
});
test('plain', asOracle, {});
test('external policy Local', asOracle, { externalTrafficPolicy: 'Local' });
test('internal policy Local', asOracle, { internalTrafficPolicy: 'Local' });
test('nothing local', asOracle, { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }, [
  slice([endpoint('b1'), endpoint('c1')]),
]);
test('no endpoints', asOracle, {}, []);
test('source ranges', asOracle, { sourceRanges: ['203.0.113.0/25'] });
test('affinity', asOracle, { affinitySeconds: 10 });
