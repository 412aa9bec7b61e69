import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { createSimKube } from '../../sim/api/client.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { custom, node, torPeer } from './objects.ts';

type Fields = Record<string, unknown>;
const spec = (fields: Fields = {}): Fields => ({
  bgpInstances: [{ name: 'main', localASN: 65001, peers: [torPeer] }], ...fields,
});
const config = (name: string, fields: Fields = {}): KubeObject =>
  custom('CiliumBGPClusterConfig', name, spec(fields));
const nowhere: Fields = { nodeSelector: { matchLabels: { rack: 'none' } } };

/** A cluster of two nodes with these objects, its controller leading. */
class Site {
  readonly cluster: Cluster;
  #user: Process;

  constructor(objects: readonly KubeObject[]) {
    this.cluster = new Cluster({
      seed: 1n, cluster: defaultCluster(), network: undefined, traffic: [], freeze: true,
      objects: [node('n1', 1), node('n2', 2), ...objects].map(bare),
    });
    this.#user = new Process(this.cluster.world, 'user', new MachineClock(this.cluster.world));
    this.cluster.start();
    this.run(20);
  }

  run(seconds: number): void {
    this.cluster.world.run(this.cluster.world.now + seconds * 1_000_000);
  }

  of(resource: Resource): any[] {
    return [...this.cluster.api.list(resource)];
  }

  /** `Type=Status message` of the conditions of an object. */
  conditions(resource: Resource, name: string): string[] {
    const found = this.of(resource).find((object) => object.metadata.name === name);
    return (found?.status?.conditions ?? []).map((one: any) => (
      `${one.type.replace(/^.*\//u, '')}=${one.status}${one.message ? ` ${one.message}` : ''}`
    ));
  }

  /** The same request as a person would make it. */
  does(verb: 'create' | 'delete' | 'patch', resource: Resource, body: KubeObject): void {
    const kube = createSimKube(
      this.#user, { server: this.cluster.api, path: this.cluster.path }, { user: 'user' },
    );
    const { name = '', namespace = '' } = body.metadata ?? {};
    const ref = { resource, namespace, name };
    const request = verb === 'create' ? { verb, resource, namespace, body: bare(body) } as const
      : verb === 'delete' ? { verb, ref } as const
        : { verb, ref, body: { spec: body['spec'] } as never } as const;
    kube.request(request, (result) => { if (!result.ok) throw new Error(result.error.message); });
    this.run(3);
  }
}

