import {
  asnOrAny, bgpCategories, communities, familyProperties, gracefulRestart, hostPrefix,
  keepaliveRule, portNumber, routeSelector, timerProperties,
} from './bgp-common.ts';
import { ageColumn, alphaVersions, labelSelector, statusWithConditions } from './common.ts';
import { boolean, integer, list, listMap, object, oneOf, text, type KindSchema } from './schema.ts';

const neighbour = object(
  {
    peerAddress: hostPrefix,
    peerPort: { ...portNumber, default: 179 },
    peerASN: asnOrAny,
    authSecretRef: text(),
    eBGPMultihopTTL: integer(1, 255, { default: 1 }),
    ...timerProperties,
    gracefulRestart,
    families: list(object(familyProperties, { required: ['afi', 'safi'] })),
    advertisedPathAttributes: list(object(
      {
        selectorType: oneOf('PodCIDR', 'CiliumLoadBalancerIPPool', 'CiliumPodIPPool'),
        selector: routeSelector,
        communities,
        localPreference: integer(0, 4_294_967_295),
      },
      { required: ['selectorType'] },
    )),
  },
  { required: ['peerAddress', 'peerASN'], rules: [keepaliveRule] },
);

/** bgp.md 2.5. A repeated or zero localASN is reported by the controller, not refused. */
export const bgpPeeringPolicySchema: KindSchema = {
  group: 'cilium.io',
  kind: 'CiliumBGPPeeringPolicy',
  plural: 'ciliumbgppeeringpolicies',
  shortNames: ['bgpp'],
  categories: bgpCategories,
  versions: alphaVersions,
  columns: [ageColumn],
  statusSubresource: true,
  specRequired: false,
  spec: object(
    {
      nodeSelector: labelSelector,
      virtualRouters: list(
        object(
          {
            localASN: asnOrAny,
            exportPodCIDR: boolean({ default: false }),
            podIPPoolSelector: routeSelector,
            serviceSelector: routeSelector,
            serviceAdvertisements: list(oneOf('LoadBalancerIP', 'ClusterIP', 'ExternalIP')),
            neighbors: listMap(neighbour, ['peerAddress'], { itemsMin: 1 }),
          },
          { required: ['localASN', 'neighbors'] },
        ),
        { itemsMin: 1 },
      ),
    },
    { required: ['virtualRouters'] },
  ),
  status: statusWithConditions,
};
