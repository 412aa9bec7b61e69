import anyTest from 'ava';
import fc from 'fast-check';
import { choose } from '../../lb/choose.ts';
import { decide, type FlowPacket } from '../../lb/decide.ts';
import { ip } from '../../lb/ip.ts';
import {
  endpoint, service as modelService, slice, viewOf, type Given,
} from '../datapath/fixture.ts';
import { at, service, type ServiceFacts } from '../vectors/fixture.ts';
import { tcp, uplink } from '../vectors/uplink.ts';
import type { Vector } from '../vectors/vector.ts';
import { KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

/** One Service, one node and one packet, said once for the oracle and for the maps. */
interface Question {
  readonly facts: ServiceFacts;
  readonly externalClusterIp: boolean;
  readonly vipGuard: boolean;
  readonly packet: FlowPacket;
  readonly draw: number;
}

const names = ['a1', 'b1', 'c1'] as const;
const facts: fc.Arbitrary<ServiceFacts> = fc.record({
  endpoints: fc.subarray([...names]), internalLocal: fc.boolean(), externalLocal: fc.boolean(),
  maglev: fc.boolean(),
}).chain((known) => fc.constantFrom(known, { ...known, ranges: [['203.0.113.0', 25] as const] }));

const packet: fc.Arbitrary<FlowPacket> = fc.record({
  source: fc.constantFrom(at.x, at.y, at.p, at.h2),
  sourcePort: fc.integer({ min: 1024, max: 49_999 }),
  target: fc.constantFrom(
    at.cluster, at.vip, at.external, at.node, at.h2, '10.200.9.9', '198.51.100.99',
  ),
  targetPort: fc.constantFrom(80, 80, 30_080, 81),
}).map(({ source, target, ...ports }) => ({
  source: ip(source), target: ip(target), ...ports, protocol: 'TCP' as const,
  ingress: source === at.p ? 'pod' as const : 'external' as const,
}));

const question: fc.Arbitrary<Question> = fc.record({
  facts, externalClusterIp: fc.boolean(), vipGuard: fc.boolean(), packet,
  draw: fc.integer({ min: 0, max: 0xffff_ffff }),
});

/** What must come: verdict, reason, endpoint. */
function oracle({ facts: of, packet: asked, draw, ...options }: Question): string {
  const given: Given = {
    services: [modelService({
      internalTrafficPolicy: of.internalLocal === true ? 'Local' : 'Cluster',
      externalTrafficPolicy: of.externalLocal === true ? 'Local' : 'Cluster',
      sourceRanges: (of.ranges ?? []).map(([address, bits]) => `${address}/${bits}`),
    })],
    slices: [slice((of.endpoints ?? names).map((name) => endpoint(name)))],
    options: { ...options, algorithm: of.maglev === true ? 'maglev' : 'random' },
  };
  const verdict = decide(viewOf(given), asked);
  if (verdict.kind === 'notMine') return 'next';
  // Where packets come in, another proxy's rules may still know an unallocated address.
  if (verdict.kind === 'drop' && verdict.reason === 'unallocated') return 'next';
  if (verdict.kind !== 'forward') return `${verdict.kind} ${verdict.reason}`;
  const chosen = choose(verdict, { tuple: asked, now: 0, draw });
  return `new none ${chosen.ip}:${chosen.port}`;
}

function program({ facts: of, packet: asked, draw, ...options }: Question): string {
  const vector: Vector = {
    name: 'question', rows: service({ ...of, usable: (of.endpoints ?? names).length > 0 }),
    steps: [], options: {
      externalClusterIp: Number(options.externalClusterIp), vipGuard: Number(options.vipGuard),
    },
  };
  const rig = kernel!.begin(vector);
  const pod = asked.ingress === 'pod';
  const ran = kernel!.step(rig, vector, uplink({
    program: pod ? 'fl_from_pod' : 'fl_uplink_in', device: pod ? 'pod' : 'uplink', draw,
    packet: tcp([asked.source, asked.sourcePort], [asked.target, asked.targetPort]),
  }));
  const [event] = ran.events;
  if (event === undefined) return ran.verdict;
  const [type, reason, , , chosen] = event.split(' ');
  return type === 'new' ? `${type} ${reason} ${chosen}` : `${type} ${reason}`;
}

test('programs decide and choose as the oracle does, for equal draws', (t) => {
  const kinds = new Map<string, number>();
  fc.assert(fc.property(question, (one) => {
    const wanted = oracle(one);
    t.is(program(one), wanted, JSON.stringify(one));
    const kind = wanted.split(' ').slice(0, 2).join(' ');
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }), { seed: 3, numRuns: 600 });
  // Every verdict that one packet of one Service can get was asked for.
  t.deepEqual([...kinds.keys()].toSorted(), [
    'drop externalClusterIp', 'drop policyEmpty', 'drop srcRange', 'drop vipPort', 'new none',
    'next', 'reject noEndpoint', 'reject unknownPort',
  ]);
});
