import test from 'ava';
import type { DatapathDeviceFacts } from '../../bpf/datapath/devices.ts';
import { frontConflictCondition } from '../../lb/frontclaims.ts';
import { flowLifetime } from '../../bpf/datapath/gc.ts';
import {
  decodeBackend, decodeCfg, decodeDev, decodeNetns, decodeSvc, encodeFlow, encodeFlowKey,
  encodeSet, flowBit, type Flow,
} from '../../bpf/layout.gen.ts';
import { ip, type Prefix } from '../../lb/ip.ts';
import { serviceKey, type ServiceCidr } from '../../lb/model.ts';
import type { MapEntry } from '../../lb/ports.ts';
import { Table } from '../../lb/table.ts';
import { createServiceDatapath } from '../../bpf/datapath/datapath.ts';
import { processClock, processJournal } from '../../sim/process.ts';
import {
  endpoint, everyEndpoint, ingressEntry, meta, nodes, service, slice, vip,
} from './fixture.ts';
import { MapRig, oracle } from './maprig.ts';

const byIndex = (a: MapEntry, b: MapEntry): number => indexOf(a) - indexOf(b);
const indexOf = ({ key }: MapEntry): number => (
  new DataView(key.buffer, key.byteOffset).getUint32(0, true)
);

const audited = 301;
const maglev = { algorithm: 'maglev', maglevTableSize: 251 } as const;

/** A hand in the maps, and the map that it touched. */
const hands: Record<string, (rig: MapRig) => void> = {
  fl_svc: (rig) => void rig.kernel.remove('fl_svc', rig.kernel.dump('fl_svc')[0]!.key),
  'fl_svc of nobody': (rig) => {
    const key = Uint8Array.of(9, 9, 0, 0);
    rig.kernel.update('fl_svc', { key, value: new Uint8Array(8) }, 'any');
  },
  fl_front: (rig) => void rig.kernel.remove('fl_front', rig.kernel.dump('fl_front')[0]!.key),
  'fl_front of nobody': (rig) => {
    const key = new Uint8Array(20).fill(7);
    key[19] = 0;
    rig.kernel.update('fl_front', { key, value: Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0) }, 'any');
  },
  fl_set: (rig) => {
    const [record] = rig.kernel.dump('fl_svc');
    const { setId } = decodeSvc(record!.value);
    const key = Uint8Array.of(setId, 0, 0, 0);
    rig.kernel.update('fl_set', { key, value: encodeSet({ ...empty, flags: 1 }) }, 'any');
  },
  fl_lut: (rig) => {
    const [list] = rig.kernel.touched('fl_lut').toSorted(byIndex);
    rig.kernel.update('fl_lut', { key: list!.key, value: new Uint8Array(64) }, 'any');
  },
  'fl_lut of a table': (rig) => {
    const last = rig.kernel.touched('fl_lut').toSorted(byIndex).at(-1)!;
    rig.kernel.update('fl_lut', { key: last.key, value: new Uint8Array(64) }, 'any');
  },
  fl_backend: (rig) => {
    const key = Uint8Array.of(2, 0, 0, 0);
    rig.kernel.update('fl_backend', { key, value: new Uint8Array(32) }, 'any');
  },
  fl_member: (rig) => void rig.kernel.remove('fl_member', rig.kernel.dump('fl_member')[0]!.key),
  'fl_member of nobody': (rig) => {
    const key = Uint8Array.of(1, 0, 0, 0, 77, 0, 0, 0);
    rig.kernel.update('fl_member', { key, value: Uint8Array.of(7, 0, 0, 0) }, 'any');
  },
  fl_range: (rig) => void rig.kernel.remove('fl_range', rig.kernel.dump('fl_range')[0]!.key),
  fl_addr: (rig) => void rig.kernel.remove('fl_addr', rig.kernel.dump('fl_addr')[0]!.key),
  fl_net: (rig) => void rig.kernel.remove('fl_net', rig.kernel.dump('fl_net')[0]!.key),
};

const empty = {
  gen: 0, svcId: 0, flags: 0, listBase: 0, localN: 0, clusterOff: 0, clusterN: 0, maglevM: 0,
  maglevLocal: 0, maglevCluster: 0, affinityS: 0, rangeId: 0,
};

