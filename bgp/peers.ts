import {
  refersToPeerConfig, type BgpNodeInstance, type BgpNodePeer, type BgpPeerSettings,
  type PeerAddress,
} from '../lb/bgpmodel.ts';
import { familyOf, parseIp, parsePrefix, prefixContains, type Family, type Ip } from '../lb/ip.ts';
import type { Node } from '../lb/model.ts';
import type { LinkFacts, RouteFacts } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { isReachable } from './contributions.ts';
import type { PeerPassword, SpeakerPeer } from './port.ts';
import type { BgpSettings } from './settings.ts';

/** Why a peer is left out; it is never half-configured (bgp.md 4). */
export type SkipReason =
  | 'MissingPeerConfig' | 'UnresolvedAddress' | 'UnresolvedSource' | 'DuplicateAddress'
  | 'MissingAuthSecret' | 'NotSupported';

export interface SkippedPeer {
  readonly peer: string;
  readonly reason: SkipReason;
  readonly text: string;
}

/** A peer that can be configured, with the settings that its routes follow from. */
export interface ResolvedPeer {
  readonly peer: SpeakerPeer;
  readonly settings: BgpPeerSettings;
  readonly warnings: readonly string[];
}

/** What resolution looks at besides the instance. */
export interface PeerSources {
  readonly node: Node | undefined;
  readonly links: readonly LinkFacts[];
  readonly routes: readonly RouteFacts[];
  readonly settings: Pick<BgpSettings, 'connectRetryCapSeconds'>;
  /** Undefined: there is no PeerConfig of that name. */
  peerSettings(name: string): BgpPeerSettings | undefined;
  /** Undefined: no usable password is known under that name. */
  password(secret: string): PeerPassword | undefined;
}

export interface PeerResolution {
  /** By name. */
  readonly resolved: readonly ResolvedPeer[];
  readonly skipped: readonly SkippedPeer[];
}

/** Resolves the peers of one instance, in order of their names. Pure. */
export function resolvePeers(
  instance: BgpNodeInstance & { readonly localAsn: number }, sources: PeerSources,
  defaults: BgpPeerSettings,
): PeerResolution {
  const resolved: ResolvedPeer[] = [];
  const skipped: SkippedPeer[] = [];
  const taken = new Map<string, string>();
  for (const peer of [...instance.peers].sort((a, b) => compareText(a.name, b.name))) {
    const skip = (reason: SkipReason, text: string): void => {
      skipped.push({ peer: peer.name, reason, text });
    };
    const settings = settingsOf(peer, sources, defaults);
    if (settings === undefined) {
      skip('MissingPeerConfig', `no CiliumBGPPeerConfig ${peer.config?.name}`);
      continue;
    }
    const address = addressOf(peer, sources);
    if (typeof address === 'string') {
      skip(peer.discovery?.mode === 'Unnumbered' ? 'NotSupported' : 'UnresolvedAddress', address);
      continue;
    }
    const place = `${address.ip}%${address.zone ?? ''}`;
    const holder = taken.get(place);
    if (holder !== undefined) {
      skip('DuplicateAddress', `${address.ip} is that of peer ${holder}`);
      continue;
    }
    taken.set(place, peer.name);
    const source = sourceOf(peer, settings, { links: sources.links, family: familyOf(address.ip) });
    if (typeof source === 'object') {
      skip('UnresolvedSource', source.text);
      continue;
    }
    const { authSecret } = settings;
    const password = authSecret === undefined ? undefined : sources.password(authSecret);
    if (authSecret !== undefined && password === undefined) {
      skip('MissingAuthSecret', `Secret ${authSecret} has no key password of 1 to 80 bytes`);
      continue;
    }
    const found = { peer, address, source, settings, password, localAsn: instance.localAsn };
    resolved.push(speakerPeer(found, sources));
  }
  return { resolved, skipped };
}

function settingsOf(
  { config }: BgpNodePeer, sources: PeerSources, defaults: BgpPeerSettings,
): BgpPeerSettings | undefined {
  if (config === undefined) return defaults;
  return refersToPeerConfig(config) ? sources.peerSettings(config.name) : undefined;
}

/** The address, or why there is none. */
function addressOf(
  { address, discovery }: BgpNodePeer, sources: PeerSources,
): PeerAddress | string {
  if (address !== undefined) return address;
  if (discovery === undefined) return 'neither address nor autoDiscovery';
  if (discovery.mode === 'Unnumbered') return 'autoDiscovery Unnumbered is not supported';
  const gateway = defaultGateway(sources, discovery.family);
  if (gateway === undefined) return `no ${discovery.family} default route with a usable gateway`;
  return { ip: gateway };
}

