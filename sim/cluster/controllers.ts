import type { Controller, ControllerConfig } from '../../controller.ts';
import type { KubePort } from '../../kube/port.ts';
import type { SimNode } from '../node/node.ts';
import { Process, processClock, processJournal, processRandom } from '../process.ts';
import type { ClusterBuild } from './builds.ts';

export interface ControllerSite {
  readonly node: SimNode;
  readonly config: Omit<ControllerConfig, 'identity'>;
  readonly build: ClusterBuild;
  readonly kube: (process: Process) => KubePort;
}

/** One replica of the controller over its lives; each life has an identity of its own. */
export class ControllerReplica {
  readonly name: string;
  readonly node: SimNode;
  /** What the next life is started from. */
  build: ClusterBuild;
  #site: ControllerSite;
  #lives = 0;
  #process: Process | undefined;
  #controller: Controller | undefined;

  constructor(site: ControllerSite) {
    this.#site = site;
    this.node = site.node;
    this.build = site.build;
    this.name = `controller/${site.node.name}`;
  }

  get process(): Process | undefined {
    return this.#process;
  }

  /** Undefined while this replica does not run. */
  get controller(): Controller | undefined {
    return this.#process?.alive === true ? this.#controller : undefined;
  }

  get leads(): boolean {
    return this.controller?.ipam !== undefined;
  }

  start(): void {
    const { node, config, kube } = this.#site;
    if (!node.running || this.#process?.alive === true) return;
    this.#lives += 1;
    const process = new Process(node.world, this.name, node.clock);
    const controller = this.build.createController({
      clock: processClock(process),
      random: processRandom(process, this.name),
      journal: processJournal(process),
      kube: kube(process),
      decoder: this.build.cachesOf(node.name).decoder,
    }, { ...config, identity: `${this.name.replace('/', '-')}-${this.#lives}` });
    this.#process = process;
    this.#controller = controller;
    process.enter(() => controller.start());
  }

  crash(): void {
    this.#process?.crash();
  }

  stop(ended: () => void): void {
    const process = this.#process;
    const controller = this.#controller;
    if (process?.alive !== true || controller === undefined) return ended();
    process.enter(() => controller.stop());
    // The Lease is given up by a request that is still under way; the process may end after it.
    process.later(1_000_000, 'exit', () => {
      process.crash();
      ended();
    });
  }
}
