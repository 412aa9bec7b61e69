import type { Service } from '../../lb/model.ts';
import { findingAt, type Finding } from '../finding.ts';
import type { FolderModel } from '../foldermodel.ts';
import { planFolder } from '../plan.ts';

const inputValid = 'fairlead.dev/IPAMInputValid';

/**
 * Services that would wait for an address, and annotations that have no effect, in the words of the
 * controller's conditions (lb-ipam.md 10.3). A folder without pools says nothing about addresses.
 */
export function allocationFindings(model: FolderModel): Finding[] {
  const planned = new Map(planFolder(model).services.map((service) => [service.key, service]));
  return model.services.flatMap(({ value, place }) => {
    const plan = planned.get(value.key);
    if (plan === undefined) return [];
    const { stance, code, message } = plan.explanation;
    const input = plan.conditions.find(
      ({ type, status }) => type === inputValid && status === 'False',
    );
    return [
      ...(stance === 'unsatisfied' && model.pools.length > 0
        ? [findingAt(place, { severity: 'warning', code, path: requestPath(value), message })]
        : []),
      ...(input === undefined ? [] : [findingAt(place, {
        severity: 'warning',
        code: input.reason,
        path: 'metadata.annotations',
        message: input.message,
      })]),
    ];
  });
}

const listing = ['lbipam.cilium.io/ips', 'io.cilium/lb-ipam-ips'] as const;

// Where the Service says which address it wants; a generic request stands nowhere.
function requestPath({ meta, loadBalancerIp }: Service): string {
  if (listing.some((key) => key in meta.annotations)) return 'metadata.annotations';
  return loadBalancerIp === undefined ? 'metadata.name' : 'spec.loadBalancerIP';
}
