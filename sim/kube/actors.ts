import type { Micros, Timer } from '../../lb/ports.ts';
import { compileSelector, type LabelSelector } from '../../lb/selector.ts';
import { compareText } from '../../lb/table.ts';
import { assert } from '../../lb/result.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { World } from '../world.ts';
import {
  applyWrites, defaultTimings, type ActorApi, type ActorContext, type ActorTimings,
} from './actor.ts';
import { Catalog, type Step } from './catalog.ts';
import { DisruptionController } from './disruption.ts';
import { fields } from './fields.ts';
import { ForeignBalancer, type ForeignBalancerOptions } from './foreign.ts';
import { GarbageCollector } from './garbage.ts';
import { Kubelet, type NodeRuntime } from './kubelet.ts';
import { NodeLifecycle } from './lifecycle.ts';
import type { NodeView } from './node.ts';
import { podActive, type PodView } from './pod.ts';
import { PodCidrs } from './podcidrs.ts';
import { Scheduler } from './scheduler.ts';
import { SliceController } from './slices.ts';
import { Workloads } from './workloads.ts';

/** The controllers of a control plane, `garbage` with the emptying of namespaces. */
export type ControllerName =
  | 'disruption' | 'garbage' | 'lifecycle' | 'podCidrs' | 'scheduler' | 'slices' | 'workloads';

export interface ActorOptions {
  /** The controllers that run; all unless given. */
  readonly controllers?: readonly ControllerName[];
  /** The machines; a Node object without one never becomes ready. */
  readonly runtimes: readonly NodeRuntime[];
  /** True when the kubelet of that node can reach the API server now; always unless given. */
  readonly reach?: (node: string) => boolean;
  /** The same for the controllers of the control plane. */
  readonly reachControl?: () => boolean;
  readonly timings?: Partial<ActorTimings>;
  /** Minor version of the kubelets; `1.32` unless given. */
  readonly kubernetes?: string;
  /** Ranges from which Nodes without podCIDRs get a /24 or a /64 each. */
  readonly clusterCidrs?: readonly string[];
  /** A second load-balancer controller with a class of its own. */
  readonly foreignBalancer?: ForeignBalancerOptions;
}

/** Which pods a fault strikes. */
export interface PodChoice {
  /** All namespaces where absent. */
  readonly namespace?: string;
  readonly name?: string;
  readonly labels?: LabelSelector;
}

/** Kubernetes' own controllers, in process (simulator.md 5.7). */
export interface Actors {
  start(): void;
  /** Work that is due or under way, one line each; empty when they are at rest. */
  pending(): readonly string[];
  /** Long waits that are no work: tolerations that have not ended, and restart delays. */
  waiting(): readonly string[];
  /** The machine's power, freeze or network changed: its kubelet looks now. */
  wake(node: string): void;
  cordon(node: string): void;
  uncordon(node: string): void;
  /** Cordons and evicts all but daemon pods; `done` when the last one is gone. */
  drain(node: string, done?: () => void): void;
  /** Ends the containers of all pods chosen; the number struck. */
  crashPods(choice: PodChoice): number;
  /** Readiness of the chosen pods toggles every `period`, until cancelled, which heals them. */
  flap(choice: PodChoice, period: Micros): Timer;
}

/** Builds the controllers; nothing happens before `start`. */
export function createActors(world: World, api: ActorApi, options: ActorOptions): Actors {
  return new BuiltInActors(world, api, options);
}

class BuiltInActors implements Actors {
  #context: ActorContext;
  #kubelets = new Map<string, Kubelet>();
  #podCidrs: PodCidrs | undefined;
  #lifecycle: NodeLifecycle | undefined;
  #scheduler: Scheduler | undefined;
  #slices: SliceController | undefined;
  #garbage: GarbageCollector | undefined;
  #foreign: ForeignBalancer | undefined;
  #workloads: Workloads | undefined;
  #disruption: DisruptionController | undefined;
  #draining: { readonly node: string; readonly done: (() => void) | undefined }[] = [];

