import { conditionOf, type WantedCondition } from '../conditions.ts';
import type { JournalEntry, ObjectEvent } from '../ports.ts';
import { compareAddress, addressOf, ipOf, type Address } from './address.ts';
import { nodeSatisfiedType, satisfiedType, type ServiceEntry } from './entry.ts';
import { shownOfNodes } from './ours.ts';
import type { Planner, PlanResult } from './planner.ts';
import type { PoolState } from './poolstate.ts';
import { inputMessage, wantedStatus } from './servicestatus.ts';

/** What a plan has to say: Events for people, marks for logs and traces. */
export interface Tidings {
  readonly events: ObjectEvent[];
  readonly notes: JournalEntry[];
  /** Reasons of the False conditions that appeared, for the counter of failures. */
  readonly failures: string[];
}

type Say = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

/** Events and notes about the Services of a plan; what was told is remembered (lb-ipam.md 10.4). */
export function tellServices(result: PlanResult, planner: Planner, initial: boolean): Tidings {
  const tidings: Tidings = { events: [], notes: [], failures: [] };
  for (const entry of result.touched) {
    const changed = result.changed.has(entry) && !initial;
    tellService(entry, { planner, initial, changed, tidings });
    entry.losses = [];
  }
  for (const { entry, address } of initial ? [] : result.joined) {
    const text = `${ipOf(address)} is shared by ${entry.key}`;
    tidings.notes.push(note('ipam.shared', entry, text));
  }
  return tidings;
}

interface Telling {
  readonly planner: Planner;
  readonly initial: boolean;
  readonly changed: boolean;
  readonly tidings: Tidings;
}

function tellService(entry: ServiceEntry, telling: Telling): void {
  const { planner, tidings } = telling;
  const object = serviceObject(entry);
  const say: Say = (type, reason, message) => {
    tidings.events.push({ object, type, reason, message });
  };
  tellAddresses(entry, telling, say);
  const wanted = wantedStatus(entry, planner, planner.settings);
  const { ownership, annotated } = entry.inputs;
  if (wanted === undefined) {
    const unselected = ownership.kind === 'lbipam' && !entry.claimed && !entry.deleting;
    if (unselected && annotated && telling.changed) {
      say('Warning', 'NotSelected', 'no pool selects the Service, its annotations have no effect');
    }
    return;
  }
  if (entry.deleting) return;
  tellVerdict(entry, failed(wanted.conditions), { say, tidings });
  const warnings = inputMessage(entry);
  if (warnings !== '' && warnings !== entry.told.warnings) {
    say('Warning', 'InvalidAnnotation', warnings);
  }
  entry.told.warnings = warnings;
}

function failed(conditions: readonly WantedCondition[]): WantedCondition | undefined {
  return conditions.find((condition) => condition.status === 'False'
    && (condition.type === satisfiedType || condition.type === nodeSatisfiedType));
}

function tellVerdict(
  entry: ServiceEntry,
  verdict: WantedCondition | undefined,
  { say, tidings }: { readonly say: Say; readonly tidings: Tidings },
): void {
  const reason = verdict?.reason ?? '';
  if (reason === entry.told.reason) return;
  entry.told.reason = reason;
  if (verdict === undefined) return;
  tidings.failures.push(reason);
  if (reason === 'out_of_ips') tidings.notes.push(note('ipam.exhausted', entry, verdict.message));
  const ofNodes = verdict.type === nodeSatisfiedType;
  const kind = ofNodes ? 'NodeAllocationFailed' : 'AllocationFailed';
  say('Warning', reason === 'owner_disabled' ? 'OwnerDisabled' : kind, verdict.message);
}

function tellAddresses(entry: ServiceEntry, telling: Telling, say: Say): void {
  const before = entry.told.addresses;
  const now = presentAddresses(entry, telling.planner);
  entry.told.addresses = now;
  const gained = [...now].filter((address) => !before.has(address)).sort(compareAddress);
  const lost = [...before].filter((address) => !now.has(address)).sort(compareAddress);
  for (const address of lost) {
    const loss = entry.losses.find((item) => item.address === address);
    const why = loss?.why ?? 'it is no longer wanted';
    if (loss?.cause === 'conflict' && telling.initial) say('Warning', 'AddressConflict', why);
    else say('Normal', 'AddressReleased', `${ipOf(address)}: ${why}`);
    if (loss?.cause === 'pool') {
      telling.tidings.notes.push(note('ipam.outOfPoolReleased', entry, `${ipOf(address)}: ${why}`));
    }
  }
  if (gained.length === 0) return;
  const texts = gained.map((address) => {
    const pool = entry.held.get(address);
    return pool === undefined ? ipOf(address) : `${ipOf(address)} from pool ${pool}`;
  });
  say('Normal', 'AddressAssigned', texts.join(', '));
}

