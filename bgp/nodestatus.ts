import type { Json } from '../kube/port.ts';
import type { Family } from '../lb/ip.ts';
import type { Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { formatTime } from '../lb/time.ts';
import type { Truths } from './conditionwriter.ts';
import type { DesiredInstance, DesiredPeer } from './desired.ts';
import type { SessionFacts, SpeakerFacts } from './instance.ts';
import type { SessionState, SpeakerError } from './port.ts';
import { addressText } from './render.ts';

/** One instance as it is desired, with what its speaker said of it. */
export interface InstanceView {
  readonly desired: DesiredInstance;
  /** Undefined: it has no speaker, because it cannot start. */
  readonly speaker: SpeakerFacts | undefined;
  readonly failed: SpeakerError | undefined;
  readonly session: (peer: string) => SessionFacts | undefined;
  /** Sentences of the peer that follow from its session. */
  readonly notices: readonly string[];
}

const states: Readonly<Record<SessionState, string>> = {
  unknown: 'unknown', idle: 'idle', connect: 'connect', active: 'active',
  'open-sent': 'open_sent', 'open-confirm': 'open_confirm', established: 'established',
};

/** `status.bgpInstances` of a NodeConfig (bgp.md 8); peers that are skipped are left out. Pure. */
export function statusInstances(views: readonly InstanceView[]): readonly Json[] {
  return views.map(({ desired, session }): Json => ({
    name: desired.name,
    ...(desired.global !== undefined && { localASN: desired.global.asn }),
    peers: desired.peers.map((peer) => peerStatus(peer, session(peer.peer.name))),
  }));
}

function peerStatus({ peer }: DesiredPeer, facts: SessionFacts | undefined): Json {
  const { state = 'unknown', remoteAsn, hold, keepalive } = facts?.report ?? {};
  const established = state === 'established';
  const since = facts?.establishedAt;
  return {
    name: peer.name,
    peerAddress: addressText(peer.address),
    peerASN: peer.asn === 0 ? remoteAsn ?? 0 : peer.asn,
    peeringState: states[state],
    ...(established && hold !== undefined && keepalive !== undefined && {
      timers: { appliedHoldTimeSeconds: hold, appliedKeepaliveSeconds: keepalive },
    }),
    ...(established && since !== undefined && { establishedTime: formatTime(since) }),
    ...(established && facts !== undefined && facts.counts.size > 0 && {
      routeCount: peer.families.flatMap((family): Json[] => {
        const counts = facts.counts.get(family);
        if (counts === undefined) return [];
        const { received, advertised } = counts;
        return [{ afi: afiOf(family), safi: 'unicast', received, advertised }];
      }),
    }),
  };
}

function afiOf(family: Family): string {
  return family === 'IPv4' ? 'ipv4' : 'ipv6';
}

/** Our condition types of a NodeConfig with their usual reasons. */
export const nodeConfigReasons = {
  'cilium.io/BGPReconcileError': 'BGPReconcileError',
  'fairlead.dev/SpeakerUnavailable': 'Unreachable',
  'fairlead.dev/PeersSkipped': 'PeersSkipped',
  'fairlead.dev/Warnings': 'Warnings',
} as const;

/** Messages may not be longer (metav1.Condition). */
const messageMax = 32_768;

/** What is true of a node's instances, `instance: text` or `instance/peer: text` a line. Pure. */
export function nodeConfigTruths(views: readonly InstanceView[]): Truths {
  const errors: string[] = [];
  const away: string[] = [];
  const skipped: string[] = [];
  const warnings: string[] = [];
  let blocked = false;
  for (const { desired, speaker, failed, notices } of views) {
    const { name } = desired;
    if (desired.error !== undefined) errors.push(`${name}: ${desired.error}`);
    if (failed !== undefined) errors.push(`${name}: ${failed.kind}: ${failed.text}`);
    if (speaker?.kind === 'lost' || speaker?.kind === 'blocked') {
      if (speaker.kind === 'blocked') blocked = true;
      away.push(`${name}: ${speaker.error.kind}: ${speaker.error.text}`);
    }
    for (const { peer, reason, text } of desired.skipped) {
      skipped.push(`${name}/${peer}: ${reason} ${text}`);
    }
    for (const text of [...desired.warnings, ...notices]) warnings.push(`${name}/${text}`);
  }
  return {
    ...truth('cilium.io/BGPReconcileError', 'BGPReconcileError', errors),
    ...truth('fairlead.dev/SpeakerUnavailable', blocked ? 'Blocked' : 'Unreachable', away),
    ...truth('fairlead.dev/PeersSkipped', 'PeersSkipped', skipped),
    ...truth('fairlead.dev/Warnings', 'Warnings', warnings),
  };
}

function truth(type: string, reason: string, lines: readonly string[]): Truths {
  if (lines.length === 0) return {};
  const message = [...new Set(lines)].sort(compareText).join('\n').slice(0, messageMax);
  return { [type]: { reason, message } };
}

export interface NoticeContext {
  readonly now: Micros;
  /** Of the peers with a password, since when each has been without a session. */
  downSince(peer: string): Micros | undefined;
  /** True where sessions end with the agent, unless routers keep their routes. */
  readonly endsWithAgent: boolean;
}

/** After it a session that never came up is suspected of a wrong password (bgp.md 5.5, G19). */
export const passwordPatience: Micros = 30_000_000;

/** What sessions tell about their peers, `peer: Reason text` (bgp.md 4, 5.5, 7). Pure. */
export function sessionNotices(
  desired: DesiredInstance, session: (peer: string) => SessionFacts | undefined,
  at: NoticeContext,
): readonly string[] {
  const notices = desired.peers.flatMap(({ peer, routes }) => {
    const found: string[] = [];
    const facts = session(peer.name);
    const established = facts?.report.state === 'established';
    const mapped = peer.address.ip.includes(':')
      && routes.some(({ prefix }) => !prefix.includes(':'));
    const { capabilities } = facts?.report ?? {};
    if (established && mapped && capabilities?.extendedNextHop === false) {
      found.push('ExtendedNextHopMissing it takes no IPv4 route over IPv6 (RFC 8950)');
    }
    const since = at.downSince(peer.name);
    if (peer.password !== undefined && since !== undefined && at.now - since >= passwordPatience) {
      found.push('CheckPassword no session for 30 s: do both ends have one password?');
    }
    if (at.endsWithAgent && peer.restart === undefined) {
      found.push('NoGracefulRestart its routes go while this agent restarts');
    }
    return found.map((text) => `${peer.name}: ${text}`);
  });
  return [...notices, ...duplicateSessions(desired, session)];
}

/** Two sessions with one router that carry one family: it counts this node twice in ECMP. */
function duplicateSessions(
  desired: DesiredInstance, session: (peer: string) => SessionFacts | undefined,
): string[] {
  const carriers = new Map<string, string>();
  const found: string[] = [];
  for (const { peer } of desired.peers) {
    const { state, remoteAsn, remoteId } = session(peer.name)?.report ?? {};
    if (state !== 'established' || remoteId === undefined) continue;
    for (const family of peer.families) {
      const key = `${remoteAsn} ${remoteId} ${family}`;
      const other = carriers.get(key);
      if (other === undefined) carriers.set(key, peer.name);
      else found.push(`${peer.name}: DuplicateFamilySessions ${family} also goes by ${other}`);
    }
  }
  return found;
}
