import { createController, type Controller, type ControllerConfig } from '../../controller.ts';
import type { Decoder } from '../../kube/decode.ts';
import type { KubePort } from '../../kube/port.ts';
import type { SimNode } from '../node/node.ts';
import { Process, processClock, processJournal, processRandom } from '../process.ts';

export interface ControllerSite {
  readonly node: SimNode;
  readonly decoder: Decoder;
  readonly config: Omit<ControllerConfig, 'identity'>;
  readonly kube: (process: Process) => KubePort;
}

/** One replica of the controller over its lives; each life has an identity of its own. */
export class ControllerReplica {
  readonly name: string;
  readonly node: SimNode;
  #site: ControllerSite;
  #lives = 0;
  #process: Process | undefined;
  #controller: Controller | undefined;

  constructor(site: ControllerSite) {
    this.#site = site;
    this.node = site.node;
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
    const { node, decoder, config, kube } = this.#site;
    if (!node.running || this.#process?.alive === true) return;
    this.#lives += 1;
    const process = new Process(node.world, this.name, node.clock);
    const controller = createController({
      clock: processClock(process),
      random: processRandom(process, this.name),
      journal: processJournal(process),
      kube: kube(process),
      decoder,
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
