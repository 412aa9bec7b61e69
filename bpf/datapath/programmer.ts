import type { DatapathOptions, NodeFacts } from '../../lb/datapathoptions.ts';
import type { Ip } from '../../lb/ip.ts';
import type { KernelPort, Micros } from '../../lb/ports.ts';
import type { ServicePortId } from '../../lb/serviceport.ts';
import { compareText } from '../../lb/table.ts';
import { addrBit, decodeLut, setFlag } from '../layout.gen.ts';
import type { AddressPlace } from './addresses.ts';
import { applyPlans, backendRows, committed, tablesOf } from './apply.ts';
import type { Backend } from './backends.ts';
import { dismantle } from './dismantle.ts';
import { addressKey, type BackendImage, type RecordImage } from './image.ts';
import type { DatapathMemo } from './memo.ts';
import { planPort, type PlanContext, type PortPlan, type Refusal } from './plan.ts';
import { Programmed, type ProgrammedSet } from './programmed.ts';
import { adopt, readCells, restore, type Restored } from './restore.ts';
import {
  retireUnneeded, show, writeFronts, type RevealContext, type Subject,
} from './reveal.ts';
import { Stores, type MapLimits } from './stores.ts';
import { RowWriter } from './writer.ts';

export interface ProgrammerSettings {
  readonly options: DatapathOptions;
  readonly memo: DatapathMemo;
  readonly limits: MapLimits;
  ifindexOf(backend: BackendImage): number;
}

export interface ProgrammerListener {
  refused(subject: Subject, refusal: Refusal): void;
  accepted(subject: Subject): void;
  /** Whether anything was refused and not accepted since: else nobody need be told. */
  failing(): boolean;
}

/** Service ports a round; with the tables, a round stays a few milliseconds (datapath.md 15). */
const roundPortsMax = 1_000;
/** A selection table of 16,381 slots costs as much as this many plain service ports. */
const tablePorts = 250;

/**
 * Brings the maps of one node to the wanted images, round by round. Level-triggered: it knows what
 * is wanted and what the kernel has, and no history.
 */
export class Programmer {
  readonly stores: Stores;
  readonly writer: RowWriter;
  #kernel: KernelPort;
  #settings: ProgrammerSettings;
  #listener: ProgrammerListener;
  /** Selection tables that an audit found changed. */
  tableRepairs = 0;
  #ports = new Map<ServicePortId, Programmed>();
  /** In the order in which their Services were looked at. */
  #queue = new Set<Programmed>();
  #restored: Restored | undefined;
  #nodeAddresses: readonly Ip[] = [];
  #nodeOwned: ReadonlySet<Ip> = new Set();
  #look = (port: Programmed): void => this.look(port);

