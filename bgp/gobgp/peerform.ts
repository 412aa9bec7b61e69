import { familyOf, type Family } from '../../lb/ip.ts';
import type {
  PeerCapabilities, PeerName, RouteCounts, SessionReport, SessionState, SpeakerPeer,
} from '../port.ts';
import type { Dialect } from './dialect.ts';
import { nextHopCapability, restartCapability, type PeerMessage, type peer } from './messages.ts';
import { addressText, description, peerFingerprint } from './names.ts';
import { familyMessage, familyOfMessage, readIp } from './pathform.ts';
import { decode, type Write } from './protobuf.ts';

const sessionStates: readonly SessionState[] = [
  'unknown', 'idle', 'connect', 'active', 'open-sent', 'open-confirm', 'established',
];

/** What AddPeer is told besides the peer itself. */
export interface PeerPlacement {
  readonly index: number;
  readonly internal: boolean;
  /** The R-bit: routes of ours that the router kept are about to come again (G17). */
  readonly restarting: boolean;
  /** Seconds to wait for End-of-RIB of others (G16). */
  readonly deferral: number;
}

/** A peer as AddPeer takes it: nothing is left to the daemon's defaults (G14, G15, G20). */
export function peerMessageOf(of: SpeakerPeer, where: PeerPlacement): Write<typeof peer> {
  const { restart, ttl } = of;
  const multihop = !where.internal && ttl !== undefined && ttl > 1;
  return {
    conf: {
      neighbor_address: addressText(of.address), peer_asn: of.asn,
      auth_password: of.password?.text ?? '',
      description: description(where.index, peerFingerprint(of)),
    },
    ...(multihop ? { ebgp_multihop: { enabled: true, multihop_ttl: ttl } } : {}),
    timers: {
      config: {
        connect_retry: of.timers.connectRetry, hold_time: of.timers.hold,
        keepalive_interval: of.timers.keepalive,
      },
    },
    transport: { local_address: of.localAddress ?? '', remote_port: of.port },
    ...(restart === undefined ? {} : {
      graceful_restart: {
        enabled: true, restart_time: restart, deferral_time: where.deferral,
        notification_enabled: true, local_restarting: where.restarting,
      },
    }),
    afi_safis: of.families.map((family) => ({
      config: { family: familyMessage(family), enabled: true },
      ...(restart === undefined ? {} : { mp_graceful_restart: { config: { enabled: true } } }),
    })),
  };
}

/** The address by which a daemon lists a peer. */
export function peerAddress(message: PeerMessage): string {
  return message.state?.neighbor_address || message.conf?.neighbor_address || '';
}

export function sessionState(message: PeerMessage): SessionState {
  return sessionStates[message.state?.session_state ?? 0] ?? 'unknown';
}

/** What a listing or an event says of a session. */
export function sessionReport(
  dialect: Dialect, name: PeerName, message: PeerMessage,
): SessionReport {
  const { state, timers, transport } = message;
  const now = sessionState(message);
  const report: { -readonly [Key in keyof SessionReport]: SessionReport[Key] } = {
    peer: name, state: now,
  };
  const remoteId = readIp(state?.router_id ?? '');
  const localAddress = readIp(transport?.local_address ?? '');
  if (state !== undefined && state.peer_asn !== 0) report.remoteAsn = state.peer_asn;
  if (remoteId !== undefined) report.remoteId = remoteId;
  if (localAddress !== undefined) report.localAddress = localAddress;
  if (now === 'established') {
    const { hold, keepalive } = negotiated(timers);
    report.hold = hold;
    report.keepalive = keepalive;
    report.capabilities = capabilities(dialect, state?.remote_cap ?? []);
  } else {
    const cause = downCause(state);
    if (cause !== undefined) report.cause = cause;
  }
  return report;
}

/**
 * Why there is no session, in the daemon's words. GoBGP 3 only counts what was said; its counts
 * begin anew with each AddPeer, and so after each lost session (bgp.md 5.5, G11).
 */
function downCause(state: PeerMessage['state']): string | undefined {
  const { disconnect_message: text = '', messages } = state ?? {};
  if (text !== '') return text;
  if ((messages?.received?.notification ?? 0) > 0) return 'NOTIFICATION received';
  return (messages?.sent?.notification ?? 0) > 0 ? 'NOTIFICATION sent' : undefined;
}

/** If the peer lowered the hold time, keepalives follow at a third of it (RFC 4271 10). */
function negotiated(
  timers: PeerMessage['timers'],
): { readonly hold: number; readonly keepalive: number } {
  const { hold_time: ours = 0, keepalive_interval: every = 0 } = timers?.config ?? {};
  const hold = timers?.state?.negotiated_hold_time ?? 0;
  if (hold === 0) return { hold: ours, keepalive: every };
  return { hold, keepalive: hold < ours ? Math.floor(hold / 3) : every };
}

const restartNotification = 4;

function capabilities(dialect: Dialect, all: readonly Uint8Array[]): PeerCapabilities {
  let offered: PeerCapabilities = { extendedNextHop: false, notificationRestart: false };
  for (const one of all) {
    const capability = dialect.unwrap('capability', one);
    if (capability?.kind === 'GracefulRestartCapability') {
      const { flags, time } = decode(restartCapability, capability.content);
      offered = {
        ...offered, restartTime: time, notificationRestart: (flags & restartNotification) !== 0,
      };
    } else if (capability?.kind === 'ExtendedNexthopCapability') {
      const { tuples } = decode(nextHopCapability, capability.content);
      offered = {
        ...offered,
        extendedNextHop: tuples.some(({ nlri_family: of, nexthop_family: by }) => (
          familyOfMessage(of) === 'IPv4' && by?.afi === 2
        )),
      };
    }
  }
  return offered;
}

/**
 * Routes of each family of an established session. Those advertised are counted by whoever told
 * them: GoBGP 3.10 says one more than its own adj-rib-out holds.
 */
export function routeCounts(
  name: PeerName, message: PeerMessage, advertised: (family: Family) => number,
): readonly RouteCounts[] {
  return message.afi_safis.flatMap(({ state, config }) => {
    const family = familyOfMessage(state?.family ?? config?.family);
    if (family === undefined) return [];
    return [{
      peer: name, family, received: state?.received ?? 0, advertised: advertised(family),
    }];
  });
}

/** Graceful restart was agreed upon for at least one family (G17). */
export function restartNegotiated(message: PeerMessage): boolean {
  return message.afi_safis.some(({ mp_graceful_restart: of }) => (
    of?.state?.received === true && of.state.advertised
  ));
}

/**
 * Neighbour sets hold prefixes, not addresses (G26), and no prefix has a zone: the daemon compares
 * without it and refuses a set with one (G21).
 */
export function neighbourPrefix({ ip }: SpeakerPeer['address']): string {
  const bits: Readonly<Record<Family, number>> = { IPv4: 32, IPv6: 128 };
  return `${ip}/${bits[familyOf(ip)]}`;
}
