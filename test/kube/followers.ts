import { objectKey } from '../../kube/objectkey.ts';
import type { KubeObject } from '../../kube/port.ts';
import { createReflector, type Reflector, type ReflectorPorts } from '../../kube/reflector.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { LeaseStream } from '../../l2/stream.ts';
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

/** A table as one client fills it, and what the API holds for it. */
class Table {
  readonly objects = new Map<string, KubeObject>();
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** What is stale, missing or left over, as sentences. */
  differences(server: ApiServer): string[] {
    const { resource, namespace = '', labelSelector } = this.#scope;
    const options = labelSelector === undefined ? {} : { labelSelector };
    const listed = server.handle({ verb: 'list', resource, namespace, options }, 'judge');
    if (!listed.ok || listed.value.kind !== 'list') return ['the judge cannot list'];
    const truth = new Map(listed.value.items.map((item) => [objectKey(item) ?? '', item]));
    const all = [...new Set([...truth.keys(), ...this.objects.keys()])];
    return all.filter((key) => versionOf(truth.get(key)) !== versionOf(this.objects.get(key)))
      .map((key) => `${resource.plural} ${key}: ${versionOf(this.objects.get(key))} instead of ${
        versionOf(truth.get(key))}`);
  }
}

/** A reflector and its table. */
class Follower {
  readonly reflector: Reflector;
  readonly table: Table;
  /** Calls that no sink may see, as sentences. */
  readonly wrongs: string[] = [];

  constructor(ports: ReflectorPorts, scope: Scope) {
    this.table = new Table(scope);
    const table = this.table.objects;
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
}

/** The stream of Leases that layer 2 follows, and its table. */
class LeaseFollower {
  readonly stream: LeaseStream;
  readonly table = new Table({ resource: resources.leases, namespace: 'default' });

  constructor(ports: Pick<ReflectorPorts, 'clock' | 'kube'>) {
    const { objects } = this.table;
    const put = (object: KubeObject): void => {
      objects.set(objectKey(object) ?? '', object);
    };
    const wake = (callback: () => void): void => { callback(); };
    this.stream = new LeaseStream(ports, { namespace: 'default', wake }, {
      list: (items) => {
        objects.clear();
        for (const item of items) put(item);
      },
      changed: put,
      gone: (object) => { objects.delete(objectKey(object) ?? ''); },
    });
    this.stream.start();
  }
}

function versionOf(object: KubeObject | undefined): string {
  return object === undefined ? 'nothing'
    : `${object.metadata?.uid}@${object.metadata?.resourceVersion}`;
}

/** Several followers of one client, over the same and over different resources. */
export class Followers {
  readonly #followers: readonly Follower[];
  readonly #leases: LeaseFollower;
  readonly #server: ApiServer;

  /** `leases` is what the stream of Leases runs on. */
  constructor(
    server: ApiServer, ports: ReflectorPorts, leases: Pick<ReflectorPorts, 'clock' | 'kube'>,
  ) {
    this.#server = server;
    this.#followers = scopes.map((scope) => new Follower(ports, scope));
    this.#leases = new LeaseFollower(leases);
  }

  /** What is wrong at this moment; while faults strike, being late is not. */
  wrongs(): string[] {
    return [
      ...this.#followers.flatMap(({ wrongs }) => wrongs),
      ...[...this.#followers, this.#leases].flatMap(({ table }) => table.differences(this.#server)),
    ];
  }

  /** What a session does whose renewals its stream does not show (l2.md, rule S6). */
  doubtLeases(): void {
    this.#leases.stream.relist();
  }

  pending(): string[] {
    return this.#followers.flatMap(({ reflector }) => reflector.pending());
  }

  stop(): void {
    for (const { reflector } of this.#followers) reflector.stop();
    this.#leases.stream.stop();
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
