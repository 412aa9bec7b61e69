import { compareText } from '../../lb/table.ts';
import type { KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ActorApi } from './actor.ts';
import { controllerOf } from './pod.ts';

/** ReplicaSets by the Deployment that made them. */
export class OwnedSets {
  #byOwner = new Map<string, Map<string, KubeObject>>();
  /** Deployment key by ReplicaSet uid. */
  #owners = new Map<string, string>();
  #look: (deployment: string) => void;

  constructor(look: (deployment: string) => void) {
    this.#look = look;
  }

  start(api: ActorApi): void {
    api.subscribe(resources.replicaSets, (event) => this.#event(event));
    for (const object of api.list(resources.replicaSets)) this.#event({ type: 'ADDED', object });
  }

  /** Sorted by name, those being deleted left out. */
  of(deploymentUid: string): readonly KubeObject[] {
    return [...this.#byOwner.get(deploymentUid)?.values() ?? []]
      .filter((set) => set.metadata?.['deletionTimestamp'] === undefined)
      .sort((left, right) => compareText(left.metadata?.name ?? '', right.metadata?.name ?? ''));
  }

  /** `namespace/name` of the Deployment of a ReplicaSet. */
  ownerOf(setUid: string): string | undefined {
    return this.#owners.get(setUid);
  }

  #event(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const owner = controllerOf(event.object);
    if (owner?.kind !== 'Deployment') return;
    const { uid = '', namespace = '' } = event.object.metadata ?? {};
    const sets = this.#byOwner.get(owner.uid) ?? new Map<string, KubeObject>();
    const key = `${namespace}/${owner.name}`;
    if (event.type === 'DELETED') {
      sets.delete(uid);
      this.#owners.delete(uid);
    } else {
      sets.set(uid, event.object);
      this.#owners.set(uid, key);
    }
    if (sets.size === 0) this.#byOwner.delete(owner.uid);
    else this.#byOwner.set(owner.uid, sets);
    this.#look(key);
  }
}
