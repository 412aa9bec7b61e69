import test from 'ava';
import fc from 'fast-check';
import type { KubeObject } from '../../kube/port.ts';
import { apiVersion, resources, type Resource } from '../../kube/resource.ts';
import { kindSchemas, schemaOf } from '../../kube/schema/kinds.ts';
import type { Schema } from '../../kube/schema/schema.ts';
import { defaultObject, prune, unknownFields, validateObject } from '../../kube/schema/validate.ts';

function object(resource: Resource, spec: unknown, more: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: apiVersion(resource), kind: resource.kind, metadata: { name: 'x' },
    ...(spec !== undefined && { spec }), ...more,
  };
}

const {
  pools, l2Policies, bgpClusterConfigs, bgpPeerConfigs, bgpAdvertisements, bgpNodeConfigs,
  bgpNodeConfigOverrides, bgpPeeringPolicies,
} = resources;

const admits = test.macro({
  exec: (t, resource: Resource, spec: unknown) => {
    t.deepEqual(validateObject(object(resource, spec)), []);
  },
  title: (
    _, resource: Resource, spec: unknown,
  ) => `A10: ${resource.kind} ${JSON.stringify(spec)} is admitted`,
});

const refuses = test.macro({
  exec: (t, resource: Resource, spec: unknown, paths: readonly string[]) => {
    t.deepEqual(validateObject(object(resource, spec)).map((fault) => fault.path), paths);
  },
  title: (
    _, resource: Resource, spec: unknown, paths: readonly string[],
  ) => `A10: ${resource.kind} ${JSON.stringify(spec)} is refused at ${paths.join()}`,
});

// lb-ipam.md 2.1: admission rejects only what can never work.
test(admits, pools, {});
test(admits, pools, { blocks: [] });
test(admits, pools, { blocks: [{ cidr: '10.0.0.12/24' }, { cidr: 'fd00::/64' }] });
test(admits, pools, { blocks: [{ start: '192.0.2.1' }, { start: '192.0.2.1', stop: '192.0.2.9' }] });
test(admits, pools, { blocks: [{ cidr: '10.0.0.0/24', start: '192.0.2.1', stop: 'fd00::1' }] });
test(admits, pools, { blocks: [{ start: '192.0.2.9', stop: '192.0.2.1' }] });
test(admits, pools, { blocks: [{ start: '::ffff', stop: '::1:0' }] });
test(admits, pools, { cidrs: [{ cidr: '10.0.0.0/24' }], disabled: true, allowFirstLastIPs: 'No' });
test(admits, pools, { serviceSelector: { matchExpressions: [{ key: 'a', operator: 'Near', values: [] }] } });
test(refuses, pools, undefined, ['spec']);
test(refuses, pools, [], ['spec']);
test(refuses, pools, { blocks: {} }, ['spec.blocks']);
test(refuses, pools, { blocks: ['10.0.0.0/24'] }, ['spec.blocks[0]']);
test(refuses, pools, { blocks: [{}] }, ['spec.blocks[0]']);
test(refuses, pools, { blocks: [{ cidr: '' }] }, ['spec.blocks[0]']);
test(refuses, pools, { blocks: [{ stop: '192.0.2.1' }] }, ['spec.blocks[0]']);
test(refuses, pools, { blocks: [{ cidr: '10.0.0.0' }] }, ['spec.blocks[0].cidr']);
test(refuses, pools, { blocks: [{ cidr: '10.0.0.0/33' }] }, ['spec.blocks[0].cidr']);
test(refuses, pools, { blocks: [{ cidr: '010.0.0.0/8' }] }, ['spec.blocks[0].cidr']);
test(refuses, pools, { blocks: [{ start: '192.0.2.1' }, { start: '192.0.2.256' }] }, ['spec.blocks[1].start']);
test(refuses, pools, { blocks: [{ start: '::ffff:192.0.2.1' }] }, ['spec.blocks[0].start']);
test(refuses, pools, { blocks: [{ start: 'fe80::1%eth0' }] }, ['spec.blocks[0].start']);
test(refuses, pools, { blocks: [{ start: '192.0.2.1', stop: 'fd00::1' }] }, ['spec.blocks[0]']);
test(refuses, pools, { allowFirstLastIPs: true }, ['spec.allowFirstLastIPs']);
test(refuses, pools, { allowFirstLastIPs: 'yes' }, ['spec.allowFirstLastIPs']);
test(refuses, pools, { disabled: 'false' }, ['spec.disabled']);
test(refuses, pools, { serviceSelector: { matchLabels: { a: 1 } } }, ['spec.serviceSelector.matchLabels.a']);

