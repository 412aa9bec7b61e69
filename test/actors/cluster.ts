import type { Micros } from '../../lb/ports.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resourceOf, resources, type Resource } from '../../kube/resource.ts';
import { ApiServer } from '../../sim/api/server.ts';
import type { ActorTimings } from '../../sim/kube/actor.ts';
import { createActors, type Actors } from '../../sim/kube/actors.ts';
import type { NodePod, NodeRuntime } from '../../sim/kube/kubelet.ts';
import { World } from '../../sim/world.ts';

export const s: Micros = 1_000_000;

/** No draws: every delay is what the table says. */
export const exact: Partial<ActorTimings> = {
  podSpreadPercent: 0, reaction: 0, sliceReaction: 0, garbageReaction: 0,
};

export class Machine implements NodeRuntime {
  readonly name: string;
  running = true;
  boots = 1;
  readonly pods = new Map<string, NodePod>();
  constructor(name: string) { this.name = name; }
  get bootId(): string { return `boot-${this.boots}`; }
  startPod(pod: NodePod): void { this.pods.set(pod.uid, pod); }
  stopPod(uid: string): void { this.pods.delete(uid); }
  off(): void { this.running = false; this.pods.clear(); }
  on(): void { this.running = true; this.boots += 1; }
  names(): string { return [...this.pods.values()].map((pod) => pod.name).sort().join(' '); }
}

export interface ClusterOptions {
  readonly nodes?: string;
  readonly zones?: string;
  readonly seed?: bigint;
  readonly clusterCidrs?: readonly string[];
  readonly timings?: Partial<ActorTimings>;
  readonly order?: 'fifo' | 'uniform';
}

/** A world with an API server, machines and the built-in controllers. */
export class Cluster {
  readonly world: World;
  readonly api: ApiServer;
  readonly machines = new Map<string, Machine>();
  readonly actors: Actors;
  readonly cut = new Set<string>();
  controlReach = true;

  constructor(options: ClusterOptions = {}) {
    this.world = new World({ seed: options.seed ?? 7n, order: options.order ?? 'fifo' });
    this.api = new ApiServer(
      this.world, { freeze: true, serviceCidrs: ['10.96.0.0/16', 'fd00:96::/112'] },
    );
    this.apply(namespace('web'));
    const zones = (options.zones ?? '').split(' ');
    for (const [index, name] of (options.nodes ?? 'n1 n2 n3').split(' ').entries()) {
      this.machines.set(name, new Machine(name));
      const zone = zones[index] ?? '';
      this.apply(node(name, {
        labels: zone === '' ? {} : { 'topology.kubernetes.io/zone': zone },
        address: `192.168.10.${index + 1}`,
      }));
    }
    this.actors = createActors(this.world, this.api, {
      runtimes: [...this.machines.values()],
      clusterCidrs: options.clusterCidrs ?? ['10.244.0.0/16', 'fd00:10::/56'],
      timings: options.timings ?? exact,
      foreignBalancer: { loadBalancerClass: 'example.com/other', cidr: '203.0.113.0/30' },
      reach: (name) => !this.cut.has(name),
      reachControl: () => this.controlReach,
    });
  }

  apply(...objects: KubeObject[]): void {
    const faults = this.api.load(objects);
    if (faults.length > 0) throw new Error(JSON.stringify(faults));
  }

  /** Replaces parts of `spec`. */
  edit(resource: Resource, name: string, spec: object): void {
    const namespaceName = resource.namespaced ? 'web' : '';
    const ref = { resource, namespace: namespaceName, name };
    const done = this.api.handle(
      { verb: 'patch', ref, body: JSON.parse(JSON.stringify({ spec })) }, 'test',
    );
    if (!done.ok) throw new Error(done.error.message);
  }

  remove(resource: Resource, name: string, gracePeriodSeconds?: number): void {
    const ref = { resource, namespace: resource.namespaced ? 'web' : '', name };
    const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    const done = this.api.handle({ verb: 'delete', ref, ...grace }, 'test');
    if (!done.ok) throw new Error(done.error.message);
  }

