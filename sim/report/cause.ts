import type { Micros } from '../../lb/ports.ts';
import type { Outage } from '../net/outage.ts';
import type { PacketStep } from '../net/tap.ts';
import { formatDuration } from '../scenario/quantity.ts';
import type { Failure } from './failure.ts';
import type { Pods } from './placement.ts';
import type { Recovery } from './timeline.ts';

/** The reason of an outage: a stable code, and a sentence with the times it is made of. */
export interface Why {
  readonly code:
    | 'none'
    | 'node-unknown'
    | 'handover'
    | 'session-expiry'
    | 'only-endpoints-lost'
    | 'stateful-set'
    | 'pod-without-owner'
    | 'stale-router'
    | 'hold-time'
    | 'api-outage'
    | 'dead-endpoints'
    | 'no-announcer'
    | 'no-answer'
    | 'other';
  readonly text: string;
}

interface Held {
  readonly router: string;
  readonly after: Micros;
  /** Undefined: there were none. */
  readonly sweptAfter: Micros | undefined;
}

/** Everything that was seen about one address. Times are since the failure. */
export interface Seen {
  /** Undefined: never recovered. */
  readonly outage: Micros | undefined;
  readonly outages: readonly Outage[];
  readonly struckAt: Micros;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly pods: Pods;
  readonly local: boolean;
  readonly failure: Failure;
  readonly recovery: Recovery;
  readonly takenAt: Micros | undefined;
  readonly session: Micros;
  readonly stale: string | undefined;
  /** The router that gave up a silent BGP peer, when, and when its stale routes went. */
  readonly held: Held | undefined;
  readonly lastDrop: PacketStep | undefined;
  readonly partialPercent: number;
}

const second: Micros = 1_000_000;

/**
 * Says why an address was silent, from what happened in the run and not from what was expected:
 * each part of the sentence is a time that was measured. Pure.
 */
export function explainOutage(seen: Seen): Why {
  const { outage, outages, from } = seen;
  if (outages.length === 0) {
    if (from === undefined && seen.to === undefined)
      return { code: 'no-announcer', text: 'nobody announces it' };
    return seen.from === seen.to || seen.to === undefined
      ? { code: 'none', text: 'not touched' }
      : { code: 'handover', text: 'handed over without a lost request' };
  }
  if (from === undefined)
    return { code: 'no-announcer', text: `nobody announced it before either${dropText(seen)}` };
  if (isApiCut(seen.failure) && seen.pods.struck > 0) {
    return { code: 'node-unknown', text: unknownText(seen) };
  }
  const endpoints = lostEndpoints(seen);
  if (endpoints !== undefined) return endpoints;
  if (seen.stale !== undefined && (outage ?? Infinity) > (seen.takenAt ?? 0) + 2 * second)
    return staleText(seen, seen.stale);
  const routed = seen.held?.sweptAfter ?? seen.held?.after ?? 0;
  if (seen.held !== undefined && (outage ?? Infinity) <= routed + second)
    return holdText(seen.held);
  if (outage === undefined)
    return { code: 'no-answer', text: `not back after seven minutes${dropText(seen)}` };
  if (seen.failure.fault.name === 'api.outage') {
    return {
      code: 'api-outage',
      text:
        `holders fall silent ${formatDuration(seen.session)} after the API server is gone, ` +
        'and return with it',
    };
  }
  if (seen.takenAt !== undefined && seen.from !== seen.to && outage <= seen.takenAt + 2 * second) {
    return {
      code: 'session-expiry',
      text: `session expiry ${formatDuration(seen.session)} + announcement${partText(seen)}`,
    };
  }
  if (seen.pods.struck > 0) return { code: 'dead-endpoints', text: deadText(seen) };
  return { code: 'other', text: `requests failed for ${formatDuration(outage)}${dropText(seen)}` };
}

function isApiCut({ fault }: Failure): boolean {
  return fault.name === 'net.isolate' && fault.with['plane'] === 'api';
}

// Nothing of the node is broken: the cluster only cannot hear it (gardener#10223).
function unknownText({ recovery, pods, failure }: Seen): string {
  const since =
    recovery.nodeUnknownAt === undefined ? '' : ` after ${inSeconds(recovery.nodeUnknownAt)}`;
  return (
    `${failure.node ?? 'the node'} counts as lost${since}, ` +
    `and ${pods.struck} of ${pods.total} pods as unready, though they run`
  );
}

