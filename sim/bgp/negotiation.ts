import type { Family, Ip } from '../../lb/ip.ts';
import { ipv4Number } from '../../lb/ip.ts';
import type { PeerConfig } from './events.ts';
import { notification, type Notification, type OpenMessage, type RestartCapability } from
  './message.ts';
import { familiesOf } from './open.ts';

/** What two OPENs agree on. */
export interface Session {
  readonly remoteAsn: number;
  readonly remoteId: Ip;
  /** Seconds; 0: both timers are off. */
  readonly hold: number;
  readonly keepalive: number;
  /** Both sides speak these. */
  readonly families: readonly Family[];
  readonly asn4: boolean;
  readonly external: boolean;
  readonly extendedNextHop: boolean;
  /** The peer's offer; undefined where either side does without. */
  readonly restart: RestartCapability | undefined;
  /** The peer's offer, whether or not it is used. */
  readonly offered: RestartCapability | undefined;
  /** Both sides set the N-bit (RFC 8538). */
  readonly notificationRestart: boolean;
}

/** The OPEN that a peer is sent. */
export function openOf(config: PeerConfig): OpenMessage {
  const { restart, families } = config;
  return {
    kind: 'open', asn: config.localAsn, asn4: true, holdTime: config.hold,
    routerId: config.routerId,
    capabilities: {
      families, routeRefresh: true, extendedNextHop: config.extendedNextHop,
      ...(restart === undefined ? {} : {
        restart: {
          restarting: restart.restarting, notification: true, time: restart.time,
          families: families.map((family) => ({ family, forwarding: restart.restarting })),
        },
      }),
    },
  };
}

/** The smaller hold wins; a lowered one takes the keepalive with it (bgp.md 2.2). */
export function negotiate(config: PeerConfig, open: OpenMessage): Session {
  const hold = Math.min(config.hold, open.holdTime);
  const keepalive = hold < config.hold ? Math.floor(hold / 3) : config.keepalive;
  const offered = open.capabilities.restart;
  const restart = config.restart === undefined ? undefined : offered;
  return {
    remoteAsn: open.asn, remoteId: open.routerId,
    hold, keepalive: hold === 0 ? 0 : keepalive,
    families: familiesOf(open.capabilities).filter((family) => config.families.includes(family)),
    asn4: open.asn4,
    external: open.asn !== config.localAsn,
    extendedNextHop: config.extendedNextHop && open.capabilities.extendedNextHop,
    restart, offered,
    notificationRestart: restart?.notification === true,
  };
}

/** Why an OPEN is refused, as the NOTIFICATION that says so (RFC 4271 6.2, RFC 6286 2.2). */
export function unacceptable(config: PeerConfig, open: OpenMessage): Notification | undefined {
  if (config.peerAsn !== 0 && open.asn !== config.peerAsn) return notification(2, 2);
  if (open.asn === config.localAsn && open.routerId === config.routerId)
    return notification(2, 3);
  return negotiate(config, open).families.length === 0 ? notification(2, 7) : undefined;
}

/**
 * Whether of two connections the one that the peer opened stays: the higher identifier wins, by
 * its number, and the higher system between equal ones (RFC 6286 2.3).
 */
export function keepsNewer(config: PeerConfig, open: OpenMessage): boolean {
  const [own, theirs] = [ipv4Number(config.routerId), ipv4Number(open.routerId)];
  return own === theirs ? open.asn > config.localAsn : theirs > own;
}

/**
 * Families whose routes outlive a session. Silence and a broken connection keep them (RFC 4724);
 * a NOTIFICATION only with the N-bit, and Cease/9 never (RFC 8538 3).
 */
export function retainedBy(
  session: Session, ending: Notification | undefined,
): readonly Family[] {
  const { restart } = session;
  if (restart === undefined) return [];
  const hard = ending?.code === 6 && ending.subcode === 9;
  if (ending !== undefined && (hard || !session.notificationRestart)) return [];
  return restart.families.map(({ family }) => family)
    .filter((family) => session.families.includes(family));
}
