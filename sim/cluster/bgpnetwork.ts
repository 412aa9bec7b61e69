import { familyOf, type Ip, type Prefix } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { Neighbour } from '../bgp/routeroptions.ts';
import { bgpPort, usualBgp, type RouterBgpSpec } from '../scenario/parse-bgp.ts';
import type { HostSpec } from '../scenario/spec.ts';

/** A neighbour that the BGP objects of a folder expect to be there. */
export interface ExpectedPeer {
  readonly name: string;
  /** Undefined: whoever is the default gateway. */
  readonly address: Ip | undefined;
  /** 0: any. */
  readonly asn: number;
  readonly password: string | undefined;
}

/** Of a router whose number nobody says, and of the one behind several (RFC 6996). */
const anyAsn = 64_999;
const coreAsn = 4_200_000_000;

interface Expected {
  name: string;
  readonly asn: number;
  readonly addresses: Ip[];
  readonly password: string | undefined;
}

/**
 * The routers that a folder's BGP objects talk about, where no scenario names any (simulator.md
 * 7.1): one is the router itself; several stand before it on the segment, and it knows the ways
 * through them as a member of their confederation.
 */
export function expectedRouters(
  peers: readonly ExpectedPeer[], subnets: readonly Prefix[],
): { readonly router: Partial<HostSpec>; readonly others: readonly HostSpec[] } {
  const groups = groupPeers(peers);
  const nodes = (password: string | undefined): Neighbour[] =>
    subnets.map((from) => ({ from, asn: 0, dials: false, port: bgpPort, password }));
  const [first] = groups;
  if (first === undefined) return { router: {}, others: [] };
  if (groups.length === 1) {
    const bgp = { ...usualBgp(first.asn), neighbours: nodes(first.password) };
    return { router: { addresses: first.addresses, bgp }, others: [] };
  }
  const others = groups.map(({ name, asn, addresses, password }): HostSpec => ({
    name, kind: 'router', neighbour: {}, gateway: undefined, onLink: [], addresses,
    bgp: { ...usualBgp(asn), neighbours: nodes(password), confederation: [coreAsn] },
  }));
  const core: RouterBgpSpec = {
    // Without graceful restart: a router that is gone is to be gone.
    ...usualBgp(coreAsn), hold: 9, keepalive: 3, restartTime: undefined,
    confederation: groups.map(({ asn }) => asn),
    neighbours: groups.flatMap(({ asn, addresses: [from], password }) => (
      from === undefined ? [] : [{ from, asn, dials: true, port: bgpPort, password }])),
  };
  return { router: { bgp: core }, others };
}

/** Peers of one system, one of each family, are one router. */
function groupPeers(peers: readonly ExpectedPeer[]): Expected[] {
  const groups: Expected[] = [];
  const seen = new Set<string>();
  for (const peer of peers.toSorted((a, b) => compareText(a.name, b.name))) {
    const key = `${peer.address ?? ''} ${peer.asn}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const asn = peer.asn === 0 ? anyAsn : peer.asn;
    const { address } = peer;
    const same = groups.find((group) => group.asn === asn && address !== undefined &&
      group.addresses.length === 1 && group.password === peer.password &&
      group.addresses.every((other) => familyOf(other) !== familyOf(address)));
    if (same !== undefined && address !== undefined) same.addresses.push(address);
    else {
      const addresses = address === undefined ? [] : [address];
      // Legacy neighbours have no name but their address.
      const name = peer.name === address ? `router-${address}` : peer.name;
      groups.push({ name, asn, addresses, password: peer.password });
    }
  }
  return groups;
}
