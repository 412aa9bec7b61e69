import { conditionOf } from '../lb/conditions.ts';
import type { Node } from '../lb/model.ts';

const leavingTaints: ReadonlySet<string> = new Set([
  'ToBeDeletedByClusterAutoscaler', 'node.kubernetes.io/out-of-service',
]);

/**
 * Whether an agent that is told to end leaves with its node, by `bgp.onTerminate: auto` (bgp.md 7);
 * otherwise it restarts, and routers keep its routes meanwhile. An unknown Node leaves: nobody
 * would come back for it.
 */
export function leaving(node: Node | undefined): boolean {
  if (node === undefined || node.meta.deleting || node.unschedulable) return true;
  if (node.taints.some(({ key }) => leavingTaints.has(key))) return true;
  const ready = conditionOf(node.conditions, 'Ready');
  return ready !== undefined && ready.status !== 'True';
}
