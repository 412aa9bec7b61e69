import type { Condition, IngressEntry } from '../model.ts';
import { addressOf, compareAddress, ipOf, type Address } from './address.ts';
import { conditionOf, mergeConditions, type WantedCondition } from '../conditions.ts';
import {
  inputValidType, nodeSatisfiedType, satisfiedType, type Failure, type NodeOutcome,
  type ServiceEntry,
} from './entry.ts';
import { shownOfNodes, splitIngress, type Claims, type OwnEntry } from './ours.ts';
import { recordType, sameRecord, writeRecord, type RecordItem } from './record.ts';
import type { IpamSettings } from './settings.ts';

/** Our part of a Service's status as planned. */
export interface WantedStatus {
  /** Our addresses in the order of writing, each with its origin. */
  readonly items: readonly RecordItem[];
  readonly conditions: readonly WantedCondition[];
}

/** The lists to write, each only if it changed in meaning, and whole. */
export interface StatusDifference {
  readonly ingress: readonly IngressEntry[] | undefined;
  readonly conditions: readonly Condition[] | undefined;
  /** Our addresses that go with this write. */
  readonly removed: readonly Address[];
}

const ownTypes: readonly string[] = [
  satisfiedType, recordType, inputValidType, nodeSatisfiedType,
];

const nothing: WantedStatus = { items: [], conditions: [] };

/** What should be stored for a Service; undefined: not our business, no write of any kind. */
export function wantedStatus(
  entry: ServiceEntry,
  claims: Claims,
  settings: IpamSettings,
): WantedStatus | undefined {
  const { ownership } = entry.inputs;
  if (ownership.kind === 'node' || ownership.kind === 'node-hold') {
    if (entry.deleting) return deletingNodeStatus(entry);
    return entry.node === undefined ? undefined : nodeStatus(entry, entry.node, claims);
  }
  if (!settings.lbIpam) return undefined;
  const { record } = entry;
  if (entry.deleting) return deletingStatus(entry, record !== undefined);
  if (entry.claimed) return servedStatus(entry, entry.failures);
  if (ownership.kind === 'lbipam') {
    const carries = (record?.length ?? 0) > 0 || splitIngress(entry, claims).ours.length > 0;
    return carries ? servedStatus(entry, [unclaimed]) : undefined;
  }
  // Let go: entries, conditions and record in one write.
  return record === undefined ? undefined : nothing;
}

const unclaimed: Failure = {
  reason: 'no_pool',
  code: 'PoolSelectorMismatch',
  text: 'PoolSelectorMismatch: no pool selects the Service any more',
};

function servedStatus(entry: ServiceEntry, failures: readonly Failure[]): WantedStatus {
  const { generation } = entry.service.meta;
  const items = heldItems(entry);
  const last = failures.at(-1);
  const satisfied: WantedCondition = {
    type: satisfiedType,
    status: last === undefined ? 'True' : 'False',
    reason: last?.reason ?? 'satisfied',
    message: failures.map((failure) => failure.text).join('; '),
    observedGeneration: generation,
  };
  const record = recordCondition(entry, items);
  return { items, conditions: [satisfied, record, ...inputConditions(entry)] };
}

// A Service on its way out keeps what it has; its other conditions stay as they were.
function deletingStatus(entry: ServiceEntry, recorded: boolean): WantedStatus | undefined {
  if (!recorded && entry.held.size === 0) return undefined;
  return keptStatus(entry, heldItems(entry));
}

// Addresses of nodes stay as shown; those of pools went back when the class changed.
function deletingNodeStatus(entry: ServiceEntry): WantedStatus | undefined {
  const items = entry.record?.filter((item) => item.origin.kind === 'node');
  return items?.length === entry.record?.length ? undefined : keptStatus(entry, items ?? []);
}

function keptStatus(entry: ServiceEntry, items: readonly RecordItem[]): WantedStatus {
  const kept = [satisfiedType, inputValidType, nodeSatisfiedType].flatMap((type) => {
    return conditionOf(entry.stored.conditions, type) ?? [];
  });
  return { items, conditions: [...kept, recordCondition(entry, items)] };
}

