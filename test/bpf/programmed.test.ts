import anyTest from 'ava';
import fc from 'fast-check';
import { service as vectorRows } from '../vectors/fixture.ts';
import { frame } from '../vectors/packet.ts';
import type { Vector } from '../vectors/vector.ts';
import type { Service } from '../../lb/model.ts';
import {
  endpoint, everyEndpoint, meta, service, slice, type Given,
} from '../datapath/fixture.ts';
import { MapRig, oracle, packetOf } from '../datapath/maprig.ts';
import { randomCluster, randomProbes } from '../datapath/randomcluster.ts';
import { KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const nothing: Vector['rows'] = {
  ...vectorRows(), fronts: [], services: [], sets: [], cells: [], backends: [], members: [],
  ranges: [], addresses: [], nets: [],
};

/** What the programs make of first packets of flows, in the words of the oracle. */
function outcomes(given: Given, questions: readonly string[]): string[] {
  const vector: Vector = { name: 'programmed', rows: nothing, steps: [] };
  const maps = kernel!.begin(vector);
  // The executor writes devices and switches itself.
  const devices = { facts: () => undefined, onChange: () => undefined };
  const rig = new MapRig({ options: given.options ?? {}, more: { kernel: maps.kernel, devices } });
  rig.load(given.services, given.slices).start().run();
  return questions.map((question, index) => {
    const { source, target, targetPort, ingress, protocol } = packetOf(question);
    const ports = [40_000 + index, targetPort] as const;
    const packet = frame({
      source, target, body: protocol === 'TCP'
        ? { kind: 'tcp', ports, flags: 'S' } : { kind: 'udp', ports },
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

/** Outcomes that agree with the oracle; the draw is 0, a table may choose any candidate. */
function expected(given: Given, question: string, drawn: boolean): readonly string[] {
  const answer = oracle(question, given);
  // A drop of what nobody allocated is left to the uplink's egress (datapath.md 8.5).
  if (answer === 'NOT_MINE' || answer === 'DROP unallocated') return ['nothing, next'];
  if (/^(?:DROP|REJECT)/.test(answer)) return [answer];
  const candidates = answer.split(' ').filter((of) => of !== 'M').map((of) => {
    const at = of.lastIndexOf(':');
    return of.includes('::') ? `one is [${of.slice(0, at)}]${of.slice(at)}` : `one is ${of}`;
  });
  return drawn ? candidates.slice(0, 1) : candidates;
}

const questions = [
  'P → CIP:80', 'X → CIP:80', 'X → VIP:80', 'Y → VIP:80', 'X → VIP:81', 'P → CIP:81', 'X → EIP:80',
  'X → node:30080', 'X → node2:30080', 'P → VIP:80',
];

const asOracle = anyTest.macro({
  exec: (t, more: Partial<Service>, slices: Given['slices'] = [slice(everyEndpoint)]) => {
    const given = { services: [service(more)], slices };
    for (const [index, outcome] of outcomes(given, questions).entries()) {
      t.is(`${questions[index]}: ${outcome}`,
        `${questions[index]}: ${expected(given, questions[index]!, true)[0]}`);
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
test('NodePorts of the range only', asOracle, { ports: [
  { name: 'web', protocol: 'TCP', port: 80, nodePort: 0 },
] });
test('another proxy serves it', asOracle, {
  meta: meta('s', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }),
});

test('the shipped programs read any programmed cluster as the oracle says', (t) => {
  const probes = randomProbes.filter((probe) => !probe.startsWith('H'));
  fc.assert(fc.property(randomCluster, ({ services, slices }) => {
    const given = { services, slices, options: { maglevTableSize: 251 } };
    for (const [index, outcome] of outcomes(given, probes).entries()) {
      const known = expected(given, probes[index]!, false);
      // Chosen, and then without a route in this namespace.
      if (outcome === 'DROP fib' && known[0]!.startsWith('one is')) continue;
      t.true(known.includes(outcome), `${probes[index]}: ${outcome}, not ${known.join(' or ')}`);
    }
  }), { numRuns: 25 });
});