// The API server gives these itself.
function bare(object: KubeObject): KubeObject {
  const { uid: _, resourceVersion: __, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}

test('each selected node has its configuration, and a new controller writes nothing', (t) => {
  const site = new Site([config('a')]);
  const rendered = site.of(resources.bgpNodeConfigs);
  t.deepEqual(rendered.map(({ metadata }) => metadata.name), ['n1', 'n2']);
  t.like(rendered[0].metadata.ownerReferences[0], {
    kind: 'CiliumBGPClusterConfig', name: 'a', controller: true,
  });
  t.deepEqual(rendered[0].spec.bgpInstances[0].peers[0].peerAddress, '10.99.0.3');
  const versions = rendered.map(({ metadata }) => metadata.resourceVersion);
  const leader = site.cluster.machines.all().find(({ controller }) => controller?.leads === true);
  leader?.controller?.crash();
  leader?.controller?.start();
  site.run(60);
  t.deepEqual(
    site.of(resources.bgpNodeConfigs).map(({ metadata }) => metadata.resourceVersion), versions,
  );
  t.deepEqual(site.cluster.pending().filter((text) => text.includes('bgp')), []);
});

test('what somebody changes in a configuration is mended, but not in a loop', (t) => {
  const site = new Site([config('a')]);
  const { bgpNodeConfigs } = resources;
  const asn = (): number => site.of(bgpNodeConfigs)[0].spec.bgpInstances[0].localASN;
  const spoil = (localASN: number): void => {
    site.does('patch', bgpNodeConfigs, custom('CiliumBGPNodeConfig', 'n1', {
      bgpInstances: [{ name: 'main', localASN }],
    }));
  };
  site.run(30);
  spoil(1);
  t.is(asn(), 65001);
  const versions = new Set<string>();
  for (let round = 0; round < 5; round += 1) {
    spoil(2 + round);
    versions.add(String(asn()));
  }
  t.false(versions.has('65001'), 'somebody who insists is not fought each second');
  site.run(35);
  t.is(asn(), 65001);
});

test('bgp 33: no node, one node, two owners, and the owner deleted', (t) => {
  const { bgpClusterConfigs, bgpNodeConfigs } = resources;
  const site = new Site([config('a', nowhere)]);
  t.deepEqual(site.of(bgpNodeConfigs), []);
  t.deepEqual(site.conditions(bgpClusterConfigs, 'a'), [
    'ConflictingClusterConfig=False', 'MissingPeerConfigs=True tor',
    'NoMatchingNode=True spec.nodeSelector matches no Node',
  ]);
  site.does('patch', bgpClusterConfigs, config('a', { nodeSelector: { matchLabels: null } }));
  t.is(site.conditions(bgpClusterConfigs, 'a')[2], 'NoMatchingNode=False');
  t.is(site.of(bgpNodeConfigs).length, 2);
  site.does('create', bgpClusterConfigs, config('b'));
  t.is(site.conditions(bgpClusterConfigs, 'b')[0], 'ConflictingClusterConfig=True a has n1, n2');
  t.is(site.conditions(bgpClusterConfigs, 'a')[0], 'ConflictingClusterConfig=False');
  site.does('delete', bgpClusterConfigs, config('a'));
  t.is(site.conditions(bgpClusterConfigs, 'b')[0], 'ConflictingClusterConfig=False');
  t.deepEqual(site.of(bgpNodeConfigs).map(({ metadata }) => metadata.ownerReferences[0].name),
    ['b', 'b']);
  site.does('delete', bgpClusterConfigs, config('b'));
  t.deepEqual(site.of(bgpNodeConfigs), []);
});

test('bgp 34: missing peer configurations are named once, and come', (t) => {
  const { bgpClusterConfigs, bgpPeerConfigs } = resources;
  const peer = (name: string, of: string): Fields =>
    ({ name, peerAddress: `10.99.0.${name.length + 2}`, peerConfigRef: { name: of } });
  const peers = [peer('a', 'y'), peer('bb', 'x'), peer('ccc', 'x')];
  const site = new Site([config('a', { bgpInstances: [{ name: 'main', localASN: 1, peers }] })]);
  t.is(site.conditions(bgpClusterConfigs, 'a')[1], 'MissingPeerConfigs=True x, y');
  for (const name of ['x', 'y']) {
    site.does('create', bgpPeerConfigs, custom('CiliumBGPPeerConfig', name, {}));
  }
  t.is(site.conditions(bgpClusterConfigs, 'a')[1], 'MissingPeerConfigs=False');
});

test('bgp 31: a peer configuration without its Secret says so', (t) => {
  const { bgpPeerConfigs } = resources;
  const peerConfig = custom('CiliumBGPPeerConfig', 'tor', { authSecretRef: 'key' });
  const secret = {
    apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key', namespace: 'kube-system' },
    stringData: { password: 'x' },
  } as unknown as KubeObject;
  const without = new Site([peerConfig]);
  t.regex(without.conditions(bgpPeerConfigs, 'tor').join(), /^MissingAuthSecret=True .*key/u);
  const events = without.of(resources.events).map(({ reason }) => reason);
  t.true(events.includes('BGPAuthSecretMissing'), events.join());
  const site = new Site([peerConfig, secret]);
  t.deepEqual(site.conditions(bgpPeerConfigs, 'tor'), ['MissingAuthSecret=False']);
  site.does('delete', resources.secrets, secret);
  site.run(60);
  t.regex(site.conditions(bgpPeerConfigs, 'tor').join(), /^MissingAuthSecret=True .*key/u);
});

test('bgp 51, 52: a legacy policy is deprecated, or superseded by a ClusterConfig', (t) => {
  const { bgpPeeringPolicies, bgpClusterConfigs, bgpNodeConfigs } = resources;
  const site = new Site([{
    ...custom('CiliumBGPPeeringPolicy', 'old', { virtualRouters: [
      { localASN: 65001, neighbors: [{ peerAddress: '10.99.0.3/32', peerASN: 1 }] },
    ] }),
    apiVersion: 'cilium.io/v2alpha1',
  }]);
  t.regex(site.conditions(bgpPeeringPolicies, 'old').join(), /^DeprecatedPolicy=True use/u);
  t.is(site.of(bgpNodeConfigs)[0].spec.bgpInstances[0].name, 'asn-65001');
  site.does('create', bgpClusterConfigs, config('new'));
  t.regex(site.conditions(bgpPeeringPolicies, 'old').join(),
    /^DeprecatedPolicy=True CiliumBGPClusterConfig new has n1, n2/u);
  t.is(site.of(bgpNodeConfigs)[0].spec.bgpInstances[0].name, 'main');
});
