import {
  peerSettingsDefault, unicastFamilies, type AddressFamily, type BgpAttributes, type BgpTimers,
  type LargeValue, type PeerAddress, type PeerConfigRef, type PeerDiscovery,
} from '../lb/bgpmodel.ts';
import { familyOf, parseIp, type Ip } from '../lb/ip.ts';
import { err, ok } from '../lb/result.ts';
import type { Decoded, ObjectParts } from './decode-meta.ts';
import { required } from './decode-meta.ts';
import { excerpt, type Reader } from './reader.ts';

export const asnBounds = { min: 1, max: 4_294_967_295 };
export const anyAsnBounds = { min: 0, max: 4_294_967_295 };
export const bgpPortBounds = { min: 1, max: 65_535 };

/**
 * A row whose spec was read without a fault, else the faults: BGP objects work as a unit, so a bad
 * one leaves the last good one in force (bgp.md 10, ARCHITECTURE.md rule 7).
 */
export function wholeSpec<T>({ faults }: ObjectParts, row: T): Decoded<T> {
  return faults.some(({ path }) => /^spec\b/u.test(path)) ? err(faults) : ok(row);
}

/** Names are the keys of their list: one that comes again is a fault. */
export function uniqueName(item: Reader, seen: Set<string>): string | undefined {
  const name = required(item, 'name', item.text('name'));
  if (name === undefined) return undefined;
  if (name === '' || name.length > 255) item.refuse('name', 'expected 1 to 255 characters');
  else if (seen.has(name)) item.refuse('name', `'${name}' stands twice`);
  else seen.add(name);
  return name;
}

/** An address without zone and prefix length. */
export function readAddress(item: Reader, key: string): Ip | undefined {
  const text = item.text(key);
  if (text === undefined || text === '') return undefined;
  const parsed = parseIp(text);
  if (parsed.ok) return parsed.value;
  item.refuse(key, `expected an address, got ${excerpt(text)}`);
  return undefined;
}

/** A BGP identifier (RFC 4271 4.2). */
export function readRouterId(item: Reader, key: string): Ip | undefined {
  const id = readAddress(item, key);
  if (id === undefined || (familyOf(id) === 'IPv4' && id !== '0.0.0.0')) return id;
  item.refuse(key, `expected an IPv4 address other than 0.0.0.0, got ${id}`);
  return undefined;
}

export function readPeerAddress(peer: Reader): PeerAddress | undefined {
  const text = peer.text('peerAddress');
  if (text === undefined || text === '') return undefined;
  const percent = text.indexOf('%');
  const parsed = parseIp(percent < 0 ? text : text.slice(0, percent));
  const zone = percent < 0 ? undefined : text.slice(percent + 1);
  const zoned = zone === undefined
    || (zone !== '' && parsed.ok && familyOf(parsed.value) === 'IPv6');
  if (parsed.ok && zoned) return { ip: parsed.value, ...(zone !== undefined && { zone }) };
  peer.refuse('peerAddress', `expected an address without prefix length, got ${excerpt(text)}`);
  return undefined;
}

const modes = ['DefaultGateway', 'Unnumbered'] as const;
const gatewayFamilies = ['ipv4', 'ipv6'] as const;

export function readDiscovery(peer: Reader): PeerDiscovery | undefined {
  const discovery = peer.child('autoDiscovery');
  if (discovery === undefined) return undefined;
  const mode = required(discovery, 'mode', discovery.choice('mode', modes));
  if (mode !== 'DefaultGateway') return mode === undefined ? undefined : { mode };
  const gateway = required(discovery, 'defaultGateway', discovery.child('defaultGateway'));
  const family = gateway?.choice('addressFamily', gatewayFamilies);
  if (gateway !== undefined) required(gateway, 'addressFamily', family);
  return { mode, family: family === 'ipv6' ? 'IPv6' : 'IPv4' };
}

export function readPeerConfigRef(peer: Reader): PeerConfigRef | undefined {
  const ref = peer.child('peerConfigRef');
  const name = ref?.text('name');
  if (ref === undefined || name === undefined || name === '') return undefined;
  return { name, group: ref.text('group') ?? '', kind: ref.text('kind') ?? '' };
}

