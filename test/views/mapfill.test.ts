import test from 'ava';
import { maps as declared } from '../../bpf/layout.gen.ts';
import { mapFills } from '../../bpf/views/mapfill.ts';
import { endpoint, everyEndpoint, service, slice } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';

const fillsOf = (rig: MapRig) => new Map(
  mapFills(rig.kernel).map(({ map, entries }) => [map, entries]),
);

test('hashes count their rows, arrays what service records reach', (t) => {
  const fills = fillsOf(new MapRig().load([service({ sourceRanges: ['203.0.113.0/25'] })])
    .start().run());
  const expected = {
    fl_front: 4, fl_svc: 1, fl_set: 1, fl_lut: 1, fl_backend: 3, fl_member: 3, fl_range: 1,
  };
  for (const [map, entries] of Object.entries(expected)) t.is(fills.get(map), entries, map);
});

test('Maglev tables count by their cells, a shared one once', (t) => {
  const cells = (more: Parameters<typeof service>[0]): number | undefined => (
    fillsOf(new MapRig({ options: { algorithm: 'maglev' } })
      .load([service(more)], [slice([endpoint('a1')])]).start().run()).get('fl_lut')
  );
  t.is(cells({}), 1 + 1_024);
  // The only endpoint is local, so that both scopes have the same table.
  t.is(cells({ externalTrafficPolicy: 'Local' }), 1 + 1_024);
});

test('what an earlier generation had counts no more', (t) => {
  const rig = new MapRig().load().start().run();
  rig.setSlices([slice(everyEndpoint.slice(0, 1))]);
  rig.run();
  t.is(fillsOf(rig).get('fl_backend'), 1);
  t.is(fillsOf(rig).get('fl_set'), 1);
});

test('limits are those of a medium node unless they are given', (t) => {
  const { kernel } = new MapRig().load().start().run();
  const limitOf = (map: string, fills: ReturnType<typeof mapFills>): number | undefined => (
    fills.find((fill) => fill.map === map)?.limit
  );
  t.is(limitOf('fl_front', mapFills(kernel)), declared.fl_front.entriesMax);
  t.is(limitOf('fl_front', mapFills(kernel, { fl_front: 32_768 })), 32_768);
  const names = mapFills(kernel).map(({ map }) => map);
  t.deepEqual(names, names.toSorted());
  t.false(names.includes('fl_events'));
});
