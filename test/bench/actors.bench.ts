import { resources } from '../../kube/resource.ts';
import type { KubeObject } from '../../kube/port.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { createActors } from '../../sim/kube/actors.ts';
import type { NodeRuntime } from '../../sim/kube/kubelet.ts';
import { World } from '../../sim/world.ts';
import { secondsOf } from './stopwatch.ts';

const second = 1_000_000;
const nodeCount = 100;

function node(name: string, index: number): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Node', metadata: { name },
    spec: { podCIDRs: [`10.${index}.0.0/16`] },
    status: {
      capacity: { pods: '250' },
      addresses: [{ type: 'InternalIP', address: `192.168.1.${index + 1}` }],
    },
  };
}

function application(name: string): readonly KubeObject[] {
  const metadata = { namespace: 'default', name };
  const containers = [{ name: 'c', image: 'echo:1', ports: [{ name: 'http', containerPort: 80 }] }];
  const labels = { app: name, tier: 'web' };
  return [
    {
      apiVersion: 'apps/v1', kind: 'Deployment', metadata,
      spec: {
        replicas: 2, selector: { matchLabels: { app: name } },
        template: { metadata: { labels }, spec: { containers } },
      },
    },
    {
      apiVersion: 'v1', kind: 'Service', metadata,
      spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    },
  ];
}

function machine(name: string): NodeRuntime {
  return { name, running: true, startPod: () => undefined, stopPod: () => undefined };
}

function cluster(services: number): { world: World; api: ApiServer; boot: () => void } {
  const world = new World({ seed: 1n });
  const api = new ApiServer(world, { serviceCidrs: ['10.128.0.0/12'] });
  const names = Array.from({ length: nodeCount }, (_, index) => `node-${index}`);
  const faults = api.load([
    ...names.map(node),
    ...Array.from({ length: services }, (_, index) => application(`app-${index}`)).flat(),
  ]);
  if (faults.length > 0) throw new Error(JSON.stringify(faults[0]?.faults));
  const actors = createActors(world, api, { runtimes: names.map(machine) });
  return {
    world, api,
    boot() {
      actors.start();
      while (actors.pending().length > 0) world.run(world.now + second);
    },
  };
}

/** Seconds until 100 nodes run the 10,000 pods of 5,000 Services, all slices written. */
function boot(): number {
  const { api, boot: start } = cluster(5000);
  const seconds = secondsOf(start);
  const pods = api.list(resources.pods).length;
  if (pods !== 10_000) throw new Error(`${pods} pods instead of 10000`);
  return seconds;
}

/** Simulated seconds per second of 100 nodes that only keep their Leases. */
function idle(): number {
  const { world, boot: start } = cluster(0);
  start();
  world.run(world.now + 60 * second);
  const span = 3600;
  return span / secondsOf(() => world.run(world.now + span * second));
}

export const benches = [
  { name: 'actors: boot of 100 nodes and 5,000 Services', unit: 's', ceiling: 8, run: boot },
  { name: 'actors: leases of 100 idle nodes', unit: '× real time', floor: 5000, run: idle },
];
