import { familyOf, parsePrefix } from '../../lb/ip.ts';
import type { Node } from '../../lb/model.ts';
import { assert } from '../../lb/result.ts';
import type { NodeObject } from '../node/loaded.ts';
import { SimNode } from '../node/node.ts';
import type { PacketTap } from '../net/tap.ts';
import type { Network } from './network.ts';
import { internalIps } from './topology.ts';

export interface NodesInput {
  readonly tap: PacketTap;
  readonly network: Network;
  readonly nodes: readonly Node[];
  /** What is on their hooks from boot on. */
  readonly object: NodeObject;
}

/**
 * The machines behind the Node objects, with routes to one another's pods as a CNI with plain
 * routes sets them up (simulator.md 5.6).
 */
export function buildNodes({ tap, network, nodes, object }: NodesInput): SimNode[] {
  const machines = nodes.map((node) => {
    const plan = network.topology.machines.find((machine) => machine.name === node.meta.name);
    assert(plan !== undefined, `node ${node.meta.name} has a place in the network`);
    return new SimNode(tap, {
      name: node.meta.name,
      links: plan.nics.map((nic) => ({
        segment: network.segment(nic.segment),
        mac: network.newMac(),
        addresses: nic.addresses,
      })),
      gateways: (['IPv4', 'IPv6'] as const).flatMap(
        (family) => network.gatewayOf(plan, family) ?? [],
      ),
      podRanges: podRanges(node),
      object,
    });
  });
  for (const machine of machines) {
    for (const other of nodes) {
      if (other.meta.name !== machine.name) addRoutes(machine, other);
    }
  }
  return machines;
}

function addRoutes(machine: SimNode, other: Node): void {
  for (const range of podRanges(other)) {
    const parts = parsePrefix(range);
    const via = internalIps(other).find(
      (address) => parts.ok && familyOf(address) === parts.value.family,
    );
    if (via !== undefined) machine.addPodRoute(range, via);
  }
}

/** Ranges that parse; the node controller would refuse the others. */
function podRanges(node: Node): string[] {
  return node.podCidrs.filter((range) => parsePrefix(range).ok);
}
