import {
  familyOf, parseIp, parsePrefix, prefixContains, type Family, type Ip, type Prefix,
} from '../lb/ip.ts';
import type { Service } from '../lb/model.ts';
import type { Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import type { Advertiser } from './advertiser.ts';
import type { DesiredPeer } from './desired.ts';
import { parseTarget, type RouteDecision } from './explain.ts';
import type { InstanceSession, SessionFacts } from './instance.ts';
import type { PolicyStatement, Route, SessionState, SpeakerGlobal } from './port.ts';

/** One node's BGP as views read it. */
export interface BgpSite {
  readonly node: string;
  readonly advertiser: Pick<Advertiser, 'instances' | 'explain'>;
  /** Services that the node knows of. */
  readonly services: Iterable<Service>;
  /** Wall clock of the node. */
  readonly wall: Micros;
}

/** One family of a session; counts only while it is established. */
export interface FamilyView {
  /** `ipv4/unicast`. */
  readonly family: string;
  readonly received?: number;
  readonly advertised?: number;
}

/** One configured neighbour of a node (bgp.md 8, `bgp peers`). */
export interface PeerView {
  readonly node: string;
  readonly instance: string;
  readonly localAsn: number;
  readonly peer: string;
  /** Learned, where any is accepted; 0: not yet. */
  readonly peerAsn: number;
  readonly peerAddress: string;
  readonly state: SessionState;
  /** Only while established. */
  readonly uptimeSeconds?: number;
  readonly families: readonly FamilyView[];
  readonly localAddress?: string;
  readonly holdSeconds?: number;
  readonly keepaliveSeconds?: number;
  /** Restart time in seconds; absent: off. */
  readonly restartSeconds?: number;
  readonly flaps: number;
  readonly lastError?: string;
}

/** One route of a node, as its speaker was told (bgp.md 8, `bgp routes`). */
export interface RouteView {
  readonly node: string;
  readonly instance: string;
  /** Absent among those available to any peer. */
  readonly peer?: string;
  readonly peerAddress?: string;
  readonly prefix: Prefix;
  /** Absent: its session is not up, so that nobody has chosen one. */
  readonly nextHop?: string;
  /** Since its session is up; the route may be younger. */
  readonly ageSeconds?: number;
  readonly origin: 'igp' | 'incomplete';
  readonly asPath: readonly number[];
  /** `65000:10`. */
  readonly communities: readonly string[];
  /** `65000:1:2`. */
  readonly large: readonly string[];
  readonly localPref?: number;
  /** Services whose address it is or covers, sorted. */
  readonly services: readonly string[];
}

const familyName = { IPv4: 'ipv4/unicast', IPv6: 'ipv6/unicast' } as const;

/** Every neighbour of a node by instance and name; those that are skipped are left out. */
export function peerViews({ node, advertiser, wall }: BgpSite): PeerView[] {
  return advertiser.instances.flatMap((instance) => {
    const global = instance.desired?.global;
    return (instance.desired?.peers ?? []).map((wanted): PeerView => ({
      node, instance: instance.name, localAsn: global?.asn ?? 0,
      ...sessionView(wanted, instance.session(wanted.peer.name), wall),
    }));
  });
}

// oxlint-disable-next-line max-params -- what is wanted, what there is, and when
function sessionView(
  { peer }: DesiredPeer, facts: SessionFacts | undefined, wall: Micros,
): Omit<PeerView, 'node' | 'instance' | 'localAsn'> {
  const report = facts?.report;
  const { state = 'unknown', hold, keepalive, localAddress, cause } = report ?? {};
  const uptimeSeconds = secondsSince(facts, wall);
  return {
    peer: peer.name, peerAsn: peer.asn === 0 ? report?.remoteAsn ?? 0 : peer.asn,
    peerAddress: peer.address.zone === undefined
      ? peer.address.ip : `${peer.address.ip}%${peer.address.zone}`,
    state, flaps: facts?.flaps ?? 0,
    families: peer.families.map((family): FamilyView => {
      const counts = state === 'established' ? facts?.counts.get(family) : undefined;
      const { received, advertised } = counts ?? {};
      return {
        family: familyName[family],
        ...(received === undefined ? {} : { received }),
        ...(advertised === undefined ? {} : { advertised }),
      };
    }),
    ...(uptimeSeconds === undefined ? {} : { uptimeSeconds }),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(hold === undefined ? {} : { holdSeconds: hold }),
    ...(keepalive === undefined ? {} : { keepaliveSeconds: keepalive }),
    ...(peer.restart === undefined ? {} : { restartSeconds: peer.restart }),
    ...(cause === undefined ? {} : { lastError: cause }),
  };
}

function secondsSince(facts: SessionFacts | undefined, wall: Micros): number | undefined {
  const since = facts?.establishedAt;
  return since === undefined ? undefined : Math.max(0, Math.floor((wall - since) / 1_000_000));
}

/** What each peer was told, by instance, peer and prefix; sessions that are down have nothing. */
export function advertisedRoutes(site: BgpSite): RouteView[] {
  const services = servicesOf(site);
  return site.advertiser.instances.flatMap((instance) =>
    (instance.desired?.peers ?? []).flatMap((wanted) => {
      const { name } = wanted.peer;
      const facts = instance.session(name);
      if (facts?.report.state !== 'established') return [];
      const ageSeconds = secondsSince(facts, site.wall);
      return instance.routesOf(name).map((route): RouteView => ({
        ...routeView(route, { site, instance, services }),
        peer: name, peerAddress: wanted.peer.address.ip,
        asPath: internal(instance.desired?.global, facts) ? [] : asPathOf(instance),
        ...nextHopOf(route, wanted, facts),
        ...(ageSeconds === undefined ? {} : { ageSeconds }),
      }));
    }));
}

/** What a node has for any peer, each prefix and its attributes once. */
export function availableRoutes(site: BgpSite): RouteView[] {
  const services = servicesOf(site);
  return site.advertiser.instances.flatMap((instance) => {
    const seen = new Map<string, RouteView>();
    for (const { routes } of instance.desired?.peers ?? []) {
      for (const route of routes) {
        const view = routeView(route, { site, instance, services });
        seen.set(JSON.stringify(view), view);
      }
    }
    return [...seen.values()].sort((left, right) => compareText(left.prefix, right.prefix));
  });
}

interface Shown {
  readonly site: BgpSite;
  readonly instance: InstanceSession;
  readonly services: (prefix: Prefix) => readonly string[];
}

function routeView(route: Route, { site, instance, services }: Shown): RouteView {
  const { prefix, origin, communities, large, localPref } = route;
  return {
    node: site.node, instance: instance.name, prefix, origin, asPath: asPathOf(instance),
    communities: communities.map((number) => `${number >>> 16}:${number & 0xffff}`),
    large: large.map((parts) => parts.join(':')),
    ...(localPref === undefined ? {} : { localPref }),
    services: services(prefix),
  };
}

function asPathOf({ desired }: InstanceSession): number[] {
  return desired?.global === undefined ? [] : [desired.global.asn];
}

function internal(global: SpeakerGlobal | undefined, { report }: SessionFacts): boolean {
  return global !== undefined && report.remoteAsn === global.asn;
}

/** bgp.md 4, Next hop. */
// oxlint-disable-next-line max-params -- what, to whom, on which session
function nextHopOf(
  { prefix }: Route, { peer }: DesiredPeer, { report }: SessionFacts,
): { readonly nextHop?: string } {
  const local = report.localAddress ?? peer.localAddress;
  if (local === undefined) return {};
  const family: Family = familyOf(prefix);
  if (familyOf(local) === family || family === 'IPv4') return { nextHop: local };
  return peer.nextHop6 === undefined ? {} : { nextHop: peer.nextHop6 };
}

/** Services by the prefixes that stand for their addresses. */
function servicesOf({ services }: BgpSite): (prefix: Prefix) => readonly string[] {
  const addresses = [...services].flatMap(({ key, ingress, externalIps, clusterIps }) =>
    [...ingress.map(({ ip }) => ip ?? ''), ...externalIps, ...clusterIps]
      .flatMap((text): [Ip, string][] => {
        const parsed = parseIp(text);
        return parsed.ok ? [[parsed.value, key]] : [];
      }));
  return (prefix) => {
    const parsed = parsePrefix(prefix);
    if (!parsed.ok) return [];
    const keys = addresses.flatMap(([ip, key]) =>
      (prefixContains(parsed.value, ip) ? [key] : []));
    return [...new Set(keys)].sort(compareText);
  };
}

/** One rule of a node's speaker. */
export type PolicyView = PolicyStatement & { readonly node: string; readonly instance: string };

/** Every rule by instance, in the order that the speaker tries them. */
export function policyViews({ node, advertiser }: BgpSite): PolicyView[] {
  return advertiser.instances.flatMap((instance) => (instance.policies() ?? []).map((statement) =>
    ({ node, instance: instance.name, ...statement })));
}

/** Why each peer of a node is or is not told an address or prefix; undefined: it is neither. */
export function explainViews(
  { node, advertiser }: BgpSite, target: string,
): readonly (RouteDecision & { readonly node: string })[] | undefined {
  const parsed = parseTarget(target);
  if (!parsed.ok) return undefined;
  return (advertiser.explain(parsed.value) ?? []).map((decision) => ({ node, ...decision }));
}
