import type { Ip } from '../../lb/ip.ts';
import type { NodePod, NodeRuntime } from '../../sim/kube/kubelet.ts';
import type { Machine } from './machine.ts';
import { startPod, stopPod } from './pods.ts';
import type { LabRecord } from './record.ts';

export interface RuntimeParts {
  readonly record: LabRecord;
  readonly machine: Machine;
  /** Path of the program that pods run. */
  readonly echo: string;
  readonly nodeIps: readonly Ip[];
  readonly complain: (text: string) => void;
  /** Does something to the host once the world has stopped for it. */
  readonly afterwards: (effect: () => void) => void;
}

/** The machine below a kubelet of the lab: pods are namespaces with a process each. */
export class LabRuntime implements NodeRuntime {
  readonly name: string;
  #parts: RuntimeParts;
  #pods = new Map<string, NodePod>();
  #init: number | undefined;

  constructor(parts: RuntimeParts) {
    this.#parts = parts;
    this.name = parts.machine.name;
    this.#init = parts.machine.init();
  }

  get running(): boolean {
    return this.#init !== undefined;
  }

  get bootId(): string {
    return String(this.#init ?? 'off');
  }

  /** Looks at the machine's power; true when it changed. */
  look(): boolean {
    const init = this.#parts.machine.init();
    if (init === this.#init) return false;
    this.#init = init;
    return true;
  }

  startPod(pod: NodePod): void {
    this.#pods.set(pod.uid, pod);
    const { afterwards, ...parts } = this.#parts;
    afterwards(() => {
      if (this.#pods.has(pod.uid)) startPod({ ...parts, pod });
    });
  }

  stopPod(uid: string): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    this.#pods.delete(uid);
    const { afterwards, ...parts } = this.#parts;
    afterwards(() => stopPod({ ...parts, pod }));
  }
}
