import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDevices, type SocketAddon } from '../lb/devices.real.ts';
import { nodeAddresses } from '../lb/nodefacts.ts';
import type { Clock, Journal, Micros, Timer } from '../lb/ports.ts';
import { err, ok, type Result } from '../lb/result.ts';
import { Attachments, type Hooked } from './attachments.real.ts';
import type { DatapathDevices } from './datapath/devices.ts';
import type { DatapathHooks } from './datapath/hooks.ts';
import type { ServiceDatapathTables } from './datapath/settings.ts';
import type { MapLimits } from './datapath/stores.ts';
import { realDevices, type RealDevices } from './devices.real.ts';
import { features as knownFeatures, missingText, type FeatureName } from './features.ts';
import { realKernel, type RealKernel } from './kernel.real.ts';
import { layoutHash, maps, midstream, type Options } from './layout.gen.ts';
import type { Addon, LockHandle, SocketHandle } from './native.real.ts';
import { readNeighbours } from './neighbours.real.ts';
import { neighboursOf } from './neighbours.ts';
import { programOptions, type ProgramSettings } from './options.ts';
import { cgroupRoot, pinFolder, takeNodeLock } from './pins.real.ts';
import type { Placement } from './placement.ts';
import { loadPrograms, type NodePrograms } from './programs.real.ts';
import { refusalText, type Refusal } from './refusal.real.ts';
import { openSelfTest, type SelfTest } from './selftest.real.ts';
import { endRedirects, reservePorts } from './sysctl.real.ts';
import { Takeover } from './takeover.real.ts';

/** How one node's datapath is to be. */
export interface NodeSettings extends ProgramSettings {
  readonly nodeName: string;
  /** Option `devices`: globs that name the uplinks; empty: found by themselves. */
  readonly uplinks: readonly string[];
  /** Devices of `l2.devices`. */
  readonly announces: (name: string) => boolean;
  /** Folder of the cgroup that covers the node's sockets; undefined: the root, by mountinfo. */
  readonly cgroup: string | undefined;
  /** Starts beside another eBPF service proxy, at the administrator's word. */
  readonly allowOtherProxy: boolean;
  /** Divides the limits of medium nodes; `small` is 4. */
  readonly mapDivisor: number;
}

export interface NodeParts {
  readonly addon: Addon;
  readonly clock: Clock;
  readonly journal: Journal;
  /** What this kernel has (`probeFeatures`). */
  readonly features: ReadonlySet<FeatureName>;
}

/** The kernel of this node as this process has it open: what a datapath is composed of. */
export interface OpenNode {
  readonly kernel: RealKernel;
  readonly devices: DatapathDevices;
  readonly hooks: DatapathHooks;
  /** Entries of the maps that were sized for this node. */
  readonly limits: MapLimits;
  /** Ends this process's part. Programs, links and tables stay and go on forwarding. */
  close(): void;
}

/** Why a node is not opened; one that is `held` may be free later. */
export interface NodeRefusal {
  readonly kind: 'held' | 'refused';
  readonly text: string;
}

/**
 * Opens the node in the order of datapath.md 11: lock, places, pins, programs over them. What
 * follows is the datapath's: tables when all listings are complete, and only then hooks.
 */
export function openNode(
  parts: NodeParts, settings: NodeSettings,
): Result<OpenNode, NodeRefusal> {
  const { addon } = parts;
  const folder = pinFolder({ node: settings.nodeName, layout: layoutHash });
  if (!folder.ok) return refused(folder.error.text);
  const cgroup = settings.cgroup === undefined ? cgroupRoot() : ok(settings.cgroup);
  if (!cgroup.ok) return refused(cgroup.error.text);
  const lock = takeNodeLock(addon, settings.nodeName);
  if (!lock.ok) return err(lockRefusal(settings.nodeName, lock.error));
  const place = { folder: folder.value, cgroup: cgroup.value, lock: lock.value };
  const opened = openLocked(parts, settings, place);
  if (opened.ok) return opened;
  addon.close(lock.value);
  return refused(opened.error);
}

function refused(text: string): Result<never, NodeRefusal> {
  return err({ kind: 'refused', text });
}

interface LockedPlace {
  /** Of pins. */
  readonly folder: string;
  readonly cgroup: string;
  readonly lock: LockHandle;
}

