import test from 'ava';
import type { KernelError } from '../../lb/ports.ts';
import { serviceKey } from '../../lb/model.ts';
import {
  endpoint, everyEndpoint, ingressEntry, meta, service, slice,
} from './fixture.ts';
import { MapRig, oracle } from './maprig.ts';

const probes = [
  'P → CIP:80', 'X → VIP:80', 'Y → VIP:80', 'X → node:30080', 'X → EIP:80', 'X → 198.51.100.11:80',
];
const before = { services: [service()], slices: [slice(everyEndpoint)] };
const after = {
  services: [service({
    sourceRanges: ['203.0.113.0/25'], externalTrafficPolicy: 'Local',
    ingress: [ingressEntry('198.51.100.10'), ingressEntry('198.51.100.11')],
  })],
  slices: [slice([...everyEndpoint.slice(1), endpoint('10.64.1.77', { nodeName: 'n-a' })])],
};
const maps = [
  'fl_backend', 'fl_member', 'fl_range', 'fl_lut', 'fl_set', 'fl_svc', 'fl_front', 'fl_addr',
];

const refusedAt = test.macro({
  exec: (t, map: string, errno: KernelError['kind'], [from, to] = [before, after]) => {
    for (let nth = 1; nth < 4; nth += 1) {
      const rig = new MapRig().load(from.services, from.slices).start().run();
      const old = probes.map((probe) => oracle(probe, from));
      const wanted = probes.map((probe) => oracle(probe, to));
      // All fronts switch together: one that is about to go shows the new set for a moment.
      const ingress = [...from.services[0]!.ingress, ...to.services[0]!.ingress];
      const switched = { ...to, services: [{ ...to.services[0]!, ingress }] };
      const between = probes.map((probe) => oracle(probe, switched));
      rig.kernel.setFault(map, { nth, errno });
      rig.afterWrite = () => {
        for (const [index, probe] of probes.entries()) {
          const answer = rig.ask(probe);
          const known = [old[index], wanted[index], between[index]];
          if (!known.includes(answer)) t.fail(`${probe}: ${answer}`);
        }
      };
      rig.setServices(to.services);
      rig.setSlices(to.slices);
      rig.run(3);
      t.deepEqual(probes.map((probe) => rig.ask(probe)), wanted, `write ${nth}`);
      t.deepEqual(rig.datapath.faults, []);
      t.deepEqual(rig.datapath.pending(), []);
    }
  },
  title: (_, map, errno, back) =>
    `${errno} at any write of ${map} leaves old or new, and then new${back ? ', on the way back' : ''}`,
});
for (const map of maps) {
  test(refusedAt, map, 'EIO');
  test(refusedAt, map, 'E2BIG');
  test(refusedAt, map, 'EIO', [after, before]);
}

const fullMap = test.macro({
  exec: (t, map: string, entriesMax: number) => {
    const events: string[] = [];
    const rig = new MapRig({
      more: { events: { emit: ({ reason, object }) => events.push(`${reason} ${object.name}`) } },
    });
    rig.load(before.services, before.slices).start().run();
    rig.kernel.setMapLimit(map, entriesMax);
    const old = probes.map((probe) => rig.ask(probe));
    rig.setSlices(after.slices);
    rig.run(1);
    t.deepEqual(probes.map((probe) => rig.ask(probe)), old, 'the old set serves');
    t.like(rig.datapath.faults[0], { map, servicePort: 'default/s:web/TCP/IPv4' });
    t.is(rig.datapath.pending().length, 1);
    t.deepEqual(events, ['MapFull s']);
    rig.kernel.setMapLimit(map, undefined);
    rig.run(60);
    const wanted = probes.map((probe) => oracle(probe, { ...before, slices: after.slices }));
    t.deepEqual(probes.map((probe) => rig.ask(probe)), wanted);
    t.deepEqual([rig.datapath.faults, rig.datapath.pending()], [[], []]);
    const codes = rig.world.notes.map(({ code }) => code);
    const told = [...new Set(codes.filter((code) => code.startsWith('kernel')))];
    t.deepEqual(told, ['kernel.mapFull', 'kernel.mapFullRecovered']);
  },
  title: (_, map) => `a full ${map} keeps the old set, is told once, and is tried again`,
});
test(fullMap, 'fl_backend', 4);
test(fullMap, 'fl_member', 3);
test(fullMap, 'fl_lut', 2);
test(fullMap, 'fl_set', 2);

test('a full map of records keeps a new Service out and the others in', (t) => {
  const rig = new MapRig().load(before.services, before.slices).start().run();
  rig.kernel.setMapLimit('fl_svc', 1);
  const other = service({
    meta: meta('t'), key: serviceKey('default', 't'), clusterIps: ['10.200.0.20'], ingress: [],
    externalIps: [], ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
  });
  rig.setServices([...before.services, other]);
  rig.run(2);
  t.is(rig.ask('P → 10.200.0.20:80'), 'DROP unallocated');
  t.is(rig.ask('P → CIP:80'), oracle('P → CIP:80', before));
  t.is(rig.kernel.dump('fl_member').length, 3, 'nothing of it is left');
  rig.setServices([other]);
  rig.run(60);
  t.is(rig.ask('P → 10.200.0.20:80'), 'REJECT noEndpoint');
});

const ids = test.macro({
  exec: (t, map: 'fl_backend' | 'fl_set' | 'fl_lut', limit: number) => {
    const rig = new MapRig({ limits: { [map]: limit } });
    const others = Array.from({ length: 4 }, (_, index) => service({
      meta: meta(`t${index}`), key: serviceKey('default', `t${index}`),
      clusterIps: [`10.200.1.${index}`], externalIps: [], ingress: [],
      ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
    }));
    const slices = others.map((of, index) => slice(
      [endpoint(`10.64.2.${index + 1}`, { nodeName: 'n-b' })],
      { meta: meta(of.meta.name), service: of.key },
    ));
    rig.load(others, slices).start().run();
    const served = others.filter((of) => rig.ask(`P → ${of.clusterIps[0]}:80`).startsWith('10.64'));
    t.is(served.length, limit - 1);
    t.is(rig.datapath.faults.length, 4 - served.length);
    t.true(rig.datapath.faults.every((fault) => fault.map === map));
    rig.setServices(others.filter((of) => !served.includes(of)));
    rig.run(200);
    const left = others.filter((of) => !served.includes(of));
    t.is(left.filter((of) => rig.ask(`P → ${of.clusterIps[0]}:80`).startsWith('10.64')).length,
      Math.min(left.length, limit - 1));
  },
  title: (_, map, limit) => `${map} with ${limit} cells serves as many as have room, then the rest`,
});
test(ids, 'fl_backend', 3);
test(ids, 'fl_set', 4);
test(ids, 'fl_lut', 3);
