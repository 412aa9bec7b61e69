import { peerSettingsDefault } from '../lb/bgpmodel.ts';
import {
  bitsOf, familyOf, parseIp, parsePrefix, prefixContains, type Family, type Ip, type PrefixParts,
} from '../lb/ip.ts';
import { err, ok, type Result } from '../lb/result.ts';
import { compareText } from '../lb/table.ts';
import type { Contribution, Refusal } from './contributions.ts';
import type { DesiredInputs } from './desired.ts';
import { resolvePeers, type ResolvedPeer } from './peers.ts';
import type { Route } from './port.ts';
import { RouteDerivation } from './routes.ts';

/** Why one peer of a node is told a prefix, or is not (bgp.md 8, `routes explain`). */
export interface RouteDecision {
  readonly instance: string;
  readonly peer: string;
  /** The prefix that is or would be announced; empty where there is none. */
  readonly prefix: string;
  readonly verdict: 'announced' | 'withheld';
  /** One word, the same whatever the object: `Programmed`, `NoLocalEndpoint`, `NotSelected`, … */
  readonly reason: string;
  readonly text: string;
  /** `service media/web by services[0]`; empty where nothing yields the prefix. */
  readonly source: string;
}

const refusals: Readonly<Record<Refusal, string>> = {
  OtherClass: 'its loadBalancerClass is not io.cilium/bgp-control-plane',
  NoLocalEndpoint: 'its traffic policy is Local and no endpoint here counts',
  NoEndpoint: 'no endpoint counts, and noServiceEndpointsRoutable is false',
  NodeExcluded: 'the node is excluded from external load balancers',
  NetworkUnavailable: 'the node has the condition NetworkUnavailable',
  NotProgrammed: 'the data path of this node does not serve it yet',
};

/** `198.51.100.1`, or a prefix; what else is written is refused. */
export function parseTarget(text: string): Result<PrefixParts, string> {
  const address = parseIp(text);
  const whole = address.ok ? `${text}/${bitsOf(familyOf(address.value))}` : text;
  const parsed = parsePrefix(whole);
  return parsed.ok ? ok(parsed.value) : err(`'${text}' is neither an address nor a prefix`);
}

/**
 * For each peer of each instance, by name, what yields a prefix that is or covers the target, or
 * why nothing does. `told` says what the speaker was told last. Pure.
 */
export function explainRoute(
  inputs: DesiredInputs, target: PrefixParts,
  told: (instance: string, peer: string) => readonly Route[],
): readonly RouteDecision[] {
  const derivation = new RouteDerivation(inputs.routes, inputs.advertisements);
  return [...inputs.instances].sort((a, b) => compareText(a.name, b.name)).flatMap((instance) => {
    const { name, localAsn } = instance;
    const decision = (peer: string, of: Partial<RouteDecision>): RouteDecision => ({
      instance: name, peer, prefix: '', verdict: 'withheld', reason: '', text: '', source: '',
      ...of,
    });
    if (localAsn === undefined) {
      const text = 'localASN is set nowhere';
      return instance.peers.map((peer) => decision(peer.name, { reason: 'NotStarted', text }));
    }
    const { resolved, skipped } = resolvePeers(
      { ...instance, localAsn }, inputs.peers, peerSettingsDefault,
    );
    const decisions = [
      ...skipped.map(({ peer, reason, text }) => decision(peer, { reason, text })),
      ...resolved.flatMap((one) => {
        const present = told(name, one.peer.name);
        return peerDecisions({ derivation, resolved: one, target, present })
          .map((of) => decision(one.peer.name, of));
      }),
    ];
    return decisions.sort((left, right) => compareText(left.peer, right.peer));
  });
}

interface Explaining {
  readonly derivation: RouteDerivation;
  readonly resolved: ResolvedPeer;
  readonly target: PrefixParts;
  readonly present: readonly Route[];
}

function peerDecisions({ derivation, resolved, target, present }: Explaining):
Partial<RouteDecision>[] {
  const { settings, peer } = resolved;
  const { family } = target;
  const offered = settings.families.filter((one) => one.family === family);
  if (offered.length === 0) return [{ reason: 'FamilyNotCarried', text: carries(family) }];
  if (!peer.families.includes(family)) {
    return [{ reason: 'NoIPv6NextHop', text: 'the node has no IPv6 address towards this peer' }];
  }
  const found = offered.flatMap(({ advertisements }) => (
    advertisements === undefined ? [] : derivation.contributions(advertisements, new Set())
  )).filter(({ prefix, adds }) => !adds && covers(prefix, target));
  if (found.length === 0) {
    const text = 'no entry of an advertisement of this peer yields it';
    return [{ reason: 'NotSelected', text }];
  }
  const announced = new Set<string>(present.map(({ prefix }) => prefix));
  return found.map((contribution) => ({
    prefix: contribution.prefix, source: sourceOf(contribution),
    ...verdictOf(contribution, announced),
  }));
}

function verdictOf(
  { prefix, refused }: Contribution, announced: ReadonlySet<string>,
): Pick<RouteDecision, 'verdict' | 'reason' | 'text'> {
  if (refused !== undefined) {
    return { verdict: 'withheld', reason: refused, text: refusals[refused] };
  }
  if (announced.has(prefix)) return { verdict: 'announced', reason: 'Announced', text: '' };
  return { verdict: 'withheld', reason: 'Damped', text: 'it flapped, and rests for a second' };
}

function sourceOf({ object, source: { advertisement, index } }: Contribution): string {
  return `${object} by ${advertisement}[${index}]`;
}

function carries(family: Family): string {
  return `the peer configuration does not carry ${family}`;
}

function covers(prefix: string, target: PrefixParts): boolean {
  const parsed = parsePrefix(prefix);
  if (!parsed.ok || parsed.value.family !== target.family) return false;
  // The first address of a target that is no shorter lies inside exactly when all of it does.
  const first = target.prefix.slice(0, target.prefix.indexOf('/')) as Ip;
  return parsed.value.prefixBits <= target.prefixBits && prefixContains(parsed.value, first);
}
