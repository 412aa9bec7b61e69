import {
  bgpAdvertisementSchema, bgpClusterConfigSchema, bgpNodeConfigOverrideSchema, bgpNodeConfigSchema,
  bgpPeerConfigSchema,
} from './bgp.ts';
import { bgpPeeringPolicySchema } from './bgp-peering-policy.ts';
import { l2PolicySchema } from './l2-policy.ts';
import { poolSchema } from './pool.ts';
import type { KindSchema } from './schema.ts';

/** The eight kinds of `cilium.io`, by kind name. */
export const kindSchemas: readonly KindSchema[] = [
  bgpAdvertisementSchema,
  bgpClusterConfigSchema,
  bgpNodeConfigSchema,
  bgpNodeConfigOverrideSchema,
  bgpPeerConfigSchema,
  bgpPeeringPolicySchema,
  l2PolicySchema,
  poolSchema,
];

/** The schema of a kind, or undefined for kinds that are not ours. */
export function schemaOf(group: string, kind: string): KindSchema | undefined {
  if (group !== 'cilium.io') return undefined;
  return kindSchemas.find((schema) => schema.kind === kind);
}
