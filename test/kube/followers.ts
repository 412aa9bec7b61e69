import { objectKey } from '../../kube/objectkey.ts';
import type { KubeObject, KubePort } from '../../kube/port.ts';
import {
  createReflector, type Reflector, type ReflectorPorts,
} from '../../kube/reflector.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import type { ApiServer } from '../../sim/api/server.ts';
import type { Prng } from '../../sim/prng.ts';
import { manifest } from '../api/fixture.ts';

interface Scope {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly labelSelector?: string;
}

const scopes: readonly Scope[] = [
  { resource: resources.leases },
  { resource: resources.leases, namespace: 'default', labelSelector: 'app=x' },
  { resource: resources.nodes },
];
const names = ['a', 'b', 'c', 'd', 'e'];

/** A table as one reflector fills it, and what the API holds for it. */
class Follower {
  readonly reflector: Reflector;
  readonly #scope: Scope;
  readonly #table = new Map<string, KubeObject>();
  /** Calls that no sink may see, as sentences. */
  readonly wrongs: string[] = [];

  constructor(ports: ReflectorPorts, scope: Scope) {
    this.#scope = scope;
    const table = this.#table;
    this.reflector = createReflector(ports, scope, {
      upsert: (key, object) => {
        const before = table.get(key);
        const other = before !== undefined && before.metadata?.uid !== object.metadata?.uid;
        if (other) this.wrongs.push(`${key} became another object without being removed`);
        table.set(key, object);
      },
      remove: (key) => {
        if (!table.delete(key)) this.wrongs.push(`${key} was removed and is not there`);
      },
      synced: () => undefined,
    });
    this.reflector.start();
  }

  /** What is stale, missing or left over, as sentences. */
  differences(server: ApiServer): string[] {
    const { resource, namespace = '', labelSelector } = this.#scope;
    const options = labelSelector === undefined ? {} : { labelSelector };
    const listed = server.handle({ verb: 'list', resource, namespace, options }, 'judge');
    if (!listed.ok || listed.value.kind !== 'list') return ['the judge cannot list'];
    const truth = new Map(listed.value.items.map((item) => [objectKey(item) ?? '', item]));
    const all = [...new Set([...truth.keys(), ...this.#table.keys()])];
    return all.filter((key) => versionOf(truth.get(key)) !== versionOf(this.#table.get(key)))
      .map((key) => `${resource.plural} ${key}: ${versionOf(this.#table.get(key))} instead of ${
        versionOf(truth.get(key))}`);
  }
}

function versionOf(object: KubeObject | undefined): string {
  return object === undefined ? 'nothing'
    : `${object.metadata?.uid}@${object.metadata?.resourceVersion}`;
}

/** Several reflectors of one client, over the same and over different resources. */
export class Followers {
  readonly #followers: readonly Follower[];
  readonly #server: ApiServer;

  constructor(server: ApiServer, ports: Omit<ReflectorPorts, 'kube'>, kube: KubePort) {
    this.#server = server;
    this.#followers = scopes.map((scope) => new Follower({ ...ports, kube }, scope));
  }

  /** What is wrong at this moment; while faults strike, being late is not. */
  wrongs(): string[] {
    return this.#followers.flatMap((follower) => [
      ...follower.wrongs, ...follower.differences(this.#server),
    ]);
  }

  pending(): string[] {
    return this.#followers.flatMap(({ reflector }) => reflector.pending());
  }

  stop(): void {
    for (const { reflector } of this.#followers) reflector.stop();
  }
}

/** One random change of what the followers see. */
export function change(server: ApiServer, prng: Prng): void {
  const resource = prng.pick([resources.leases, resources.leases, resources.nodes]);
  const name = prng.pick(names);
  const namespace = resource.namespaced ? 'default' : '';
  const target = { resource, namespace, name };
  const labels = { app: prng.pick(['x', 'y']) };
  const create = (): void => {
    const body = manifest(resource, name, { metadata: { labels } });
    server.handle({ verb: 'create', resource, namespace, body }, 'writer');
  };
  const remove = (): void => {
    server.handle({ verb: 'delete', ref: target }, 'writer');
  };
  const act = prng.below(10);
  if (act < 4) create();
  else if (act < 7) {
    const annotations = { text: `Grüße ${prng.below(1000)} \u{1F6A2}` };
    const body = { metadata: { labels, annotations } };
    server.handle({ verb: 'patch', ref: target, body }, 'writer');
  } else if (act === 7) remove();
  else if (act === 8) {
    remove();
    create();
  } else server.compact();
}
