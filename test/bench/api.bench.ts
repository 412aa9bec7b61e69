import type { Bench } from './bench.ts';
import { createSimKube } from '../../sim/api/client.ts';
import { ApiPath } from '../../sim/api/path.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';

const { leases, services } = resources;
const place = { resource: leases, namespace: 'kube-system', name: 'session-n1' };
const selector = 'fairlead.dev/l2 in (session, lock)';

function session(): KubeObject {
  return {
    metadata: { name: place.name, labels: { 'fairlead.dev/l2': 'session' } },
    spec: { holderIdentity: 'n1_0badcafe', leaseDurationSeconds: 5, renewTime: renewTime(0) },
  };
}

function renewTime(count: number): string {
  return `2026-01-01T00:00:00.${String(count % 1_000_000).padStart(6, '0')}Z`;
}

/** Renews one Lease so often and returns microseconds per renewal. */
function renewals(server: ApiServer, count: number, settle: () => void): number {
  const started = performance.now();
  for (let index = 1; index <= count; index += 1) {
    const stored = server.get(leases, place.namespace, place.name);
    const spec = { ...stored?.['spec'] as object, renewTime: renewTime(index) };
    const done = server.handle({ verb: 'update', ref: place, body: { ...stored, spec } }, 'bench');
    if (!done.ok) throw new Error(done.error.message);
    settle();
  }
  return ((performance.now() - started) * 1000) / count;
}

function serverWithSession(world: World): ApiServer {
  const server = new ApiServer(world);
  const { namespace } = place;
  server.handle({ verb: 'create', resource: leases, namespace, body: session() }, 'bench');
  return server;
}

export const benches: readonly Bench[] = [
  {
    name: 'api: writes of a Lease without watchers',
    unit: '1/s',
    floor: 20_000,
    run() {
      const server = serverWithSession(new World({ seed: 1n }));
      renewals(server, 5000, () => undefined);
      return 1_000_000 / renewals(server, 20_000, () => undefined);
    },
  },
  {
    name: 'api: delivery of a Lease write to one of 100 clients',
    unit: 'µs',
    ceiling: 10,
    run() {
      const world = new World({ seed: 1n });
      const server = serverWithSession(world);
      const path = new ApiPath(world);
      let heard = 0;
      for (let index = 0; index < 100; index += 1) {
        const process = new Process(world, `agent/n${index}`, new MachineClock(world));
        const kube = createSimKube(process, { server, path }, { user: 'agent', node: `n${index}` });
        const from = { resource: leases, namespace: '', resourceVersion: String(server.version) };
        kube.watch({ ...from, labelSelector: selector }, {
          event() { heard += 1; },
          end: () => undefined,
        });
      }
      world.run(1_000_000);
      const each = renewals(server, 1000, () => { world.run(world.now + 100_000); });
      if (heard < 100_000) throw new Error(`${heard} events were heard`);
      return each / 100;
    },
  },
  {
    name: 'api: creation of 5,000 load-balancer Services',
    unit: '1/s',
    floor: 5000,
    run() {
      const server = new ApiServer(new World({ seed: 1n }));
      const started = performance.now();
      const spec = {
        type: 'LoadBalancer', ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false,
      };
      for (let index = 0; index < 5000; index += 1) {
        const body = { metadata: { name: `web-${index}` }, spec };
        const request = { verb: 'create', resource: services, namespace: 'default', body } as const;
        const done = server.handle(request, 'bench');
        if (!done.ok) throw new Error(done.error.message);
      }
      return 5000 / ((performance.now() - started) / 1000);
    },
  },
];
