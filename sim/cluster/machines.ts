import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import type { NodeSpeakers } from '../bgp/speakers.ts';
import type { SimKernel } from '../node/kernel.ts';
import type { SimNode } from '../node/node.ts';
import type { MachineClock, Process } from '../process.ts';
import { demand } from '../scenario/error.ts';
import type { World } from '../world.ts';
import type { NodeAgent } from './agents.ts';
import type { ClusterBuild } from './builds.ts';
import type { ControllerReplica } from './controllers.ts';

/** One machine of the cluster with the processes of ours that run on it. */
export interface Machine {
  readonly node: SimNode;
  readonly agent: NodeAgent;
  readonly controller: ControllerReplica | undefined;
  /** BGP daemons; undefined: this node speaks no BGP. */
  readonly speakers: NodeSpeakers | undefined;
}

/** One process over its lives. */
interface ProcessSite {
  readonly name: string;
  readonly process: Process | undefined;
  /** What its next life is started from. */
  build: ClusterBuild;
  start(): void;
  crash(): void;
  stop(ended: () => void): void;
}

/** The daemon of a node's first instance; no build of ours changes it. */
function speakerSite(name: string, { speakers, agent }: Machine): ProcessSite {
  const slot = speakers?.slots()[0];
  demand(slot !== undefined, `process ${name} runs; nothing on its node speaks BGP`);
  const crash = (): void => slot.kill();
  return {
    name, process: slot.process, build: agent.build, crash,
    start: () => undefined,
    stop: (ended) => {
      crash();
      ended();
    },
  };
}

/**
 * The machines of a cluster and what may be done to them (simulator.md 5.1). Processes are named
 * `agent/NODE`, `speaker/NODE` and `controller/NODE`; `controller` alone means the replica that
 * leads. A speaker that ended is started again by its agent.
 */
export class Machines {
  #world: World;
  #machines: ReadonlyMap<string, Machine>;
  /** By name. No machine comes or goes, and oracles ask after each write of a responder. */
  #sorted: readonly Machine[];
  /** Processes that ended by a bug in an earlier life. */
  #fallen: Process[] = [];
  #strikeListeners: ((node: string) => void)[] = [];
  #powerListeners: ((node: string) => void)[] = [];

  constructor(world: World, machines: readonly Machine[]) {
    this.#world = world;
    this.#machines = new Map(machines.map((machine) => [machine.node.name, machine]));
    this.#sorted = [...machines].sort((a, b) => compareText(a.node.name, b.node.name));
  }

  /** Node names, sorted. */
  names(): string[] {
    return this.#sorted.map(({ node }) => node.name);
  }

  /** By name. */
  all(): readonly Machine[] {
    return this.#sorted;
  }

  has(node: string): boolean {
    return this.#machines.has(node);
  }

  get(node: string): Machine {
    const machine = this.#machines.get(node);
    demand(machine !== undefined, `node ${node} exists; there are ${this.names().join(', ')}`);
    return machine;
  }

  kernel(node: string): SimKernel {
    return this.get(node).node.kernel;
  }

  clockOf(node: string): MachineClock {
    return this.get(node).node.clock;
  }

  /** Starts every process of ours. */
  start(): void {
    for (const { agent, controller } of this.all()) {
      agent.start();
      controller?.start();
    }
  }

