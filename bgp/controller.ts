import type { KubeDone, KubeObject, KubePort } from '../kube/port.ts';
import { apiVersion, resources } from '../kube/resource.ts';
import type { BgpNodeConfig } from '../lb/bgpmodel.ts';
import type { Clock, EventSink, Journal, Micros, Timer } from '../lb/ports.ts';
import type { StatusPort } from '../lb/status.ts';
import { compareText } from '../lb/table.ts';
import { ControllerStatus } from './controllerstatus.ts';
import {
  planNodeConfigs, type BgpControllerTables, type NodeConfigPlan, type ObjectReport,
  type WantedNodeConfig,
} from './nodeconfigs.ts';
import { owns } from './ownership.ts';
import { instancesJson } from './render.ts';
import type { BgpSettings } from './settings.ts';

export interface BgpControllerPorts {
  readonly clock: Clock;
  readonly kube: KubePort;
  readonly status: StatusPort;
  readonly events: EventSink;
  readonly journal: Journal;
}

export interface BgpController {
  start(): void;
  stop(): void;
  pending(): readonly string[];
}

/** Changes that come together are one plan. */
const batchFor: Micros = 20_000;
const retryAfter: Micros = 1_000_000;
const requestTimeout: Micros = 10_000_000;
/** The same NodeConfig is not written again sooner than this. */
const repeatAfter: Micros = 30_000_000;
/** How long the watch may take to bring what was written. */
const echoMax: Micros = 5_000_000;

/**
 * The cluster-wide part of BGP: one NodeConfig for each selected node, and the conditions of what
 * users write (bgp.md 3, 8). Nothing is written before every listing is complete.
 */
export function createBgpController(
  ports: BgpControllerPorts, tables: BgpControllerTables, settings: BgpSettings,
): BgpController {
  return new NodeConfigController(ports, tables, settings);
}

class NodeConfigController implements BgpController {
  #ports: BgpControllerPorts;
  #tables: BgpControllerTables;
  #settings: BgpSettings;
  #status: ControllerStatus;
  #timer: Timer | undefined;
  #retry: Timer | undefined;
  #repeat: Timer | undefined;
  #running = false;
  #writing = new Set<string>();
  /** What was written and has not come back by the watch: the version that it replaced. */
  #awaited = new Map<string, { readonly version: string | undefined; readonly until: Micros }>();
  /** What was written last, and when. */
  #wrote = new Map<string, { readonly text: string; readonly at: Micros }>();
  #told = new Set<string>();

