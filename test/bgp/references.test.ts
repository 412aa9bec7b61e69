import test from 'ava';
import fc from 'fast-check';
import { findBrokenReferences, type BgpObjects } from '../../bgp/references.ts';
import type { LabelSelector } from '../../lb/selector.ts';

const labels = (matchLabels: Record<string, string>): LabelSelector => ({
  matchLabels,
  matchExpressions: [],
});
const broken: LabelSelector = {
  matchLabels: {},
  matchExpressions: [{ key: 'rack', operator: 'Near', values: [] }],
};

/** A whole and consistent set: one node, one peer with a password, one advertisement. */
const whole: BgpObjects = {
  nodes: [{ name: 'n1', labels: { rack: 'a' } }],
  clusterConfigs: [{
    name: 'rack-a',
    nodeSelector: labels({ rack: 'a' }),
    instances: [{ name: 'main', peers: [{ name: 'tor', peerConfig: 'tor' }] }],
  }],
  peerConfigs: [{ name: 'tor', authSecret: 'key', advertisements: [labels({ advertise: 'bgp' })] }],
  advertisements: [{ name: 'services', labels: { advertise: 'bgp' }, selectors: [labels({})] }],
  overrides: [{ name: 'n1', instances: [{ name: 'main', peers: ['tor'] }] }],
  peeringPolicies: [],
  secrets: [{ namespace: 'kube-system', name: 'key', hasPassword: true }],
  secretsNamespace: 'kube-system',
};

const finds = test.macro({
  exec: (t, _: string, change: Partial<BgpObjects>, rows: readonly string[]) => {
    const found = findBrokenReferences({ ...whole, ...change });
    t.deepEqual(found.map(({ severity, code, kind, name, path }) =>
      `${severity} ${code} ${kind.replace('CiliumBGP', '')}/${name} ${path}`), rows);
    t.true(found.every(({ message }) => message !== ''));
  },
  title: (_, what: string) => what,
});

const secretPath = 'PeerConfig/tor spec.authSecretRef';
const instance = (name: string, peers: string[]) => [{ name: 'n1', instances: [{ name, peers }] }];

test(finds, 'a consistent set has no finding', {}, []);
test(
  finds,
  'an empty folder has no finding',
  {
    nodes: undefined,
    clusterConfigs: [],
    peerConfigs: [],
    advertisements: [],
    overrides: [],
    secrets: [],
  },
  [],
);
test(
  finds,
  'a Secret in another namespace does not count',
  {
    secrets: [{ namespace: 'default', name: 'key', hasPassword: true }],
  },
  [`error MissingAuthSecret ${secretPath}`],
);
test(
  finds,
  'a Secret without a password is missing',
  {
    secrets: [{ namespace: 'kube-system', name: 'key', hasPassword: false }],
  },
  [`error MissingAuthSecret ${secretPath}`],
);
test(
  finds,
  'a peer that names no peer configuration breaks the chain at both ends',
  {
    peerConfigs: [],
    advertisements: [],
  },
  [
    'error MissingPeerConfigs ClusterConfig/rack-a spec.bgpInstances[0].peers[0].peerConfigRef.name',
  ],
);
test(
  finds,
  'a configuration whose selector matches no Node',
  {
    nodes: [{ name: 'n1', labels: { rack: 'b' } }],
    overrides: [],
  },
  ['warning NoMatchingNode ClusterConfig/rack-a spec.nodeSelector'],
);
test(finds, 'Nodes are not judged when the folder has none', { nodes: undefined }, []);
test(finds, 'the later name of two that select one node is in conflict', {
  clusterConfigs: [
    { name: 'zz', nodeSelector: undefined, instances: [] }, ...whole.clusterConfigs,
  ],
}, ['error ConflictingClusterConfigs ClusterConfig/zz spec.nodeSelector']);
test(finds, 'a selector that does not compile is reported once, where it stands', {
  clusterConfigs: [{ ...whole.clusterConfigs[0]!, nodeSelector: broken }], overrides: [],
}, ['error InvalidSelector ClusterConfig/rack-a spec.nodeSelector.matchExpressions[0].operator']);
test(finds, 'an advertisement that no peer selects, and a peer that selects none', {
  advertisements: [{ name: 'services', labels: {}, selectors: [] }],
}, [
  'warning NoAdvertisement PeerConfig/tor spec.families[0].advertisements',
  'warning UnusedAdvertisement Advertisement/services metadata.labels',
]);
test(finds, 'a family without a selector announces nothing, and that is no fault', {
  peerConfigs: [{ name: 'tor', authSecret: undefined, advertisements: [undefined] }],
  advertisements: [],
}, []);
test(finds, 'a peer configuration that no peer uses', {
  peerConfigs: [...whole.peerConfigs, { name: 'idle', authSecret: undefined, advertisements: [] }],
}, ['warning UnusedPeerConfig PeerConfig/idle metadata.name']);
test(finds, 'an override for a Node that is not there', {
  overrides: [{ name: 'n9', instances: [] }],
}, ['warning UnknownOverride NodeConfigOverride/n9 metadata.name']);
test(finds, 'bgp 35: an override for an instance that the node has not', {
  overrides: instance('other', []),
}, ['warning UnknownOverride NodeConfigOverride/n1 spec.bgpInstances[0].name']);
test(finds, 'an override for a peer that the instance has not', {
  overrides: instance('main', ['tor', 'spine']),
}, ['warning UnknownOverride NodeConfigOverride/n1 spec.bgpInstances[0].peers[1].name']);
test(finds, 'a policy whose node a ClusterConfig selects is ignored', {
  peeringPolicies: [{ name: 'old', nodeSelector: undefined, authSecrets: [['nope']] }],
}, [
  'warning PolicyIgnored PeeringPolicy/old spec.nodeSelector',
  'error MissingAuthSecret PeeringPolicy/old spec.virtualRouters[0].neighbors[0].authSecretRef',
]);

test('the order of the objects does not matter', (t) => {
  const two: BgpObjects = {
    ...whole,
    clusterConfigs: [
      ...whole.clusterConfigs,
      { name: 'b', nodeSelector: undefined, instances: [{ name: 'x', peers: [] }] },
      { name: 'c', nodeSelector: undefined, instances: [] },
    ],
    advertisements: [...whole.advertisements, { name: 'a', labels: {}, selectors: [broken] }],
  };
  const expected = findBrokenReferences(two);
  const shuffled = <T>(list: readonly T[]) =>
    fc.shuffledSubarray([...list], { minLength: list.length });
  const inputs = fc.tuple(shuffled(two.clusterConfigs), shuffled(two.advertisements));
  fc.assert(fc.property(inputs, ([clusterConfigs, advertisements]) => {
    t.deepEqual(findBrokenReferences({ ...two, clusterConfigs, advertisements }), expected);
  }), { seed: 1, numRuns: 50 });
});
