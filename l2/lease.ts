import type { Json, KubeObject } from '../kube/port.ts';
import { formatMicroTime } from '../lb/time.ts';
import { familyOf, ipNumber, parseIp, type Ip } from '../lb/ip.ts';
import type { Lease } from '../lb/model.ts';
import type { Micros } from '../lb/ports.ts';

/** Label that puts a Lease into the protocol: `session` or `lock`. */
export const l2Label = 'fairlead.dev/l2';
export const sessionAnnotation = 'fairlead.dev/session';
export const closedAnnotation = 'fairlead.dev/closed';
export const ipAnnotation = 'fairlead.dev/ip';
export const stampAnnotation = 'fairlead.dev/stamp';
export const lockPrefix = 'fairlead-l2-';
export const sessionPrefix = 'fairlead-session-';

/** One of a node's links as its session tells (rule C3). */
export interface SessionLink {
  readonly name: string;
  readonly mac: string;
  /** Usable and with carrier now. */
  readonly up: boolean;
  /** Had carrier earlier in this session and lost it. */
  readonly lost: boolean;
  readonly families: readonly ('IPv4' | 'IPv6')[];
}

/** What a daemon tells the controller for the policy conditions of l2.md 2.1. */
export interface Notice {
  readonly kind: 'address-conflict' | 'duplicate-segment' | 'responder-degraded';
  /** The address or the link. */
  readonly subject: string;
  /** The foreign MAC, or the link that keeps answering; empty where there is none. */
  readonly by: string;
}

/** The annotation `fairlead.dev/session`. */
export interface SessionState {
  readonly seq: number;
  readonly durationMs: number;
  readonly bootId: string;
  readonly state: 'live' | 'leaving';
  readonly links: readonly SessionLink[];
  readonly declined: readonly string[];
  readonly notices: readonly Notice[];
}

export const declinedMax = 64;
export const noticesMax = 16;

/** What fairlead wrote into a lock last. */
export type Stamp =
  | { readonly kind: 'new' }
  | {
    readonly kind: 'take' | 'release';
    readonly identity: string;
    readonly epoch: number;
    readonly uid: string;
  };

/** `<node name>_<instance id>`: names one session for ever. */
export function identityOf(node: string, instance: string): string {
  return `${node}_${instance}`;
}

/** The node of an identity; node names hold no underscore. */
export function nodeOf(identity: string): string {
  const cut = identity.lastIndexOf('_');
  return cut < 0 ? identity : identity.slice(0, cut);
}

/** The session Lease of an identity. The node part is cut so that the name fits 253 characters. */
export function sessionName(identity: string): string {
  const instance = identity.slice(identity.lastIndexOf('_') + 1);
  const room = 253 - sessionPrefix.length - instance.length - 1;
  return `${sessionPrefix}${nodeOf(identity).slice(0, room)}-${instance}`;
}

/** The lock Lease of an address: a function of the address alone, as the address is contended. */
export function lockName(address: Ip): string {
  if (familyOf(address) === 'IPv4') return lockPrefix + address.replaceAll('.', '-');
  const digits = ipNumber(address).toString(16).padStart(32, '0');
  return lockPrefix + (digits.match(/.{4}/gu) ?? []).join('-');
}

/** The address whose lock has that name; undefined for a name that `lockName` never gives. */
export function lockAddress(name: string): Ip | undefined {
  if (!name.startsWith(lockPrefix)) return undefined;
  const parts = name.slice(lockPrefix.length).split('-');
  const parsed = parseIp(parts.join(parts.length === 4 ? '.' : ':'));
  return parsed.ok && lockName(parsed.value) === name ? parsed.value : undefined;
}

/** Undefined for a missing or unreadable annotation: such a session proves nothing. */
export function sessionStateOf(lease: Lease): SessionState | undefined {
  const text = lease.meta.annotations[sessionAnnotation];
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(json) || json['v'] !== 1) return undefined;
  const { seq, durationMs, bootId, state, links, declined, notices } = json;
  if (!isCount(seq) || !isCount(durationMs) || typeof bootId !== 'string') return undefined;
  if (state !== 'live' && state !== 'leaving') return undefined;
  return {
    seq, durationMs, bootId, state,
    links: Array.isArray(links) ? links.filter(isLink) : [],
    declined: Array.isArray(declined) ? declined.filter(isText).slice(0, declinedMax) : [],
    notices: Array.isArray(notices) ? notices.filter(isNotice).slice(0, noticesMax) : [],
  };
}

