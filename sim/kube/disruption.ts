import type { KubeError, KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { budgetPods } from '../api/budget.ts';
import { storedBudget } from '../api/eviction.ts';
import { equalJson, objectOf } from '../api/json.ts';
import { applyWrites, type ActorContext } from './actor.ts';
import { keyOf, type Step } from './catalog.ts';
import type { PodView } from './pod.ts';
import { WorkQueue } from './workqueue.ts';

const user = 'system:serviceaccount:kube-system:disruption-controller';

/** Keeps the status of PodDisruptionBudgets: how many pods may go now (simulator.md A17). */
export class DisruptionController {
  readonly #context: ActorContext;
  readonly #queue: WorkQueue;

  constructor(context: ActorContext) {
    this.#context = context;
    const options = { name: 'disruption', reaction: context.timings.reaction };
    this.#queue = new WorkQueue(context, options, (key) => this.#count(key));
  }

  start(): void {
    const { api } = this.#context;
    api.subscribe(resources.disruptionBudgets, (event) => { this.#changed(event); });
    for (const budget of api.list(resources.disruptionBudgets)) this.#queue.add(keyOf(budget));
  }

  podChanged({ before, after }: Step<PodView>): void {
    const { api } = this.#context;
    const pods = [before, after].flatMap((pod) => (pod === undefined ? [] : [pod.object]));
    for (const budget of api.list(resources.disruptionBudgets)) {
      if (budgetPods(budget, pods).length > 0) this.#queue.add(keyOf(budget));
    }
  }

  pending(): string[] {
    return this.#queue.pending().map((key) => `disruption budget ${key}`);
  }

  #changed(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    if (event.type === 'DELETED') this.#queue.forget(key);
    else this.#queue.add(key);
  }

  #count(key: string): KubeError | undefined {
    const { api } = this.#context;
    const [namespace = '', name = ''] = key.split('/');
    const budget = api.get(resources.disruptionBudgets, namespace, name);
    if (budget === undefined) return undefined;
    const status = { ...storedBudget(budget, api), observedGeneration: generationOf(budget) };
    const present = objectOf(budget['status']) ?? {};
    const same = Object.entries(status).every(([field, value]) => equalJson(present[field], value));
    if (same) return undefined;
    const body = { ...budget, status: { ...present, ...status } };
    const resource = resources.disruptionBudgets;
    return applyWrites(api, user, [{ verb: 'replace', resource, body, subresource: 'status' }]);
  }
}

function generationOf(object: KubeObject): unknown {
  return object.metadata?.['generation'];
}
