import {
  asn, asnOrAny, autoDiscovery, bgpCategories, communities, familyProperties, gracefulRestart,
  instanceName, keepaliveRule, peerAddress, peerConfigRef, plainAddress, portNumber, routeSelector,
  routerId, timerProperties,
} from './bgp-common.ts';
import {
  ageColumn, conditions, currentVersions, labelSelector, statusWithConditions,
} from './common.ts';
import {
  integer, list, listMap, object, oneOf, text,
  type KindSchema, type ObjectSchema, type Rule, type SchemaVersion,
} from './schema.ts';

interface BgpNames {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly spec: ObjectSchema;
  readonly status: ObjectSchema | undefined;
  readonly versions?: readonly SchemaVersion[];
}

function bgpKind(names: BgpNames): KindSchema {
  const { kind, plural, shortName, spec, status, versions = currentVersions } = names;
  return {
    group: 'cilium.io', kind, plural, shortNames: [shortName], categories: bgpCategories, versions,
    columns: [ageColumn], statusSubresource: status !== undefined, specRequired: true, spec, status,
  };
}

const peerRule: Rule = {
  cel: 'has(self.peerAddress) || has(self.autoDiscovery)',
  message: 'one of peerAddress and autoDiscovery is required',
  check: (value) => {
    const peer = value as { peerAddress?: unknown; autoDiscovery?: unknown };
    return peer.peerAddress !== undefined || peer.autoDiscovery !== undefined;
  },
};

/** bgp.md 2.1. */
export const bgpClusterConfigSchema = bgpKind({
  kind: 'CiliumBGPClusterConfig',
  plural: 'ciliumbgpclusterconfigs',
  shortName: 'cbgpcluster',
  spec: object(
    {
      nodeSelector: labelSelector,
      bgpInstances: listMap(
        object(
          {
            name: instanceName,
            localASN: asn,
            localPort: portNumber,
            peers: listMap(
              object(
                {
                  name: instanceName,
                  peerAddress,
                  peerASN: { ...asnOrAny, default: 0 },
                  autoDiscovery,
                  peerConfigRef,
                },
                { required: ['name'], rules: [peerRule] },
              ),
              ['name'],
            ),
          },
          { required: ['name'] },
        ),
        ['name'],
        { itemsMin: 1, itemsMax: 16 },
      ),
    },
    { required: ['bgpInstances'] },
  ),
  status: statusWithConditions,
});

/** bgp.md 2.2. Absent timers and port take the speaker's defaults, so none are filled in here. */
export const bgpPeerConfigSchema = bgpKind({
  kind: 'CiliumBGPPeerConfig',
  plural: 'ciliumbgppeerconfigs',
  shortName: 'cbgppeer',
  spec: object({
    transport: object({
      peerPort: { ...portNumber, default: 179 }, sourceInterface: text(), localPort: portNumber,
    }),
    timers: object(timerProperties, { rules: [keepaliveRule] }),
    authSecretRef: text(),
    gracefulRestart,
    ebgpMultihop: integer(1, 255, { default: 1 }),
    families: list(
      object({ ...familyProperties, advertisements: labelSelector }, { required: ['afi', 'safi'] }),
    ),
  }),
  status: statusWithConditions,
});

const advertisementRules: readonly Rule[] = [
  {
    cel: "self.advertisementType != 'Service' || has(self.service)",
    message: 'service field is required for the Service advertisementType',
    check: (value) => present(value, { type: 'Service', field: 'service' }),
  },
  {
    cel: "self.advertisementType != 'Interface' || has(self.interface)",
    message: 'interface field is required for the Interface advertisementType',
    check: (value) => present(value, { type: 'Interface', field: 'interface' }),
  },
];

function present(
  value: unknown, wanted: { readonly type: string; readonly field: string },
): boolean {
  const entry = value as Readonly<Record<string, unknown>>;
  return entry['advertisementType'] !== wanted.type || entry[wanted.field] !== undefined;
}

/** bgp.md 2.3. */
export const bgpAdvertisementSchema = bgpKind({
  kind: 'CiliumBGPAdvertisement',
  plural: 'ciliumbgpadvertisements',
  shortName: 'cbgpadvert',
  spec: object(
    {
      advertisements: list(
        object(
          {
            advertisementType: oneOf('Service', 'PodCIDR', 'CiliumPodIPPool', 'Interface'),
            service: object(
              {
                addresses: list(
                  oneOf('LoadBalancerIP', 'ClusterIP', 'ExternalIP'), { itemsMin: 1 },
                ),
                aggregationLengthIPv4: integer(0, 31),
                aggregationLengthIPv6: integer(0, 127),
              },
              { required: ['addresses'] },
            ),
            interface: object({ name: text() }, { required: ['name'] }),
            selector: routeSelector,
            attributes: object({ communities, localPreference: integer(0, 4_294_967_295) }),
          },
          { required: ['advertisementType'], rules: advertisementRules },
        ),
      ),
    },
    { required: ['advertisements'] },
  ),
  status: undefined,
});

/** bgp.md 2.4. */
export const bgpNodeConfigOverrideSchema = bgpKind({
  kind: 'CiliumBGPNodeConfigOverride',
  plural: 'ciliumbgpnodeconfigoverrides',
  shortName: 'cbgpnodeoverride',
  spec: object(
    {
      bgpInstances: listMap(
        object(
          {
            name: instanceName,
            routerID: routerId,
            localPort: portNumber,
            localASN: asn,
            peers: listMap(
              object(
                { name: instanceName, localAddress: plainAddress, localPort: portNumber },
                { required: ['name'] },
              ),
              ['name'],
            ),
          },
          { required: ['name'] },
        ),
        ['name'],
        { itemsMin: 1 },
      ),
    },
    { required: ['bgpInstances'] },
  ),
  status: undefined,
});

const peerStates = [
  'idle', 'connect', 'active', 'open_sent', 'open_confirm', 'established', 'unknown',
];
const counter = integer(0, 2_147_483_647);

const peerStatus = object(
  {
    name: instanceName,
    peerAddress: text(),
    peerASN: asnOrAny,
    peeringState: oneOf(...peerStates),
    timers: object({ appliedHoldTimeSeconds: counter, appliedKeepaliveSeconds: counter }),
    establishedTime: text(),
    routeCount: list(
      object(
        { ...familyProperties, received: counter, advertised: counter },
        { required: ['afi', 'safi'] },
      ),
    ),
  },
  { required: ['name'] },
);

/** bgp.md 2.4 and 8. */
export const bgpNodeConfigSchema = bgpKind({
  kind: 'CiliumBGPNodeConfig',
  plural: 'ciliumbgpnodeconfigs',
  shortName: 'cbgpnode',
  spec: object(
    {
      bgpInstances: listMap(
        object(
          {
            name: instanceName,
            localASN: asn,
            routerID: routerId,
            localPort: portNumber,
            peers: listMap(
              object(
                {
                  name: instanceName,
                  peerAddress,
                  peerASN: asnOrAny,
                  autoDiscovery,
                  localAddress: plainAddress,
                  peerInterface: text(),
                  peerConfigRef,
                },
                { required: ['name'] },
              ),
              ['name'],
            ),
          },
          { required: ['name'] },
        ),
        ['name'],
        { itemsMin: 1, itemsMax: 16 },
      ),
    },
    { required: ['bgpInstances'] },
  ),
  status: object({
    bgpInstances: listMap(
      object(
        { name: instanceName, localASN: asn, peers: listMap(peerStatus, ['name']) },
        { required: ['name'] },
      ),
      ['name'],
    ),
    conditions,
  }),
});
