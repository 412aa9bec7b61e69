import { parseIp } from '../ip.ts';
import type { Condition } from '../model.ts';
import { conditionOf, type WantedCondition } from '../conditions.ts';
import { addressOf, ipOf, type Address } from './address.ts';

/** The Service condition that lists our addresses, in the same patch as the ingress list. */
export const recordType = 'fairlead.dev/IPAMAllocation';

/** Where an address came from: a pool by name, or the nodes. */
export type Origin = { readonly kind: 'pool'; readonly pool: string } | { readonly kind: 'node' };

export interface RecordItem {
  readonly address: Address;
  readonly origin: Origin;
}

const reasonOf = { True: 'allocated', False: 'none' } as const;

/** The record of a Service; undefined when there is none or it is malformed (lb-ipam.md 4.2). */
export function readRecord(conditions: readonly Condition[]): readonly RecordItem[] | undefined {
  const condition = conditionOf(conditions, recordType);
  if (condition === undefined) return undefined;
  const { status, reason, message } = condition;
  if (status === 'False') return reason === reasonOf.False && message === '' ? [] : undefined;
  if (status !== 'True' || reason !== reasonOf.True) return undefined;
  const items: RecordItem[] = [];
  for (const text of message.split(',')) {
    const item = readItem(text);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function readItem(text: string): RecordItem | undefined {
  const equals = text.indexOf('=');
  const ip = parseIp(text.slice(0, Math.max(equals, 0)));
  const origin = text.slice(equals + 1);
  if (!ip.ok) return undefined;
  const address = addressOf(ip.value);
  if (origin === 'node') return { address, origin: { kind: 'node' } };
  if (!/^pool\/[-a-z0-9.]{1,253}$/u.test(origin)) return undefined;
  return { address, origin: { kind: 'pool', pool: origin.slice('pool/'.length) } };
}

/** The record condition of the items, in their order. */
export function writeRecord(items: readonly RecordItem[], generation: number): WantedCondition {
  const status = items.length > 0 ? 'True' : 'False';
  const message = items.map(itemText).join(',');
  const observedGeneration = generation;
  return { type: recordType, status, reason: reasonOf[status], message, observedGeneration };
}

function itemText(item: RecordItem): string {
  const origin = item.origin.kind === 'node' ? 'node' : `pool/${item.origin.pool}`;
  return `${ipOf(item.address)}=${origin}`;
}

function sameItem(left: RecordItem, right: RecordItem): boolean {
  if (left.address !== right.address || left.origin.kind !== right.origin.kind) return false;
  return left.origin.kind === 'node'
    || (right.origin.kind === 'pool' && left.origin.pool === right.origin.pool);
}

/** True when both list the same items, in whatever order: order alone is no reason to write. */
export function sameRecord(left: readonly RecordItem[], right: readonly RecordItem[]): boolean {
  if (left.length !== right.length) return false;
  const [only] = left;
  const [other] = right;
  if (left.length === 1 && only !== undefined && other !== undefined) return sameItem(only, other);
  const texts = new Set(left.map(itemText));
  return texts.size === left.length && right.every((item) => texts.has(itemText(item)));
}
