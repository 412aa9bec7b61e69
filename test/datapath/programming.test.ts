import test from 'ava';
import { clusterIp, endpoint, everyEndpoint, service, slice } from './fixture.ts';
import { MapRig, oracle } from './maprig.ts';

const all = '10.64.1.21:8080 10.64.2.21:8080 10.64.3.21:8080';

test('the maps of a loaded node answer as the oracle does', (t) => {
  const rig = new MapRig().load().start().run();
  t.true(rig.datapath.ready());
  t.is(rig.ask('P → CIP:80'), all);
  const questions = [
    'P → CIP:80', 'X → VIP:80', 'X → VIP:81', 'P → CIP:81', 'X → EIP:80', 'X → node:30080',
    'X → node2:30080', 'H → 127.0.0.1:30080', 'P → 10.200.9.9:80', 'H → VIP:80',
  ];
  for (const question of questions) t.is(rig.ask(question), oracle(question, {}), question);
});

test('nothing is written before every listing is complete', (t) => {
  const rig = new MapRig().start();
  rig.tables.services.upsert('default/s', service());
  rig.tables.services.markComplete();
  rig.tables.slices.markComplete();
  rig.run();
  t.is(rig.writes.length, 0);
  t.deepEqual(rig.datapath.pending(), ['datapath waits for the listing of nodes']);
  rig.tables.nodes.markComplete();
  rig.run();
  t.true(rig.datapath.ready());
  t.is(rig.ask('P → CIP:80'), 'REJECT noEndpoint');
});

test('an endpoint that leaves costs one record and a handful of calls', (t) => {
  const rig = new MapRig().load().start().run();
  rig.writes.length = 0;
  rig.calls = 0;
  rig.setSlices([slice(everyEndpoint.slice(0, 2))]);
  rig.run();
  t.is(rig.ask('P → CIP:80'), '10.64.1.21:8080 10.64.2.21:8080');
  t.deepEqual(rig.writes.map(({ map, kind }) => `${kind} ${map}`), [
    'update fl_lut', 'update fl_set', 'update fl_svc', 'remove fl_member',
  ]);
  t.is(rig.calls, 4);
  t.deepEqual(rig.datapath.pending(), []);
});

test('a Service that goes loses its fronts at once and its record after the quarantine', (t) => {
  const rig = new MapRig().load().start().run();
  rig.writes.length = 0;
  rig.setServices([]);
  rig.run(1);
  t.is(rig.ask('P → CIP:80'), 'DROP unallocated');
  t.is(rig.kernel.dump('fl_svc').length, 1);
  rig.run(2);
  for (const map of ['fl_front', 'fl_svc', 'fl_member']) t.is(rig.kernel.dump(map).length, 0, map);
});

test('a restart with nothing changed writes nothing', (t) => {
  const rig = new MapRig().load().start().run();
  rig.writes.length = 0;
  rig.restart().load().start().run(5);
  t.true(rig.datapath.ready());
  t.deepEqual(rig.writes, []);
  t.true(rig.datapath.hasFront(service().ingress[0]!.ip! as never));
  t.is(rig.ask('P → CIP:80'), all);
  t.is(clusterIp, '10.200.0.10');
  t.is(endpoint('a1').nodeName, 'n-a');
});