/** The gateway of the default route of lowest metric by a device that is up (bgp.md 4). */
function defaultGateway({ routes, links }: PeerSources, family: Family): Ip | undefined {
  const whole = family === 'IPv4' ? '0.0.0.0/0' : '::/0';
  const up = new Set(links.filter(isUp).map(({ ifindex }) => ifindex));
  const usable = routes.flatMap(({ prefix, gateway, ifindex, metric }) => (
    prefix === whole && gateway !== undefined && up.has(ifindex) && isReachable(gateway)
      ? [{ gateway, metric }] : []
  ));
  const [best] = usable.sort((left, right) => (
    left.metric - right.metric || compareText(left.gateway, right.gateway)
  ));
  return best?.gateway;
}

function isUp({ adminUp, carrier }: LinkFacts): boolean {
  return adminUp && carrier;
}

/** The local address; undefined leaves it to the kernel; a text says why there is none. */
function sourceOf(
  { localAddress }: BgpNodePeer, { sourceInterface }: BgpPeerSettings,
  at: { readonly links: readonly LinkFacts[]; readonly family: Family },
): Ip | undefined | { readonly text: string } {
  if (localAddress !== undefined || sourceInterface === undefined) return localAddress;
  const link = at.links.find(({ name }) => name === sourceInterface);
  const fits = at.family === 'IPv4' ? notLoopback : isReachable;
  const usable = (link?.addresses ?? []).filter((ip) => familyOf(ip) === at.family && fits(ip));
  const [only] = usable;
  if (only !== undefined && usable.length === 1) return only;
  const count = usable.length === 0 ? 'no' : 'more than one';
  return { text: `interface ${sourceInterface} has ${count} usable ${at.family} address` };
}

function notLoopback(ip: Ip): boolean {
  return !ip.startsWith('127.');
}

interface FoundPeer {
  readonly peer: BgpNodePeer;
  readonly address: PeerAddress;
  readonly source: Ip | undefined;
  readonly settings: BgpPeerSettings;
  readonly password: PeerPassword | undefined;
  readonly localAsn: number;
}

function speakerPeer(found: FoundPeer, sources: PeerSources): ResolvedPeer {
  const { peer, address, source, settings, password, localAsn } = found;
  const warnings: string[] = [];
  const nextHop6 = familyOf(address.ip) === 'IPv4' ? nextHopOf(found, sources) : undefined;
  for (const { afi, safi, family } of settings.families) {
    if (family === undefined) warnings.push(`UnsupportedFamily ${afi}/${safi}`);
  }
  const families = (['IPv4', 'IPv6'] as const).filter((family) => {
    const asked = settings.families.filter((one) => one.family === family);
    if (asked.length === 0) return false;
    if (family === 'IPv4' || familyOf(address.ip) === 'IPv6' || nextHop6 !== undefined) return true;
    // A default that nobody asked for is no news.
    if (asked.some(({ advertisements }) => advertisements !== undefined)) {
      warnings.push('NoIPv6NextHop the node has no IPv6 address towards this peer');
    }
    return false;
  });
  const { connectRetryCapSeconds: cap } = sources.settings;
  const { timers, ebgpMultihop, restart } = settings;
  const connectRetry = cap === 0 ? timers.connectRetry : Math.min(timers.connectRetry, cap);
  return {
    settings, warnings,
    peer: {
      name: peer.name, address, asn: peer.asn, port: settings.port, families,
      timers: { ...timers, connectRetry },
      ...(source !== undefined && { localAddress: source }),
      ...(ebgpMultihop > 1 && peer.asn !== localAsn && { ttl: ebgpMultihop }),
      ...(password !== undefined && { password }),
      ...(restart !== undefined && { restart }),
      ...(nextHop6 !== undefined && families.includes('IPv6') && { nextHop6 }),
    },
  };
}

/** IPv6 on an IPv4 session: the Node's InternalIP, else an address towards the peer. */
function nextHopOf({ address, source }: FoundPeer, sources: PeerSources): Ip | undefined {
  for (const { type, address: text } of sources.node?.addresses ?? []) {
    const parsed = parseIp(text);
    if (type !== 'InternalIP' || !parsed.ok || familyOf(parsed.value) !== 'IPv6') continue;
    if (isReachable(parsed.value)) return parsed.value;
  }
  const link = sources.links.find(source === undefined
    ? ({ ifindex }) => ifindex === deviceTowards(address.ip, sources.routes)
    : ({ addresses }) => addresses.includes(source));
  return link?.addresses.find((ip) => familyOf(ip) === 'IPv6' && isReachable(ip));
}

/** The device of the longest prefix that holds the address, of the lowest metric among equals. */
function deviceTowards(ip: Ip, routes: readonly RouteFacts[]): number | undefined {
  let best: { readonly bits: number; readonly route: RouteFacts } | undefined;
  for (const route of routes) {
    const parsed = parsePrefix(route.prefix);
    if (!parsed.ok || !prefixContains(parsed.value, ip)) continue;
    const bits = parsed.value.prefixBits;
    const better = best === undefined || bits > best.bits
      || (bits === best.bits && route.metric < best.route.metric);
    if (better) best = { bits, route };
  }
  return best?.route.ifindex;
}