  constructor(kernel: KernelPort, settings: ProgrammerSettings, listener: ProgrammerListener) {
    this.#kernel = kernel;
    this.#settings = settings;
    this.#listener = listener;
    this.writer = new RowWriter(kernel);
    this.stores = new Stores(settings.limits, { honours: (ip) => this.#honours(ip) });
  }

  /** Service ports that have not been gone through since something changed for them. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Identities of queued service ports, in order. */
  queuedNames(): readonly string[] {
    return [...this.#queue].map(({ id }) => id).sort(compareText);
  }

  isQueued(port: Programmed | undefined): boolean {
    return port !== undefined && this.#queue.has(port);
  }

  /** Reads what an earlier process left. Once, before anything is wanted. */
  restore(): void {
    this.#restored = restore(this.#kernel, this.stores);
  }

  /** What the node knows of itself; true when every service port must be looked at again. */
  setFacts(facts: NodeFacts): boolean {
    const owned = new Set(facts.nodeOwned);
    const same = sameTexts(this.#nodeAddresses, facts.addresses)
      && sameTexts([...this.#nodeOwned], [...owned]);
    this.stores.addresses.setNode([
      ...facts.addresses.map((ip) => ({ ...placeOf(ip), bits: addrBit.node })),
      ...facts.nodePortAddresses.map((ip) => ({ ...placeOf(ip), bits: addrBit.nodePort })),
    ]);
    if (same) return false;
    this.#nodeAddresses = facts.addresses;
    this.#recount(() => { this.#nodeOwned = owned; });
    return true;
  }

  /** Wants a service port to be like this from now on; undefined: to be gone. */
  want(id: ServicePortId, image: RecordImage | undefined): void {
    const port = this.#ports.get(id) ?? (image === undefined ? undefined : new Programmed(id));
    if (port === undefined) return;
    this.#ports.set(id, port);
    const before = port.wanted;
    port.wanted = image;
    if (before !== undefined && before !== port.shown) {
      this.stores.fronts.release(port, before, { kept: [image, port.shown], promoted: this.#look });
    }
    if (image !== undefined) this.stores.fronts.claim(port, image, this.#look);
    this.#queue.add(port);
  }

  /** Takes charge of a service record that nobody here wrote, so that it goes. */
  takeStray(svcId: number, gen: number): void {
    const port = new Programmed('' as ServicePortId);
    port.svcId = svcId;
    port.gen = gen;
    port.live = true;
    this.stores.bySvcId.set(svcId, port);
    this.#queue.add(port);
  }

  lookAll(): void {
    for (const port of this.#ports.values()) this.#queue.add(port);
  }

  /** Goes through a service port again in the next round. */
  look(port: Programmed): void {
    this.#queue.add(port);
  }

  /**
   * Gives wanted service ports the rows of an earlier process, found by their fronts: ClusterIPs
   * first, because those never change hands, then all others (datapath.md 11).
   */
  match(): void {
    const found = this.#restored?.ports ?? new Map<number, Programmed>();
    if (found.size === 0) return;
    const free = new Set([...found.values()].filter(({ live }) => live));
    for (const count of [1, Infinity]) {
      for (const port of this.#ports.values()) {
        if (port.svcId !== 0 || port.wanted === undefined) continue;
        const keys = port.wanted.fronts.slice(0, count);
        const ids = keys.map(({ key }) => this.stores.fronts.get(key)?.svcId ?? 0);
        const match = ids.map((id) => found.get(id)).find((of) => of !== undefined && free.has(of));
        if (match === undefined) continue;
        free.delete(match);
        adopt(port, match, this.stores);
      }
    }
  }

  /** Lets everything go that an earlier process left and nobody wants; how many rows that names. */
  prune(now: Micros): number {
    const restored = this.#restored;
    this.#restored = undefined;
    if (restored === undefined || restored.empty) return 0;
    this.stores.fronts.touchAll();
    this.stores.addresses.touchAll();
    let gone = 0;
    for (const [svcId, port] of restored.ports) {
      if (this.stores.bySvcId.get(svcId) !== port) continue;
      gone += 1;
      if (port.fronts === 0) this.stores.retirePort(port, now);
    }
    for (const list of restored.ranges) this.stores.retireRanges(list, now);
    return gone + restored.ranges.length;
  }

  /** One round; gives the addresses whose fronts came or went. */
  round(now: Micros): ReadonlySet<Ip> {
    const context = this.#context(now);
    for (const port of dismantle(context)) this.#forget(port);
    const taken = this.#take();
    const planning = this.#planning(now);
    const planned = taken.filter((port) => this.#needsSet(port));
    const plans = planned.map((port) => planPort(port, planning));
    this.#apply(plans, now);
    const without = taken.filter((port) => !this.#needsSet(port));
    show([...plans.filter(committed).map(({ port }) => port), ...without], context);
    for (const { port, refusal } of plans) {
      if (refusal !== undefined) context.refused({ name: port.id, port }, refusal);
      else if (context.failing) context.accepted({ name: port.id, port });
    }
    const changed = writeFronts(context);
    retireUnneeded(taken, context);
    for (const port of without) this.#forget(port);
    return changed;
  }

  /**
   * Rewrites the interface of backends whose pods moved to another one: one word, in place. A pod
   * that is not found now keeps what was noted: after a restart, pods are found one by one.
   */
  refreshInterfaces(now: Micros): void {
    const moved = [...this.stores.backends.values()].filter(({ image, ifindex, written }) => {
      const found = this.#settings.ifindexOf(image);
      return written && found !== 0 && found !== ifindex;
    });
    for (const backend of moved) backend.ifindex = this.#settings.ifindexOf(backend.image);
    this.#rewrite(moved, now);
  }

  #apply(plans: readonly PortPlan[], now: Micros): void {
    const { memo, options: { hashSeed } } = this.#settings;
    if (plans.length === 0) return;
    applyPlans(plans, { stores: this.stores, writer: this.writer, memo, hashSeed, now });
  }

  #rewrite(backends: readonly Backend[], now: Micros): void {
    this.writer.update<Backend>({
      map: 'fl_backend',
      items: backends,
      put: backendRows(),
      // Not worth a retry of its own: any later change of devices writes it again.
      refused: (backend, error) => this.#context(now).refused(
        { name: `backend ${backend.id}`, port: undefined }, { map: 'fl_backend', error },
      ),
    });
  }

  #context(now: Micros): RevealContext {
    const { stores, writer } = this;
    return {
      stores, writer, now,
      pruning: this.#restored === undefined,
      look: this.#look,
      refused: (subject, refusal) => this.#listener.refused(subject, refusal),
      accepted: (subject) => this.#listener.accepted(subject),
      failing: this.#listener.failing(),
    };
  }

  #planning(now: Micros): PlanContext {
    const { memo, options } = this.#settings;
    return {
      stores: this.stores, memo, options, now, nodeAddresses: this.#nodeAddresses,
      ifindexOf: (backend) => this.#settings.ifindexOf(backend),
      tablesRight: (set, audited) => {
        const right = this.#tablesRight(set);
        if (!right && audited) this.tableRepairs += 1;
        return right;
      },
    };
  }

  // As many as a round may cost. The order is that of looking: a set keeps it.
  #take(): readonly Programmed[] {
    const taken: Programmed[] = [];
    let cost = 0;
    for (const port of this.#queue) {
      if (cost >= roundPortsMax) break;
      this.#queue.delete(port);
      taken.push(port);
      const tables = ((port.wanted?.fields.flags ?? 0) & setFlag.maglev) !== 0;
      cost += tables ? tablePorts : 1;
    }
    return taken;
  }

  #needsSet(port: Programmed): boolean {
    return port.wanted?.kind === 'service-port' && this.stores.fronts.needs(port);
  }

  #forget(port: Programmed): void {
    if (port.live || port.members.length > 0 || port.fronts > 0 || this.#needsSet(port)) return;
    if (port.svcId !== 0) this.stores.bySvcId.delete(port.svcId);
    port.svcId = 0;
    if (port.wanted === undefined && this.#ports.get(port.id) === port) this.#ports.delete(port.id);
  }

  #tablesRight(set: ProgrammedSet): boolean {
    const { memo, options: { hashSeed } } = this.#settings;
    const { maglev, fields } = set;
    if (fields.clusterN > 0 && maglev?.cluster === undefined) return false;
    if (maglev?.scopes === 'both' && fields.localN > 0 && maglev.local === undefined) return false;
    return tablesOf(set, memo, hashSeed).every(({ region, ids }) => {
      if (region === undefined) return false;
      const cells = Array.from({ length: region.cells }, (_, index) => region.base + index);
      const values = readCells(this.#kernel, 'fl_lut', cells);
      return values.every((value, cell) => value !== undefined && Array.from(
        decodeLut(value).backend,
      ).every((id, index) => id === (ids[cell * 16 + index] ?? 0)));
    });
  }

  #honours(ip: Ip): boolean {
    const option = this.#settings.options.externalIps;
    return option === 'honour' || (option === 'nodeOwned' && this.#nodeOwned.has(ip));
  }

  // What counts as honoured is part of every claim and count, so they are made anew under the rule.
  #recount(change: () => void): void {
    const { fronts, addresses } = this.stores;
    const everyPort = this.#settings.options.externalIps === 'nodeOwned' ? this.#ports : none;
    for (const port of everyPort.values()) {
      for (const image of [port.wanted, port.shown]) {
        if (image !== undefined) fronts.release(port, image, { kept: [], promoted: this.#look });
      }
      if (port.shown !== undefined) addresses.count(port.shown, -1);
    }
    change();
    for (const port of everyPort.values()) {
      if (port.wanted !== undefined) fronts.claim(port, port.wanted, this.#look);
      if (port.shown !== undefined) addresses.count(port.shown, 1);
      this.look(port);
    }
  }
}

const none: ReadonlyMap<ServicePortId, Programmed> = new Map();

function placeOf(ip: Ip): AddressPlace {
  return { key: addressKey(ip), ip };
}

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}