/** Families that are spoken carry ours; others are kept, so that they can be reported. */
export function readFamily(item: Reader): AddressFamily | undefined {
  const afi = required(item, 'afi', item.text('afi'));
  const safi = required(item, 'safi', item.text('safi'));
  if (afi === undefined || safi === undefined) return undefined;
  const known = unicastFamilies.find((one) => one.afi === afi && one.safi === safi);
  return { afi, safi, family: known?.family };
}

/** Timers beside one another in `at`, with the defaults of bgp.md 2.2. */
export function readTimers(at: Reader | undefined): BgpTimers {
  const usual = peerSettingsDefault.timers;
  if (at === undefined) return usual;
  const read = (key: string, min: number, max: number): number | undefined =>
    at.integer(key, { min, max });
  const connectRetry = read('connectRetryTimeSeconds', 1, 2_147_483_647) ?? usual.connectRetry;
  const hold = read('holdTimeSeconds', 3, 65_535) ?? usual.hold;
  const keepalive = read('keepAliveTimeSeconds', 1, 65_535) ?? usual.keepalive;
  if (keepalive > hold) {
    at.refuse('keepAliveTimeSeconds', `${keepalive} is larger than holdTimeSeconds ${hold}`);
  }
  return { connectRetry, hold, keepalive };
}

const restartDefault = 120;

/** Restart time in seconds; undefined where graceful restart is off. */
export function readRestart(at: Reader | undefined): number | undefined {
  const block = at?.child('gracefulRestart');
  if (block === undefined) return undefined;
  const enabled = required(block, 'enabled', block.flag('enabled'));
  const time = block.integer('restartTimeSeconds', { min: 1, max: 4095 }) ?? restartDefault;
  return enabled === true ? time : undefined;
}

/** RFC 1997 communities by the names of bgp.md 2.3. */
export const wellKnownCommunities: Readonly<Record<string, number>> = {
  internet: 0, 'planned-shut': 0xffff_0000, 'accept-own': 0xffff_0001,
  'route-filter-translated-v4': 0xffff_0002, 'route-filter-v4': 0xffff_0003,
  'route-filter-translated-v6': 0xffff_0004, 'route-filter-v6': 0xffff_0005,
  'llgr-stale': 0xffff_0006, 'no-llgr': 0xffff_0007, blackhole: 0xffff_029a,
  'no-export': 0xffff_ff01, 'no-advertise': 0xffff_ff02, 'no-export-subconfed': 0xffff_ff03,
  'no-peer': 0xffff_ff04,
};

const noCommunities = { communities: [], large: [] };
const digits = /^[0-9]{1,10}$/u;

/** `communities` and `localPreference` of `at`; a text that is no community is a fault. */
export function readAttributes(at: Reader | undefined): BgpAttributes {
  const localPref = at?.integer('localPreference', { min: 0, max: 4_294_967_295 });
  const block = at?.child('communities');
  if (block === undefined) return { ...noCommunities, localPref };
  const communities = readEach(block, 'standard', standardCommunity);
  communities.push(...readEach(block, 'wellKnown', (text) => (
    Object.hasOwn(wellKnownCommunities, text) ? wellKnownCommunities[text] : undefined
  )));
  return { communities, large: readEach(block, 'large', largeCommunity), localPref };
}

function readEach<T>(block: Reader, key: string, parse: (text: string) => T | undefined): T[] {
  return block.texts(key).flatMap((text, index) => {
    const value = parse(text);
    if (value !== undefined) return [value];
    block.refuse(`${key}[${index}]`, `no community: ${excerpt(text)}`);
    return [];
  });
}

function standardCommunity(text: string): number | undefined {
  const [high = '', low, more] = text.split(':');
  if (more !== undefined || !digits.test(high)) return undefined;
  if (low === undefined) return Number(high) <= 0xffff_ffff ? Number(high) : undefined;
  if (!digits.test(low) || Number(high) > 0xffff || Number(low) > 0xffff) return undefined;
  return Number(high) * 0x1_0000 + Number(low);
}

function largeCommunity(text: string): LargeValue | undefined {
  const parts = text.split(':');
  const [admin, data1, data2] = parts.map(Number);
  const fits = parts.length === 3
    && parts.every((part) => digits.test(part) && Number(part) <= 0xffff_ffff);
  if (!fits || admin === undefined || data1 === undefined || data2 === undefined) return undefined;
  return [admin, data1, data2];
}
