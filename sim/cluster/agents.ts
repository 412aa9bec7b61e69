import type { Agent, AgentConfig } from '../../agent.ts';
import type { KubePort } from '../../kube/port.ts';
import type { NodeSpeakers } from '../bgp/speakers.ts';
import type { SimNode } from '../node/node.ts';
import { openNode } from '../node/succession.ts';
import { Process, processClock, processJournal, processRandom } from '../process.ts';
import type { ClusterBuild } from './builds.ts';

export interface AgentSite {
  readonly node: SimNode;
  /** Undefined: this node speaks no BGP. */
  readonly speakers: NodeSpeakers | undefined;
  readonly config: AgentConfig;
  readonly build: ClusterBuild;
  /** The API as this process reaches it. */
  readonly kube: (process: Process) => KubePort;
}

/**
 * The agent of one node over its lives: each start is a new process with new ports around the same
 * kernel, and nothing but the kernel and the API carries over.
 */
export class NodeAgent {
  readonly name: string;
  /** What the next life is started from. */
  build: ClusterBuild;
  #site: AgentSite;
  #process: Process | undefined;
  #agent: Agent | undefined;

  constructor(site: AgentSite) {
    this.#site = site;
    this.build = site.build;
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
    const { node, speakers, config, kube } = this.#site;
    const { build } = this;
    if (!node.running || this.#process?.alive === true) return;
    const process = new Process(node.world, this.name, node.clock);
    const { loaded, hooks } = openNode(node.kernel, process, build);
    const agent = build.createAgent({
      clock: processClock(process),
      random: processRandom(process, this.name),
      journal: processJournal(process),
      kube: kube(process),
      kernel: node.kernel.portOf(process, loaded),
      link: node.linkPort(process),
      devices: node.devicesPort(process),
      blackholes: node.blackholePort(process),
      hooks,
      ...(speakers === undefined ? {} : {
        speakers: { open: (instance: string) => speakers.open(process, instance) },
      }),
      caches: build.cachesOf(node.name),
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