const repaired = test.macro({
  exec: (t, hand: string) => {
    const services = [service({ sourceRanges: ['203.0.113.0/25'] })];
    const rig = new MapRig({ options: maglev }).load(services).start().run();
    hands[hand]!(rig);
    rig.run(audited + 5);
    const given = { services, options: maglev };
    const probes = [
      'P → CIP:80', 'X → VIP:80', 'Y → VIP:80', 'X → node:30080', 'P → 10.200.9.9:80',
    ];
    for (const probe of probes) t.is(rig.ask(probe), oracle(probe, given), probe);
    t.true(rig.datapath.auditRepairs > 0);
    const { auditRepairs } = rig.datapath;
    const { length } = rig.writes;
    rig.run(audited);
    t.is(rig.datapath.auditRepairs, auditRepairs, 'once');
    t.is(rig.writes.length, length);
    const codes = rig.world.notes.map(({ code }) => code);
    t.true(hand === 'fl_lut of a table' || codes.includes('datapath.auditRepaired'));
  },
  title: (_, hand) => `an audit repairs a hand in ${hand}, and counts it`,
});
for (const hand of Object.keys(hands)) test(repaired, hand);

test('an audit of maps that are as they should be writes nothing', (t) => {
  const rig = new MapRig({ options: maglev }).load().start().run();
  const { length } = rig.writes;
  rig.run(2 * audited);
  t.is(rig.writes.length, length);
  t.is(rig.datapath.auditRepairs, 0);
});

test('a restart under another seed writes the tables anew, and only those', (t) => {
  const rig = new MapRig({ options: maglev }).load().start().run();
  const other = new MapRig({ options: { ...maglev, hashSeed: 7 } });
  for (const name of rig.kernel.mapNames.filter((map) => map !== 'fl_l2_stats')) {
    const entries = rig.kernel.touched(name);
    for (const entry of entries) other.kernel.update(name, entry, 'any');
  }
  other.load().start().run(5);
  t.is(other.ask('P → CIP:80'), oracle('P → CIP:80', { options: maglev }));
  const written = new Set(other.writes.map(({ map }) => map));
  t.deepEqual([...written].sort(), ['fl_lut', 'fl_set', 'fl_svc']);
});

const flow: Flow = {
  peer: new Uint8Array(16), nat: new Uint8Array(16), peerPort: 1, natPort: 2, svcId: 1,
  backendId: 1, gen: 1, lastS: 0, createdS: 0, closedS: 0, state: 0,
};
const flowRow = (port: number, proto: number, more: Partial<Flow>) => ({
  key: encodeFlowKey({
    source: new Uint8Array(16), target: new Uint8Array(16), sourcePort: port, targetPort: 1, proto,
    kind: 1,
  }),
  value: encodeFlow({ ...flow, ...more }),
});

test('rows of fl_snat go by age alone, within two passes', (t) => {
  const rig = new MapRig().load().start().run();
  const rows = [
    flowRow(1, 6, { state: flowBit.answered }), flowRow(2, 17, {}),
    flowRow(3, 17, { state: flowBit.answered }), flowRow(4, 6, {}),
  ];
  for (const row of rows) rig.kernel.update('fl_snat', row, 'any');
  rig.run(20);
  t.is(rig.kernel.dump('fl_snat').length, 4);
  rig.run(41);
  t.is(rig.kernel.dump('fl_snat').length, 2, 'UDP unanswered after 30 s, a handshake after 60 s');
  rig.run(90);
  t.is(rig.kernel.dump('fl_snat').length, 1, 'UDP answered after 120 s');
});

test('rows of both maps of flows are counted by each pass, those of fl_ct left alone', (t) => {
  const rig = new MapRig().load().start().run();
  t.is(rig.datapath.flowRows.size, 0);
  for (let port = 0; port < 5_000; port += 1) {
    rig.kernel.update('fl_ct', flowRow(port, 17, {}), 'any');
  }
  rig.kernel.update('fl_snat', flowRow(1, 6, { state: flowBit.answered }), 'any');
  rig.run(31);
  t.deepEqual([...rig.datapath.flowRows], [['fl_snat', 1], ['fl_ct', 5_000]]);
  rig.run(90);
  t.is(rig.kernel.dump('fl_ct').length, 5_000);
  t.is(rig.datapath.flowRows.get('fl_ct'), 5_000);
});

test('a walk of many rows goes page by page and ends', (t) => {
  const rig = new MapRig().load().start().run();
  for (let port = 0; port < 9_000; port += 1) {
    rig.kernel.update('fl_snat', flowRow(port, 17, {}), 'any');
  }
  rig.run(130);
  t.is(rig.kernel.dump('fl_snat').length, 0);
});

