import { parseIpUnmapped } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Reader } from '../scenario/reader.ts';

/** Picks node names when the fault strikes: by name, `any`, or the owner of an address. */
export type NodeTarget = (cluster: Cluster) => readonly string[];

/**
 * Reads `node: NAME`, `node: any`, `node: all`, or `owner-of: ADDRESS`. An address that nobody
 * owns at that time picks no node.
 */
export function readNodeTarget(parameters: Reader): NodeTarget {
  const owned = parameters.text('owner-of');
  const node = parameters.text('node');
  if (owned !== undefined) {
    const address = parseIpUnmapped(owned);
    if (!address.ok) parameters.fault('owner-of', `${owned} is not an address`);
    return (cluster) => (address.ok ? cluster.ownersOf(address.value).slice(0, 1) : []);
  }
  if (node === undefined)
    parameters.fault('node', 'is required: a name, any, all, or owner-of: ADDRESS');
  return (cluster) => {
    const names = cluster.machines.names();
    if (node === 'all') return names;
    if (node === 'any') return [cluster.world.stream('faults').pick(names)];
    assert(
      node !== undefined && names.includes(node),
      `node ${node} of the scenario exists; there are ${names.join(', ')}`,
    );
    return [node];
  };
}

/** Reads `target: agent/NODE | controller`, or a node target, which means that node's agent. */
export function readProcessTarget(parameters: Reader): NodeTarget {
  const target = parameters.text('target');
  if (target === undefined) {
    const nodes = readNodeTarget(parameters);
    return (cluster) => nodes(cluster).map((node) => `agent/${node}`);
  }
  if (target !== 'controller' && !target.startsWith('agent/')) {
    parameters.fault('target', 'expected agent/NODE or controller');
  }
  return () => [target];
}
