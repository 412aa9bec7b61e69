import type { DatapathOptions, NodeFacts } from './datapathoptions.ts';
import { compareIp, familyOf, parsePrefix, prefixContains, type Ip } from './ip.ts';
import type { Node } from './model.ts';
import { parseSpeltIp } from './spelling.ts';
import type { Place } from './topology.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

/** Where a node stands; a Node object that is not known yet gives a place without a zone. */
export function placeOf(nodeName: string, node: Node | undefined): Place {
  const zone = node?.meta.labels[zoneLabel];
  return { nodeName, zone: zone === '' ? undefined : zone };
}

/** Addresses of a Node in the order of its status: the first of each family is its primary one. */
export function nodeAddresses(node: Node | undefined): readonly Ip[] {
  const addresses: Ip[] = [];
  for (const { type, address } of node?.addresses ?? []) {
    if (type !== 'InternalIP' && type !== 'ExternalIP') continue;
    const parsed = parseSpeltIp(address);
    if (parsed.ok && !addresses.includes(parsed.value)) addresses.push(parsed.value);
  }
  return addresses;
}

/**
 * What the datapath of `nodeName` knows beside its service ports; `nodes` are all, in any order.
 */
export function nodeFacts(
  nodeName: string, nodes: readonly Node[], options: DatapathOptions,
): NodeFacts {
  const addresses = nodeAddresses(nodes.find((node) => node.meta.name === nodeName));
  const owned = options.externalIps === 'nodeOwned' ? nodes.flatMap(
    (node) => nodeAddresses(node),
  ) : [];
  const nodePortAddresses = servingAddresses(addresses, options);
  return {
    nodeName, addresses, nodePortAddresses, nodeOwned: [...new Set(owned)].sort(compareIp), options,
  };
}

function servingAddresses(addresses: readonly Ip[], options: DatapathOptions): readonly Ip[] {
  const choice = options.nodePortAddresses;
  if (choice.kind === 'all') return addresses;
  if (choice.kind === 'primary') {
    const firsts = (['IPv4', 'IPv6'] as const).map(
      (family) => addresses.find((of) => familyOf(of) === family),
    );
    return firsts.filter((address) => address !== undefined);
  }
  return addresses.filter((address) => choice.prefixes.some((text) => {
    const prefix = parsePrefix(text);
    return prefix.ok && prefixContains(prefix.value, address);
  }));
}