  constructor(ports: BgpControllerPorts, tables: BgpControllerTables, settings: BgpSettings) {
    this.#ports = ports;
    this.#tables = tables;
    this.#settings = settings;
    this.#status = new ControllerStatus(ports, tables, {
      settings, look: () => this.#look(), retry: () => this.#retryLater(),
    });
    for (const table of Object.values(tables)) table.onChange(() => this.#look());
  }

  start(): void {
    this.#running = true;
    this.#look();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#retry?.cancel();
    this.#repeat?.cancel();
    this.#status.stop();
  }

  pending(): readonly string[] {
    if (!this.#running) return [];
    const plans = this.#timer === undefined ? [] : ['bgp controller plans'];
    const writes = [...this.#writing].map((name) => `node configuration ${name} is written`);
    const retries = this.#retry === undefined ? [] : ['bgp controller tries again'];
    return [...plans, ...writes, ...retries, ...this.#status.pending()];
  }

  #look(): void {
    if (!this.#running) return;
    this.#timer ??= this.#ports.clock.after(batchFor, () => {
      this.#timer = undefined;
      this.#reconcile();
    });
  }

  #retryLater(): void {
    if (!this.#running) return;
    this.#retry ??= this.#ports.clock.after(retryAfter, () => {
      this.#retry = undefined;
      this.#look();
    });
  }

  #reconcile(): void {
    if (!Object.values(this.#tables).every(({ complete }) => complete)) return;
    const { nodes: _, ...rest } = this.#tables;
    if (Object.values(rest).every(({ size }) => size === 0) && this.#told.size === 0) return;
    const plan = planNodeConfigs(this.#tables, this.#settings);
    for (const wanted of plan.wanted.values()) this.#write(wanted);
    for (const stored of this.#tables.nodeConfigs.values()) {
      // One that nobody controls was made by hand, and is left to that hand.
      const ours = stored.owner !== undefined && ownerKinds.has(stored.owner.kind);
      if (ours && !plan.wanted.has(stored.meta.name)) this.#delete(stored);
    }
    this.#tell(plan);
    this.#status.write(plan);
  }

  #write(wanted: WantedNodeConfig): void {
    const { name } = wanted.node.meta;
    const stored = this.#tables.nodeConfigs.get(name);
    if (this.#busy(name, stored) || (stored !== undefined && isAsWanted(stored, wanted))) return;
    // A definition of other days keeps less than was written: writing it again changes nothing.
    const now = this.#ports.clock.now();
    const text = JSON.stringify([wanted.owner.meta.uid, instancesJson(wanted.instances)]);
    const last = this.#wrote.get(name);
    if (stored !== undefined && last?.text === text && now - last.at < repeatAfter) {
      this.#repeat ??= this.#ports.clock.after(last.at + repeatAfter - now, () => {
        this.#repeat = undefined;
        this.#look();
      });
      return;
    }
    this.#wrote.set(name, { text, at: now });
    const resource = resources.bgpNodeConfigs;
    const body = bodyOf(wanted, stored);
    const timeout = requestTimeout;
    this.#request(name, stored, (done) => this.#ports.kube.request(stored === undefined
      ? { verb: 'create', resource, namespace: '', body, timeout }
      : { verb: 'update', ref: { resource, namespace: '', name }, body, timeout }, done));
  }

  #delete(stored: BgpNodeConfig): void {
    const { name, uid, resourceVersion } = stored.meta;
    if (stored.meta.deleting || this.#busy(name, stored)) return;
    this.#wrote.delete(name);
    const ref = { resource: resources.bgpNodeConfigs, namespace: '', name };
    const preconditions = { uid, resourceVersion };
    this.#request(name, stored, (done) => this.#ports.kube.request(
      { verb: 'delete', ref, preconditions, timeout: requestTimeout }, done,
    ));
  }

  #busy(name: string, stored: BgpNodeConfig | undefined): boolean {
    if (this.#writing.has(name)) return true;
    const awaited = this.#awaited.get(name);
    if (awaited === undefined) return false;
    const same = awaited.version === stored?.meta.resourceVersion;
    if (same && this.#ports.clock.now() < awaited.until) return true;
    this.#awaited.delete(name);
    return false;
  }

  #request(
    name: string, stored: BgpNodeConfig | undefined, send: (done: KubeDone) => void,
  ): void {
    this.#writing.add(name);
    send((result) => {
      this.#writing.delete(name);
      if (!this.#running) return;
      if (result.ok) {
        const until = this.#ports.clock.now() + echoMax;
        this.#awaited.set(name, { version: stored?.meta.resourceVersion, until });
        this.#look();
        return;
      }
      this.#wrote.delete(name);
      this.#ports.journal.note({
        level: 'warn', component: 'bgp', code: 'bgp.nodeConfigRefused',
        object: `CiliumBGPNodeConfig ${name}`, text: result.error.message,
      });
      this.#retryLater();
    });
  }

  /** Each report once, as long as it holds. */
  #tell({ reports }: NodeConfigPlan): void {
    const keyOf = ({ kind, name, code, text }: ObjectReport): string =>
      `${kind} ${name} ${code} ${text}`;
    const held = new Set(reports.map(keyOf));
    for (const key of this.#told) if (!held.has(key)) this.#told.delete(key);
    for (const report of [...reports].sort((a, b) => compareText(keyOf(a), keyOf(b)))) {
      if (this.#told.has(keyOf(report))) continue;
      this.#told.add(keyOf(report));
      const { kind, name, uid, code, text } = report;
      this.#ports.journal.note({
        level: 'warn', component: 'bgp', code: `bgp.${code}`, object: `${kind} ${name}`, text,
      });
      if (uid === '') continue;
      const reason = code === 'RouterId' ? 'BGPConfigConflict' : 'InvalidObject';
      this.#ports.events.emit({
        object: { apiVersion: versionOf(kind), kind, namespace: '', name, uid },
        type: 'Warning', reason, message: text,
      });
    }
  }
}

const ownerKinds: ReadonlySet<string> = new Set([
  'CiliumBGPClusterConfig', 'CiliumBGPPeeringPolicy',
]);

function versionOf(kind: string): string {
  const found = Object.values(resources).find((of) => of.kind === kind);
  return found === undefined ? 'v1' : apiVersion(found);
}

function isAsWanted(stored: BgpNodeConfig, { owner, instances }: WantedNodeConfig): boolean {
  return owns(owner, stored.owner) && stored.owner?.name === owner.meta.name
    && JSON.stringify(instancesJson(stored.instances)) === JSON.stringify(instancesJson(instances));
}

function bodyOf(
  { node, owner, instances }: WantedNodeConfig, stored: BgpNodeConfig | undefined,
): KubeObject {
  const ownerReferences = [{
    apiVersion: versionOf(owner.kind), kind: owner.kind, name: owner.meta.name,
    uid: owner.meta.uid, controller: true, blockOwnerDeletion: true,
  }];
  const kept = stored === undefined ? {} : {
    uid: stored.meta.uid, resourceVersion: stored.meta.resourceVersion,
    labels: stored.meta.labels, annotations: stored.meta.annotations,
  };
  return {
    apiVersion: apiVersion(resources.bgpNodeConfigs), kind: resources.bgpNodeConfigs.kind,
    metadata: { name: node.meta.name, ...kept, ownerReferences },
    spec: { bgpInstances: instancesJson(instances) },
  };
}
