import { compilePolicy, type CompiledPolicy } from '../../l2/policy.ts';
import { selectorLabels } from '../../l2/selection.ts';
import type { L2Policy } from '../../lb/model.ts';
import { findingAt, splitPath, type Complaint, type Finding } from '../finding.ts';
import type { FolderModel, Row } from '../foldermodel.ts';

/** What the controller says about L2 policies, and selectors that find nothing in the folder. */
export function policyFindings(model: FolderModel): Finding[] {
  return model.policies.flatMap((row) => {
    const compiled = compilePolicy(row.value);
    if (compiled.ok) return complaints(row.value, compiled.value, model).map(at(row));
    return [...compiled.error].map(([type, message]) =>
      at(row)({ severity: 'error', code: type, ...splitPath(message) }));
  });
}

function at(row: Row<L2Policy>): (complaint: Complaint) => Finding {
  return (complaint) => findingAt(row.place, complaint);
}

function complaints(
  policy: L2Policy,
  compiled: CompiledPolicy,
  { nodes, services }: FolderModel,
): Complaint[] {
  const found: Complaint[] = [];
  if (!policy.externalIps && !policy.loadBalancerIps) {
    found.push({
      severity: 'warning',
      code: 'fairlead.dev/inert',
      path: 'spec',
      message: 'neither loadBalancerIPs nor externalIPs is true, so it announces nothing',
    });
  }
  if (nodes.length > 0 && !nodes.some(({ value }) => compiled.matchesNode(value.meta.labels))) {
    found.push({
      severity: 'warning',
      code: 'fairlead.dev/no-candidate',
      path: 'spec.nodeSelector',
      message: 'selects no Node of the folder',
    });
  }
  const selects = services.some(({ value }) => compiled.matchesService(selectorLabels(value)));
  if (services.length > 0 && !selects) {
    found.push({
      severity: 'warning',
      code: 'SelectorMatchesNothing',
      path: 'spec.serviceSelector',
      message: 'selects no Service of the folder',
    });
  }
  return found;
}
