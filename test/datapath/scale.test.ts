import test from 'ava';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import { serviceKey } from '../../lb/model.ts';
import { endpoint, ingressEntry, meta, service, slice } from './fixture.ts';
import { MapRig } from './maprig.ts';

const count = 10_000;
const services: readonly Service[] = Array.from({ length: count }, (_, at) => service({
  meta: meta(`s${at}`), key: serviceKey('default', `s${at}`), externalIps: [],
  clusterIps: [`10.200.${at >> 8}.${at & 255}`],
  ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
  ingress: [ingressEntry(`100.64.${at >> 8}.${at & 255}`)],
}));
const slices: readonly EndpointSlice[] = services.map((of, at) => slice(
  [
    endpoint(`10.64.${at >> 8}.${at & 255}`, { nodeName: at % 100 === 0 ? 'n-a' : 'n-b' }),
    endpoint(`10.65.${at >> 8}.${at & 255}`, { nodeName: 'n-c' }),
  ],
  { meta: meta(`slice-${at}`), service: of.key },
));

test('datapath V76: 10,000 Services in few calls, one endpoint in one record, a restart in nothing', (t) => {
  const rig = new MapRig().load(services, slices).start().run();
  t.true(rig.datapath.ready());
  t.is(rig.ask('P → 10.200.39.15:80'), '10.64.39.15:8080 10.65.39.15:8080');
  const records = (): number => rig.writes.filter(({ map }) => map === 'fl_svc').length;
  t.is(records(), count);
  t.true(rig.calls < 150, `${rig.calls} calls`);
  t.true(rig.writes.length / rig.calls > 500, 'batches are full');

  rig.calls = 0;
  const before = rig.writes.length;
  const [first] = slices[4_711]!.endpoints;
  rig.tables.slices.upsert('default/slice-4711', {
    ...slices[4_711]!, endpoints: [first!, endpoint('10.66.0.1', { nodeName: 'n-c' })],
  });
  rig.run(0.1);
  t.deepEqual(rig.writes.slice(before).map(({ map, kind }) => `${kind} ${map}`), [
    'update fl_backend', 'update fl_member', 'update fl_lut', 'update fl_set', 'update fl_svc',
    'remove fl_member',
  ]);
  t.true(rig.calls <= 10, `${rig.calls} calls`);

  const { length } = rig.writes;
  const now = slices.with(4_711, rig.tables.slices.get('default/slice-4711')!);
  rig.restart().load(services, now).start().run(3);
  t.true(rig.datapath.ready());
  t.is(rig.writes.length, length);
});
