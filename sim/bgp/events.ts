import type { Family, Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { BgpMessage, Notification, UpdateMessage } from './message.ts';
import type { Session } from './negotiation.ts';

/** Which of the two connections that a pair of peers may have for a moment. */
export type LinkName = 'dialled' | 'accepted';

/** A delay that its host draws uniformly from [min, max]. */
export interface Span {
  readonly min: Micros;
  readonly max: Micros;
}

/** One peer as its own side is set up. */
export interface PeerConfig {
  readonly localAsn: number;
  readonly routerId: Ip;
  /** 0 accepts every number. */
  readonly peerAsn: number;
  /** Seconds; 0 turns both timers off. */
  readonly hold: number;
  readonly keepalive: number;
  readonly families: readonly Family[];
  readonly extendedNextHop: boolean;
  /** Waits for the other side to dial. */
  readonly passive: boolean;
  readonly firstDial: Span;
  readonly redial: Span;
  /** After an error: no dialling, and inbound connections are refused (GoBGP, G11). */
  readonly idleHold: Micros;
  /** Graceful restart is offered; `restarting` sets the R-bit and the F-bits. */
  readonly restart?: { readonly time: number; readonly restarting: boolean };
  /** How long routes of a restarted peer may stay stale once it is back. */
  readonly staleTime: Micros;
}

export type TimerName =
  | 'dial' | 'idle-hold' | 'hold-dialled' | 'hold-accepted' | 'keepalive' | 'restart' | 'stale';

export type FsmEvent =
  | { readonly kind: 'start' }
  /** With a NOTIFICATION, or in silence. */
  | { readonly kind: 'stop'; readonly say: Notification | undefined }
  /** A TCP connection is up. */
  | { readonly kind: 'connected'; readonly link: LinkName }
  /** The peer dialled anew on a side where a connection stood, which its host has dropped. */
  | { readonly kind: 'replaced'; readonly link: LinkName }
  /** A TCP connection ended, or was never made; `cause` in the transport's words. */
  | { readonly kind: 'lost'; readonly link: LinkName; readonly cause: string }
  | { readonly kind: 'message'; readonly link: LinkName; readonly message: BgpMessage }
  | { readonly kind: 'malformed'; readonly link: LinkName; readonly answer: Notification }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  /** Something above the session ends it: too many prefixes, an operator. */
  | { readonly kind: 'end'; readonly say: Notification };

export type FsmOutput =
  | { readonly kind: 'dial' }
  | { readonly kind: 'send'; readonly link: LinkName; readonly message: BgpMessage }
  /** Ends a connection in order once what was sent is out, or at once by a reset. */
  | { readonly kind: 'close'; readonly link: LinkName; readonly how: 'order' | 'reset' }
  | { readonly kind: 'arm'; readonly timer: TimerName; readonly span: Span }
  | { readonly kind: 'disarm'; readonly timer: TimerName }
  | { readonly kind: 'up'; readonly session: Session }
  /** Routes of `retain` stay and are stale; all others go. */
  | { readonly kind: 'down'; readonly cause: string; readonly retain: readonly Family[] }
  /** Stale routes of these families go. */
  | { readonly kind: 'sweep'; readonly families: readonly Family[] }
  | { readonly kind: 'update'; readonly update: UpdateMessage }
  | { readonly kind: 'refresh'; readonly family: Family };