/** All pods were on the lost node: the wait is for a pod, not for an announcer. */
function lostEndpoints(seen: Seen): Why | undefined {
  const { pods, failure, outage, recovery } = seen;
  if (pods.total === 0 || pods.struck < pods.total || failure.node === undefined) return undefined;
  const policy = seen.local ? 'Local policy, ' : '';
  const kind = seen.local ? 'announcing pod' : 'pod';
  const which =
    pods.total === 1
      ? `only ${kind} on ${failure.node}`
      : `all ${pods.total} ${kind}s on ${failure.node}`;
  if (outage === undefined) {
    if (pods.owner?.kind === 'StatefulSet') {
      const replicas = `${pods.total} replica${pods.total === 1 ? '' : 's'}`;
      return {
        code: 'stateful-set',
        text: `StatefulSet, ${replicas} on ${failure.node}: needs manual delete`,
      };
    }
    if (pods.owner === undefined) {
      return { code: 'pod-without-owner', text: `${policy}${which}, which nothing replaces` };
    }
    return { code: 'only-endpoints-lost', text: `${policy}${which}: no replacement became ready` };
  }
  const { nodeUnknownAt, evictedAt, readyAt } = recovery;
  const parts: string[] = [];
  if (nodeUnknownAt !== undefined) parts.push(inSeconds(nodeUnknownAt));
  if (evictedAt !== undefined) parts.push(inSeconds(evictedAt - (nodeUnknownAt ?? 0)));
  if (readyAt !== undefined) parts.push(`start ${inSeconds(readyAt - (evictedAt ?? 0))}`);
  const sum = parts.length === 0 ? 'until another pod was ready' : parts.join(' + ');
  return { code: 'only-endpoints-lost', text: `${policy}${which}: ${sum}` };
}

// The parts of a sum are given in one unit, so that they can be added in the head.
function inSeconds(micros: Micros): string {
  return `${Math.round(micros / second)} s`;
}

function staleText(seen: Seen, router: string): Why {
  const rest = (seen.outage ?? 0) - (seen.takenAt ?? 0);
  return {
    code: 'stale-router',
    text:
      `session expiry, then ${router} kept the old MAC for ${formatDuration(rest)}: ` +
      'use BGP, or let it take gratuitous ARP',
  };
}

function holdText({ router, after, sweptAfter }: Held): Why {
  const share = `${router} sent a share of it to a silent BGP peer for`;
  const hold = formatDuration(after);
  const text = sweptAfter === undefined
    ? `${share} ${hold}, until its hold timer ran out: a shorter hold time`
    : `${share} ${formatDuration(sweptAfter)}: ${hold} to the end of the hold time, then ` +
      'graceful restart kept the routes: a shorter restart time';
  return { code: 'hold-time', text };
}

// The address answers, but a share of new connections still goes to pods that are gone.
function partText(seen: Seen): string {
  if (seen.partialPercent === 0 || seen.pods.struck === seen.pods.total) return '';
  const until = seen.recovery.nodeUnknownAt ?? lastEnd(seen);
  const share = `${seen.partialPercent} % of new connections`;
  return `; ${share} fail until ${inSeconds(until)} (dead endpoint)`;
}

function deadText(seen: Seen): string {
  const { pods, failure } = seen;
  const until = seen.recovery.nodeUnknownAt ?? lastEnd(seen);
  return (
    `${pods.struck} of ${pods.total} pods on ${failure.node ?? 'the node'}: ` +
    'their share of new connections fails until ' +
    `${inSeconds(until)}`
  );
}

function lastEnd(seen: Seen): Micros {
  return Math.max(0, ...seen.outages.map((outage) => (outage.until ?? 0) - seen.struckAt));
}

function dropText({ lastDrop }: Seen): string {
  if (lastDrop === undefined) return '';
  const detail = lastDrop.detail === undefined ? '' : ` (${lastDrop.detail})`;
  return `; last packet lost at ${lastDrop.place}: ${lastDrop.why ?? ''}${detail}`;
}