  run(seconds: number): void {
    this.world.run(this.world.now + Math.round(seconds * 1e6));
  }

  /** Until nothing is pending, at most 300 s. */
  settle(): void {
    for (let step = 0; step < 300 && this.actors.pending().length > 0; step += 1) this.run(1);
  }

  machine(name: string): Machine { return this.machines.get(name)!; }

  pods(): any[] { return this.api.list(resources.pods) as any[]; }
  pod(name: string): any { return this.api.get(resources.pods, 'web', name); }
  object(resource: Resource, name: string): any {
    return this.api.get(resource, resource.namespaced ? 'web' : '', name);
  }

  /** `name@node` of each pod, with `-` in front while not ready and `~` while terminating. */
  roster(): string {
    return this.pods().map(
      (pod) => `${mark(pod)}${pod.metadata.name}@${pod.spec.nodeName ?? '?'}`,
    ).sort().join(' ');
  }

  slices(service = 'app'): any[] {
    return (this.api.list(resources.endpointSlices) as any[])
      .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === service);
  }

  /** `address rst` of each endpoint: ready, serving, terminating. */
  endpoints(family = 'IPv4'): string {
    return this.slices().filter((slice) => slice.addressType === family)
      .flatMap((slice) => slice.endpoints as any[])
      .map(
        (endpoint) => `${endpoint.addresses[0]} ${flags(endpoint.conditions)}`,
      ).sort().join(', ');
  }

  ready(name: string): string {
    const conditions: any[] = this.object(resources.nodes, name).status.conditions;
    return conditions.find((condition) => condition.type === 'Ready')?.status;
  }

  taints(name: string): string {
    const taints: any[] = this.object(resources.nodes, name).spec.taints ?? [];
    return taints.map((taint) => `${taint.key}:${taint.effect}`).sort().join(' ');
  }
}

function mark(pod: any): string {
  if (pod.metadata.deletionTimestamp !== undefined) return '~';
  return readyCondition(pod) ? '' : '-';
}

export function readyCondition(pod: any): boolean {
  return pod.status?.conditions?.some(
    (entry: any) => entry.type === 'Ready' && entry.status === 'True',
  ) ?? false;
}

function flags(conditions: any): string {
  const { ready, serving, terminating } = conditions;
  return `${ready ? 'r' : '-'}${serving ? 's' : '-'}${terminating ? 't' : '-'}`;
}

export function node(
  name: string, of: { labels?: Record<string, string>; address: string },
): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Node', metadata: { name, labels: of.labels ?? {} }, spec: {},
    status: { addresses: [{ type: 'InternalIP', address: of.address }] },
  };
}

export function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

export function service(spec: object = {}, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'web', name: 'app', ...metadata },
    spec: {
      selector: { app: 'app' }, ipFamilyPolicy: 'RequireDualStack',
      ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec,
    },
  };
}

export function template(spec: object = {}, labels: object = {}): object {
  const ports = [{ name: 'http', containerPort: 8080 }];
  return {
    metadata: { labels: { app: 'app', ...labels } },
    spec: { containers: [{ name: 'app', image: 'echo:1', ports }], ...spec },
  };
}

/** A workload named `app` of any kind. */
export function workload(kind: string, spec: object = {}, pod: object = {}): KubeObject {
  const of = resourceOf('apps/v1', kind)!;
  return {
    apiVersion: 'apps/v1', kind: of.kind, metadata: { namespace: 'web', name: 'app' },
    spec: { selector: { matchLabels: { app: 'app' } }, template: template(pod), ...spec },
  };
}

export function barePod(
  name: string, spec: object = {}, labels: Record<string, string> = {},
): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'web', name, labels }, spec: {
    containers: [
      { name: 'c', image: 'echo:1', ports: [{ name: 'http', containerPort: 8080 }] },
    ], ...spec,
  } };
}

/** A settled cluster that started with these objects. */
export function booted(
  objects: KubeObject[], options: ClusterOptions = {},
): Cluster {
  const cluster = new Cluster(options);
  cluster.apply(...objects);
  cluster.actors.start();
  cluster.settle();
  return cluster;
}