  constructor(world: World, api: ActorApi, options: ActorOptions) {
    const context: ActorContext = {
      world, api, catalog: new Catalog(), timings: { ...defaultTimings, ...options.timings },
      reachControl: options.reachControl ?? (() => true),
      kubernetes: options.kubernetes ?? '1.32',
    };
    this.#context = context;
    const reach = options.reach ?? (() => true);
    for (const runtime of options.runtimes) {
      assert(!this.#kubelets.has(runtime.name), `one machine is called ${runtime.name}`);
      this.#kubelets.set(runtime.name, new Kubelet(context, runtime, () => reach(runtime.name)));
    }
    const runs = (name: ControllerName): true | undefined =>
      options.controllers === undefined || options.controllers.includes(name) || undefined;
    this.#podCidrs = runs('podCidrs') && new PodCidrs(context, options.clusterCidrs ?? []);
    this.#lifecycle = runs('lifecycle') && new NodeLifecycle(context);
    this.#scheduler = runs('scheduler') && new Scheduler(context);
    this.#slices = runs('slices') && new SliceController(context);
    this.#garbage = runs('garbage') && new GarbageCollector(context);
    const { foreignBalancer } = options;
    this.#foreign = foreignBalancer && new ForeignBalancer(context, foreignBalancer);
    this.#workloads = runs('workloads') && new Workloads(context);
    this.#disruption = runs('disruption') && new DisruptionController(context);
  }

  start(): void {
    const { api, catalog } = this.#context;
    this.#podCidrs?.start();
    catalog.onPod((step) => this.#podChanged(step));
    catalog.onNode((step) => this.#nodeChanged(step));
    catalog.start(api);
    this.#workloads?.listen();
    this.#lifecycle?.start();
    for (const name of this.#names()) this.#kubelets.get(name)?.start();
    this.#garbage?.start();
    this.#workloads?.start();
    this.#slices?.start();
    this.#disruption?.start();
    this.#foreign?.start();
  }

  pending(): readonly string[] {
    return [
      ...this.#workloads?.pending() ?? [],
      ...this.#scheduler?.pending() ?? [],
      ...this.#names().flatMap((name) => this.#kubelets.get(name)?.pending() ?? []),
      ...this.#slices?.pending() ?? [],
      ...this.#podCidrs?.pending() ?? [],
      ...this.#lifecycle?.pending() ?? [],
      ...this.#garbage?.pending() ?? [],
      ...this.#disruption?.pending() ?? [],
      ...this.#foreign?.pending() ?? [],
      ...this.#draining.map(({ node }) => `drain of ${node}`),
    ];
  }

  waiting(): readonly string[] {
    return [
      ...this.#names().flatMap((name) => this.#kubelets.get(name)?.waiting() ?? []),
      ...this.#lifecycle?.waiting() ?? [],
    ];
  }

  wake(node: string): void {
    this.#kubelets.get(node)?.wake();
  }

  cordon(node: string): void {
    this.#setUnschedulable(node, true);
  }

  uncordon(node: string): void {
    this.#setUnschedulable(node, false);
  }

  drain(node: string, done?: () => void): void {
    this.cordon(node);
    this.#draining.push({ node, done });
    const pods = this.#drained(node).filter((pod) => !pod.deleting);
    applyWrites(this.#context.api, 'kubernetes-admin', pods.map((pod) => ({
      verb: 'remove', resource: resources.pods, object: pod.object,
    })));
    this.#lookAtDrains();
  }

  crashPods(choice: PodChoice): number {
    return this.#chosen(choice).filter((pod) =>
      this.#kubelets.get(pod.spec.nodeName)?.crash(pod.uid) === true).length;
  }

  flap(choice: PodChoice, period: Micros): Timer {
    assert(period > 0, 'a flap has a period');
    const { world } = this.#context;
    let passes = true;
    let timer: Timer;
    const turn = (): void => {
      passes = !passes;
      this.#probe(choice, passes);
      timer = world.schedule(period, { kind: 'actor.flap', entity: 'kube/flap' }, turn);
    };
    turn();
    return {
      cancel: () => {
        timer.cancel();
        this.#probe(choice, true);
      },
    };
  }

  #probe(choice: PodChoice, passes: boolean): void {
    for (const pod of this.#chosen(choice)) {
      this.#kubelets.get(pod.spec.nodeName)?.probe(pod.uid, passes);
    }
  }

  #chosen(choice: PodChoice): readonly PodView[] {
    const compiled = compileSelector(choice.labels);
    if (!compiled.ok) return [];
    const pods = this.#names().flatMap((name) => this.#context.catalog.podsOn(name));
    return pods.filter((pod) => podActive(pod)
      && (choice.namespace === undefined || choice.namespace === pod.namespace)
      && (choice.name === undefined || choice.name === pod.name) && compiled.value(pod.labels));
  }

  #names(): string[] {
    return [...this.#kubelets.keys()].sort(compareText);
  }

  #podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    this.#scheduler?.podChanged(step);
    this.#slices?.podChanged(step);
    this.#lifecycle?.podChanged(step);
    this.#workloads?.podChanged(step);
    this.#disruption?.podChanged(step);
    const node = after?.spec.nodeName ?? before?.spec.nodeName ?? '';
    this.#kubelets.get(node)?.podChanged(step);
    if (this.#draining.length > 0 && after === undefined) this.#lookAtDrains();
  }

  #nodeChanged(step: Step<NodeView>): void {
    const { before, after } = step;
    this.#podCidrs?.nodeChanged(step);
    this.#scheduler?.nodeChanged(step);
    this.#slices?.nodeChanged(step);
    this.#lifecycle?.nodeChanged(step);
    this.#garbage?.nodeChanged(step);
    if (before !== undefined && after !== undefined && sameMachine(before, after)) return;
    this.#workloads?.nodesChanged();
    if (after !== undefined) this.#kubelets.get(after.name)?.nodeChanged();
  }

  #setUnschedulable(node: string, unschedulable: boolean): void {
    const object = this.#context.catalog.node(node)?.object;
    if (object === undefined) return;
    const body: KubeObject = { ...object, spec: { ...fields(object['spec']), unschedulable } };
    applyWrites(
      this.#context.api, 'kubernetes-admin', [{ verb: 'replace', resource: resources.nodes, body }],
    );
  }

  #drained(node: string): readonly PodView[] {
    return this.#context.catalog.podsOn(node).filter((pod) => pod.owner?.kind !== 'DaemonSet');
  }

  // Inside a commit nothing may be written, so `done` comes as an event of its own.
  #lookAtDrains(): void {
    const finished = this.#draining.filter(({ node }) => this.#drained(node).length === 0);
    this.#draining = this.#draining.filter((drain) => !finished.includes(drain));
    for (const drain of finished) {
      const what = { kind: 'actor.drained', entity: `node/${drain.node}` };
      this.#context.world.schedule(0, what, () => drain.done?.());
    }
  }
}

// A heartbeat changes nothing that a pod or a daemon depends on.
function sameMachine(before: NodeView, after: NodeView): boolean {
  return before.ready === after.ready && before.object['spec'] === after.object['spec']
    && before.labels === after.labels && before.addresses.join() === after.addresses.join();
}