// l2.md 2.1: types only.
test(admits, l2Policies, undefined);
test(admits, l2Policies, {});
test(admits, l2Policies, { interfaces: ['(['], externalIPs: false, loadBalancerIPs: true });
test(admits, l2Policies, { nodeSelector: { matchLabels: { 'a b': '' }, matchExpressions: [{ operator: 'Near' }] } });
test(refuses, l2Policies, { interfaces: 'eth0' }, ['spec.interfaces']);
test(refuses, l2Policies, { interfaces: [7] }, ['spec.interfaces[0]']);
test(refuses, l2Policies, { externalIPs: 'true' }, ['spec.externalIPs']);
test(refuses, l2Policies, { nodeSelector: [] }, ['spec.nodeSelector']);

const instance = (more: Record<string, unknown>) => ({ bgpInstances: [{ name: 'main', ...more }] });
const peer = (more: Record<string, unknown>) => instance({ peers: [{ name: 'tor', ...more }] });

// bgp.md 2.1
test(admits, bgpClusterConfigs, instance({}));
test(admits, bgpClusterConfigs, instance({ localASN: 4_294_967_295, localPort: 179 }));
test(admits, bgpClusterConfigs, peer({ peerAddress: 'fe80::1%eth0', peerASN: 0 }));
test(admits, bgpClusterConfigs, peer({ autoDiscovery: { mode: 'DefaultGateway', defaultGateway: { addressFamily: 'ipv6' } } }));
test(refuses, bgpClusterConfigs, {}, ['spec.bgpInstances']);
test(refuses, bgpClusterConfigs, { bgpInstances: [] }, ['spec.bgpInstances']);
test(refuses, bgpClusterConfigs, { bgpInstances: [{}] }, ['spec.bgpInstances[0].name']);
test(refuses, bgpClusterConfigs, { bgpInstances: [{ name: 'a' }, { name: 'a' }] }, ['spec.bgpInstances[1]']);
test(refuses, bgpClusterConfigs, { bgpInstances: Array.from({ length: 17 }, (_, index) => ({ name: `i${index}` })) }, ['spec.bgpInstances']);
test(refuses, bgpClusterConfigs, { bgpInstances: [{ name: '' }] }, ['spec.bgpInstances[0].name']);
test(refuses, bgpClusterConfigs, instance({ localASN: 0 }), ['spec.bgpInstances[0].localASN']);
test(refuses, bgpClusterConfigs, instance({ localASN: 4_294_967_296 }), ['spec.bgpInstances[0].localASN']);
test(refuses, bgpClusterConfigs, instance({ localASN: '64512' }), ['spec.bgpInstances[0].localASN']);
test(refuses, bgpClusterConfigs, instance({ localPort: 65_536 }), ['spec.bgpInstances[0].localPort']);
test(refuses, bgpClusterConfigs, peer({}), ['spec.bgpInstances[0].peers[0]']);
test(refuses, bgpClusterConfigs, peer({ peerAddress: '10.0.0.1/32' }), ['spec.bgpInstances[0].peers[0].peerAddress']);
test(refuses, bgpClusterConfigs, peer({ peerAddress: '10.0.0.1', peerASN: -1 }), ['spec.bgpInstances[0].peers[0].peerASN']);
test(refuses, bgpClusterConfigs, peer({ autoDiscovery: { mode: 'Multicast' } }), ['spec.bgpInstances[0].peers[0].autoDiscovery.mode']);
test(refuses, bgpClusterConfigs, peer({ peerAddress: '10.0.0.1', peerConfigRef: {} }), ['spec.bgpInstances[0].peers[0].peerConfigRef.name']);

