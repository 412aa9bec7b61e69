import test from 'ava';
import {
  decodeBackend, encodeBackend, encodeFront, encodeFrontKey, encodeSvcKey, frontKind,
} from '../../bpf/layout.gen.ts';
import { mapDifferences } from '../../bpf/views/mapcheck.ts';
import type { MapReader } from '../../bpf/views/mapreader.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';
import {
  endpoint, everyEndpoint, service, slice, viewOf, type Given,
} from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { altered, cell } from './maps.ts';

const programmed = (): MapReader => new MapRig().load().start().run().kernel;

function differences(maps: MapReader, given: Given = {}): string[] {
  const view = viewOf(given);
  const records = view.records().filter((record) => record.kind === 'service-port');
  return mapDifferences(maps, view, records)
    .map(({ kind, front, what }) => `${kind} ${front}: ${what}`);
}

const front = (text: string, port: number): Uint8Array => (
  encodeFrontKey({ addr: ipBytes16(ip(text)), port, proto: 6 })
);
const vip = front('198.51.100.10', 80);

test('maps that are as wanted differ in nothing', (t) => {
  t.deepEqual(differences(programmed()), []);
});

const spoilt: readonly (readonly [string, (maps: MapReader) => MapReader, readonly string[]])[] = [
  ['a front that was removed', (maps) => altered(maps, 'fl_front', [{ key: vip }]),
    ['missing 198.51.100.10:80/TCP: the LoadBalancer front has no row']],
  ['a front that nobody asks for', (maps) => altered(maps, 'fl_front', [{
    key: front('198.51.100.99', 80),
    value: encodeFront({ svcId: 1, kind: frontKind.vip, flags: 0 }),
  }]), ['extra 198.51.100.99:80/TCP: no Service asks for it']],
  ['a front of another kind', (maps) => altered(maps, 'fl_front', [{
    key: vip, value: encodeFront({ svcId: 1, kind: frontKind.clusterIp, flags: 0 }),
  }]), ['stale 198.51.100.10:80/TCP: it is a ClusterIP front, and should be LoadBalancer']],
  ['a front whose service is gone', (maps) => altered(maps, 'fl_svc', [
    { key: encodeSvcKey({ svcId: 1 }) },
  ]), ['10.200.0.10:80/TCP', '192.0.2.250:80/TCP', '198.51.100.10:80/TCP', '*:30080/TCP'].toSorted()
    .map((place) => `dangling ${place}: front ${place}: service id 1 missing`)],
];

for (const [claim, spoil, found] of spoilt) {
  test(`${claim} is told`, (t) => t.deepEqual(differences(spoil(programmed())), found));
}

test('an endpoint that should be another one is missing and extra', (t) => {
  const maps = programmed();
  const value = maps.lookup('fl_backend', cell(2))!;
  const other = encodeBackend({ ...decodeBackend(value), addr: ipBytes16(ip('10.64.9.9')) });
  const found = differences(altered(maps, 'fl_backend', [{ key: cell(2), value: other }]));
  t.deepEqual(found.filter((text) => text.includes('198.51.100.10')), [
    'missing 198.51.100.10:80/TCP: endpoint 10.64.2.21:8080 cluster',
    'extra 198.51.100.10:80/TCP: endpoint 10.64.9.9:8080 cluster',
  ]);
});

test('what the Services changed meanwhile differs, policies too', (t) => {
  const found = differences(programmed(), {
    services: [service({ externalTrafficPolicy: 'Local', affinitySeconds: 60, externalIps: [] })],
    slices: [slice([...everyEndpoint.slice(1), endpoint('10.64.3.33')])],
  });
  t.deepEqual(found.filter((text) => / (?:192|198)/u.test(text)), [
    'extra 192.0.2.250:80/TCP: no Service asks for it',
    'stale 198.51.100.10:80/TCP: policies are none, and should be external-local, affinity=60s',
    'missing 198.51.100.10:80/TCP: endpoint 10.64.3.33:8080 cluster',
    'extra 198.51.100.10:80/TCP: endpoint 10.64.1.21:8080 local',
  ]);
});
