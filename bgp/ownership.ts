import type {
  BgpClusterConfig, BgpNodeConfig, BgpPeeringPolicy, OwnerReference,
} from '../lb/bgpmodel.ts';
import type { Node } from '../lb/model.ts';
import { compileSelector, type Matcher } from '../lb/selector.ts';
import { compareText } from '../lb/table.ts';

/** What may own the configuration of a node. */
export type Candidate = BgpClusterConfig | BgpPeeringPolicy;

/** Who configures one node, and who else would. */
export interface NodeOwnership {
  readonly node: Node;
  /** Undefined: nothing selects the node. */
  readonly owner: Candidate | undefined;
  /** Candidates of the owner's kind that lost, by name. */
  readonly losers: readonly Candidate[];
  /** Policies that a ClusterConfig displaced, by name. */
  readonly displaced: readonly BgpPeeringPolicy[];
}

export interface OwnershipInputs {
  readonly nodes: Iterable<Node>;
  readonly clusterConfigs: readonly BgpClusterConfig[];
  readonly policies: readonly BgpPeeringPolicy[];
  nodeConfig(node: string): BgpNodeConfig | undefined;
}

/**
 * The owner of each node, by name of the node: ClusterConfigs before policies, the present owner
 * while it selects the node, else the oldest, else the smallest name (bgp.md 3). Pure.
 */
export function chooseOwners(inputs: OwnershipInputs): readonly NodeOwnership[] {
  const configs = inputs.clusterConfigs.map(selecting);
  const policies = inputs.policies.map(selecting);
  return [...inputs.nodes].sort((left, right) => compareText(left.meta.name, right.meta.name))
    .map((node) => {
      const { labels, name } = node.meta;
      const present = inputs.nodeConfig(name)?.owner;
      const matching = configs.filter(({ selects }) => selects(labels)).map(({ of }) => of);
      const legacy = policies.filter(({ selects }) => selects(labels)).map(({ of }) => of);
      const candidates: readonly Candidate[] = matching.length > 0 ? matching : legacy;
      const [owner, ...losers] = [...candidates].sort((left, right) => (
        Number(owns(right, present)) - Number(owns(left, present)) || compareAge(left, right)
      ));
      return {
        node, owner, losers: losers.sort(compareNames),
        displaced: matching.length > 0 ? legacy.sort(compareNames) : [],
      };
    });
}

export function owns(candidate: Candidate, reference: OwnerReference | undefined): boolean {
  return reference !== undefined && candidate.kind === reference.kind
    && candidate.meta.uid === reference.uid;
}

interface Selecting<T extends Candidate> {
  readonly of: T;
  readonly selects: Matcher;
}

// A selector that does not compile selects nothing; the API refuses such an object anyway.
function selecting<T extends Candidate>(of: T): Selecting<T> {
  const compiled = compileSelector(of.nodeSelector);
  return { of, selects: (labels) => compiled.ok && compiled.value(labels) };
}

function compareAge(left: Candidate, right: Candidate): number {
  const [older, younger] = [left.meta.createdAtMs, right.meta.createdAtMs];
  if (older === younger) return compareNames(left, right);
  return (older ?? Number.MAX_SAFE_INTEGER) - (younger ?? Number.MAX_SAFE_INTEGER);
}

function compareNames(left: Candidate, right: Candidate): number {
  return compareText(left.meta.name, right.meta.name);
}