// bgp.md 2.2
test(admits, bgpPeerConfigs, {});
test(admits, bgpPeerConfigs, { timers: { holdTimeSeconds: 3, keepAliveTimeSeconds: 1 }, ebgpMultihop: 255 });
test(admits, bgpPeerConfigs, { families: [{ afi: 'l2vpn', safi: 'evpn' }] });
test(refuses, bgpPeerConfigs, { timers: { holdTimeSeconds: 2 } }, ['spec.timers.holdTimeSeconds']);
test(refuses, bgpPeerConfigs, { timers: { holdTimeSeconds: 9 } }, ['spec.timers']);
test(refuses, bgpPeerConfigs, { timers: { holdTimeSeconds: 9, keepAliveTimeSeconds: 10 } }, ['spec.timers']);
test(refuses, bgpPeerConfigs, { timers: { connectRetryTimeSeconds: 0 } }, ['spec.timers.connectRetryTimeSeconds']);
test(refuses, bgpPeerConfigs, { gracefulRestart: {} }, ['spec.gracefulRestart.enabled']);
test(refuses, bgpPeerConfigs, { gracefulRestart: { enabled: true, restartTimeSeconds: 4096 } }, ['spec.gracefulRestart.restartTimeSeconds']);
test(refuses, bgpPeerConfigs, { ebgpMultihop: 0 }, ['spec.ebgpMultihop']);
test(refuses, bgpPeerConfigs, { transport: { peerPort: 0 } }, ['spec.transport.peerPort']);
test(refuses, bgpPeerConfigs, { families: [{ afi: 'ipv4' }] }, ['spec.families[0].safi']);
test(refuses, bgpPeerConfigs, { families: [{ afi: 'ipx', safi: 'unicast' }] }, ['spec.families[0].afi']);

const advert = (
  more: Record<string, unknown>,
) => ({ advertisements: [{ advertisementType: 'PodCIDR', ...more }] });
const community = (communities: Record<string, unknown>) => advert({ attributes: { communities } });

// bgp.md 2.3
test(admits, bgpAdvertisements, advert({}));
test(admits, bgpAdvertisements, community({ standard: ['0', '4294967295', '65535:0'], wellKnown: ['no-export'], large: ['4294967295:0:1'] }));
test(admits, bgpAdvertisements, { advertisements: [{ advertisementType: 'Service', service: { addresses: ['ClusterIP'], aggregationLengthIPv4: 0 } }] });
test(refuses, bgpAdvertisements, {}, ['spec.advertisements']);
test(refuses, bgpAdvertisements, { advertisements: [{}] }, ['spec.advertisements[0].advertisementType']);
test(refuses, bgpAdvertisements, { advertisements: [{ advertisementType: 'Service' }] }, ['spec.advertisements[0]']);
test(refuses, bgpAdvertisements, { advertisements: [{ advertisementType: 'Interface' }] }, ['spec.advertisements[0]']);
test(refuses, bgpAdvertisements, { advertisements: [{ advertisementType: 'Service', service: { addresses: [] } }] }, ['spec.advertisements[0].service.addresses']);
test(refuses, bgpAdvertisements, { advertisements: [{ advertisementType: 'Service', service: { addresses: ['ClusterIP'], aggregationLengthIPv4: 32 } }] }, ['spec.advertisements[0].service.aggregationLengthIPv4']);
test(refuses, bgpAdvertisements, advert({ attributes: { localPreference: -1 } }), ['spec.advertisements[0].attributes.localPreference']);
test(refuses, bgpAdvertisements, community({ standard: ['4294967296'] }), ['spec.advertisements[0].attributes.communities.standard[0]']);
test(refuses, bgpAdvertisements, community({ standard: ['65536:1'] }), ['spec.advertisements[0].attributes.communities.standard[0]']);
test(refuses, bgpAdvertisements, community({ standard: ['1:2:3'] }), ['spec.advertisements[0].attributes.communities.standard[0]']);
test(refuses, bgpAdvertisements, community({ standard: [65_535] }), ['spec.advertisements[0].attributes.communities.standard[0]']);
test(refuses, bgpAdvertisements, community({ large: ['1:2'] }), ['spec.advertisements[0].attributes.communities.large[0]']);
test(refuses, bgpAdvertisements, community({ large: ['4294967296:0:0'] }), ['spec.advertisements[0].attributes.communities.large[0]']);
test(refuses, bgpAdvertisements, community({ wellKnown: ['no-way'] }), ['spec.advertisements[0].attributes.communities.wellKnown[0]']);

