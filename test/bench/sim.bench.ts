import { join } from 'node:path';
import { readScenario } from '../../cli/scenariofile.ts';
import type { KubeObject } from '../../kube/port.ts';
import { watchOracles } from '../../sim/check/oracles.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import { exitClass } from '../../sim/scenario/verdict.ts';
import { secondsOf } from './stopwatch.ts';
import { watchServices } from '../../sim/report/placement.ts';

/** A Deployment of two replicas and its Service. */
function application(name: string): KubeObject[] {
  const labels = { app: name };
  const container = { name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 8080 }] };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'default' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: {
        type: 'LoadBalancer',
        // 30000 to 32767 would do for 2,768 Services.
        allocateLoadBalancerNodePorts: false,
        selector: labels,
        ports: [{ name: 'http', port: 80, targetPort: 'http' }],
      },
    },
  ];
}

/** Nodes that announce, a pool, a policy, and Services with two replicas each, spread by name. */
function manifests(size: { nodes: number; services: number }): KubeObject[] {
  const objects: KubeObject[] = [];
  for (let index = 0; index < size.nodes; index += 1) {
    objects.push({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${index + 1}` },
      spec: { podCIDRs: [`10.${64 + Math.floor(index / 128)}.${(index % 128) * 2}.0/23`] },
      status: { addresses: [{ type: 'InternalIP', address: `192.168.0.${index + 11}` }] },
    });
  }
  objects.push(
    {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumLoadBalancerIPPool',
      metadata: { name: 'lan' },
      spec: { blocks: [{ cidr: '192.168.32.0/19' }] },
    },
    {
      apiVersion: 'cilium.io/v2alpha1',
      kind: 'CiliumL2AnnouncementPolicy',
      metadata: { name: 'lan' },
      spec: { loadBalancerIPs: true },
    },
  );
  for (let index = 0; index < size.services; index += 1) {
    objects.push(...application(`s${String(index).padStart(5, '0')}`));
  }
  return objects;
}

interface Size {
  readonly nodes: number;
  readonly services: number;
}

function build(size: Size): Cluster {
  const cluster = new Cluster({
    seed: 1n,
    cluster: defaultCluster(),
    network: undefined,
    objects: manifests(size),
    traffic: [],
  });
  const [refused] = cluster.faults.flatMap(({ faults }) => faults);
  if (refused !== undefined) throw new Error(`${refused.path}: ${refused.message}`);
  return cluster;
}

function boot(size: Size): Cluster {
  const cluster = build(size);
  watchOracles(cluster, { always: [], oracles: {}, grace: 0 });
  cluster.start();
  settle(cluster);
  return cluster;
}

/** The agents join a cluster whose Pods run, as in an installation. */
function install(size: Size): Cluster {
  const cluster = build(size);
  cluster.actors.start();
  cluster.world.run(cluster.world.now + 10_000_000);
  cluster.machines.start();
  cluster.traffic.start();
  settle(cluster);
  return cluster;
}

/** Until nothing is under way but Events, of which the API takes ten a second (lb-ipam.md 10.4). */
function settle(cluster: Cluster): void {
  let open = ['booting'];
  while (open.length > 0 && cluster.world.now < 300_000_000) {
    cluster.world.run(cluster.world.now + 1_000_000);
    open = cluster.pending().filter((text) => !/: event [A-Z]/u.test(text));
  }
  if (open.length > 0) throw new Error(`not quiescent: ${open.slice(0, 3).join('; ')}`);
}

/** Simulated over real seconds of `span` simulated seconds. */
function speed(cluster: Cluster, span: number): number {
  return span / secondsOf(() => cluster.world.run(cluster.world.now + span * 1_000_000));
}

/** The same once the compiler has seen all of it: long runs are what the figure is for. */
function warmSpeed(cluster: Cluster, span: number): number {
  speed(cluster, 2 * span);
  return speed(cluster, span);
}

/** Requests per second over some of the Services, from the client behind the router. */
function probe(cluster: Cluster, perSecond: number, lines: number): void {
  const watched = watchServices(cluster, 'phone', Math.round((1_000_000 * lines) / perSecond));
  for (const { line } of watched.slice(lines)) cluster.traffic.line(line).stop();
  cluster.world.run(cluster.world.now + 3_000_000);
}

function referenceWorld(): number {
  const cluster = boot({ nodes: 3, services: 50 });
  probe(cluster, 50, 50);
  return warmSpeed(cluster, 240);
}

let installed: Cluster | undefined;

function largeBoot(): number {
  // The one before goes first: two of them want more memory than Node takes by itself.
  installed = undefined;
  return secondsOf(() => { installed = install({ nodes: 100, services: 5000 }); });
}

/** Of the cluster that the boot before left, for a boot takes long. */
function largeSpeed(): number {
  const cluster = installed ?? install({ nodes: 100, services: 5000 });
  installed = undefined;
  probe(cluster, 500, 500);
  return warmSpeed(cluster, 20);
}

const quiet = { out: () => undefined, err: () => undefined, outTty: false, env: {} };
const powerLoss = await readScenario(
  { ...quiet, input: () => Promise.resolve('') },
  join(import.meta.dirname, '../scenario/01-node-power-loss.yaml'),
);

/** Whole runs with every oracle, from boot to verdict, in one process. */
function seedsPerMinute(): number {
  const seeds = 20;
  const seconds = secondsOf(() => {
    for (let seed = 0; seed < seeds; seed += 1) {
      const { verdict } = runScenario({ ...powerLoss, seed: BigInt(seed) });
      const end = exitClass(verdict);
      if (end !== 'ok') throw new Error(`seed ${seed} ended as ${end}`);
    }
  });
  return (seeds * 60) / seconds;
}

export const benches = [
  {
    name: 'sim: 3 nodes, 50 Services, 50 probes/s, all oracles',
    unit: '× real time',
    floor: 500,
    run: referenceWorld,
  },
  {
    name: 'sim: 3 nodes, 50 Services, control plane only',
    unit: '× real time',
    floor: 5000,
    run: () => warmSpeed(boot({ nodes: 3, services: 50 }), 3600),
  },
  {
    name: 'sim: scenario 1, node power loss',
    unit: 'seeds/min',
    run: seedsPerMinute,
  },
  {
    name: 'sim: boot of 100 nodes, 5,000 Services',
    unit: 's',
    ceiling: 20,
    long: true,
    run: largeBoot,
  },
  {
    name: 'sim: 100 nodes, 5,000 Services, 500 probes/s',
    unit: '× real time',
    floor: 20,
    long: true,
    run: largeSpeed,
  },
];
