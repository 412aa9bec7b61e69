import type { Ip } from '../ip.ts';
import type { EndpointSlice, Node, Pool, Service, ServiceKey } from '../model.ts';
import type { Micros } from '../ports.ts';
import { assert } from '../result.ts';
import { compareText, type Change } from '../table.ts';
import { compareAddress, ipOf, type Address } from './address.ts';
import { ServiceEntry } from './entry.ts';
import { grant, heldBack, type GrantState } from './grant.ts';
import { Heap } from '../heap.ts';
import { compareAge } from './age.ts';
import { judgeHold, tryHold, type Holding } from './hold.ts';
import { sameInputs } from './inputs.ts';
import { Ledger } from './ledger.ts';
import { nodeAddresses } from './node.ts';
import { NodeView } from './nodeview.ts';
import { shownOfNodes, splitIngress, type Claims } from './ours.ts';
import type { IpamSettings } from './settings.ts';
import { PoolSpace } from './space.ts';
import { Waits } from './waits.ts';

/** What one plan takes in: rows that changed, each in its latest state. */
export interface Batch {
  readonly pools: readonly Change<Pool>[];
  readonly services: readonly Change<Service>[];
  readonly nodes: readonly Change<Node>[];
  readonly slices: readonly Change<EndpointSlice>[];
  /** The first lists after a start. */
  readonly initial: boolean;
  readonly now: Micros;
}

/** What one plan changed; statuses follow from the entries themselves. */
export interface PlanResult {
  /** Services whose status may have to be written or told about, oldest first. */
  readonly touched: readonly ServiceEntry[];
  /** Entries of Services that are gone. */
  readonly removed: readonly ServiceEntry[];
  /** Services whose spec is new or changed. */
  readonly changed: ReadonlySet<ServiceEntry>;
  /** Pools whose status may have to be written, in text order. */
  readonly pools: readonly string[];
  readonly joined: readonly { readonly entry: ServiceEntry; readonly address: Address }[];
}

/** One held address and its holders in age order. */
export interface AddressHolders {
  readonly ip: Ip;
  readonly services: readonly ServiceKey[];
}

/** The state of one plan while it is made. */
class Draft {
  readonly queue = new Heap<ServiceEntry>(compareAge);
  readonly touched = new Set<ServiceEntry>();
  readonly changed = new Set<ServiceEntry>();
  readonly removed: ServiceEntry[] = [];
  readonly counted = new Set<string>();
  readonly joined: { readonly entry: ServiceEntry; readonly address: Address }[] = [];
  /** Addresses that a holder was taken from, with the sharing keys it had. */
  readonly loosened = new Map<Address, Set<string>>();
  /** What changed Services held before, to be tried again with their new inputs. */
  readonly held = new Map<ServiceEntry, readonly Holding[]>();

  readonly batch: Batch;
  poolsChanged = false;

  constructor(batch: Batch) {
    this.batch = batch;
  }
}

/**
 * The decisions of LB IPAM and node IPAM on stored objects, in memory. One `plan` per batch; its
 * result depends on the set of changes, never on their order (lb-ipam.md 8.2).
 */
export class Planner implements Claims {
  readonly settings: IpamSettings;
  readonly space: PoolSpace;
  readonly ledger = new Ledger();
  readonly entries = new Map<ServiceKey, ServiceEntry>();
  readonly nodes = new NodeView();
  #waits = new Waits();

  constructor(settings: IpamSettings) {
    this.settings = settings;
    this.space = new PoolSpace(settings.holdDown);
  }

  isNodeAddress(address: Address): boolean {
    return this.nodes.hasAddress(address);
  }

  plan(batch: Batch): PlanResult {
    const draft = new Draft(batch);
    this.space.expire(batch.now);
    this.#takeInPools(draft);
    this.#takeInServices(draft);
    this.#takeInNodes(draft);
    if (draft.poolsChanged) this.#revalidate(draft);
    this.#adopt(draft);
    this.#settleLoosened(draft);
    this.#serve(draft);
    for (const entry of draft.changed) entry.known = true;
    return {
      touched: [...draft.touched].sort(compareAge),
      removed: draft.removed,
      changed: draft.changed,
      pools: this.#considered(draft),
      joined: draft.joined,
    };
  }

