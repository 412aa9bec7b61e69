import { familyOf, parseIp, parsePrefix, type Ip, type Prefix } from '../../lb/ip.ts';
import type { Neighbour, RouterBgpOptions, RouterProfile } from '../bgp/routeroptions.ts';
import type { Reader } from './reader.ts';

/** BGP of a router as a scenario writes it; without an identifier it is its first IPv4 address. */
export type RouterBgpSpec = Omit<RouterBgpOptions, 'routerId'> & {
  readonly routerId: Ip | undefined;
};

const second = 1_000_000;
export const bgpPort = 179;
/** How long each daemon takes from a decision to the kernel (bgp.md 1, measured). */
const convergenceOf: Readonly<Record<RouterProfile, number>> = {
  frr: 62_000, bird: 4_000, gobgp: 1_000,
};

/** A router that says nothing but its number. */
export function usualBgp(asn: number, profile: RouterProfile = 'frr'): RouterBgpSpec {
  return {
    asn, routerId: undefined, port: bgpPort, profile, hold: 90, keepalive: 30, neighbours: [],
    confederation: [], networks: [], pathsMax: 16, relax: true,
    ecmp: { mapper: 'threshold', fields: '5-tuple', seed: 1 },
    restartTime: 120, prefixesMax: undefined, requirePolicy: false, extendedNextHop: true,
    convergence: convergenceOf[profile], updateDelay: 0,
  };
}

/** Reads `bgp` of a router (simulator.md 5.5, 7.1). */
export function readRouterBgp(bgp: Reader): RouterBgpSpec {
  const profile = bgp.oneOf('profile', ['frr', 'bird', 'gobgp']) ?? 'frr';
  const usual = usualBgp(readAsn(bgp), profile);
  const hold = bgp.duration('holdTime') ?? usual.hold * second;
  const keepalive = bgp.duration('keepalive') ?? Math.floor(hold / 3);
  if (hold !== 0 && hold < 3 * second) bgp.fault('holdTime', 'expected 0 or at least 3s');
  if (keepalive > hold) bgp.fault('keepalive', 'expected at most the hold time');
  const restart = bgp.duration('restartTime') ?? (usual.restartTime ?? 0) * second;
  const ecmp = {
    mapper: bgp.oneOf('mapper', ['modulo', 'threshold', 'resilient']) ?? usual.ecmp.mapper,
    fields: bgp.oneOf('hash', ['3-tuple', '5-tuple']) ?? usual.ecmp.fields,
    seed: bgp.count('hashSeed') ?? usual.ecmp.seed,
  };
  const read: RouterBgpSpec = {
    ...usual, ecmp,
    routerId: readId(bgp),
    hold: Math.floor(hold / second), keepalive: Math.floor(keepalive / second),
    neighbours: bgp.readers('neighbours').map(readNeighbour),
    confederation: bgp.list('confederation', (value) =>
      typeof value === 'number' ? value : undefined),
    networks: bgp.texts('networks').flatMap((text, index) => {
      const parsed = parsePrefix(text);
      if (!parsed.ok) bgp.fault(`networks[${index}]`, `${text} is no prefix`);
      return parsed.ok ? [parsed.value.prefix] : [];
    }),
    pathsMax: bgp.count('maxPaths') ?? usual.pathsMax,
    relax: bgp.flag('relax') ?? usual.relax,
    restartTime: bgp.flag('gracefulRestart') === false ? undefined : Math.floor(restart / second),
    prefixesMax: bgp.count('maxPrefixes'),
    requirePolicy: bgp.flag('requirePolicy') ?? usual.requirePolicy,
    extendedNextHop: bgp.flag('extendedNextHop') ?? usual.extendedNextHop,
    convergence: bgp.duration('convergence') ?? usual.convergence,
    updateDelay: bgp.duration('updateDelay') ?? usual.updateDelay,
  };
  bgp.finish();
  return read;
}

function readAsn(reader: Reader): number {
  const asn = reader.count('asn') ?? 0;
  if (asn < 1 || asn > 0xffff_ffff) reader.fault('asn', 'expected 1 to 4294967295');
  return asn;
}

function readId(bgp: Reader): Ip | undefined {
  const text = bgp.text('routerId');
  if (text === undefined) return undefined;
  const parsed = parseIp(text);
  if (parsed.ok && familyOf(parsed.value) === 'IPv4') return parsed.value;
  bgp.fault('routerId', 'expected an IPv4 address');
  return undefined;
}

function readNeighbour(reader: Reader): Neighbour {
  const text = reader.text('from') ?? '';
  const address = parseIp(text);
  const prefix = parsePrefix(text);
  if (!address.ok && !prefix.ok) reader.fault('from', 'expected an address or a prefix');
  const dials = reader.flag('dials') ?? false;
  if (dials && !address.ok) reader.fault('dials', 'only an address can be dialled');
  const from: Ip | Prefix = address.ok ? address.value : prefix.ok ? prefix.value.prefix : '' as Ip;
  const read: Neighbour = {
    from, dials,
    asn: reader.count('asn') ?? 0,
    port: reader.count('port') ?? bgpPort,
    password: reader.text('password'),
  };
  reader.finish();
  return read;
}
