import { familyOf, type Ip } from '../lb/ip.ts';
import type { EndpointSlice, Labels, Node } from '../lb/model.ts';
import type { SessionLink } from './lease.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Contribution } from './selection.ts';

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const outOfServiceTaint = 'node.kubernetes.io/out-of-service';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';

/** What candidacy needs of a Node object. */
export interface NodeFacts {
  readonly name: string;
  readonly labels: Labels;
  /** C4 as a whole. */
  readonly usable: boolean;
  readonly excluded: boolean;
  /** Cordoned, or about to be deleted by the cluster autoscaler. */
  readonly reluctant: boolean;
  /** `status.addresses` as stored. */
  readonly addresses: readonly string[];
}

export function nodeFacts(node: Node): NodeFacts {
  const tainted = (key: string): boolean => node.taints.some((taint) => taint.key === key);
  const cutOff = node.conditions.some(
    (one) => one.type === 'NetworkUnavailable' && one.status === 'True',
  );
  return {
    name: node.meta.name,
    labels: node.meta.labels,
    usable: !node.meta.deleting && !tainted(outOfServiceTaint) && !cutOff,
    excluded: excludeLabel in node.meta.labels,
    reluctant: node.unschedulable || tainted(autoscalerTaint),
    addresses: node.addresses.map((one) => one.address),
  };
}

/** What candidacy needs of a session (C2, C3, C8). */
export interface SessionFacts {
  readonly node: string;
  readonly identity: string;
  /** Open, not leaving, and not silent. */
  readonly live: boolean;
  /** When this observer first saw it, on its own clock. */
  readonly since: number;
  readonly links: readonly SessionLink[];
  readonly declined: readonly string[];
}

/** Where the usable endpoints of one Service and family are (C6). */
export interface Locality {
  readonly nodes: ReadonlySet<string>;
  /** At least one usable endpoint names no node (C6b). */
  readonly unnamed: boolean;
}

export const nowhere: Locality = { nodes: new Set(), unnamed: false };

/** Usable as in datapath.md 5: ready or unknown, or still serving while terminating. Pure. */
export function localityOf(slices: Iterable<EndpointSlice>, family: 'IPv4' | 'IPv6'): Locality {
  const nodes = new Set<string>();
  let unnamed = false;
  for (const slice of slices) {
    if (slice.addressType !== family) continue;
    for (const endpoint of slice.endpoints) {
      const draining = endpoint.serving === true && endpoint.terminating === true;
      if (endpoint.ready === false && !draining) continue;
      if (endpoint.nodeName === undefined) unnamed = true;
      else nodes.add(endpoint.nodeName);
    }
  }
  return { nodes, unnamed };
}

export type Rule = 'C1' | 'C2' | 'C3' | 'C4' | 'C6' | 'C7' | 'C8' | 'C9';

export interface Candidate {
  readonly node: string;
  readonly identity: string;
  readonly since: number;
  /** Class 1 of l2.md 4: serves only where no other can. */
  readonly reluctant: boolean;
}

export interface Election {
  readonly candidates: readonly Candidate[];
  /** First failing rule of every other node, by node name. */
  readonly failures: ReadonlyMap<string, Rule>;
  /** Every candidate carries the exclude label, which was therefore ignored (C7). */
  readonly excludeIgnored: boolean;
  /** C6b is in force for one of the Services. */
  readonly localityUnknown: boolean;
}

export interface ElectionInput {
  readonly ip: Ip;
  readonly contributions: readonly Contribution[];
  readonly nodes: readonly NodeFacts[];
  /** Sessions by node name; several after a restart. */
  readonly sessions: ReadonlyMap<string, readonly SessionFacts[]>;
  readonly locality: (contribution: Contribution) => Locality;
  readonly ignoreExcludeLabel: boolean;
}

interface Standing {
  readonly candidate: Candidate;
  readonly excluded: boolean;
}

/** C1 to C7 for one address, from API objects only, so every node computes the same set. Pure. */
export function elect(input: ElectionInput): Election {
  const failures = new Map<string, Rule>();
  const standing: Standing[] = [];
  for (const node of input.nodes) {
    const judged = judgeNode(node, input);
    if (typeof judged === 'string') failures.set(node.name, judged);
    else standing.push({ candidate: judged, excluded: node.excluded });
  }
  const localityUnknown = input.contributions.some((one) => {
    if (!isLocal(one)) return false;
    const { nodes, unnamed } = input.locality(one);
    return unnamed && nodes.size === 0;
  });
  if (input.ignoreExcludeLabel || standing.every((one) => one.excluded)) {
    const excludeIgnored = !input.ignoreExcludeLabel && standing.length > 0;
    return {
      candidates: standing.map((one) => one.candidate), failures, excludeIgnored, localityUnknown,
    };
  }
  for (const one of standing) if (one.excluded) failures.set(one.candidate.node, 'C7');
  const candidates = standing.filter((one) => !one.excluded).map((one) => one.candidate);
  return { candidates, failures, excludeIgnored: false, localityUnknown };
}

function judgeNode(node: NodeFacts, input: ElectionInput): Candidate | Rule {
  const here = input.contributions
    .map((one) => {
      const policies = one.policies.filter((policy) => policy.matchesNode(node.labels));
      return { one, policies };
    })
    .filter(({ policies }) => policies.length > 0);
  if (here.length === 0) return 'C1';
  const session = input.sessions.get(node.name)?.find((one) => one.live);
  if (session === undefined) return 'C2';
  const policies = here.flatMap((one) => one.policies);
  const links = session.links.filter((link) => contributes(link, policies, input.ip));
  if (!links.some((link) => link.up)) return 'C3';
  if (!node.usable) return 'C4';
  const reaches = here.map(({ one }) => reachOf(one, node.name, input));
  if (!reaches.some((reach) => reach !== 'none')) return 'C6';
  const reluctant = node.reluctant || links.some((link) => link.lost && !link.up)
    || reaches.some((reach) => reach !== 'sure');
  return { node: node.name, identity: session.identity, since: session.since, reluctant };
}

/** True for a link that one of the policies names and that carries the address's family. */
export function contributes(
  link: SessionLink, policies: readonly CompiledPolicy[], address: Ip,
): boolean {
  return link.families.includes(familyOf(address))
    && policies.some((policy) => policy.matchesInterface(link.name));
}

type Reach = 'sure' | 'unsure' | 'none';

function reachOf(contribution: Contribution, node: string, input: ElectionInput): Reach {
  if (!isLocal(contribution)) return 'sure';
  const { nodes, unnamed } = input.locality(contribution);
  if (nodes.has(node)) return 'sure';
  if (!unnamed) return 'none';
  // Without any named endpoint silence would be the worse error (C6b).
  return nodes.size === 0 ? 'sure' : 'unsure';
}

export function isLocal(contribution: Contribution): boolean {
  return contribution.service.externalTrafficPolicy === 'Local';
}
