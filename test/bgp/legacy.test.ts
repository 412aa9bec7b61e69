import test from 'ava';
import { convertedManifests } from '../../bgp/convert.ts';
import { convertPolicy } from '../../bgp/legacy.ts';
import { instancesJson } from '../../bgp/render.ts';
import { createDecoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { fairlead } from '../cli/session.ts';
import { derive, routeTexts } from './derive.ts';
import { custom, node, service, vip } from './objects.ts';

type Fields = Record<string, unknown>;
const decoder = createDecoder();
const neighbour: Fields = { peerAddress: '10.99.0.3/32', peerASN: 65010 };
const router = (fields: Fields = {}, of: Fields = {}): Fields => ({
  virtualRouters: [{
    localASN: 65001, serviceSelector: {}, neighbors: [{ ...neighbour, ...of }], ...fields,
  }],
});
const policy = (spec: Fields): KubeObject => custom('CiliumBGPPeeringPolicy', 'old', spec);

/** The NodeConfig that the controller renders of a policy, for n1. */
function renderedOf(object: KubeObject): KubeObject {
  const decoded = decoder.bgpPeeringPolicy(object);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
  const instances = convertPolicy(decoded.value).instances.map((instance) => ({
    ...instance, routerId: undefined,
    peers: instance.peers.map((peer) => ({ ...peer, localAddress: undefined })),
  }));
  return custom('CiliumBGPNodeConfig', 'n1', { bgpInstances: instancesJson(instances) }, {
    ownerReferences: [{
      kind: 'CiliumBGPPeeringPolicy', name: 'old', uid: object.metadata?.uid, controller: true,
    }],
  });
}

const n1 = node('n1', 1, { metadata: { labels: { rack: 'a' } } });

const announces = test.macro({
  exec: (t, _: string, spec: Fields, objects: readonly KubeObject[], expected: string[]) => {
    const old = policy(spec);
    const instances = derive([n1, old, renderedOf(old), ...objects]);
    t.deepEqual(routeTexts(instances), expected.map((text) => `10.99.0.3 ${text}`));
    t.deepEqual(instances.flatMap(({ warnings }) => warnings), []);
  },
  title: (_, what: string) => what,
});

test(announces, 'bgp 51: services that the selector matches', router(), [service()], [`${vip}/32`]);
test(announces, 'bgp 52: no selector, no services', router({ serviceSelector: undefined }),
  [service()], []);
test(announces, 'pod CIDRs where asked for', router({ exportPodCIDR: true }), [],
  ['10.244.1.0/24']);
test(announces, 'the addresses that serviceAdvertisements names',
  router({ serviceAdvertisements: ['ClusterIP'] }),
  [service({ spec: { clusterIPs: ['10.96.0.10'] } })], ['10.96.0.10/32']);

const pool = (name: string, cidr: string): KubeObject =>
  custom('CiliumLoadBalancerIPPool', name, { blocks: [{ cidr }] }, { labels: { colour: name } });
const pools = [pool('blue', '198.51.100.0/24'), pool('green', '203.0.113.0/24')];
const attributesOf = (selectorType: string, labels: Fields): Fields => ({
  advertisedPathAttributes: [{
    selectorType, selector: { matchLabels: labels }, communities: { standard: ['65000:7'] },
  }],
});
test(announces, 'bgp 53: attributes of a pool hold for its addresses',
  router({}, attributesOf('CiliumLoadBalancerIPPool', { colour: 'blue' })),
  [...pools, service({ ingress: [vip, '203.0.113.9'] })],
  [`${vip}/32 65000:7`, '203.0.113.9/32']);
test(announces, 'attributes of pod CIDRs hold on nodes that match',
  router({ exportPodCIDR: true }, attributesOf('PodCIDR', { rack: 'a' })), [],
  ['10.244.1.0/24 65000:7']);
test(announces, 'attributes of pod CIDRs do not hold on others',
  router({ exportPodCIDR: true }, attributesOf('PodCIDR', { rack: 'b' })), [],
  ['10.244.1.0/24']);

test('converted manifests are valid, and announce what the policy announced', (t) => {
  const spec = router({ exportPodCIDR: true }, {
    eBGPMultihopTTL: 3, holdTimeSeconds: 9, keepAliveTimeSeconds: 3, authSecretRef: 'key',
    gracefulRestart: { enabled: true, restartTimeSeconds: 30 },
    advertisedPathAttributes: [
      { selectorType: 'PodCIDR', communities: { standard: ['65000:7'] }, localPreference: 9 },
    ],
  });
  const around = { password: () => ({ text: 'x', version: '1' }) };
  const old = policy(spec);
  const decoded = decoder.bgpPeeringPolicy(old);
  const { manifests, warnings } = convertedManifests((decoded as any).value, []);
  t.deepEqual(warnings, []);
  const admitted = manifests.map((manifest: any) => custom(
    manifest.kind, manifest.metadata.name, manifest.spec, { labels: manifest.metadata.labels },
  ));
  const cluster = admitted.find(({ kind }) => kind === 'CiliumBGPClusterConfig') as any;
  const rendered = custom('CiliumBGPNodeConfig', 'n1', cluster.spec);
  const others = admitted.filter((object) => object !== cluster);
  const [before] = derive([n1, old, renderedOf(old), service()], around);
  const [after] = derive([n1, rendered, ...others, service()], around);
  t.is(before?.peers.length, 1);
  t.deepEqual(after, before);
});

test('what an advertisement cannot say is told', (t) => {
  const decoded = decoder.bgpPeeringPolicy(
    policy(router({}, attributesOf('CiliumLoadBalancerIPPool', { colour: 'blue' }))),
  );
  const { warnings } = convertedManifests((decoded as any).value, []);
  t.deepEqual(warnings, [
    'old: old-1: attributes of Service routes hold for selected pools only, which an advertisement '
      + 'cannot say',
  ]);
});

test('X10: the example of a rack is converted to manifests that validate', async (t) => {
  const { out, exitCode } = await fairlead(['bgp', 'convert', '-f', 'kind/examples/bgp-rack']);
  t.is(exitCode, 0);
  t.regex(out, /^apiVersion: cilium\.io\/v2\nkind: CiliumBGPClusterConfig\n/u);
  t.is(out.split('\n---\n').length, 3);
  const none = await fairlead(['bgp', 'convert', '-f', 'kind/examples/homelab']);
  t.is(none.exitCode, 64);
});
