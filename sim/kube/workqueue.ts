import type { Micros, Timer } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import type { KubeError } from '../../kube/port.ts';
import { second, type ActorContext } from './actor.ts';

/** Delays of the first, second, … retry of one key; the last one repeats. */
const retryDelays: readonly Micros[] = [second, 2 * second, 5 * second, 10 * second, 30 * second];

/** How often a controller that lost the API server asks again. */
const reachPeriod = second;

export interface WorkQueueOptions {
  /** Name of the controller: its random stream is `kube/<name>`. */
  readonly name: string;
  /** The longest delay between a change and its work; each is drawn from 0 to this. */
  readonly reaction: Micros;
  /** True when this worker can reach the API server; that of the control plane unless given. */
  readonly reach?: () => boolean;
}

/**
 * Keys that await work. A key that is already waiting is not queued again, so any number of
 * changes costs one look at the present state, whatever their order was.
 */
export class WorkQueue {
  readonly name: string;
  #context: ActorContext;
  #reaction: Micros;
  #reach: () => boolean;
  #work: (key: string) => KubeError | undefined;
  #waiting = new Map<string, { readonly due: Micros; readonly timer: Timer }>();
  #attempts = new Map<string, number>();

  constructor(
    context: ActorContext, options: WorkQueueOptions, work: (key: string) => KubeError | undefined,
  ) {
    this.name = options.name;
    this.#context = context;
    this.#reaction = options.reaction;
    this.#reach = options.reach ?? context.reachControl;
    this.#work = work;
  }

  /** Queues `key` after a drawn reaction, unless it is due within one already. */
  add(key: string): void {
    const { world } = this.#context;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && waiting.due <= world.now + this.#reaction) return;
    waiting?.timer.cancel();
    const stream = world.stream(`kube/${this.name}`);
    this.#arm(key, this.#reaction === 0 ? 0 : stream.between(0, this.#reaction));
  }

  /** Queues `key` at a stated delay; the earlier of two due times counts. */
  addAfter(key: string, delay: Micros): void {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && waiting.due <= this.#context.world.now + delay) return;
    waiting?.timer.cancel();
    this.#arm(key, delay);
  }

  forget(key: string): void {
    this.#waiting.get(key)?.timer.cancel();
    this.#waiting.delete(key);
    this.#attempts.delete(key);
  }

  /** Keys that wait, sorted. */
  pending(): string[] {
    return [...this.#waiting.keys()].sort(compareText);
  }

  #arm(key: string, delay: Micros): void {
    const { world } = this.#context;
    const what = { kind: 'actor.work', entity: `kube/${this.name}` };
    const timer = world.schedule(delay, what, () => this.#run(key));
    this.#waiting.set(key, { due: world.now + delay, timer });
  }

  #run(key: string): void {
    if (!this.#reach()) return this.#arm(key, reachPeriod);
    this.#waiting.delete(key);
    const refusal = this.#work(key);
    if (refusal === undefined) {
      this.#attempts.delete(key);
      return;
    }
    this.#refused(key, refusal);
  }

  // The same body would be refused again: such a key waits for its next change.
  #refused(key: string, refusal: KubeError): void {
    const attempts = this.#attempts.get(key) ?? 0;
    const final = refusal.kind === 'invalid' || refusal.kind === 'denied';
    if (attempts === 0 || final) {
      this.#context.world.note(`kube/${this.name}`, {
        level: 'warn', component: 'kube', code: 'kube.actorRefused', object: key,
        text: `the API server refused a write: ${refusal.message}`,
      });
    }
    if (final) return;
    this.#attempts.set(key, attempts + 1);
    const last = retryDelays.length - 1;
    this.addAfter(key, retryDelays[Math.min(attempts, last)] ?? second);
  }
}