function inputConditions(entry: ServiceEntry): readonly WantedCondition[] {
  const { ownership, warnings } = entry.inputs;
  const ofNodes = ownership.kind === 'node' || ownership.kind === 'node-hold';
  const told = ofNodes ? warnings.filter((item) => item.reason === 'malformed_object') : warnings;
  const [first] = told;
  if (first === undefined) return [];
  return [{
    type: inputValidType,
    status: 'False',
    reason: first.reason,
    message: told.map((warning) => warning.message).join('; '),
    observedGeneration: entry.service.meta.generation,
  }];
}

/** What is told about a Service's input, empty for nothing. */
export function inputMessage(entry: ServiceEntry): string {
  return inputConditions(entry)[0]?.message ?? '';
}

// Request order if listed; what is held beyond the list stands behind it, ascending.
function heldItems(entry: ServiceEntry): readonly RecordItem[] {
  const { request } = entry.inputs;
  const listed = request.kind === 'listed'
    ? [...request.addresses].filter((address) => entry.held.has(address))
    : [];
  const known = new Set(listed);
  const others = [...entry.held.keys()].filter((address) => !known.has(address));
  return [...listed, ...others.sort(compareAddress)].map((address) => {
    return { address, origin: { kind: 'pool', pool: entry.held.get(address) ?? '' } };
  });
}

// An order that differs from the stored one is no reason to write.
function recordCondition(entry: ServiceEntry, items: readonly RecordItem[]): WantedCondition {
  const wanted = writeRecord(items, entry.service.meta.generation);
  const stored = conditionOf(entry.stored.conditions, recordType);
  const storedItems = entry.record;
  if (stored === undefined || storedItems === undefined) return wanted;
  return sameRecord(items, storedItems) ? { ...wanted, message: stored.message } : wanted;
}

function nodeStatus(entry: ServiceEntry, node: NodeOutcome, claims: Claims): WantedStatus {
  const items = nodeItems(entry, node, claims);
  const reason = node.kind === 'satisfied' ? undefined : node.reason;
  const satisfied: WantedCondition = {
    type: nodeSatisfiedType,
    status: reason === undefined ? 'True' : 'False',
    reason: reason ?? 'satisfied',
    message: node.kind === 'satisfied' ? '' : node.message,
    observedGeneration: entry.service.meta.generation,
  };
  const record = recordCondition(entry, items);
  return { items, conditions: [satisfied, record, ...inputConditions(entry)] };
}

function nodeItems(
  entry: ServiceEntry,
  node: NodeOutcome,
  claims: Claims,
): readonly RecordItem[] {
  if (node.kind === 'none') return [];
  if (node.kind === 'satisfied') {
    return node.ips.map((ip) => ({ address: addressOf(ip), origin: { kind: 'node' } }));
  }
  const addresses = shownOfNodes(entry, claims);
  return addresses.map((address) => ({ address, origin: { kind: 'node' } }));
}

/** What of `wanted` is not yet stored; undefined when a write would change nothing in meaning. */
export function statusDifference(
  entry: ServiceEntry,
  wanted: WantedStatus,
  context: { readonly claims: Claims; readonly at: string },
): StatusDifference | undefined {
  const { foreign, ours } = splitIngress(entry, context.claims);
  const addresses = wanted.items.map((item) => item.address);
  const sameSet = ours.length === addresses.length && sameAddresses(ours, addresses);
  const merged = mergeConditions(entry.stored.conditions, wanted.conditions, {
    owned: ownTypes, at: context.at,
  });
  if (sameSet && !merged.changed) return undefined;
  const kept = new Set(addresses);
  return {
    ingress: sameSet ? undefined : [...foreign, ...writtenEntries(ours, addresses)],
    conditions: merged.changed ? merged.conditions : undefined,
    removed: ours.map((item) => item.address).filter((address) => !kept.has(address)),
  };
}

function sameAddresses(ours: readonly OwnEntry[], wanted: readonly Address[]): boolean {
  const shown = new Set(ours.map((item) => item.address));
  return shown.size === wanted.length && wanted.every((address) => shown.has(address));
}

// ipMode and ports of present entries are somebody else's and stay.
function writtenEntries(
  ours: readonly OwnEntry[],
  addresses: readonly Address[],
): readonly IngressEntry[] {
  const present = new Map(ours.toReversed().map((item) => [item.address, item.entry]));
  return addresses.map((address) => present.get(address) ?? {
    ip: ipOf(address), hostname: undefined, ipMode: undefined, ports: undefined,
  });
}
