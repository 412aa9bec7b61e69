import { sha256 } from '@noble/hashes/sha2.js';
import { compareText } from '../../lb/table.ts';
import type { SpeakerPeer } from '../port.ts';
import { utf8 } from './protobuf.ts';

// Names of what we make inside a daemon (bgp.md 5.4): the only memory that adoption has. `fl1` is
// the version of this layout.

/** Large communities with this first number are ours; the AS number is reserved (RFC 7300). */
export const controlAsn = 0xffff_ffff;

export const importPolicy = 'fl1-import';
export const everyControl = `^${controlAsn}:.*$`;

export function policyName(index: number): string {
  return `fl1-p${index}`;
}

export function setName(target: Target): string {
  return `fl1-p${target.index}-a${target.set}`;
}

export function next6Name(target: Target): string {
  return `${setName(target)}-v6`;
}

/** Who sees a path, and with which attributes; set 0 leaves them as carried. */
export interface Target {
  readonly index: number;
  readonly set: number;
}

export function controlPattern({ index, set }: Target): string {
  return `^${controlAsn}:${index}:${set}$`;
}

/** The index of `fl1-p3`, or undefined for any other name. */
export function indexOfPolicy(name: string): number | undefined {
  const match = /^fl1-p([1-9][0-9]*)$/u.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** The target of `fl1-p3-a1` and `fl1-p3-a1-v6`. */
export function targetOfName(name: string): (Target & { readonly next6: boolean }) | undefined {
  const match = /^fl1-p([1-9][0-9]*)-a(0|[1-9][0-9]*)(-v6)?$/u.exec(name);
  if (match === null) return undefined;
  return { index: Number(match[1]), set: Number(match[2]), next6: match[3] !== undefined };
}

/** `fl1 3 0123456789abcdef`: index and fingerprint of a peer. */
export function description(index: number, fingerprint: string): string {
  return `fl1 ${index} ${fingerprint}`;
}

export function parseDescription(
  text: string,
): { readonly index: number; readonly fingerprint: string } | undefined {
  const match = /^fl1 ([1-9][0-9]*) ([0-9a-f]{16})$/u.exec(text);
  return match === null ? undefined : { index: Number(match[1]), fingerprint: match[2] ?? '' };
}

/**
 * Equal for peers that need the same session. The name is left out, so that a renamed peer keeps
 * its session; of a password only the version counts, so that none can be guessed from it.
 */
export function peerFingerprint(peer: SpeakerPeer): string {
  const { address, asn, localAddress, port, ttl, timers, password, restart, families } = peer;
  return shortHash(JSON.stringify([
    address.ip, address.zone ?? '', asn, localAddress ?? '', port, ttl ?? 0,
    timers.connectRetry, timers.hold, timers.keepalive, password?.version ?? '', restart ?? 0,
    families.toSorted(compareText),
  ]), 16);
}

/** The first hex digits of SHA-256. */
export function shortHash(text: string, digits: number): string {
  const octets = sha256(Uint8Array.from(utf8(text)));
  let hex = '';
  for (const octet of octets) hex += octet.toString(16).padStart(2, '0');
  return hex.slice(0, digits);
}

/** How a daemon names the address of a peer. */
export function addressText({ ip, zone }: SpeakerPeer['address']): string {
  return zone === undefined ? ip : `${ip}%${zone}`;
}
