import type { LargeCommunity } from '../../bgp/port.ts';
import type { Family, Ip, Prefix } from '../../lb/ip.ts';

/** What an OPEN offers beyond plain BGP-4 (RFC 5492); unknown capabilities are not kept. */
export interface Capabilities {
  /** Unicast families (RFC 4760); empty: none was listed, which means IPv4 alone. */
  readonly families: readonly Family[];
  /** RFC 2918. */
  readonly routeRefresh: boolean;
  /** RFC 8950: IPv4 unicast with an IPv6 next hop. */
  readonly extendedNextHop: boolean;
  /** RFC 4724. */
  readonly restart?: RestartCapability;
}

export interface RestartCapability {
  /** R-bit: the sender restarted and asks not to wait for its End-of-RIB. */
  readonly restarting: boolean;
  /** N-bit (RFC 8538): NOTIFICATION and hold expiry keep routes too, Cease/9 apart. */
  readonly notification: boolean;
  /** Seconds, 0 to 4095. */
  readonly time: number;
  /** Families that are restarted gracefully; `forwarding` is the F-bit. */
  readonly families: readonly { readonly family: Family; readonly forwarding: boolean }[];
}

/** RFC 4271 4.2. The AS number is the real one, which a small field may not have held. */
export interface OpenMessage {
  readonly kind: 'open';
  readonly asn: number;
  /** False where the four-octet capability (RFC 6793) was missing. */
  readonly asn4: boolean;
  /** Seconds; 0 or at least 3. */
  readonly holdTime: number;
  readonly routerId: Ip;
  readonly capabilities: Capabilities;
}

export interface AsSegment {
  readonly kind: 'set' | 'sequence';
  readonly asns: readonly number[];
}

/** What a route carries besides its next hop (RFC 4271 5, RFC 1997, RFC 8092). */
export interface PathAttributes {
  readonly origin: 'igp' | 'egp' | 'incomplete';
  readonly asPath: readonly AsSegment[];
  readonly med?: number;
  readonly localPref?: number;
  readonly communities: readonly number[];
  readonly large: readonly LargeCommunity[];
}

/** Prefixes of one family with their next hop, which may be of the other family (RFC 8950). */
export interface Reach {
  readonly nextHop: Ip;
  readonly prefixes: readonly Prefix[];
}

/** RFC 4271 4.3 and RFC 4760 in one shape. */
export interface UpdateMessage {
  readonly kind: 'update';
  readonly withdrawn: readonly Prefix[];
  readonly announced: readonly Reach[];
  /** Present exactly where something is announced. */
  readonly attributes?: PathAttributes;
  /** RFC 4724: the sender has said everything it had to say of a family. */
  readonly endOfRib?: Family;
  /** Prefixes above were announced in a form that is treated as a withdrawal (RFC 7606). */
  readonly malformed?: string;
}

/** RFC 4271 4.5: code, subcode, data. */
export interface Notification {
  readonly kind: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data?: Uint8Array;
}

export type BgpMessage =
  | OpenMessage
  | UpdateMessage
  | Notification
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'route-refresh'; readonly family: Family };

/** An error that ends the session with the NOTIFICATION it is. */
export function notification(code: number, subcode: number, data?: Uint8Array): Notification {
  return { kind: 'notification', code, subcode, ...(data === undefined ? {} : { data }) };
}

const names: ReadonlyMap<string, string> = new Map([
  ['1/1', 'connection not synchronized'], ['1/2', 'bad message length'],
  ['1/3', 'bad message type'], ['2/1', 'unsupported version'], ['2/2', 'bad peer AS'],
  ['2/3', 'bad BGP identifier'], ['2/6', 'unacceptable hold time'],
  ['2/7', 'unsupported capability'], ['3/1', 'malformed attribute list'],
  ['3/2', 'unrecognized well-known attribute'], ['3/9', 'optional attribute error'],
  ['3/10', 'invalid network field'], ['6/1', 'maximum number of prefixes reached'],
  ['6/2', 'administrative shutdown'], ['6/3', 'peer deconfigured'],
  ['6/4', 'administrative reset'], ['6/5', 'connection rejected'],
  ['6/6', 'other configuration change'], ['6/7', 'connection collision resolution'],
  ['6/9', 'hard reset'],
]);

/** `NOTIFICATION 6/3 (peer deconfigured)`, for people. */
export function describeNotification({ code, subcode }: Notification): string {
  const name = names.get(`${code}/${subcode}`) ?? (code === 4 ? 'hold timer expired' : undefined);
  return `NOTIFICATION ${code}/${subcode}${name === undefined ? '' : ` (${name})`}`;
}