function openLocked(
  parts: NodeParts, settings: NodeSettings, { folder, cgroup, lock }: LockedPlace,
): Result<OpenNode, string> {
  const { addon, features } = parts;
  const missing = knownFeatures.filter(({ name }) => !features.has(name));
  for (const feature of missing) note(parts.journal, 'kernel.featureMissing', missingText(feature));
  const refused = missing.find(({ required }) => required);
  if (refused !== undefined) return err(missingText(refused));
  const others = tellNeighbours(parts, settings, cgroup);
  if (!others.ok) return others;
  const options = programOptions(settings, features);
  const load = (changed: Partial<Options>): ReturnType<typeof loadPrograms> => loadPrograms(addon, {
    file: readFileSync(objectPath), folder,
    entriesMax: entriesOf(settings.mapDivisor), options: { ...options, ...changed },
  });
  const programs = load({});
  if (!programs.ok) return err(programs.error.log ?? refusalText(programs.error));
  const { maps: fresh } = programs.value.object;
  const unreserved = reservePorts(settings.nodeName, settings.datapath.snatPorts);
  if (unreserved !== undefined) note(parts.journal, 'datapath.portsUnreserved', unreserved);
  return ok(new Node(parts, settings, {
    programs: programs.value, cgroup, lock,
    hook: features.has('tcx') ? 'tcx' : 'clsact',
    takeovers: Takeover.find(addon, folder, fresh),
    // What these have no row of is left to the programs behind them.
    passing: () => load({ midstream: midstream.pass }),
  }));
}

const objectPath = join(import.meta.dirname, 'fairlead.bpf.o');

/** Maps that are not sized by the node: lists of few elements, rings, counters. */
const fixedEntriesMax = 4_096;

/** Entries of the maps that are sized by the node's memory. */
export function entriesOf(divisor: number): ReadonlyMap<string, number> {
  const sized = Object.entries(maps).filter(([name, { entriesMax }]) => (
    entriesMax > fixedEntriesMax && name !== 'fl_events'
  ));
  return new Map(sized.map(([name, { entriesMax }]) => [name, Math.ceil(entriesMax / divisor)]));
}

function lockRefusal(nodeName: string, error: Refusal): NodeRefusal {
  if (error.kind !== 'EAGAIN') return { kind: 'refused', text: refusalText(error) };
  return {
    kind: 'held', text: `another agent of node ${nodeName} is running on this machine`,
  };
}

/** Warns of what else serves Services here; another eBPF proxy is refused unless allowed. */
function tellNeighbours(
  { addon, journal }: NodeParts, { allowOtherProxy }: NodeSettings, cgroup: string,
): Result<void, string> {
  const opened = openDevices<SocketHandle>(addon as SocketAddon<SocketHandle>);
  const devices = opened.read();
  opened.close();
  for (const { kind, text } of neighboursOf(readNeighbours(addon, { devices, cgroup }))) {
    if (kind === 'service-proxy' && !allowOtherProxy) return err(text);
    note(journal, 'datapath.neighbour', text);
  }
  return ok(undefined);
}

interface NodePlace {
  readonly programs: NodePrograms;
  readonly cgroup: string;
  readonly lock: LockHandle;
  readonly hook: 'tcx' | 'clsact';
  /** Pins of other layouts, which are to go. */
  readonly takeovers: readonly Takeover[];
  passing(): ReturnType<typeof loadPrograms>;
}

/** Where the start is: tables first, then programs on hooks (datapath.md 11, steps 5 to 8). */
type Phase = 'filling' | 'filled' | 'attached';

/** How often the node looks whether its sockets are translated (datapath.md 14.1). */
const selfTestEvery: Micros = 60_000_000;
/** How soon again after a failure. */
const selfTestAgain: Micros = 1_000_000;

/** Failures in a row after which a node that was well counts as faulty: a busy machine is none. */
const failuresMax = 3;

class Node implements OpenNode, DatapathHooks {
  readonly kernel: RealKernel;
  readonly limits: MapLimits;
  #parts: NodeParts;
  #settings: NodeSettings;
  #place: NodePlace;
  #attachments: Attachments;
  #takeovers: readonly Takeover[];
  #devices: RealDevices;
  #tables: ServiceDatapathTables | undefined;
  #listeners: (() => void)[] = [];
  #phase: Phase = 'filling';
  #fault: string | undefined = 'the tables and hooks of the node are not complete';
  #failures = 0;
  #selfTest: SelfTest | undefined;
  #timer: Timer | undefined;