const lifetime = test.macro({
  exec: (t, proto: number, state: number, seconds: number) => {
    t.is(flowLifetime({ proto, state }), seconds);
  },
  title: (name = '', _proto, _state, seconds) => `8.4: ${name} lives ${seconds} s`,
});
test('TCP handshake', lifetime, 6, 0, 60);
test('TCP established', lifetime, 6, flowBit.answered, 7_440);
test('TCP with one FIN', lifetime, 6, flowBit.answered | flowBit.finClient, 3_600);
test('TCP with both', lifetime, 6, flowBit.finClient | flowBit.finEndpoint, 10);
test('TCP with RST', lifetime, 6, flowBit.answered | flowBit.rstEndpoint, 10);
test('UDP unanswered', lifetime, 17, 0, 30);
test('UDP answered', lifetime, 17, flowBit.answered, 120);
test('SCTP', lifetime, 132, flowBit.answered, 600);

test('datapath V28: the older Service keeps the front, and the other gets a condition', (t) => {
  const younger = service({
    meta: meta('t', { createdAtMs: 2_000 }), key: serviceKey('default', 't'),
    clusterIps: ['10.200.0.11'], externalIps: [], ports: [
      { name: 'web', protocol: 'TCP', port: 80, nodePort: 0 },
    ],
  });
  for (const services of [[service(), younger], [younger, service()]]) {
    const rig = new MapRig().load(services).start().run();
    t.is(rig.ask('X → VIP:80'), oracle('X → VIP:80', { services }));
    t.is(rig.ask('P → 10.200.0.11:80'), 'REJECT noEndpoint');
    const conflicts = rig.datapath.conflicts();
    t.deepEqual(conflicts.map(({ front, winner, loser }) => `${front} ${winner} ${loser}`), [
      `${vip}:80/TCP default/s default/t`,
    ]);
    t.like(frontConflictCondition(conflicts, 3), {
      type: 'fairlead.dev/FrontConflict', status: 'True', observedGeneration: 3,
      message: '198.51.100.10:80/TCP belongs to Service default/s. '
        + 'Give this Service another address or port.',
    });
    rig.setServices([younger]);
    rig.run();
    t.is(rig.ask('X → VIP:80'), 'REJECT noEndpoint', 'it takes over');
    t.deepEqual(rig.datapath.conflicts(), []);
  }
  t.is(frontConflictCondition([], 1), undefined);
});

/** Devices that a test may change. */
class Devices {
  now: DatapathDeviceFacts | undefined;
  #listeners: (() => void)[] = [];

