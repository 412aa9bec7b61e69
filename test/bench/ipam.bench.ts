import type { Bench } from './bench.ts';
import type { Pool, Service, ServiceKey } from '../../lb/model.ts';
import { AddressRange } from '../../lb/ipam/range.ts';
import { Planner, type Batch } from '../../lb/ipam/planner.ts';
import { defaultIpamSettings } from '../../lb/ipam/settings.ts';
import { statusDifference, wantedStatus } from '../../lb/ipam/servicestatus.ts';

const v4 = { first: 0x0a00_0000, last: 0x0aff_ffff };
const v6 = { first: 0xff00n << 104n, last: (0xff00n << 104n) + (1n << 64n) - 1n };

// The bars are stated for one core, so other processes of a busy machine must not count.
function seconds(work: () => void): number {
  const began = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(began);
  return (user + system) / 1_000_000;
}

function fill(range: AddressRange, count: number): void {
  for (let index = 0; index < count; index += 1) range.takeLowest();
}

const meta = (namespace: string, name: string, createdAtMs: number) => ({
  namespace, name, uid: `uid-${name}`, resourceVersion: '1', generation: 0, createdAtMs,
  deleting: false, labels: {}, annotations: {},
});

function poolOf(cidr: string): Pool {
  return {
    kind: 'CiliumLoadBalancerIPPool', meta: meta('', 'lan', 0),
    blocks: [{ cidr, start: undefined, stop: undefined }], allowFirstLastIps: undefined,
    disabled: false, serviceSelector: undefined, conditions: [], faults: [],
  };
}

function serviceOf(index: number, adopted: boolean): Service {
  const name = `s${String(index).padStart(6, '0')}`;
  const ip = `10.${index >> 16}.${(index >> 8) & 0xff}.${index & 0xff}`;
  const fields = {
    status: 'True' as const, observedGeneration: 0, lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const conditions = [
    { type: 'cilium.io/IPAMRequestSatisfied', reason: 'satisfied', message: '', ...fields },
    { type: 'fairlead.dev/IPAMAllocation', reason: 'allocated', message: `${ip}=pool/lan`, ...fields },
  ];
  return {
    kind: 'Service', meta: meta(
      'default', name, index % 1000,
    ), key: `default/${name}` as ServiceKey,
    type: 'LoadBalancer', clusterIps: [], ports: [
      { name: 'web', protocol: 'TCP', port: 80, nodePort: 0 },
    ],
    selector: { app: name }, externalIps: [],
    loadBalancerIp: undefined, loadBalancerClass: undefined,
    ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster', affinitySeconds: undefined, sourceRanges: [],
    healthCheckNodePort: 0,
    ingress: adopted ? [{ ip, hostname: undefined, ipMode: 'VIP', ports: undefined }] : [],
    conditions: adopted ? conditions : [], faults: [],
  };
}

function batchOf(services: readonly Service[], pools: readonly Pool[], initial: boolean): Batch {
  return {
    pools: pools.map((pool) => ({ key: pool.meta.name, value: pool })),
    services: services.map((service) => ({ key: service.key, value: service })),
    nodes: [], slices: [], initial, now: 0,
  };
}

// What the host does with a plan: compare each touched Service with its stored status.
function planAndCompare(planner: Planner, batch: Batch): number {
  let differing = 0;
  for (const entry of planner.plan(batch).touched) {
    const wanted = wantedStatus(entry, planner, planner.settings);
    if (wanted === undefined) continue;
    const context = { claims: planner, at: '2026-01-01T00:00:00Z' };
    if (statusDifference(entry, wanted, context) !== undefined) differing += 1;
  }
  return differing;
}

function adoptedCluster(): { planner: Planner; services: Service[]; took: number } {
  const services = Array.from({ length: 100_000 }, (_, index) => serviceOf(index, true));
  const planner = new Planner(defaultIpamSettings);
  const took = seconds(() => {
    const differing = planAndCompare(planner, batchOf(services, [poolOf('10.0.0.0/8')], true));
    if (differing > 0) throw new Error(`${differing} adopted Services would be written`);
  });
  return { planner, services, took };
}

function heapOf(cidr: string): number {
  const before = process.memoryUsage();
  const planners = Array.from({ length: 64 }, () => {
    const planner = new Planner(defaultIpamSettings);
    planner.plan(batchOf([], [poolOf(cidr)], true));
    return planner;
  });
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  return Math.max(0, bytes) / planners.length / 1024;
}

export const benches: readonly Bench[] = [
  {
    name: 'fill an IPv4 /8 lowest-first', unit: 'M/s', floor: 20,
    run: () => 16.777216 / seconds(() => fill(new AddressRange(v4), 2 ** 24)),
  },
  {
    name: 'full /8: free a random address and grant again', unit: 'M/s', floor: 5,
    run: () => {
      const range = new AddressRange(v4);
      fill(range, 2 ** 24);
      let random = 12_345;
      return 2 / seconds(() => {
        for (let index = 0; index < 2_000_000; index += 1) {
          random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
          range.free(v4.first + (random >>> 8));
          range.takeLowest();
        }
      });
    },
  },
  {
    name: 'IPv6 /64: first million grants', unit: 'M/s', floor: 5,
    run: () => 1 / seconds(() => fill(new AddressRange(v6), 1_000_000)),
  },
  { name: 'adopt 100,000 Services', unit: 's', ceiling: 2, run: () => adoptedCluster().took },
  {
    name: 'grant 100,000 Services', unit: 's', ceiling: 2,
    run: () => {
      const services = Array.from({ length: 100_000 }, (_, index) => serviceOf(index, false));
      const planner = new Planner(defaultIpamSettings);
      return seconds(
        () => planAndCompare(planner, batchOf(services, [poolOf('10.0.0.0/8')], true)),
      );
    },
  },
  {
    name: 'reconcile one changed Service among 100,000', unit: 'ms', ceiling: 1,
    run: () => {
      const { planner, services } = adoptedCluster();
      const changes = services.slice(0, 1000).map((service, index) => ({
        ...service, loadBalancerIp: `10.200.${index >> 8}.${index & 0xff}`,
      }));
      // One batch each; the mean of a thousand.
      return seconds(() => {
        for (const service of changes) planAndCompare(planner, batchOf([service], [], false));
      });
    },
  },
  { name: 'memory of an empty /8 pool', unit: 'KiB', ceiling: 64, run: () => heapOf('10.0.0.0/8') },
  { name: 'memory of an empty /64 pool', unit: 'KiB', ceiling: 64, run: () => heapOf('2001:db8::/64') },
];