  constructor(parts: NodeParts, settings: NodeSettings, place: NodePlace) {
    const { addon } = parts;
    const { programs } = place;
    this.#parts = parts;
    this.#settings = settings;
    this.#place = place;
    this.limits = Object.fromEntries(entriesOf(settings.mapDivisor));
    this.kernel = realKernel(addon, programs.object.maps);
    this.#takeovers = place.takeovers;
    this.#attachments = this.#attachmentsOf(programs);
    this.#devices = realDevices({
      addon, place: (placement) => this.#attach(placement),
      options: () => ({
        nodeAddresses: nodeAddresses(this.#tables?.nodes.get(settings.nodeName)),
        devices: this.#settings.uplinks, announces: this.#settings.announces,
      }),
    });
  }

  get devices(): DatapathDevices {
    return this.#devices;
  }

  get hooks(): DatapathHooks {
    return this;
  }

  follow(tables: ServiceDatapathTables): void {
    this.#tables = tables;
    this.#selfTest = openSelfTest({
      tables, cgroup: this.#place.cgroup, nodeName: this.#settings.nodeName,
      addon: this.#parts.addon, object: this.#place.programs.object,
      externalClusterIp: this.#settings.datapath.externalClusterIp,
    });
    // Which devices are uplinks, and by what address they send, hangs on the Node.
    tables.nodes.onChange(() => this.#devices.refresh());
  }

  attach(): void {
    if (this.#phase !== 'filling') return;
    this.#phase = 'filled';
    this.#devices.refresh();
  }

  fault(): string | undefined {
    return this.#fault;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#timer?.cancel();
    this.#selfTest?.close();
    this.#devices.close();
    for (const takeover of this.#takeovers) takeover.close();
    this.kernel.close();
    this.#place.programs.close();
    this.#parts.addon.close(this.#place.lock);
  }

  /** Until the tables are as wanted, the programs of an earlier process go on. */
  #attach(placement: Placement): Hooked {
    if (this.#phase === 'filling') return this.#attachments.inherited(placement);
    this.#endRedirects(placement);
    if (this.#takeovers.length > 0) this.#precede(placement);
    const hooked = this.#attachments.place(placement);
    // What is refused was told, and is tried again with the next look at devices.
    const attached = this.#phase === 'attached'
      || this.#attachments.placeSockets(this.#place.cgroup);
    const devices = [...placement.uplinks, ...placement.pods];
    if (attached && devices.every(({ ifindex }) => hooked.has(ifindex))) this.#succeed();
    if (attached && this.#phase !== 'attached') {
      this.#phase = 'attached';
      this.#test();
    }
    return hooked;
  }

  /**
   * Puts programs of this layout in front of those of another one, with the flows that they will be
   * asked about. A flow that begins meanwhile is wholly the one's or the other's: the new programs
   * pass on what is in midstream and unknown to them (datapath.md 11, "Other layout").
   */
  #precede(placement: Placement): void {
    const { hook, programs } = this.#place;
    for (const takeover of this.#takeovers) takeover.carryFlows();
    const passing = hook === 'tcx' ? this.#place.passing() : undefined;
    if (passing?.ok === true) {
      this.#attachmentsOf({ ...passing.value, links: programs.links }).place(placement);
      passing.value.close();
    }
    for (const takeover of this.#takeovers) {
      takeover.carryFlows();
      takeover.adoptLinks(programs.links, hook === 'tcx' ? 'sockets' : 'all');
    }
  }

  /** Nothing runs any more that reads tables of another layout, so they go. */
  #succeed(): void {
    for (const takeover of this.#takeovers) {
      takeover.carryFlows();
      const refused = takeover.release();
      if (refused !== undefined) note(this.#parts.journal, 'datapath.layoutKept', refused);
    }
    this.#takeovers = [];
  }

  #attachmentsOf(programs: Pick<NodePrograms, 'object' | 'bare' | 'links'>): Attachments {
    const { addon, journal } = this.#parts;
    return new Attachments({
      addon, object: programs.object, bare: () => programs.bare(), pins: programs.links,
      hook: this.#place.hook,
      refused: (refusal) => note(journal, 'datapath.hookRefused', refusalText(refusal)),
    });
  }

  #test(): void {
    this.#selfTest?.run((fault) => {
      this.#failures = fault === undefined ? 0 : this.#failures + 1;
      this.#judge(fault);
      const delay = fault === undefined ? selfTestEvery : selfTestAgain;
      this.#timer = this.#parts.clock.after(delay, () => this.#test());
    });
  }

  #judge(fault: string | undefined): void {
    const before = this.#fault;
    if (fault === before) return;
    if (before === undefined && this.#failures < failuresMax) return;
    this.#fault = fault;
    if (fault !== undefined) note(this.#parts.journal, 'datapath.selfTest', fault);
    for (const listener of this.#listeners) listener();
  }

  #endRedirects({ masters }: Placement): void {
    for (const { name } of masters) {
      const refused = endRedirects(this.#settings.nodeName, name);
      if (refused !== undefined) note(this.#parts.journal, 'datapath.redirectsOn', refused);
    }
  }
}

function note(journal: Journal, code: string, text: string): void {
  journal.note({ level: 'warn', component: 'datapath', code, text });
}

