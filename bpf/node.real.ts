import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeAddresses } from '../lb/nodefacts.ts';
import type { Clock, EventSink, Journal } from '../lb/ports.ts';
import { err, ok, type Result } from '../lb/result.ts';
import {
  createServiceDatapath, type ServiceDatapath, type ServiceDatapathTables,
} from './datapath/datapath.ts';
import { DatapathMemo } from './datapath/memo.ts';
import { features as knownFeatures, missingText, type FeatureName } from './features.ts';
import { probeFeatures } from './features.real.ts';
import { realKernel, type RealKernel } from './kernel.real.ts';
import { layoutHash, maps } from './layout.gen.ts';
import type { Addon, LockHandle } from './native.real.ts';
import { NodeDevices } from './nodedevices.real.ts';
import { programOptions, type ProgramSettings } from './options.ts';
import { cgroupRoot, pinFolder, takeFileLock } from './pins.real.ts';
import { NodePrograms } from './programs.real.ts';
import { refusalText, type Refusal } from './refusal.real.ts';

/** How one node's datapath is to be. */
export interface NodeSettings extends ProgramSettings {
  readonly nodeName: string;
  /** Names or patterns of uplinks; undefined: found by themselves. */
  readonly uplinks: readonly string[] | undefined;
  /** Patterns of `l2.devices`. */
  readonly announced: readonly string[];
  /** Folder of the cgroup that covers the node's sockets; undefined: the root, by mountinfo. */
  readonly cgroup: string | undefined;
  /** Divides the limits of medium nodes; `small` is 4. */
  readonly mapDivisor: number;
}

export interface NodeParts {
  readonly addon: Addon;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly events?: EventSink;
  readonly tables: ServiceDatapathTables;
}

/** The datapath of this node in this process. */
export interface NodeDatapath {
  readonly datapath: ServiceDatapath;
  readonly kernel: RealKernel;
  /** Called once the programs of this process are on every hook and the tables are whole. */
  onReady(listener: () => void): void;
  /** Ends this process's part. Programs, links and tables stay and go on forwarding. */
  stop(): void;
}

/**
 * Starts in the order of datapath.md 11: lock, places, pins, programs over them; the tables follow
 * when all listings are complete, and only then do this process's programs replace others.
 */
export function startNode(
  parts: NodeParts, settings: NodeSettings,
): Result<NodeDatapath, string> {
  const { addon } = parts;
  const folder = pinFolder({ node: settings.nodeName, layout: layoutHash });
  if (!folder.ok) return err(folder.error.text);
  const cgroup = settings.cgroup === undefined ? cgroupRoot() : ok(settings.cgroup);
  if (!cgroup.ok) return err(cgroup.error.text);
  const lock = takeFileLock(addon, lockPath(settings.nodeName));
  if (!lock.ok) return err(lockText(settings.nodeName, lock.error));
  const features = probeFeatures(addon);
  const missing = knownFeatures.filter(({ name }) => !features.has(name));
  for (const feature of missing) note(parts.journal, 'kernel.featureMissing', missingText(feature));
  const refused = missing.find(({ required }) => required);
  if (refused !== undefined) return err(missingText(refused));
  const programs = loadPrograms(parts, settings, { folder: folder.value, features });
  if (!programs.ok) return err(programs.error.log ?? refusalText(programs.error));
  return new Node(parts, settings, {
    programs: programs.value, cgroup: cgroup.value, lock: lock.value,
  }).start();
}

function loadPrograms(
  { addon }: NodeParts, settings: NodeSettings,
  place: { readonly folder: string; readonly features: ReadonlySet<FeatureName> },
): Result<NodePrograms, Refusal> {
  return NodePrograms.load(addon, {
    ...place, file: readFileSync(objectPath), entriesMax: entriesOf(settings.mapDivisor),
    options: programOptions(settings, place.features),
  });
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

/** A socket in the abstract namespace would be one of a network namespace; a file is the node's. */
function lockPath(nodeName: string): string {
  return join('/run', `fairlead-${nodeName}.lock`);
}

function lockText(nodeName: string, error: Refusal): string {
  if (error.kind !== 'EAGAIN') return refusalText(error);
  return `another agent of node ${nodeName} is running on this machine: stop it first`;
}

interface NodePlace {
  readonly programs: NodePrograms;
  readonly cgroup: string;
  readonly lock: LockHandle;
}

class Node implements NodeDatapath {
  readonly datapath: ServiceDatapath;
  readonly kernel: RealKernel;
  #parts: NodeParts;
  #place: NodePlace;
  #devices: NodeDevices;
  #listeners: (() => void)[] = [];
  #attached = false;

  constructor(parts: NodeParts, settings: NodeSettings, place: NodePlace) {
    const { addon, clock, tables } = parts;
    this.#parts = parts;
    this.#place = place;
    this.kernel = realKernel(addon, place.programs.maps);
    const { nodeName, uplinks, announced } = settings;
    this.#devices = new NodeDevices({
      addon, clock, uplinks, announced,
      nodeAddresses: () => nodeAddresses(tables.nodes.get(nodeName)),
      hooksPod: (ifindex) => place.programs.hooksPod(ifindex),
    });
    this.datapath = createServiceDatapath(
      { ...parts, kernel: this.kernel, devices: this.#devices }, tables,
      {
        nodeName, options: settings.datapath, memo: new DatapathMemo(),
        limits: Object.fromEntries(entriesOf(settings.mapDivisor)),
      },
    );
  }

  start(): Result<NodeDatapath, string> {
    const { nodes } = this.#parts.tables;
    // Which devices are uplinks, and by what address they send, hangs on the Node.
    nodes.onChange(() => void this.#devices.read());
    const read = this.#devices.start();
    if (!read.ok) return err(refusalText(read.error));
    this.#devices.onChange(() => {
      if (this.#attached) this.#attachDevices();
    });
    this.datapath.onChange(({ all }) => {
      if (all) this.#attach();
    });
    this.datapath.start();
    return ok(this);
  }

  onReady(listener: () => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    this.datapath.stop();
    this.#devices.stop();
    this.kernel.close();
    this.#place.programs.close();
    this.#parts.addon.close(this.#place.lock);
  }

  /** Step 8: the tables are as wanted, so this process's programs may read them. */
  #attach(): void {
    this.#attached = true;
    this.#attachDevices();
    const sockets = this.#place.programs.attachSockets(this.#place.cgroup);
    if (!sockets.ok) this.#refused(sockets.error);
    // Pods are hooked now, which sockets are to know.
    this.#devices.read();
    for (const listener of this.#listeners) listener();
  }

  #attachDevices(): void {
    const { plan } = this.#devices;
    if (plan === undefined) return;
    const attached = this.#place.programs.attachDevices(plan);
    if (!attached.ok) this.#refused(attached.error);
  }

  #refused(error: Refusal): void {
    note(this.#parts.journal, 'datapath.hookRefused', refusalText(error));
  }
}

function note(journal: Journal, code: string, text: string): void {
  journal.note({ level: 'warn', component: 'datapath', code, text });
}

