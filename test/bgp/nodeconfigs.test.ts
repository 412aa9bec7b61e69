import test from 'ava';
import { planNodeConfigs, type BgpControllerTables } from '../../bgp/nodeconfigs.ts';
import { instancesJson } from '../../bgp/render.ts';
import { bgpDefaults, type BgpSettings } from '../../bgp/settings.ts';
import { createDecoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { Table } from '../../lb/table.ts';
import { custom, node, torPeer } from './objects.ts';

type Fields = Record<string, unknown>;
const decoder = createDecoder();

function tablesOf(objects: readonly KubeObject[]): BgpControllerTables {
  const tables: BgpControllerTables = {
    nodes: new Table('nodes'), clusterConfigs: new Table('c'), peerConfigs: new Table('p'),
    overrides: new Table('o'), nodeConfigs: new Table('n'), peeringPolicies: new Table('l'),
  };
  const rows = {
    Node: [tables.nodes, decoder.node],
    CiliumBGPClusterConfig: [tables.clusterConfigs, decoder.bgpClusterConfig],
    CiliumBGPPeerConfig: [tables.peerConfigs, decoder.bgpPeerConfig],
    CiliumBGPNodeConfigOverride: [tables.overrides, decoder.bgpNodeConfigOverride],
    CiliumBGPNodeConfig: [tables.nodeConfigs, decoder.bgpNodeConfig],
    CiliumBGPPeeringPolicy: [tables.peeringPolicies, decoder.bgpPeeringPolicy],
  } as const;
  for (const object of objects) {
    const [table, decode] = rows[object.kind as keyof typeof rows];
    const decoded = decode(object);
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
    (table as Table<unknown>).upsert(object.metadata?.name ?? '', decoded.value);
  }
  return tables;
}

function plan(objects: readonly KubeObject[], settings: Partial<BgpSettings> = {}) {
  return planNodeConfigs(tablesOf(objects), { ...bgpDefaults, ...settings });
}

/** `node=owner` of each node that has one. */
const owners = (objects: readonly KubeObject[]): string =>
  [...plan(objects).wanted].map(([name, { owner }]) => `${name}=${owner.meta.name}`).join(' ');

const main: Fields = { name: 'main', localASN: 65001, peers: [torPeer] };
const config = (name: string, spec: Fields = {}, more: Fields = {}): KubeObject =>
  custom('CiliumBGPClusterConfig', name, { bgpInstances: [main], ...spec }, more);
const rack = (value: string): Fields => ({ nodeSelector: { matchLabels: { rack: value } } });
const born = (second: number): Fields =>
  ({ creationTimestamp: `2026-01-01T00:00:0${second}Z` });
const [n1, n2] = [node('n1', 1), node('n2', 2, { metadata: { labels: { rack: 'b' } } })];
const owned = (owner: string, kind = 'CiliumBGPClusterConfig'): KubeObject =>
  custom('CiliumBGPNodeConfig', 'n1', { bgpInstances: [main] }, {
    ownerReferences: [{ kind, name: owner, uid: `uid-${kind}-${owner}`, controller: true }],
  });
const policy = (name: string, spec: Fields = {}, more: Fields = {}): KubeObject =>
  custom('CiliumBGPPeeringPolicy', name, {
    virtualRouters: [{ localASN: 65001, neighbors: [{ peerAddress: '10.99.0.3/32', peerASN: 1 }] }],
    ...spec,
  }, more);

const owns = test.macro({
  exec: (t, _: string, objects: readonly KubeObject[], expected: string) => {
    t.is(owners(objects), expected);
    t.is(owners(objects.toReversed()), expected, 'in any order');
  },
  title: (_, what: string) => what,
});
test(owns, 'a configuration without selector has every node', [n1, n2, config('a')], 'n1=a n2=a');
test(owns, 'a selector has the nodes that it matches', [n1, n2, config('a', rack('b'))], 'n2=a');
test(owns, 'a selector that matches nothing has no node', [n1, config('a', rack('none'))], '');
test(owns, 'the oldest of two has the node',
  [n1, config('a', {}, born(2)), config('b', {}, born(1))], 'n1=b');
test(owns, 'of two of one age the smaller name has it',
  [n1, config('b', {}, born(1)), config('a', {}, born(1))], 'n1=a');
test(owns, 'bgp 33: the present owner keeps its node, whatever its age',
  [n1, config('a', {}, born(2)), config('b', {}, born(1)), owned('a')], 'n1=a');
test(owns, 'an owner that is gone leaves the node to others',
  [n1, config('b', {}, born(1)), owned('gone')], 'n1=b');
test(owns, 'bgp 52: a policy keeps its node against an older one',
  [n1, policy('p', {}, born(2)), policy('q', {}, born(1)),
  owned('p', 'CiliumBGPPeeringPolicy')], 'n1=p');
test(owns, 'a policy loses its node to a cluster configuration',
  [n1, policy('p'), owned('p', 'CiliumBGPPeeringPolicy'), config('c')], 'n1=c');

function rendered(objects: readonly KubeObject[], settings: Partial<BgpSettings> = {}) {
  const wanted = plan(objects, settings).wanted.get('n1');
  return instancesJson(wanted?.instances ?? []) as readonly Fields[];
}

test('bgp 35: an override is in the NodeConfig, and what it names in vain is told', (t) => {
  const override = custom('CiliumBGPNodeConfigOverride', 'n1', { bgpInstances: [
    {
      name: 'main', routerID: '10.9.9.9', localPort: 1790, localASN: 65009,
      peers: [{ name: 'tor', localAddress: '10.99.0.1' }, { name: 'spine' }],
    },
    { name: 'other' },
  ] });
  t.deepEqual(rendered([n1, config('a'), override]), [{
    name: 'main', localASN: 65009, routerID: '10.9.9.9', localPort: 1790,
    peers: [{
      name: 'tor', peerAddress: '10.99.0.3', peerASN: 65010, localAddress: '10.99.0.1',
      peerConfigRef: { name: 'tor' },
    }],
  }]);
  const { reports } = plan([n1, config('a'), override]);
  t.deepEqual(reports.map(({ code, text }) => `${code} ${text}`), [
    'UnknownOverride spec.bgpInstances[0].peers[1].name: instance main has no peer spine',
    'UnknownOverride spec.bgpInstances[1].name: the node has no instance other',
  ]);
});

test('every field of a peer is rendered as it was written', (t) => {
  const peers = [
    { name: 'gw', autoDiscovery: { mode: 'DefaultGateway', defaultGateway: {
      addressFamily: 'ipv6',
    } }, peerASN: 0 },
    { name: 'll', peerAddress: 'fe80::1%eth0', peerASN: 7,
      peerConfigRef: { name: 'x', group: 'cilium.io', kind: 'CiliumBGPPeerConfig' } },
  ];
  const [instance] = rendered([n1, config('a', { bgpInstances: [{ ...main, peers }] })]);
  t.deepEqual(instance?.['peers'], peers);
});

test('without an override no router ID is written', (t) => {
  t.false('routerID' in (rendered([n1, config('a')])[0] ?? {}));
});

const pool: Partial<BgpSettings> = { routerIdMode: 'ip-pool', routerIdPool: '10.9.9.0/30' };
test('a pool gives each node an address, and what is stored stays', (t) => {
  const ids = (objects: readonly KubeObject[]) => [...plan(objects, pool).wanted]
    .map(([name, { instances }]) => `${name} ${instances[0]?.routerId}`);
  t.deepEqual(ids([n1, n2, config('a')]), ['n1 10.9.9.0', 'n2 10.9.9.1']);
  const stored = custom('CiliumBGPNodeConfig', 'n1', {
    bgpInstances: [{ ...main, routerID: '10.9.9.2' }],
  });
  t.deepEqual(ids([n1, n2, config('a'), stored]), ['n1 10.9.9.2', 'n2 10.9.9.0']);
  const taken = custom('CiliumBGPNodeConfigOverride', 'n2', {
    bgpInstances: [{ name: 'main', routerID: '10.9.9.0' }],
  });
  t.deepEqual(ids([n1, n2, config('a'), taken]), ['n1 10.9.9.1', 'n2 10.9.9.0']);
});

test('a pool that is too small is an error of the nodes that go without', (t) => {
  const nodes = [1, 2, 3].map((index) => node(`n${index}`, index));
  const small = { ...pool, routerIdPool: '0.0.0.0/31' };
  const { wanted, reports } = plan([...nodes, config('a')], small);
  t.deepEqual([...wanted.values()].map(({ instances }) => instances[0]?.routerId),
    ['0.0.0.1', undefined, undefined]);
  t.deepEqual(reports.map(({ name, text }) => `${name}: ${text}`), [
    'n2: n2 main: the pool 0.0.0.0/31 has no free router ID',
    'n3: n3 main: the pool 0.0.0.0/31 has no free router ID',
  ]);
});

test('nodes of one AS that share a router ID are told of', (t) => {
  const override = (name: string): KubeObject => custom('CiliumBGPNodeConfigOverride', name, {
    bgpInstances: [{ name: 'main', routerID: '10.9.9.9' }],
  });
  const { reports } = plan([n1, n2, config('a'), override('n1'), override('n2')]);
  t.deepEqual(reports.map(({ name, text }) => `${name}: ${text}`), [
    'n1: router ID 10.9.9.9 of AS 65001 is shared by n1, n2',
    'n2: router ID 10.9.9.9 of AS 65001 is shared by n1, n2',
  ]);
});

test('bgp 51: a legacy policy makes an instance, its annotation the router ID', (t) => {
  const annotated = node('n1', 1, { metadata: {
    annotations: { 'cilium.io/bgp-virtual-router.65001': 'router-id=10.9.9.9,local-port=1790' },
  } });
  t.deepEqual(rendered([annotated, policy('old')]), [{
    name: 'asn-65001', localASN: 65001, routerID: '10.9.9.9', localPort: 1790,
    peers: [{
      name: '10.99.0.3', peerAddress: '10.99.0.3', peerASN: 1,
      peerConfigRef: { name: 'legacy:old:65001:10.99.0.3' },
    }],
  }]);
});

test('bgp 52: what a legacy policy cannot mean is left out and told', (t) => {
  const neighbors = [{ peerAddress: '10.99.0.0/24', peerASN: 1 }];
  const virtualRouters = [
    { localASN: 65001, neighbors }, { localASN: 65001, neighbors }, { localASN: 0, neighbors },
  ];
  const { wanted, reports } = plan([n1, policy('old', { virtualRouters })]);
  t.deepEqual(wanted.get('n1')?.instances.map(({ name, peers }) => [name, peers.length]),
    [['asn-65001', 0]]);
  t.deepEqual(reports.map(({ text }) => text), [
    "spec.virtualRouters[0].neighbors[0].peerAddress: '10.99.0.0/24' is no single host",
    'spec.virtualRouters[1].localASN: 65001 stands twice',
    'spec.virtualRouters[2].localASN: 0 is no AS number',
  ]);
});
