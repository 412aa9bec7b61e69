import type {
  ApiRequest, ApiServerOptions,
} from '../../sim/api/server.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { ApiPath, type ApiClient } from '../../sim/api/path.ts';
import { createSimKube } from '../../sim/api/client.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World, type WorldOptions } from '../../sim/world.ts';
import type { KubeAnswer, KubeError, KubeObject, KubePort, WatchEvent } from '../../kube/port.ts';
import type { Result } from '../../lb/result.ts';
import { apiVersion, resources, type Resource } from '../../kube/resource.ts';

export type Answer = Result<KubeAnswer, KubeError>;

export interface Rig {
  readonly world: World;
  readonly server: ApiServer;
  ask(request: ApiRequest): Answer;
}

export function rig(options: ApiServerOptions = {}, seed = 1n): Rig {
  const world = new World({ seed });
  const server = new ApiServer(world, { freeze: true, ...options });
  return { world, server, ask: (request) => server.handle(request, 'tester') };
}

export function ref(resource: Resource, name: string, namespace?: string) {
  return { resource, namespace: namespace ?? (resource.namespaced ? 'default' : ''), name };
}

/** An object of that kind, in namespace `default` where it has one. */
export function manifest(
  resource: Resource, name: string, content: Record<string, unknown> = {},
): KubeObject {
  const { metadata, ...rest } = content as { metadata?: Record<string, unknown> };
  const home = resource.namespaced ? { namespace: 'default' } : {};
  return {
    apiVersion: apiVersion(resource), kind: resource.kind,
    metadata: { name, ...home, ...metadata } as never, ...rest,
  };
}

export function create(
  at: Rig, resource: Resource, name: string, content: Record<string, unknown> = {},
): Answer {
  const namespace = resource.namespaced ? 'default' : '';
  return at.ask({ verb: 'create', resource, namespace, body: manifest(resource, name, content) });
}

/** The object of an answer; a refusal is thrown with its message. */
export function objectIn(answer: Answer): KubeObject & Record<string, any> {
  if (!answer.ok) throw new Error(`${answer.error.kind}: ${answer.error.message}`);
  if (answer.value.kind !== 'object') throw new Error('a list instead of an object');
  return answer.value.object as KubeObject & Record<string, any>;
}

/** `ok`, or `kind: message` of the refusal. */
export function verdict(answer: Answer): string {
  return answer.ok ? 'ok' : `${answer.error.kind}: ${answer.error.message}`;
}

export const services = resources.services;
export const leases = resources.leases;

export function service(at: Rig, name: string, spec: Record<string, unknown> = {}): Answer {
  return create(at, services, name, { spec: { ports: [{ port: 80 }], ...spec } });
}

/** `ADDED a@5`, for lists of what a watch brought. */
export function eventText(event: WatchEvent): string {
  if (event.type === 'BOOKMARK') return `BOOKMARK @${event.resourceVersion}`;
  return `${event.type} ${event.object.metadata?.name}@${event.object.metadata?.resourceVersion}`;
}

export interface ClientRig extends Rig {
  readonly path: ApiPath;
  readonly process: Process;
  readonly kube: KubePort;
  /** What the client heard, each with its time in milliseconds. */
  readonly heard: string[];
  request(request: Parameters<KubePort['request']>[0], label?: string): void;
  watch(resource: Resource, resourceVersion: string, labelSelector?: string): { cancel(): void };
  /** Runs until so many milliseconds of virtual time. */
  until(ms: number): void;
}

/** A client `agent` on node n1 with a fixed delay of 1 ms each way. */
export function clientRig(
  options: WorldOptions = { seed: 1n }, client: ApiClient = { user: 'agent', node: 'n1' },
): ClientRig {
  const world = new World(options);
  const server = new ApiServer(world, { freeze: true });
  const path = new ApiPath(world);
  path.latency = { min: 1000, mean: 0 };
  const process = new Process(world, 'agent/n1', new MachineClock(world));
  const kube = createSimKube(process, { server, path }, client);
  const heard: string[] = [];
  const note = (text: string): void => { heard.push(`${Math.floor(world.now / 1000)} ${text}`); };
  return {
    world, server, path, process, kube, heard,
    ask: (request) => server.handle(request, 'tester'),
    request(request, label = request.verb) {
      kube.request(
        request, (answer) => { note(`${label} ${answer.ok ? 'ok' : answer.error.kind}`); },
      );
    },
    watch(resource, resourceVersion, labelSelector) {
      const scope = {
        resource,
        namespace: '',
        resourceVersion,
        ...(labelSelector !== undefined && { labelSelector }),
      };
      return kube.watch(scope, {
        event: (event) => { note(eventText(event)); },
        end: (error) => { note(`end ${error?.kind ?? 'in order'}`); },
      });
    },
    until: (ms) => { passTo({ world }, ms * 1000); },
  };
}

/** Lets time pass up to so many microseconds since the start, though nothing may be due. */
export function passTo(at: { readonly world: World }, time: number): void {
  at.world.schedule(time - at.world.now, { kind: 'pass', entity: 'test' }, () => undefined);
  at.world.run(time);
}