// bgp.md 2.4, 2.5
test(admits, bgpNodeConfigOverrides, instance({ routerID: '10.0.0.1', peers: [{ name: 'tor', localAddress: 'fd00::1' }] }));
test(refuses, bgpNodeConfigOverrides, instance({ routerID: 'fd00::1' }), ['spec.bgpInstances[0].routerID']);
test(refuses, bgpNodeConfigOverrides, peer({ localAddress: '10.0.0.1/24' }), ['spec.bgpInstances[0].peers[0].localAddress']);
test(admits, bgpNodeConfigs, instance({ localASN: 64_512, peers: [{ name: 'tor', peerAddress: '10.0.0.1' }] }));
test(refuses, bgpNodeConfigs, { bgpInstances: [] }, ['spec.bgpInstances']);
const router = (more: Record<string, unknown>) => {
  const neighbour = { peerAddress: '10.0.0.1/32', peerASN: 1, ...more };
  return { virtualRouters: [{ localASN: 0, neighbors: [neighbour] }] };
};
test(admits, bgpPeeringPolicies, router({}));
test(refuses, bgpPeeringPolicies, { virtualRouters: [] }, ['spec.virtualRouters']);
test(refuses, bgpPeeringPolicies, { virtualRouters: [{ localASN: 1, neighbors: [] }] }, ['spec.virtualRouters[0].neighbors']);
test(refuses, bgpPeeringPolicies, router({ peerAddress: '10.0.0.1' }), ['spec.virtualRouters[0].neighbors[0].peerAddress']);
test(refuses, bgpPeeringPolicies, router({ holdTimeSeconds: 9, keepAliveTimeSeconds: 10 }), ['spec.virtualRouters[0].neighbors[0]']);

test('A10: a version that is not served is refused by name', (t) => {
  t.deepEqual(validateObject({ ...object(pools, {}), apiVersion: 'cilium.io/v2alpha1' }), []);
  t.deepEqual(
    validateObject({ ...object(pools, {}), apiVersion: 'cilium.io/v3' }).map((fault) => fault.path),
    ['apiVersion'],
  );
  t.deepEqual(
    validateObject({ ...object(l2Policies, {}), apiVersion: 'cilium.io/v2' }).map(
      (fault) => fault.path,
    ),
    ['apiVersion'],
  );
});

test('A10: unknown fields are listed with their paths, and pruned', (t) => {
  const odd = object(
    pools, { blocks: [{ cidr: '10.0.0.0/24', prio: 1 }], weight: 2 }, { extra: true },
  );
  t.deepEqual(
    unknownFields(odd).map((fault) => fault.path), ['extra', 'spec.blocks[0].prio', 'spec.weight'],
  );
  t.deepEqual(prune(odd), object(pools, { blocks: [{ cidr: '10.0.0.0/24' }] }));
  t.deepEqual(unknownFields(prune(odd)), []);
});