  // After a change of pools any of them may be in another state; a status may have been touched.
  #considered(draft: Draft): readonly string[] {
    const names = new Set([...draft.counted, ...draft.batch.pools.map((change) => change.key)]);
    if (draft.poolsChanged) for (const pool of this.space.pools) names.add(pool.name);
    return [...names].sort(compareText);
  }

  #takeInPools(draft: Draft): void {
    for (const { key, value } of draft.batch.pools) {
      if (this.space.apply(key, value)) draft.poolsChanged = true;
    }
    if (draft.poolsChanged) this.space.rebuild(this.ledger.addresses);
  }

  #takeInServices(draft: Draft): void {
    const gone: ServiceEntry[] = [];
    for (const { value, key } of draft.batch.services) {
      const present = this.entries.get(key as ServiceKey);
      if (present !== undefined && present.uid !== value?.meta.uid) gone.push(present);
      if (value === undefined) continue;
      if (present === undefined || present.uid !== value.meta.uid) {
        this.#enterNew(value, draft);
      } else {
        this.#enterNewer(present, value, draft);
      }
    }
    for (const entry of gone.sort(compareAge)) this.#remove(entry, draft);
  }

  #enterNew(service: Service, draft: Draft): void {
    const entry = new ServiceEntry(service, this.settings);
    this.entries.set(service.key, entry);
    draft.changed.add(entry);
    draft.queue.add(entry);
  }

  #enterNewer(entry: ServiceEntry, service: Service, draft: Draft): void {
    if (sameInputs(entry.service, service)) {
      entry.observe(service);
      // Somebody's status write: nothing to decide unless it shows what we could hold.
      if (entry.held.size === 0) draft.queue.add(entry);
      draft.touched.add(entry);
      return;
    }
    const held = [...entry.held].map(([address, pool]) => ({ address, recordedPool: pool }));
    draft.held.set(entry, held);
    for (const { address } of held) this.#detach(entry, address, draft);
    entry.observe(service);
    entry.reread(this.settings);
    draft.changed.add(entry);
    draft.queue.add(entry);
  }

  #remove(entry: ServiceEntry, draft: Draft): void {
    for (const address of [...entry.held.keys()]) this.#detach(entry, address, draft);
    this.#waits.leave(entry);
    if (this.entries.get(entry.key) === entry) this.entries.delete(entry.key);
    draft.removed.push(entry);
  }

  #takeInNodes(draft: Draft): void {
    const { nodes, slices } = draft.batch;
    const affected = this.nodes.apply(nodes, slices);
    if (affected.every) {
      for (const entry of this.entries.values()) {
        if (ofNodes(entry)) draft.queue.add(entry);
      }
    }
    for (const key of affected.services) {
      const entry = this.entries.get(key);
      if (entry !== undefined && ofNodes(entry)) draft.queue.add(entry);
    }
  }

  // The pools are others: every hold is judged again, and everybody may have something to gain.
  #revalidate(draft: Draft): void {
    for (const entry of [...this.entries.values()].sort(compareAge)) {
      draft.queue.add(entry);
      if (draft.changed.has(entry)) continue;
      for (const [address, recordedPool] of [...entry.held]) {
        const judged = judgeHold(entry, { address, recordedPool }, this.space);
        draft.counted.add(recordedPool);
        if (judged.kind === 'hold') {
          this.ledger.reback(entry, address, judged.pool);
          draft.counted.add(judged.pool);
          continue;
        }
        entry.losses.push({ address, why: judged.why, cause: judged.cause });
        this.#detach(entry, address, draft);
      }
    }
  }

  // At a start those with a record go first: they are sure to have been ours.
  #adopt(draft: Draft): void {
    for (const [entry, holdings] of draft.held) {
      if (ofLbIpam(entry)) continue;
      const why = 'LB IPAM no longer owns the Service';
      for (const { address } of holdings) entry.losses.push({ address, why, cause: 'owner' });
    }
    const entries = draft.queue.sorted()
      .filter((entry) => entry.held.size === 0 && ofLbIpam(entry));
    if (draft.batch.initial) {
      const recorded = entries.filter((entry) => entry.record !== undefined);
      const others = entries.filter((entry) => entry.record === undefined);
      for (const entry of [...recorded, ...others]) this.#adoptOne(entry, draft);
      return;
    }
    for (const entry of entries) this.#adoptOne(entry, draft);
  }

  #adoptOne(entry: ServiceEntry, draft: Draft): void {
    const before = draft.held.get(entry) ?? [];
    const holdings = before.length > 0 ? before : this.#shown(entry);
    if (!entry.known) entry.told.addresses = new Set(holdings.map(({ address }) => address));
    for (const holding of holdings) {
      if (entry.losses.some((loss) => loss.address === holding.address)) continue;
      const loss = tryHold(entry, holding, this);
      if (loss === undefined) this.#holderChanged(entry, holding.address, draft);
      // A status of ours not yet written tells nothing new about what was lost in an earlier plan.
      else if (!entry.known || before.length > 0) entry.losses.push(loss);
    }
  }

  // What the stored status says that the Service had from us.
  #shown(entry: ServiceEntry): readonly Holding[] {
    if (entry.writing) return [];
    const record = entry.record ?? [];
    const { ownership } = entry.inputs;
    if (ownership.kind === 'lbipam-hold' && ownership.classless && record.length === 0) return [];
    const holdings = new Map<Address, Holding>();
    for (const { address, origin } of record) {
      const recordedPool = origin.kind === 'pool' ? origin.pool : undefined;
      holdings.set(address, { address, recordedPool });
    }
    for (const { address } of splitIngress(entry, this).ours) {
      if (!holdings.has(address)) holdings.set(address, { address, recordedPool: undefined });
    }
    return [...holdings.values()];
  }

  // Only now is it known which of the addresses that lost a holder are free.
  #settleLoosened(draft: Draft): void {
    const loosened = [...draft.loosened].sort(([left], [right]) => compareAddress(left, right));
    for (const [address, keys] of loosened) {
      if (!this.ledger.has(address)) this.space.release(address, draft.batch.now);
      this.#wake(address, keys, draft);
    }
  }

  #serve(draft: Draft): void {
    const state: GrantState = {
      space: this.space,
      ledger: this.ledger,
      waits: this.#waits,
      changed: (entry, address) => this.#holderChanged(entry, address, draft),
    };
    let idle: ServiceEntry | undefined;
    for (;;) {
      const queued = draft.queue.peek();
      const waiting = this.#waits.oldestServable();
      const entry = older(queued, waiting);
      if (entry === undefined) return;
      assert(entry !== idle, `${entry.key} was woken for something it could have`);
      draft.queue.delete(entry);
      const heldBefore = entry.held.size;
      this.#serveOne(entry, state, draft);
      idle = entry === waiting && entry.held.size === heldBefore ? entry : undefined;
    }
  }

  #serveOne(entry: ServiceEntry, state: GrantState, draft: Draft): void {
    draft.touched.add(entry);
    this.#waits.leave(entry);
    entry.failures = [];
    entry.node = undefined;
    entry.claimed = false;
    const { ownership } = entry.inputs;
    switch (ownership.kind) {
      case 'lbipam':
        entry.claimed = !ownership.needsClaim || entry.held.size > 0
          || entry.matching(this.space).some((pool) => !pool.disabled);
        if (entry.claimed && !entry.deleting) entry.failures = grant(entry, state);
        return;
      case 'lbipam-hold':
        entry.claimed = !ownership.classless || entry.held.size > 0;
        if (entry.claimed) entry.failures = heldBack(entry, ownership.setting);
        return;
      case 'node': {
        entry.claimed = true;
        this.#rememberShown(entry);
        const facts = this.nodes.factsFor(entry.service);
        entry.node = entry.deleting
          ? { kind: 'unchanged', reason: undefined, message: '' }
          : nodeAddresses(entry.service, facts, this.settings);
        return;
      }
      case 'node-hold': {
        entry.claimed = true;
        this.#rememberShown(entry);
        const bare = shownOfNodes(entry, this).length === 0;
        const message = bare ? `OwnerDisabled: ${ownership.setting} is off` : '';
        const reason = bare ? 'owner_disabled' : undefined;
        entry.node = { kind: 'unchanged', reason, message };
        return;
      }
      case 'nobody':
    }
  }

  // What a Service showed when first seen is no news.
  #rememberShown(entry: ServiceEntry): void {
    if (entry.known) return;
    const shown = splitIngress(entry, this).ours.map((item) => item.address);
    entry.told.addresses = new Set(shown);
  }

  #detach(entry: ServiceEntry, address: Address, draft: Draft): void {
    draft.counted.add(entry.held.get(address) ?? '');
    this.ledger.detach(entry, address);
    const keys = draft.loosened.get(address) ?? new Set<string>();
    keys.add(entry.inputs.sharing.key);
    draft.loosened.set(address, keys);
  }

  #holderChanged(entry: ServiceEntry, address: Address, draft: Draft): void {
    draft.counted.add(entry.held.get(address) ?? '');
    if (this.ledger.holders(address).length > 1) draft.joined.push({ entry, address });
    this.#wake(address, [entry.inputs.sharing.key], draft);
  }

  #wake(address: Address, keys: Iterable<string>, draft: Draft): void {
    for (const entry of this.#waits.onAddress(address)) draft.queue.add(entry);
    for (const key of keys) {
      for (const entry of this.#waits.onKey(key)) draft.queue.add(entry);
    }
  }

  /** Address → holders for those who announce: withdrawn only with the last holder. */
  holders(): readonly AddressHolders[] {
    return [...this.ledger.addresses].sort(compareAddress).map((address) => ({
      ip: ipOf(address),
      services: this.ledger.holders(address).map((entry) => entry.key),
    }));
  }
}

function ofLbIpam(entry: ServiceEntry): boolean {
  return entry.inputs.ownership.kind === 'lbipam' || entry.inputs.ownership.kind === 'lbipam-hold';
}

function ofNodes(entry: ServiceEntry): boolean {
  return entry.inputs.ownership.kind === 'node' || entry.inputs.ownership.kind === 'node-hold';
}

function older(
  left: ServiceEntry | undefined,
  right: ServiceEntry | undefined,
): ServiceEntry | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return compareAge(left, right) <= 0 ? left : right;
}
