import { ipFromNumber, parsePrefix, type PrefixParts } from '../../lb/ip.ts';
import { resources } from '../../kube/resource.ts';
import { applyWrites, type ActorApi } from './actor.ts';
import { fields } from './fields.ts';
import { nodeView } from './node.ts';

const nodeBits = { IPv4: 24, IPv6: 64 } as const;

/**
 * Gives each Node without podCIDRs the lowest free range of every cluster range, a /24 or a /64, in
 * order of names. A cluster range that is smaller than one node's, or used up, gives nothing.
 */
export function assignPodCidrs(api: ActorApi, clusterCidrs: readonly string[]): void {
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
  const bits = nodeBits[range.family];
  const size = 1n << BigInt((range.family === 'IPv4' ? 32 : 128) - bits);
  for (let first = range.first; first + size - 1n <= range.last; first += size) {
    const cidr = `${ipFromNumber(first, range.family)}/${bits}`;
    if (taken.has(cidr)) continue;
    taken.add(cidr);
    return cidr;
  }
  return undefined;
}
