import { familyOf, parseIp, parsePrefix } from '../lb/ip.ts';
import type { PeerName, Route, SpeakerGlobal, SpeakerPeer } from './port.ts';

/**
 * What no speaker may be told, in a sentence, or undefined. Daemons store such values without a
 * word (bgp.md 5.5, G3, G23), so every adapter asks here before the wire.
 */
export function invalidGlobal({ asn, routerId, listenPort }: SpeakerGlobal): string | undefined {
  if (!inRange(asn, 1, numberMax)) return `AS number ${asn} is not 1 to ${numberMax}`;
  const id = parseIp(routerId);
  if (!id.ok || familyOf(id.value) === 'IPv6' || routerId === '0.0.0.0')
    return `router ID ${routerId} is no IPv4 address`;
  return listenPort === undefined || inRange(listenPort, 1, portMax)
    ? undefined
    : `port ${listenPort} is not 1 to ${portMax}`;
}

/** As `invalidGlobal`, for a whole set of peers; the first fault. */
export function invalidPeers(peers: readonly SpeakerPeer[]): string | undefined {
  const names = new Set<PeerName>();
  const addresses = new Set<string>();
  for (const peer of peers) {
    const address = `${peer.address.ip}%${peer.address.zone ?? ''}`;
    if (names.has(peer.name)) return `peer ${peer.name} is there twice`;
    if (addresses.has(address)) return `address ${peer.address.ip} is there twice`;
    names.add(peer.name);
    addresses.add(address);
    const fault = peerFault(peer);
    if (fault !== undefined) return `peer ${peer.name}: ${fault}`;
  }
  return undefined;
}

/** As `invalidGlobal`, for the routes of one peer; the first fault. */
export function invalidRoutes(routes: readonly Route[]): string | undefined {
  const prefixes = new Set<string>();
  for (const route of routes) {
    if (prefixes.has(route.prefix)) return `${route.prefix} is there twice`;
    prefixes.add(route.prefix);
    const fault = routeFault(route);
    if (fault !== undefined) return `route ${route.prefix}: ${fault}`;
  }
  return undefined;
}

const numberMax = 0xffff_ffff;
const portMax = 65_535;
const passwordBytesMax = 80;

function peerFault(peer: SpeakerPeer): string | undefined {
  const { asn, port, ttl, timers, password, restart, families } = peer;
  const { connectRetry, hold, keepalive } = timers;
  if (!parseIp(peer.address.ip).ok) return `${peer.address.ip} is no address`;
  if (!inRange(asn, 0, numberMax)) return `AS number ${asn} is not 0 to ${numberMax}`;
  if (!inRange(port, 1, portMax)) return `port ${port} is not 1 to ${portMax}`;
  if (ttl !== undefined && !inRange(ttl, 1, 255)) return `TTL ${ttl} is not 1 to 255`;
  if (!inRange(connectRetry, 1, 0x7fff_ffff)) return `connect retry time ${connectRetry} s`;
  if (!inRange(hold, 3, 65_535)) return `hold time ${hold} s is not 3 to 65535`;
  if (!inRange(keepalive, 1, hold)) return `keepalive ${keepalive} s is not 1 to the hold time`;
  if (restart !== undefined && !inRange(restart, 1, 4095)) return `restart time ${restart} s`;
  if (families.length === 0 || new Set(families).size < families.length)
    return 'it needs one or two families, each once';
  if (password === undefined) return undefined;
  const size = utf8Length(password.text);
  return inRange(size, 1, passwordBytesMax) ? undefined : `a password of ${size} bytes`;
}

function routeFault({ prefix, communities, large, localPref }: Route): string | undefined {
  const parsed = parsePrefix(prefix);
  if (!parsed.ok || parsed.value.prefix !== prefix) return 'not a canonical prefix';
  if (!communities.every((community) => inRange(community, 0, numberMax)))
    return 'a community is not 0 to 4294967295';
  if (!large.every((numbers) => numbers.every((number) => inRange(number, 0, numberMax))))
    return 'a part of a large community is not 0 to 4294967295';
  // Reserved (RFC 7300); control communities live there (bgp.md 5.4).
  if (large.some(([admin]) => admin === numberMax)) return 'large community 4294967295 is reserved';
  return localPref === undefined || inRange(localPref, 0, numberMax)
    ? undefined
    : `local preference ${localPref}`;
}

function inRange(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const letter of text) {
    const point = letter.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}
