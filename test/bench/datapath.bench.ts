import { ip } from '../../lb/ip.ts';
import { serviceKey, type Service } from '../../lb/model.ts';
import { ViewIndex } from '../../lb/view.ts';
import { maglevTable } from '../../lb/maglev.ts';
import { ServicePortMemo } from '../../bpf/datapath.ts';
import { deriveServicePorts } from '../../lb/serviceport.ts';
import { noPayload, tcpFlag, type Packet } from '../../sim/net/packet.ts';
import { TrafficLine } from '../../sim/net/client.ts';
import {
  endpoint, everyEndpoint, factsOf, ingressEntry, meta, names, service, slice, vip,
} from '../datapath/fixture.ts';
import { Rig } from '../datapath/rig.ts';

function services(count: number): Service[] {
  return Array.from({ length: count }, (_, index) => service({
    meta: meta(`s${index}`), key: serviceKey('default', index === 0 ? 's' : `s${index}`),
    clusterIps: [`10.200.${(index >> 8) + 1}.${index & 255}`], externalIps: [],
    ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
    ingress: [ingressEntry(index === 0 ? vip : `198.51.${101 + (index >> 8)}.${index & 255}`)],
  }));
}

/** Nanoseconds of wall time for one established packet through the ingress program. */
function established(): number {
  const rig = new Rig();
  rig.load(services(50));
  rig.startPods();
  rig.datapath('n-a');
  rig.run(1);
  const node = rig.node('n-a');
  const packet: Packet = {
    source: ip(names['X']!), target: ip(vip), protocol: 'TCP',
    sourcePort: 40_000, targetPort: 80, ttl: 64,
    tcp: { seq: 1, ack: 0, flags: tcpFlag.syn }, payload: noPayload,
  };
  node.programs.uplinkIn(packet);
  const segment = { ...packet, tcp: { seq: 2, ack: 1, flags: tcpFlag.ack } };
  const rounds = 300_000;
  const from = performance.now();
  for (let round = 0; round < rounds; round += 1) node.programs.uplinkIn(segment);
  return ((performance.now() - from) * 1_000_000) / rounds;
}

/**
 * Simulated seconds per wall second: three nodes, 50 Services, 50 probes/s through the whole path.
 */
function probes(): number {
  const rig = new Rig();
  rig.load(services(50));
  rig.startPods();
  for (const name of ['n-a', 'n-b', 'n-c']) rig.datapath(name);
  rig.run(1);
  const { x } = rig;
  const line = new TrafficLine(
    rig.tap, { name: 'probe', from: x, target: ip(vip), port: 80, protocol: 'TCP', every: 20_000 },
  );
  line.start();
  rig.run(30);
  const span = 600;
  const from = performance.now();
  rig.run(span);
  const wallSeconds = (performance.now() - from) / 1000;
  if (line.failures.length > 0) throw new Error(`${line.failures.length} probes failed`);
  return span / wallSeconds;
}

/**
 * Milliseconds for the rows of 5,000 Services on 100 nodes, from listings to the last kernel write.
 */
function boot(): number {
  const count = 5_000;
  const all = services(count);
  const slices = all.map((of, index) => slice([
    endpoint('a1', { nodeName: `node-${index % 100}` }),
    endpoint('b1', { nodeName: `node-${(index + 7) % 100}` }),
  ], {
    meta: meta(`slice-${index}`), service: of.key,
  }));
  const memo = new ServicePortMemo();
  const from = performance.now();
  for (let node = 0; node < 100; node += 1) {
    const rig = new Rig();
    rig.load(all, slices);
    rig.datapath('n-a', memo);
    rig.run(1);
  }
  return performance.now() - from;
}

/** Milliseconds to index 5,000 records, as the first packet on a fresh node does it. */
function index(): number {
  const memo = new ServicePortMemo();
  const context = { place: { nodeName: 'n-a', zone: 'z1' }, algorithm: 'random', memo } as const;
  const records = services(5_000).flatMap(
    (of) => deriveServicePorts(of, [slice(everyEndpoint)], context),
  );
  const from = performance.now();
  const view = new ViewIndex(factsOf({}));
  for (const record of records) view.set(record);
  return performance.now() - from;
}

function maglev(): number {
  const endpoints = Array.from({ length: 100 }, (_, n) => ({ ip: ip(`10.64.9.${n}`), port: 8080 }));
  const from = performance.now();
  maglevTable(endpoints, { size: 16381, seed: 0x666c6c64, protocol: 'TCP' });
  return performance.now() - from;
}

export const benches = [
  { name: 'datapath: established packet through the programs', unit: 'ns', ceiling: 2_000, run: established },
  { name: 'datapath: 3 nodes, 50 Services, 50 TCP probes/s', unit: '× real time', floor: 500, run: probes },
  { name: 'datapath: rows of 5,000 Services on 100 nodes', unit: 'ms', ceiling: 10_000, run: boot },
  { name: 'datapath: index of 5,000 Services', unit: 'ms', ceiling: 200, run: index },
  { name: 'datapath: Maglev table, 16,381 slots, 100 endpoints', unit: 'ms', ceiling: 10, run: maglev },
];
