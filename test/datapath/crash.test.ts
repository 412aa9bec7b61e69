import test from 'ava';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import { serviceKey } from '../../lb/model.ts';
import {
  endpoint, everyEndpoint, ingressEntry, meta, service, slice, vip, type Given,
} from './fixture.ts';
import { MapRig, oracle } from './maprig.ts';

/** One state of the cluster, as node A is to show it. */
interface State {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

const udp = { name: 'web', protocol: 'UDP', port: 80, nodePort: 30080 } as const;
const web = service().ports[0]!;
const other = service({
  meta: meta('t', { createdAtMs: 2_000 }), key: serviceKey('default', 't'),
  clusterIps: ['10.200.0.20'], externalIps: [], ports: [{ ...web, nodePort: 30081 }],
  ingress: [ingressEntry('198.51.100.20')],
});
const otherSlice = slice([endpoint('b1'), endpoint('c1')], {
  meta: meta('t-1'), service: other.key,
});
const base: State = { services: [service()], slices: [slice(everyEndpoint)] };

const draining = endpoint('a1', { ready: false, serving: true, terminating: true });
const states: Record<string, State> = {
  empty: { services: [], slices: [] },
  base,
  'without a1': { ...base, slices: [slice(everyEndpoint.slice(1))] },
  'a1 draining': { ...base, slices: [slice([draining, ...everyEndpoint.slice(1)])] },
  'no endpoints': { ...base, slices: [] },
  'other endpoints': {
    ...base, slices: [slice([endpoint('10.64.2.99', { nodeName: 'n-b' })])],
  },
  'a1 moved': {
    ...base, slices: [slice([endpoint('a1', { nodeName: 'n-b' }), ...everyEndpoint.slice(1)])],
  },
  'external local': {
    ...base, services: [service({ externalTrafficPolicy: 'Local', affinitySeconds: 10 })],
  },
  'internal local': { ...base, services: [service({ internalTrafficPolicy: 'Local' })] },
  ranges: { ...base, services: [service({ sourceRanges: ['203.0.113.0/25', '192.0.2.0/24'] })] },
  'other ranges': { ...base, services: [service({ sourceRanges: ['203.0.113.128/25'] })] },
  'another VIP': { ...base, services: [service({ ingress: [ingressEntry('198.51.100.11')] })] },
  'another ClusterIP': { ...base, services: [service({ clusterIps: ['10.200.0.11'] })] },
  'another node port': { ...base, services: [service({ ports: [{ ...web, nodePort: 30090 }] })] },
  'both protocols': { ...base, services: [service({ ports: [web, udp] })] },
  'two Services': { services: [service(), other], slices: [...base.slices, otherSlice] },
  'VIP taken': {
    services: [
      service({ ingress: [] }), { ...other, ingress: [ingressEntry(vip)] },
    ],
    slices: [...base.slices, otherSlice],
  },
  'VIP contested': {
    services: [service(), { ...other, ingress: [ingressEntry(vip)] }],
    slices: [...base.slices, otherSlice],
  },
  foreign: {
    ...base, services: [service({
      meta: meta('s', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }),
    })],
  },
};

const probes = [
  'P → CIP:80', 'X → VIP:80', 'X → VIP:81', 'Y → VIP:80', 'X → 198.51.100.11:80', 'P → 10.200.0.11:80',
  'X → EIP:80', 'X → node:30080', 'X → node:30090', 'X → node:30081', 'H → CIP:80', 'P → CIP:81',
  'P → CIP:80/UDP', 'P → 10.200.0.20:80', 'X → 198.51.100.20:80', '198.51.100.10 → VIP:80',
];

function answers(rig: MapRig): string[] {
  return probes.map((probe) => rig.ask(probe));
}

function expected(state: State, options: NonNullable<Given['options']>): string[] {
  return probes.map((probe) => oracle(probe, { ...state, options }));
}

/** What no walk may ever meet. */
const broken = /stale|noBackend|noMember|wrongSlot|kind/;

function change(rig: MapRig, { services, slices }: State): void {
  rig.setServices(services);
  rig.setSlices(slices);
}

const everyWrite = test.macro({
  exec: (t, from: string, to: string, options: Given['options'] = {}) => {
    const rig = new MapRig({ options }).load(states[from]!.services, states[from]!.slices).start();
    rig.run();
    const before = expected(states[from]!, options);
    const after = expected(states[to]!, options);
    t.deepEqual(answers(rig), before, 'the state before');
    rig.afterWrite = () => {
      for (const [index, answer] of answers(rig).entries()) {
        if (answer === before[index] || answer === after[index]) continue;
        t.fail(`after ${rig.writes.length} writes, ${probes[index]}: ${answer}, neither `
          + `${before[index]} nor ${after[index]}`);
      }
    };
    rig.writes.length = 0;
    change(rig, states[to]!);
    rig.run(5);
    t.deepEqual(answers(rig), after, 'the state after');
    t.deepEqual(rig.datapath.pending(), []);
  },
  title: (_, from, to, options) =>
    `after each write from ${from} to ${to}${options === undefined ? '' : ' with Maglev'} `
    + 'every probe sees one of them',
});

const names = Object.keys(states);
for (const name of names.filter((of) => of !== 'base')) {
  test(everyWrite, 'base', name);
  test(everyWrite, name, 'base');
}
const maglev = { algorithm: 'maglev', maglevTableSize: 251 } as const;
for (const name of ['without a1', 'external local', 'internal local', 'empty']) {
  test(everyWrite, 'base', name, maglev);
  test(everyWrite, name, 'base', maglev);
}

const everyCrash = test.macro({
  exec: (t, from: string, to: string, options: Given['options'] = {}) => {
    const before = expected(states[from]!, options);
    const after = expected(states[to]!, options);
    for (let operation = 0; ; operation += 1) {
      const rig = new MapRig({ options }).load(states[from]!.services, states[from]!.slices);
      rig.start().run();
      rig.process.crashAt(operation);
      change(rig, states[to]!);
      rig.run(5);
      const died = !rig.process.alive;
      const seen = answers(rig);
      for (const [index, answer] of seen.entries()) {
        t.true(answer === before[index] || answer === after[index], `${probes[index]}: ${answer}`);
      }
      rig.afterWrite = () => {
        t.deepEqual(answers(rig).filter((answer) => broken.test(answer)), []);
      };
      rig.restart().load(states[to]!.services, states[to]!.slices).start().run(5);
      t.deepEqual(answers(rig), after, `crash at ${operation}`);
      const { length } = rig.writes;
      rig.afterWrite = undefined;
      rig.restart().load(states[to]!.services, states[to]!.slices).start().run(5);
      t.is(rig.writes.length, length, `a second restart writes nothing, crash at ${operation}`);
      if (!died) return;
    }
  },
  title: (_, from, to) => `a process that dies at any call from ${from} to ${to} leaves old or new`,
});
for (const [from, to] of [
  ['empty', 'base'], ['base', 'empty'], ['base', 'other endpoints'], ['base', 'ranges'],
  ['ranges', 'other ranges'], ['base', 'another VIP'], ['base', 'external local'],
  ['two Services', 'VIP taken'], ['base', 'foreign'], ['base', 'another ClusterIP'],
] as const) test(everyCrash, from, to);
test(everyCrash, 'base', 'without a1', maglev);
