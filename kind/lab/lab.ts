import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../lb/result.ts';
import { apiPort } from './blueprint.ts';
import { dismantle, type Dismantled } from './dismantle.ts';
import { Machine } from './machine.ts';
import { makeMachines } from './make.ts';
import { LabRecord } from './record.ts';
import { startRouter } from './routers.ts';
import { parentOf, processesOf, startIn } from './site.ts';
import type { LabSpec } from './spec.ts';

/** The clone that the processes of a lab run from, unless another one is named. */
const ownBuild = join(import.meta.dirname, '..', '..');

/** A lab that is up: its machines and what runs on them. */
export class Lab {
  readonly record: LabRecord;
  readonly spec: LabSpec;
  readonly machines: ReadonlyMap<string, Machine>;

  private constructor(record: LabRecord, spec: LabSpec) {
    this.record = record;
    this.spec = spec;
    this.machines = new Map(spec.blueprint.machines.map((plan) => (
      [plan.name, new Machine(spec.blueprint, plan)]
    )));
  }

  /** The lab of that name, as `make` left it. */
  static open(name: string): Result<Lab, string> {
    const record = new LabRecord(name);
    const file = record.path('spec.json');
    if (!existsSync(file)) return err(`no lab ${name} is up`);
    return ok(new Lab(record, JSON.parse(readFileSync(file, 'utf8')) as LabSpec));
  }

  /** Makes the machines of a lab and boots its nodes; nothing of ours runs on them yet. */
  static async make(spec: LabSpec): Promise<Result<Lab, string>> {
    const record = new LabRecord(spec.blueprint.name);
    const made = makeMachines(spec.blueprint, record);
    if (!made.ok) return made;
    writeFileSync(record.path('spec.json'), JSON.stringify(spec));
    const lab = new Lab(record, spec);
    await Promise.all(lab.nodes.map((node) => node.boot()));
    return ok(lab);
  }

  get name(): string {
    return this.record.name;
  }

  get nodes(): readonly Machine[] {
    return [...this.machines.values()].filter(({ plan }) => plan.kind === 'node');
  }

  get kubeconfig(): string {
    return this.record.path('kubeconfig');
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name);
    if (machine === undefined) {
      throw new Error(`the lab has no ${name}; it has ${[...this.machines.keys()].join(', ')}`);
    }
    return machine;
  }

  /** Starts the API server with its controllers; the answer is its URL on this machine. */
  async startControlPlane(): Promise<string> {
    const control = this.machine('control');
    const log = openSync(this.record.path('logs/controlplane.log'), 'a');
    // Of the machine's own network: kubectl reaches it, and it listens for the nodes besides.
    const child = startIn(
      { cgroup: join(control.cgroup, 'controlplane') },
      [process.execPath, join(import.meta.dirname, 'controlplane.ts'), this.name],
      { detached: true, stdio: ['ignore', 'pipe', log] },
    );
    closeSync(log);
    const url = await new Promise<string>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`the control plane ended; ${this.#logs()}`)));
      child.stdout?.once('data', (line) => resolve(String(line).trim()));
    });
    child.removeAllListeners('exit');
    child.stdout?.destroy();
    child.unref();
    writeFileSync(this.record.path('url'), url);
    writeFileSync(this.kubeconfig, kubeconfigOf(this.name, url));
    return url;
  }

  /** Starts the routers that speak BGP. */
  startRouters(): Result<void, string> {
    for (const machine of this.machines.values()) {
      const { bgp } = machine.plan;
      if (bgp === undefined) continue;
      const started = startRouter(machine, bgp, this.record);
      if (!started.ok) return started;
    }
    return ok(undefined);
  }

  /** Starts the controller, beside the API server. */
  startController(): void {
    this.#start({ machine: this.machine('control'), part: 'controller', own: {}, build: ownBuild });
  }

  /** Starts the agent of a node, or one more. */
  startAgent(node: string, { build = ownBuild, part = 'agent' }: AgentOptions = {}): void {
    const machine = this.machine(node);
    const own = { nodeName: node, 'datapath.cgroup': machine.cgroup };
    this.#start({ machine, part, own, build });
  }

  /** URL of the API server on this machine. */
  get url(): string {
    return readFileSync(this.record.path('url'), 'utf8');
  }

  /** Asks the agent of a node to end in order. */
  stopAgent(node: string): void {
    const pids = processesOf(join(this.machine(node).cgroup, 'agent'));
    // A speaker is its child, and hears from it alone.
    for (const pid of pids) {
      if (!pids.includes(parentOf(pid) ?? 0)) process.kill(pid, 'SIGTERM');
    }
  }

  /** An object or a list of the API server; undefined when it is not there. */
  async get(path: string): Promise<unknown> {
    const answer = await fetch(`${this.url}${path}`);
    if (answer.status === 404) return undefined;
    return answered(path, answer);
  }

  /** A merge patch. */
  async patch(path: string, body: unknown): Promise<void> {
    await answered(path, await fetch(`${this.url}${path}`, {
      method: 'PATCH', body: JSON.stringify(body),
      headers: { 'content-type': 'application/merge-patch+json' },
    }));
  }

  async create(path: string, object: unknown): Promise<void> {
    await answered(path, await fetch(`${this.url}${path}`, {
      method: 'POST', body: JSON.stringify(object), headers: { 'content-type': 'application/json' },
    }));
  }

  async remove(path: string): Promise<void> {
    await answered(path, await fetch(`${this.url}${path}`, { method: 'DELETE' }));
  }

  /** Takes everything away. */
  down(): Promise<Dismantled> {
    return dismantle(this.record);
  }

  #start({ machine, part, own, build }: ProcessOrder): void {
    const command = machine.plan.kind === 'node' ? 'agent' : 'controller';
    const config = this.record.path(`${machine.name}.${part}.json`);
    writeFileSync(config, JSON.stringify({
      ...this.spec.settings, 'kubernetes.endpoints': [this.#endpoint()],
      // Several nodes share one kernel: none of them may take the memory of the whole machine.
      'datapath.serviceRanges': this.spec.serviceCidrs, 'datapath.mapSize': 'small', ...own,
    }, undefined, 2));
    const log = openSync(this.record.path(`logs/${machine.name}.${part}.log`), 'a');
    const child = startIn(
      machine.site(part),
      [process.execPath, join(build, 'cli', 'main.ts'), command, '--config', config],
      { detached: true, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    child.unref();
  }

  #endpoint(): string {
    return `http://${this.spec.blueprint.control}:${apiPort}`;
  }

  #logs(): string {
    return `see ${this.record.path('logs')}`;
  }
}

async function answered(path: string, answer: Response): Promise<unknown> {
  const body: unknown = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(body)}`);
  return body;
}

export interface AgentOptions {
  /** Folder of the clone that it runs from; the one that the lab was made from by default. */
  readonly build?: string;
  /** What it is called among the processes of its node: `agent`. */
  readonly part?: string;
}

interface ProcessOrder {
  readonly machine: Machine;
  /** Its place among the processes of the machine. */
  readonly part: string;
  /** Settings besides those of the lab. */
  readonly own: Readonly<Record<string, unknown>>;
  /** Folder of the clone that it runs from. */
  readonly build: string;
}

function kubeconfigOf(name: string, server: string): string {
  return `${JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': name,
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: {} }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  }, undefined, 2)}\n`;
}