  powerOff(node: string): void {
    for (const listener of this.#strikeListeners) listener(node);
    const { node: machine, agent, controller, speakers } = this.get(node);
    this.#bury();
    agent.crash();
    controller?.crash();
    machine.powerOff();
    // After its kernel, so that no socket of a daemon is closed in order.
    speakers?.powerOff();
    this.#world.touch();
    this.#powerChanged(node);
  }

  /** Boots: the kernel is empty, the processes start anew. */
  powerOn(node: string): void {
    const { node: machine, agent, controller } = this.get(node);
    if (machine.running) return;
    machine.powerOn();
    this.#powerChanged(node);
    agent.start();
    controller?.start();
  }

  freeze(node: string): void {
    const { node: machine, agent, controller, speakers } = this.get(node);
    machine.freeze();
    this.#powerChanged(node);
    speakers?.pause();
    agent.process?.pause();
    controller?.process?.pause();
  }

  thaw(node: string): void {
    const { node: machine, agent, controller, speakers } = this.get(node);
    machine.thaw();
    this.#powerChanged(node);
    speakers?.resume();
    agent.process?.resume();
    controller?.process?.resume();
  }

  /** Called just before a machine loses power. */
  onStrike(listener: (node: string) => void): void {
    this.#strikeListeners.push(listener);
  }

  /** Called after a machine was switched on or off, frozen or thawed. */
  onPower(listener: (node: string) => void): void {
    this.#powerListeners.push(listener);
  }

  #powerChanged(node: string): void {
    for (const listener of this.#powerListeners) listener(node);
  }

  /** The present life of a process, or its last one. */
  process(name: string): Process | undefined {
    return this.#site(name).process;
  }

  /** Every process that runs, and every one that a bug ended. */
  processes(): Process[] {
    const present = this.all().flatMap(({ agent, controller }) => [
      agent.process,
      controller?.process,
    ]);
    return [...this.#fallen, ...present.filter((process) => process !== undefined)];
  }

  startProcess(name: string): void {
    this.#bury();
    this.#site(name).start();
    this.#markMixed();
  }

  crashProcess(name: string): void {
    this.#site(name).crash();
  }

  /** Ends it without a farewell and starts another version. */
  replaceProcess(name: string, after: Micros, build: ClusterBuild): void {
    const site = this.#site(name);
    site.build = build;
    site.crash();
    this.#startLater(site.name, after);
  }

  /** Ends it in the middle of a handler, at that port operation from now, and starts it again. */
  crashProcessAt(
    name: string,
    when: { readonly operation: number; readonly restartAfter: Micros },
  ): void {
    const site = this.#site(name);
    const { process } = site;
    if (process?.alive !== true) return;
    process.onEnd(() => this.#startLater(site.name, when.restartAfter));
    process.crashAt(when.operation);
  }

  stopProcess(name: string): void {
    this.#site(name).stop(() => undefined);
  }

  /** Orderly stop, then start, of another version where one is given. */
  restartProcess(name: string, after: Micros, build?: ClusterBuild): void {
    const site = this.#site(name);
    if (build !== undefined) site.build = build;
    site.stop(() => this.#startLater(site.name, after));
  }

  /** Names of nodes whose responder would answer for `ip` now, sorted. */
  ownersOf(ip: Ip): string[] {
    const names: string[] = [];
    for (const { node } of this.#sorted) if (node.wouldAnswer(ip)) names.push(node.name);
    return names;
  }

  #startLater(name: string, after: Micros): void {
    const what = { kind: 'restart', entity: name };
    this.#world.schedule(after, what, () => this.startProcess(name));
  }

  #site(name: string): ProcessSite {
    const replicas = this.all().flatMap(({ controller }) =>
      controller === undefined ? [] : [controller],
    );
    if (name === 'controller') {
      const site = replicas.find((replica) => replica.leads) ?? replicas[0];
      assert(site !== undefined, 'a cluster has a controller');
      return site;
    }
    const [kind, node] = name.split('/');
    if (kind === 'agent') return this.get(node ?? '').agent;
    if (kind === 'speaker') return speakerSite(name, this.get(node ?? ''));
    const site = replicas.find((replica) => replica.name === name);
    demand(
      site !== undefined,
      `process ${name} exists; there are ${replicas.map((one) => one.name).join(', ')}`,
    );
    return site;
  }

  #markMixed(): void {
    const running = this.#sorted.filter(({ agent }) => agent.process?.alive === true);
    const builds = new Set(running.map(({ agent }) => agent.build.name));
    if (builds.size < 2) return;
    this.#world.note('machines', {
      level: 'info', component: 'machines', code: 'upgrade.mixedVersions',
      text: `agents of ${[...builds].sort(compareText).join(' and ')} run side by side`,
    });
  }

  // A new life replaces the old one: what a bug ended must still be reported.
  #bury(): void {
    for (const { agent, controller } of this.all()) {
      for (const process of [agent.process, controller?.process]) {
        if (process?.fault !== undefined && !this.#fallen.includes(process))
          this.#fallen.push(process);
      }
    }
  }
}
