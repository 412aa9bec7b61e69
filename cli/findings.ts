import type { Manifests } from '../kube/manifest.ts';
import { allocationFindings } from './checks/allocations.ts';
import { announcementFindings } from './checks/announcements.ts';
import { bgpFindings } from './checks/bgp.ts';
import { policyFindings } from './checks/policies.ts';
import { configFindings } from './checks/config.ts';
import { poolFindings } from './checks/pools.ts';
import { decodingFindings, metadataFindings, schemaFindings } from './checks/schema.ts';
import { workloadFindings } from './checks/workloads.ts';
import { compareFindings, type Finding } from './finding.ts';
import { modelOf } from './foldermodel.ts';

/** Everything that is wrong with a folder, by place. */
export function findingsOf(manifests: Manifests): Finding[] {
  const model = modelOf(manifests);
  const semantic = [
    ...poolFindings(model),
    ...policyFindings(model),
    ...bgpFindings(model),
    ...allocationFindings(model),
    ...announcementFindings(model),
    ...workloadFindings(model),
    ...configFindings(model),
    ...decodingFindings(model),
  ];
  // Where the controller names a fault with its own code, the schema's sentence adds nothing.
  const named = new Set(semantic.map(placeOf));
  const structural = [...schemaFindings(model), ...metadataFindings(model)].filter(
    (finding) => finding.code !== 'schema' || !named.has(placeOf(finding)),
  );
  const unreadable = manifests.faults.map((fault): Finding => ({
    ...fault,
    severity: 'error',
    code: 'unreadable',
  }));
  return [...unreadable, ...structural, ...semantic].toSorted(compareFindings);
}

function placeOf({ file, object, path }: Finding): string {
  return `${file} ${object} ${path}`;
}
