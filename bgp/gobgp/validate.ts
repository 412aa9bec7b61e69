import { familyOf, parseIp, parsePrefix } from '../../lb/ip.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Route, SpeakerError, SpeakerGlobal, SpeakerPeer } from '../port.ts';
import { addressText, controlAsn } from './names.ts';
import { utf8 } from './protobuf.ts';

type Check = Result<void, SpeakerError>;

// The daemon takes much that no router may be told (bgp.md 5.5, G3, G19, G23); nothing of it passes
// here.

const uint32Max = 0xffff_ffff;
const passwordBytesMax = 80;
const restartMax = 4_095;

function invalid(text: string): Check {
  return err({ kind: 'invalid', text });
}

function whole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

export function checkGlobal({ asn, routerId, listenPort }: SpeakerGlobal): Check {
  if (!whole(asn, 1, uint32Max)) return invalid(`AS number ${asn} is not 1 to ${uint32Max}`);
  const parsed = parseIp(routerId);
  if (!parsed.ok || familyOf(routerId) !== 'IPv4' || routerId === '0.0.0.0') {
    return invalid(`router ID ${routerId} is no IPv4 address`);
  }
  if (listenPort !== undefined && !whole(listenPort, 1, 65_535)) {
    return invalid(`port ${listenPort} is not 1 to 65535`);
  }
  return ok(undefined);
}

export function checkPeers(peers: readonly SpeakerPeer[]): Check {
  const names = new Set<string>();
  const addresses = new Set<string>();
  for (const peer of peers) {
    const fault = peerFault(peer);
    if (fault !== undefined) return invalid(`peer ${peer.name}: ${fault}`);
    const address = addressText(peer.address);
    if (names.has(peer.name)) return invalid(`peer ${peer.name} is there twice`);
    if (addresses.has(address)) return invalid(`peer ${peer.name}: ${address} has another peer`);
    names.add(peer.name);
    addresses.add(address);
  }
  return ok(undefined);
}

function peerFault({
  address, asn, localAddress, port, ttl, timers, password, restart, families,
}: SpeakerPeer): string | undefined {
  const { hold, keepalive, connectRetry } = timers;
  if (!parseIp(address.ip).ok) return `${address.ip} is no address`;
  if (localAddress !== undefined && familyOf(localAddress) !== familyOf(address.ip)) {
    return `local address ${localAddress} is of another family`;
  }
  if (!whole(asn, 0, uint32Max)) return `AS number ${asn} is not 0 to ${uint32Max}`;
  if (!whole(port, 1, 65_535)) return `port ${port} is not 1 to 65535`;
  if (ttl !== undefined && !whole(ttl, 1, 255)) return `TTL ${ttl} is not 1 to 255`;
  if (!whole(hold, 3, 65_535)) return `hold time ${hold} is not 3 to 65535 seconds`;
  if (!whole(keepalive, 1, hold)) return `keepalive ${keepalive} is not 1 second to the hold time`;
  if (!whole(connectRetry, 1, 0x7fff_ffff)) return `connect retry ${connectRetry} is not positive`;
  if (restart !== undefined && !whole(restart, 1, restartMax)) {
    return `restart time ${restart} is not 1 to ${restartMax} seconds`;
  }
  if (families.length === 0) return 'no family';
  if (password !== undefined) {
    const { length } = utf8(password.text);
    if (!whole(length, 1, passwordBytesMax)) return `a password of ${length} bytes`;
  }
  return undefined;
}

/** `checked`: routes that passed before; of ten thousand most come again as they were. */
export function checkRoutes(
  routes: readonly Route[], checked: WeakSet<Route> = new WeakSet(),
): Check {
  const prefixes = new Set<string>();
  for (const route of routes) {
    const fault = checked.has(route) ? undefined : routeFault(route);
    if (fault !== undefined) return invalid(`route ${route.prefix}: ${fault}`);
    checked.add(route);
    if (prefixes.has(route.prefix)) return invalid(`route ${route.prefix} is there twice`);
    prefixes.add(route.prefix);
  }
  return ok(undefined);
}

function routeFault({ prefix, communities, large, localPref }: Route): string | undefined {
  const parsed = parsePrefix(prefix);
  if (!parsed.ok || parsed.value.prefix !== prefix) return 'not a prefix in canonical form';
  const community = communities.find((of) => !whole(of, 0, uint32Max));
  if (community !== undefined) return `community ${community} is not 0 to ${uint32Max}`;
  for (const three of large) {
    if (!three.every((of) => whole(of, 0, uint32Max))) return `large community ${three.join(':')}`;
    if (three[0] === controlAsn) return `large community ${three.join(':')} is reserved`;
  }
  if (localPref !== undefined && !whole(localPref, 0, uint32Max)) return `preference ${localPref}`;
  return undefined;
}
