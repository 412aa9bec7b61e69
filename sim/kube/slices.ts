import type { Labels } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import type { KubeError, KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { equalJson } from '../api/json.ts';
import { applyWrites, type ActorContext } from './actor.ts';
import { keyOf, type Step } from './catalog.ts';
import { labelsOf } from './fields.ts';
import { LabelIndex } from './labelindex.ts';
import type { NodeView } from './node.ts';
import { podFinished, type PodView } from './pod.ts';
import {
  managedByLabel, managedByValue, planSlices, serviceNameLabel, sliceService, type SliceService,
} from './sliceplan.ts';
import { WorkQueue } from './workqueue.ts';

const user = 'system:serviceaccount:kube-system:endpointslice-controller';

/** Keeps the slices of every Service with a selector; those of other managers are left alone. */
export class SliceController {
  #context: ActorContext;
  #queue: WorkQueue;
  #services = new Map<string, SliceService>();
  /** Services by one pair of their selector: whoever lacks it cannot match. */
  #bySelector = new LabelIndex();
  /** Managed slices by Service and key. */
  #slices = new Map<string, Map<string, KubeObject>>();
  /** The Service of each managed slice. */
  #ownerOf = new Map<string, string>();
  #writing = false;

  constructor(context: ActorContext) {
    this.#context = context;
    const reaction = context.timings.sliceReaction;
    this.#queue = new WorkQueue(context, { name: 'slices', reaction }, (key) => this.#sync(key));
  }

  start(): void {
    const { api } = this.#context;
    api.subscribe(resources.services, (event) => this.#serviceEvent(event));
    api.subscribe(resources.endpointSlices, (event) => this.#sliceEvent(event));
    const type = 'ADDED';
    for (const object of api.list(resources.endpointSlices)) this.#sliceEvent({ type, object });
    for (const object of api.list(resources.services)) this.#serviceEvent({ type, object });
  }

  podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    if (before !== undefined && after !== undefined && sameEndpoint(before, after)) return;
    if (after !== undefined) this.#mark(after);
    if (before !== undefined && before.labels !== after?.labels) this.#mark(before);
  }

  nodeChanged(step: Step<NodeView>): void {
    if (step.before?.zone === step.after?.zone) return;
    const name = step.after?.name ?? step.before?.name ?? '';
    for (const pod of this.#context.catalog.podsOn(name)) this.#mark(pod);
  }

  pending(): string[] {
    return this.#queue.pending().map((key) => `slices of service ${key} to look at`);
  }

  #mark(pod: PodView): void {
    const candidates = Object.entries(pod.labels)
      .flatMap((pair) => [...this.#bySelector.withPair(pod.namespace, pair)]);
    // Each addition draws a delay, so the order of the index must not decide it.
    for (const key of candidates.sort(compareText)) {
      const service = this.#services.get(key);
      if (service !== undefined && matches(service.selector, pod.labels)) this.#queue.add(key);
    }
  }

  #serviceEvent(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    const before = this.#services.get(key);
    const namespace = event.object.metadata?.namespace ?? '';
    if (before !== undefined) {
      this.#bySelector.remove({ namespace, key }, firstPair(before.selector));
    }
    this.#services.delete(key);
    if (event.type === 'DELETED') return this.#queue.forget(key);
    const after = sliceService(event.object);
    if (Object.keys(after.selector).length === 0) return this.#queue.forget(key);
    this.#services.set(key, after);
    this.#bySelector.add({ namespace, key }, firstPair(after.selector));
    if (before === undefined || !sameService(before, after)) this.#queue.add(key);
  }

  #sliceEvent(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const labels = labelsOf(event.object.metadata?.['labels']);
    const managed = event.type !== 'DELETED' && labels[managedByLabel] === managedByValue;
    const namespace = event.object.metadata?.namespace ?? '';
    const after = managed ? `${namespace}/${labels[serviceNameLabel] ?? ''}` : undefined;
    const id = keyOf(event.object);
    const before = this.#ownerOf.get(id);
    // A slice whose labels were edited belongs to its Service no longer, and is replaced.
    if (before !== undefined && before !== after) this.#drop(before, id);
    if (after !== undefined) {
      const present = this.#slices.get(after) ?? new Map<string, KubeObject>();
      this.#slices.set(after, present.set(id, event.object));
      this.#ownerOf.set(id, after);
    }
    if (this.#writing) return;
    for (const key of new Set([before, after])) {
      if (key !== undefined && this.#services.has(key)) this.#queue.add(key);
    }
  }

  #drop(service: string, id: string): void {
    const present = this.#slices.get(service);
    present?.delete(id);
    if (present?.size === 0) this.#slices.delete(service);
    this.#ownerOf.delete(id);
  }

  #sync(key: string): KubeError | undefined {
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    const { api, catalog } = this.#context;
    const slices = [...this.#slices.get(key)?.values() ?? []]
      .sort((left, right) => compareText(left.metadata?.name ?? '', right.metadata?.name ?? ''));
    const writes = planSlices({
      service,
      slices,
      pods: catalog.podsMatching(service.namespace, service.selector),
      zoneOf: (node) => catalog.node(node)?.zone ?? '',
    });
    // Our own commits come back inside the call and are no reason to look again.
    this.#writing = true;
    const refusal = applyWrites(api, user, writes);
    this.#writing = false;
    return refusal;
  }
}

function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function firstPair(selector: Labels): Labels {
  const first = Object.entries(selector).sort((left, right) => compareText(left[0], right[0]))[0];
  return first === undefined ? {} : { [first[0]]: first[1] };
}

function sameEndpoint(before: PodView, after: PodView): boolean {
  return before.uid === after.uid
    && before.ready === after.ready && before.deleting === after.deleting
    && before.spec.nodeName === after.spec.nodeName && before.ips.join() === after.ips.join()
    && podFinished(before) === podFinished(after) && sameLabels(before.labels, after.labels);
}

function sameService(before: SliceService, after: SliceService): boolean {
  return before.uid === after.uid && before.publishNotReady === after.publishNotReady
    && before.headless === after.headless && before.distribution === after.distribution
    && before.families.join() === after.families.join() && sameLabels(before.labels, after.labels)
    && sameLabels(before.selector, after.selector) && equalJson(before.ports, after.ports);
}

function sameLabels(before: Labels, after: Labels): boolean {
  if (before === after) return true;
  const own = Object.entries(before);
  if (own.length !== Object.keys(after).length) return false;
  return own.every(([key, value]) => after[key] === value);
}