export function sessionStateText(state: SessionState): string {
  return JSON.stringify({ v: 1, ...state });
}

/** Undefined where there is none; an unknown version counts as a take by nobody known (2.3). */
export function stampOf(lease: Lease): Stamp | 'unknown' | undefined {
  const text = lease.meta.annotations[stampAnnotation];
  if (text === undefined) return undefined;
  if (text === 'v1 new') return { kind: 'new' };
  const match = /^v1 (take|release) ([^ ]+) ([0-9]{1,15}) ([^ ]+)$/u.exec(text);
  if (match === null) return text.startsWith('v1 ') ? undefined : 'unknown';
  const [, kind, identity, epoch, uid] = match;
  return {
    kind: kind === 'take' ? 'take'
      : 'release', identity: identity ?? '', epoch: Number(epoch), uid: uid ?? '',
  };
}

export function stampText(stamp: Stamp): string {
  return stamp.kind === 'new' ? 'v1 new'
    : `v1 ${stamp.kind} ${stamp.identity} ${stamp.epoch} ${stamp.uid}`;
}

/** Times as people see them; the wall clock decides nothing. */
export interface LeaseTimes {
  readonly duration: Micros;
  readonly wall: Micros;
}

/** A new session Lease, open. */
export function newSession(
  of: {
    readonly identity: string;
    readonly namespace: string;
  }, state: SessionState, times: LeaseTimes,
): KubeObject {
  const at = formatMicroTime(times.wall);
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: sessionName(of.identity),
      namespace: of.namespace,
      labels: { [l2Label]: 'session' },
      annotations: { [sessionAnnotation]: sessionStateText(state) },
    },
    spec: {
      holderIdentity: of.identity,
      leaseDurationSeconds: Math.ceil(times.duration / 1_000_000),
      leaseTransitions: 0,
      acquireTime: at,
      renewTime: at,
    },
  };
}

/** A new lock: empty, because a create has no version to compare with and may arrive late (L1). */
export function newLock(address: Ip, namespace: string): KubeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: lockName(address),
      namespace,
      labels: { [l2Label]: 'lock' },
      annotations: { [ipAnnotation]: address, [stampAnnotation]: stampText({ kind: 'new' }) },
    },
    spec: { holderIdentity: '', leaseTransitions: 0 },
  };
}

export interface LeaseChange {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, Json>>;
  readonly label: 'session' | 'lock';
  /** Overrides the version to compare with, where an acknowledgement gave a newer one. */
  readonly resourceVersion?: string;
}

/** The body of a compare-and-swap on `version`: unrelated fields stay, a lost label comes back. */
export function changedLease(version: KubeObject, change: LeaseChange): KubeObject {
  const metadata = version.metadata ?? {};
  const spec = isRecord(version['spec']) ? version['spec'] : {};
  return {
    ...version,
    metadata: {
      ...metadata,
      ...(change.resourceVersion === undefined ? {} : { resourceVersion: change.resourceVersion }),
      labels: { ...texts(metadata['labels']), [l2Label]: change.label },
      annotations: { ...texts(metadata['annotations']), ...change.annotations },
    },
    spec: { ...spec, ...change.spec },
  };
}

function texts(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  const kept: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) if (typeof text === 'string') kept[key] = text;
  return kept;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isLink(value: unknown): value is SessionLink {
  return isRecord(value) && isText(value['name']) && isText(value['mac'])
    && typeof value['up'] === 'boolean' && typeof value['lost'] === 'boolean'
      && Array.isArray(value['families']);
}

function isNotice(value: unknown): value is Notice {
  const kinds: readonly unknown[] = ['address-conflict', 'duplicate-segment', 'responder-degraded'];
  return isRecord(value) && kinds.includes(value['kind']) && isText(value['subject'])
    && isText(value['by']);
}
