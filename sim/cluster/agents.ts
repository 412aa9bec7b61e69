import { createAgent, type Agent, type AgentCaches, type AgentConfig } from '../../agent.ts';
import type { KubePort } from '../../kube/port.ts';
import { nodeHooks } from '../node/devices.ts';
import type { SimNode } from '../node/node.ts';
import { Process, processClock, processJournal, processRandom } from '../process.ts';

export interface AgentSite {
  readonly node: SimNode;
  readonly caches: AgentCaches;
  readonly config: AgentConfig;
  /** The API as this process reaches it. */
  readonly kube: (process: Process) => KubePort;
}

/**
 * The agent of one node over its lives: each start is a new process with new ports around the same
 * kernel, and nothing but the kernel and the API carries over.
 */
export class NodeAgent {
  readonly name: string;
  #site: AgentSite;
  #process: Process | undefined;
  #agent: Agent | undefined;

  constructor(site: AgentSite) {
    this.#site = site;
    this.name = `agent/${site.node.name}`;
  }

  get process(): Process | undefined {
    return this.#process;
  }

  /** Undefined while no agent runs. */
  get agent(): Agent | undefined {
    return this.#process?.alive === true ? this.#agent : undefined;
  }

  start(): void {
    const { node, caches, config, kube } = this.#site;
    if (!node.running || this.#process?.alive === true) return;
    const process = new Process(node.world, this.name, node.clock);
    const agent = createAgent({
      clock: processClock(process),
      random: processRandom(process, this.name),
      journal: processJournal(process),
      kube: kube(process),
      kernel: node.kernelPort(process),
      link: node.linkPort(process),
      devices: node.devicesPort(process),
      hooks: nodeHooks,
      caches,
    }, config);
    this.#process = process;
    this.#agent = agent;
    process.enter(() => agent.start());
  }

  crash(): void {
    this.#process?.crash();
  }

  /** Orderly: hands over what it holds, then ends; `ended` is called once it has. */
  stop(ended: () => void): void {
    const process = this.#process;
    const agent = this.#agent;
    if (process?.alive !== true || agent === undefined) return ended();
    process.enter(() => agent.stop(() => {
      process.later(0, 'exit', () => {
        process.crash();
        ended();
      });
    }));
  }
}
