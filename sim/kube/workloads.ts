import type { ActorContext } from './actor.ts';
import type { Step } from './catalog.ts';
import { daemonSets } from './daemonset.ts';
import { deployments } from './deployment.ts';
import { OwnedSets } from './ownedsets.ts';
import type { PodView } from './pod.ts';
import { replicaSets } from './replicaset.ts';
import { statefulSets } from './statefulset.ts';
import { sameForOwner, WorkloadController } from './workload.ts';

/** Deployments, ReplicaSets, DaemonSets and StatefulSets together (simulator.md 5.7). */
export class Workloads {
  readonly #context: ActorContext;
  readonly #sets: OwnedSets;
  readonly #deployments: WorkloadController;
  readonly #daemons: WorkloadController;
  readonly #all: readonly WorkloadController[];

  constructor(context: ActorContext) {
    this.#context = context;
    this.#deployments = new WorkloadController(
      context, deployments(context, (uid) => this.#sets.of(uid)),
    );
    this.#sets = new OwnedSets((key) => this.#deployments.look(key));
    this.#daemons = new WorkloadController(context, daemonSets(context));
    this.#all = [
      this.#deployments, this.#daemons,
      new WorkloadController(context, replicaSets(context)),
      new WorkloadController(context, statefulSets(context)),
    ];
  }

  /** Follows the owners of pods; before anything else hears of a change. */
  listen(): void {
    this.#sets.start(this.#context.api);
  }

  start(): void {
    for (const workload of this.#all) workload.start();
  }

  pending(): string[] {
    return this.#all.flatMap((workload) => workload.pending());
  }

  podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    for (const workload of this.#all) workload.podChanged(step);
    if (sameForOwner(before, after)) return;
    const deployment = this.#sets.ownerOf(after?.owner?.uid ?? before?.owner?.uid ?? '');
    if (deployment !== undefined) this.#deployments.look(deployment);
  }

  /** A node came, went, or is another machine than before. */
  nodesChanged(): void {
    this.#daemons.lookAtAll();
  }
}
