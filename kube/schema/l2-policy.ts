import { ageColumn, alphaVersions, looseLabelSelector, statusWithConditions } from './common.ts';
import { boolean, list, object, text, type KindSchema } from './schema.ts';

/** l2.md 2.1: admission checks types only, because Cilium accepts everything else. */
export const l2PolicySchema: KindSchema = {
  group: 'cilium.io',
  kind: 'CiliumL2AnnouncementPolicy',
  plural: 'ciliuml2announcementpolicies',
  shortNames: ['l2announcement'],
  categories: ['cilium'],
  versions: alphaVersions,
  columns: [ageColumn],
  statusSubresource: true,
  specRequired: false,
  spec: object({
    nodeSelector: looseLabelSelector,
    serviceSelector: looseLabelSelector,
    interfaces: list(text()),
    externalIPs: boolean(),
    loadBalancerIPs: boolean(),
  }),
  status: statusWithConditions,
};