test('A12: defaults fill what is absent, at any depth, and nothing else', (t) => {
  t.deepEqual(defaultObject(object(pools, {})), object(pools, { disabled: false }));
  const cluster = object(bgpClusterConfigs, peer({ peerAddress: '10.0.0.1' }));
  t.deepEqual(
    defaultObject(cluster),
    object(bgpClusterConfigs, peer({ peerAddress: '10.0.0.1', peerASN: 0 })),
  );
  const restart = object(bgpPeerConfigs, { ebgpMultihop: 2, gracefulRestart: { enabled: true } });
  t.deepEqual(
    defaultObject(restart),
    object(
      bgpPeerConfigs,
      { ebgpMultihop: 2, gracefulRestart: { enabled: true, restartTimeSeconds: 120 } },
    ),
  );
  const service = { apiVersion: 'v1', kind: 'Service', metadata: {} };
  t.is(defaultObject(service), service);
});

test('every kind of our group has a schema whose names agree with the resource', (t) => {
  const ours = Object.values(resources).filter((resource) => resource.group === 'cilium.io');
  t.is(kindSchemas.length, ours.length);
  for (const resource of ours) {
    const schema = schemaOf(resource.group, resource.kind);
    t.is(schema?.plural, resource.plural);
    t.is(
      schema?.versions.find((version) => version.stored)?.name,
      resource.version as 'v2' | 'v2alpha1',
    );
  }
});

const shortNames = test.macro({
  exec: (t, kind: string, names: string) => {
    t.is(schemaOf('cilium.io', kind)?.shortNames.join(), names);
  },
  title: (_, kind: string, names: string) => `${kind} is also called ${names}`,
});
test(shortNames, 'CiliumLoadBalancerIPPool', 'ippools,ippool,lbippool,lbippools');
test(shortNames, 'CiliumL2AnnouncementPolicy', 'l2announcement');
test(shortNames, 'CiliumBGPClusterConfig', 'cbgpcluster');
test(shortNames, 'CiliumBGPPeerConfig', 'cbgppeer');
test(shortNames, 'CiliumBGPAdvertisement', 'cbgpadvert');
test(shortNames, 'CiliumBGPNodeConfigOverride', 'cbgpnodeoverride');
test(shortNames, 'CiliumBGPNodeConfig', 'cbgpnode');
test(shortNames, 'CiliumBGPPeeringPolicy', 'bgpp');

function everySchema(schema: Schema, visit: (schema: Schema) => void): void {
  visit(schema);
  if (schema.type === 'object') {
    for (const below of Object.values(schema.properties)) everySchema(below, visit);
  }
  if (schema.type === 'list') everySchema(schema.items, visit);
  if (schema.type === 'map') everySchema(schema.values, visit);
}

test('required fields, list keys and defaults of every schema name fields that it has', (t) => {
  for (const kind of kindSchemas) {
    for (const root of [kind.spec, kind.status]) {
      if (root === undefined) continue;
      everySchema(root, (schema) => {
        if (schema.type === 'object') {
          for (const name of schema.required) t.truthy(
            schema.properties[name], `${kind.kind} ${name}`,
          );
        }
        if (schema.type !== 'list' || schema.listType !== 'map') return;
        t.true(schema.keys.length > 0);
        for (const key of schema.keys) t.true(
          schema.items.type === 'object' && key in schema.items.properties, `${kind.kind} ${key}`,
        );
      });
    }
  }
});

test('property: judging, defaulting and pruning end for any JSON, and pruned objects prune to themselves', (t) => {
  const kinds = fc.constantFrom(...Object.values(resources));
  fc.assert(fc.property(kinds, fc.jsonValue(), fc.jsonValue(), (resource, spec, status) => {
    const some = object(resource, spec, { status });
    const faults = validateObject(some);
    if (faults.some((fault) => fault.path === '' || fault.message === '')) {
      throw new Error('a fault without place or words');
    }
    const pruned = prune(defaultObject(some));
    if (prune(pruned) !== pruned) throw new Error('pruned twice');
    if (faults.length === 0 && validateObject(pruned).length > 0) {
      throw new Error('defaults made it invalid');
    }
  }), { seed: 3, numRuns: 500 });
  t.pass();
});