function presentAddresses(entry: ServiceEntry, planner: Planner): ReadonlySet<Address> {
  const { node } = entry;
  if (node === undefined) return new Set(entry.held.keys());
  if (node.kind === 'unchanged') return new Set(shownOfNodes(entry, planner));
  return new Set(node.kind === 'satisfied' ? node.ips.map(addressOf) : []);
}

function note(code: string, entry: ServiceEntry, text: string): JournalEntry {
  return { level: 'info', component: 'ipam', code, object: `service ${entry.key}`, text };
}

function serviceObject(entry: ServiceEntry): ObjectEvent['object'] {
  const { namespace, name, uid } = entry;
  return { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
}

interface PoolTold {
  readonly pool: PoolState;
  invalid: string;
  warning: string;
  conflict: boolean;
  readonly exhausted: { IPv4: boolean; IPv6: boolean };
}

/** Remembers what was told about each pool, so that Events mark transitions only. */
export class PoolTeller {
  #told = new Map<string, PoolTold>();

  tell(planner: Planner, initial: boolean): Tidings {
    const tidings: Tidings = { events: [], notes: [], failures: [] };
    const present = new Set(planner.space.pools.map((pool) => pool.name));
    for (const name of [...this.#told.keys()]) {
      if (!present.has(name)) this.#told.delete(name);
    }
    for (const pool of planner.space.pools) this.#tellOne(pool, tidings, initial);
    return tidings;
  }

  #tellOne(pool: PoolState, tidings: Tidings, initial: boolean): void {
    const told = this.#remembered(pool);
    const say: Say = (type, reason, message) => {
      tidings.events.push({ object: poolObject(pool), type, reason, message });
    };
    tellValidity(pool, told, say);
    const conflict = pool.conflict !== undefined;
    if (conflict && !told.conflict) say('Warning', 'PoolConflict', pool.conflict?.message ?? '');
    if (!conflict && told.conflict) {
      say('Normal', 'PoolConflictResolved', 'no block overlaps another any more');
    }
    told.conflict = conflict;
    for (const family of ['IPv4', 'IPv6'] as const) {
      const exhausted = pool.usable && !pool.grants(family) && pool.hasFamily(family);
      if (exhausted && !told.exhausted[family] && !initial) {
        const message = `no ${family} address is left to grant`;
        say('Warning', 'PoolExhausted', message);
        const object = `pool ${pool.name}`;
        tidings.notes.push({
          level: 'warn', component: 'ipam', code: 'ipam.exhausted', object, text: message,
        });
      }
      told.exhausted[family] = exhausted;
    }
  }

  #remembered(pool: PoolState): PoolTold {
    const present = this.#told.get(pool.name);
    if (present?.pool === pool) return present;
    const { conditions } = pool.pool;
    const invalid = conditionOf(conditions, 'fairlead.dev/Invalid');
    const warned = invalid?.reason === 'valid_with_warnings';
    const told = {
      pool,
      invalid: invalid?.status === 'True' ? invalid.reason : '',
      warning: warned ? invalid.message : '',
      conflict: conditionOf(conditions, 'cilium.io/PoolConflict')?.status === 'True',
      exhausted: { IPv4: false, IPv6: false },
    };
    this.#told.set(pool.name, told);
    return told;
  }
}

function tellValidity(pool: PoolState, told: PoolTold, say: Say): void {
  const { judgement } = pool;
  const invalid = judgement.kind === 'invalid' ? judgement.reason : '';
  if (judgement.kind === 'invalid' && invalid !== told.invalid) {
    say('Warning', 'PoolInvalid', judgement.message);
  }
  if (invalid === '' && told.invalid !== '') say('Normal', 'PoolValid', 'the spec is valid again');
  told.invalid = invalid;
  const warning = judgement.kind === 'warned' ? judgement.message : '';
  if (warning !== '' && warning !== told.warning) say('Warning', 'PoolWarning', warning);
  told.warning = warning;
}

function poolObject(pool: PoolState): ObjectEvent['object'] {
  const { name, uid } = pool.pool.meta;
  const kind = 'CiliumLoadBalancerIPPool';
  return { apiVersion: 'cilium.io/v2', kind, namespace: '', name, uid };
}

/** Warnings first, as the recorder drops from the end; the order within is kept. */
export function warningsFirst(events: readonly ObjectEvent[]): readonly ObjectEvent[] {
  return [
    ...events.filter((event) => event.type === 'Warning'),
    ...events.filter((event) => event.type === 'Normal'),
  ];
}
