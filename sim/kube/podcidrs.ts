import { ipFromNumber, parsePrefix, type PrefixParts } from '../../lb/ip.ts';
import { resources } from '../../kube/resource.ts';
import { applyWrites, type ActorApi, type ActorContext } from './actor.ts';
import type { Step } from './catalog.ts';
import { fields } from './fields.ts';
import { nodeView, type NodeView } from './node.ts';
import { WorkQueue } from './workqueue.ts';

const nodeBits = { IPv4: 24, IPv6: 64 } as const;

/** Gives Nodes their pod ranges: those that exist at the start, and those that join later. */
export class PodCidrs {
  readonly #context: ActorContext;
  readonly #clusterCidrs: readonly string[];
  readonly #queue: WorkQueue;

  constructor(context: ActorContext, clusterCidrs: readonly string[]) {
    this.#context = context;
    this.#clusterCidrs = clusterCidrs;
    const options = { name: 'podcidrs', reaction: context.timings.reaction };
    this.#queue = new WorkQueue(context, options, () => this.#assign());
  }

  start(): void {
    this.#assign();
  }

  nodeChanged({ before, after }: Step<NodeView>): void {
    const joins = before === undefined && after?.podCidrs.length === 0;
    if (joins && this.#clusterCidrs.length > 0) this.#queue.add('nodes');
  }

  pending(): string[] {
    return this.#queue.pending().map(() => 'pod ranges to give to nodes');
  }

  #assign(): undefined {
    assignPodCidrs(this.#context.api, this.#clusterCidrs);
  }
}

/**
 * Gives each Node without podCIDRs the lowest free range of every cluster range, a /24 or a /64, in
 * order of names. A cluster range that is smaller than one node's, or used up, gives nothing.
 */
function assignPodCidrs(api: ActorApi, clusterCidrs: readonly string[]): void {
  const nodes = api.list(resources.nodes);
  const taken = new Set<string>(
    nodes.flatMap((node) => nodeView(node).podCidrs.map((range) => range.prefix)),
  );
  const ranges = clusterCidrs.flatMap((cidr) => {
    const parsed = parsePrefix(cidr);
    return parsed.ok ? [parsed.value] : [];
  });
  for (const node of nodes) {
    if (nodeView(node).podCidrs.length > 0) continue;
    const podCIDRs = ranges.flatMap((range) => lowestFree(range, taken) ?? []);
    if (podCIDRs.length === 0) continue;
    const spec = { ...fields(node['spec']), podCIDR: podCIDRs[0], podCIDRs };
    const body = { ...node, spec };
    applyWrites(api, 'system:serviceaccount:kube-system:node-controller', [
      { verb: 'replace', resource: resources.nodes, body },
    ]);
  }
}

function lowestFree(range: PrefixParts, taken: Set<string>): string | undefined {
  for (let index = 0; ; index += 1) {
    const cidr = nodeRange(range, index);
    if (cidr === undefined) return undefined;
    if (taken.has(cidr)) continue;
    taken.add(cidr);
    return cidr;
  }
}

/** The range of the node at `index`, a /24 or a /64 of `range`; undefined beyond its end. */
export function nodeRange(range: PrefixParts, index: number): string | undefined {
  const bits = nodeBits[range.family];
  const size = 1n << BigInt((range.family === 'IPv4' ? 32 : 128) - bits);
  const first = range.first + BigInt(index) * size;
  return first + size - 1n > range.last
    ? undefined
    : `${ipFromNumber(first, range.family)}/${bits}`;
}
