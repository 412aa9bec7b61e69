import { ipFromBytes } from '../../lb/ip.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import { frontKind } from '../layout.gen.ts';

/** Types of frontends in the order of every list (interface.md 3). */
export const frontTypes = ['ClusterIP', 'NodePort', 'ExternalIP', 'LoadBalancer'] as const;

/** The type of a front by its kind; undefined for a number that no version wrote. */
export function frontTypeOf(kind: number): (typeof frontTypes)[number] | undefined {
  switch (kind) {
    case frontKind.clusterIp: return 'ClusterIP';
    case frontKind.nodePort: return 'NodePort';
    case frontKind.externalIp: return 'ExternalIP';
    case frontKind.vip: return 'LoadBalancer';
    default: return undefined;
  }
}

/** An address and port as the maps hold them. */
export interface Place {
  /** 16 bytes, IPv4 as v4-mapped. */
  readonly addr: Uint8Array;
  readonly port: number;
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function placeText({ addr, port }: Place): string {
  const address = ipFromBytes(addr);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A front as the maps hold it; numbers are those of IP and of `enum fl_front_kind`. */
export interface FrontPlace extends Place {
  readonly proto: number;
  readonly kind: number;
}

/**
 * `10.0.0.1:80/TCP`; a NodePort as `*:30080/TCP`, that of IPv6 as `[*]:30080/TCP`: a dual-stack
 * Service has two service ports under one number.
 */
export function frontText(front: FrontPlace): string {
  return `${frontPlaceText(front)}/${protocolText(front.proto)}`;
}

function frontPlaceText(front: FrontPlace): string {
  if (front.kind !== frontKind.nodePort) return placeText(front);
  return `${isMapped(front.addr) ? '*' : '[*]'}:${front.port}`;
}

/** `TCP`, or the number of a protocol that the datapath does not know. */
export function protocolText(proto: number): string {
  const known = Object.entries(protocolNumbers).find(([, number]) => number === proto);
  return known?.[0] ?? String(proto);
}

/** Total order of addresses: IPv4 before IPv6, then by value. */
export function comparePlaces(left: Place, right: Place): number {
  const families = Number(!isMapped(left.addr)) - Number(!isMapped(right.addr));
  if (families !== 0) return families;
  for (let index = 0; index < 16; index += 1) {
    const difference = (left.addr[index] ?? 0) - (right.addr[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.port - right.port;
}

function isMapped(addr: Uint8Array): boolean {
  return addr.subarray(0, 10).every((byte) => byte === 0) && addr[10] === 0xff && addr[11] === 0xff;
}