  facts(): DatapathDeviceFacts | undefined {
    return this.now;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  set(facts: DatapathDeviceFacts): void {
    this.now = facts;
    for (const listener of this.#listeners) listener();
  }
}

const facts: DatapathDeviceFacts = {
  devices: [
    { ifindex: 2, mac: '02:00:00:00:00:01', mtu: 1500, addresses: [ip('192.0.2.11')] },
    { ifindex: 3, mac: undefined, mtu: 1420, addresses: [] },
  ],
  pods: [{ cookie: 4_097n, addresses: [ip('10.64.1.21')], ifindex: 9, hooked: true }],
  nodeCookie: 1n,
};

test('devices, pods and switches are written when they are known, and backends learn interfaces', (t) => {
  const devices = new Devices();
  const rig = new MapRig({ more: { devices } }).load().start().run();
  t.is(rig.kernel.dump('fl_dev').length, 0);
  const backend = () => decodeBackend(rig.kernel.lookup('fl_backend', Uint8Array.of(1, 0, 0, 0))!);
  t.is(backend().ifindex, 0);
  const generation = rig.writes.filter(({ map }) => map === 'fl_svc').length;
  devices.set(facts);
  rig.run();
  t.is(backend().ifindex, 9);
  t.is(rig.writes.filter(({ map }) => map === 'fl_svc').length, generation, 'no new set for that');
  const device = decodeDev(rig.kernel.lookup('fl_dev', Uint8Array.of(2, 0, 0, 0))!);
  t.like(device, { headerLen: 14, mtu: 1500 });
  t.is(decodeDev(rig.kernel.lookup('fl_dev', Uint8Array.of(3, 0, 0, 0))!).headerLen, 0);
  t.like(decodeNetns(rig.kernel.dump('fl_netns')[0]!.value), { ifindex: 9, flags: 1 });
  t.like(decodeCfg(rig.kernel.lookup('fl_cfg', new Uint8Array(4))!), {
    nodeCookie: 1n, eventLevel: 1, refusalRate: 500, refusalBurst: 1_000,
  });
  devices.set({ ...facts, devices: facts.devices.slice(0, 1), pods: [] });
  rig.run();
  t.deepEqual([rig.kernel.dump('fl_dev').length, rig.kernel.dump('fl_netns').length], [1, 0]);
  t.is(backend().ifindex, 9, 'what is not found now keeps what was noted');
});

test('a restart writes no device row before the node was looked at, and none after that', (t) => {
  const devices = new Devices();
  devices.now = facts;
  const rig = new MapRig({ more: { devices } }).load().start().run();
  const { length } = rig.writes;
  devices.now = undefined;
  rig.restart().load().start().run();
  devices.set(facts);
  rig.run();
  t.is(rig.writes.length, length);
});

test('C13: prefixes of ServiceCIDR objects change the range at run time', (t) => {
  const rig = new MapRig({ options: { serviceRanges: [] } });
  const serviceCidrs = new Table<ServiceCidr>('servicecidrs');
  const cidr = (text: string): ServiceCidr => (
    { kind: 'ServiceCIDR', meta: meta('kubernetes'), cidrs: [text as Prefix], faults: [] }
  );
  const { process } = rig;
  const datapath = createServiceDatapath({
    clock: processClock(process), kernel: rig.kernel.portOf(process),
    journal: processJournal(process),
  }, { ...rig.tables, serviceCidrs }, { nodeName: 'n-a', options: rig.options, memo: rig.memo });
  process.enter(() => datapath.start());
  rig.load().run();
  t.false(datapath.ready(), 'this listing counts too');
  serviceCidrs.upsert('kubernetes', cidr('10.200.0.0/16'));
  serviceCidrs.markComplete();
  rig.run();
  t.is(rig.ask('P → 10.200.9.9:80'), 'DROP unallocated');
  serviceCidrs.upsert('kubernetes', cidr('10.201.0.0/16'));
  rig.run();
  t.is(rig.ask('P → 10.200.9.9:80'), 'NOT_MINE');
  t.is(rig.ask('P → 10.201.9.9:80'), 'DROP unallocated');
});

test('events within 50 ms of a round are one round; the first is taken at once', (t) => {
  const rig = new MapRig().load().start().run();
  const commits = (): number => rig.writes.filter(({ map }) => map === 'fl_svc').length;
  const before = commits();
  rig.setSlices([slice(everyEndpoint.slice(1))]);
  rig.run(0.001);
  t.is(commits(), before + 1);
  for (const count of [2, 3, 0, 1]) {
    rig.setSlices([slice(everyEndpoint.slice(0, count))]);
    rig.run(0.01);
  }
  t.is(commits(), before + 1);
  rig.run(0.05);
  t.is(commits(), before + 2);
  t.is(rig.ask('P → CIP:80'), '10.64.1.21:8080');
});

test('a moved node address changes what ranges admit and which addresses are the node’s', (t) => {
  const services = [service({ sourceRanges: ['192.0.2.0/24'] })];
  const rig = new MapRig().load(services).start().run();
  const own = `${vip} → VIP:80`;
  t.is(rig.ask(own), oracle(own, { services }));
  const [first] = nodes;
  rig.tables.nodes.upsert('n-a', {
    ...first!, addresses: [{ type: 'InternalIP', address: '203.0.113.99' }],
  });
  rig.run();
  t.is(rig.ask(own), 'DROP srcRange');
  t.is(rig.ask('X → node:30080'), 'NOT_MINE');
  t.true(rig.ask('X → 203.0.113.99:30080').startsWith('10.64.1.21'));
});

test('listeners hear of readiness once and of each address whose fronts come or go', (t) => {
  const rig = new MapRig().load();
  const heard: string[] = [];
  rig.datapath.onChange(({ all, ips }) => heard.push(all ? 'all' : [...ips].sort().join(' ')));
  rig.start().run();
  t.deepEqual(heard, ['all']);
  t.true(rig.datapath.hasFront(ip(vip)));
  rig.setServices([service({ ingress: [ingressEntry('198.51.100.11')] })]);
  rig.run();
  t.deepEqual(heard, ['all', '198.51.100.10 198.51.100.11']);
  t.false(rig.datapath.hasFront(ip(vip)));
  rig.setSlices([slice([endpoint('a1')])]);
  rig.run();
  t.is(heard.length, 2);
});
