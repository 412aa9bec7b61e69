import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { fairlead } from './session.ts';

const examples = join(import.meta.dirname, '../../kind/examples');

/** The findings of one text as `line:column SEVERITY code path`. */
async function findings(input: string): Promise<readonly string[]> {
  const { out } = await fairlead(['validate', '-f', '-'], { input });
  return out.split('\n').filter((line) => line !== '').map((line) => {
    const [place = '', severity = '', code = '', ...rest] = line.split(/ {3,}/);
    const path = /^(\S+): /.exec(rest.join(' '))?.[1] ?? '';
    const parts = [place.replace('stdin:', ''), severity, code, path];
    return parts.filter((part) => part !== '').join(' ');
  });
}

const finds = test.macro({
  exec: async (t, text: string, ...expected: string[]) => {
    t.deepEqual(await findings(text), expected);
  },
  title: (title = '') => `X14: ${title}`,
});

const object = (apiVersion: string, kind: string) => (spec: string, name = 'a') =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}}\nspec:\n  ${spec}\n`;
const pool = object('cilium.io/v2', 'CiliumLoadBalancerIPPool');
const policy = object('cilium.io/v2alpha1', 'CiliumL2AnnouncementPolicy');
const cluster = object('cilium.io/v2', 'CiliumBGPClusterConfig');
const peer = object('cilium.io/v2', 'CiliumBGPPeerConfig');
const advertisement = object('cilium.io/v2', 'CiliumBGPAdvertisement');
const override = object('cilium.io/v2', 'CiliumBGPNodeConfigOverride');
const legacy = object('cilium.io/v2alpha1', 'CiliumBGPPeeringPolicy');
const service = object('v1', 'Service');
const node = (name: string) => `apiVersion: v1\nkind: Node\nmetadata: {name: ${name}}\n`;
const all = (...documents: string[]): string => documents.join('---\n');

test('a reversed range', finds, pool('blocks: [{start: 10.0.0.9, stop: 10.0.0.3}]'), '5:12 ERROR reversed_range spec.blocks[0]');
test('an empty block', finds, pool('blocks: [{}]'), '5:12 ERROR empty_block spec.blocks[0]');
test('a stop without a start', finds, pool('blocks: [{stop: 10.0.0.1}]'), '5:12 ERROR missing_start spec.blocks[0]');
test('a prefix that is too long', finds, pool('blocks: [{cidr: 10.0.0.0/33}]'), '5:13 ERROR invalid_address spec.blocks[0].cidr');
test('a cidr that is no address', finds, pool('blocks: [{cidr: junk}]'), '5:13 ERROR invalid_address spec.blocks[0].cidr');
test('an address with a leading zero', finds, pool('blocks: [{start: 010.0.0.1}]'), '5:13 ERROR invalid_address spec.blocks[0].start');
test('an IPv4-mapped address', finds, pool('blocks: [{start: "::ffff:10.0.0.1"}]'), '5:13 ERROR invalid_address spec.blocks[0].start');
test('a zoned address', finds, pool('blocks: [{start: "fe80::1%eth0"}]'), '5:13 ERROR invalid_address spec.blocks[0].start');
test('two families in one range', finds, pool('blocks: [{start: 10.0.0.1, stop: "ff::1"}]'), '5:12 ERROR mixed_families spec.blocks[0]');
test('the second block is the bad one', finds, pool('blocks:\n  - cidr: 10.0.0.0/24\n  - cidr: 10.1.0.0/99'), '7:5 ERROR invalid_address spec.blocks[1].cidr');
test('host bits in a cidr', finds, pool('blocks: [{cidr: 10.0.0.12/24}]'), '5:12 WARN valid_with_warnings spec.blocks[0]');
test('a range beside a cidr', finds, pool('blocks: [{cidr: 10.0.0.0/24, start: 10.0.0.5}]'), '5:12 WARN valid_with_warnings spec.blocks[0]');
test('a loopback range', finds, pool('blocks: [{cidr: 127.0.0.0/24}]'), '5:12 WARN valid_with_warnings spec.blocks[0]');
test('an unknown value of an option', finds, pool('blocks: [{cidr: 10.0.0.0/24}]\n  allowFirstLastIPs: "Maybe"'), '6:3 ERROR invalid_option spec.allowFirstLastIPs');
test('a bare No, which YAML reads as false', finds, pool('blocks: [{cidr: 10.0.0.0/24}]\n  allowFirstLastIPs: No'), '6:3 ERROR invalid_option spec.allowFirstLastIPs');
test('a selector with an unknown operator', finds, pool('serviceSelector: {matchExpressions: [{key: a, operator: Near}]}'), '5:49 ERROR invalid_selector spec.serviceSelector.matchExpressions[0].operator');
test('a selector without values', finds, pool('serviceSelector: {matchExpressions: [{key: a, operator: In}]}'), '5:40 ERROR invalid_selector spec.serviceSelector.matchExpressions[0].values');
test('a selector whose key is none', finds, pool('serviceSelector: {matchLabels: {"a b": c}}'), '5:35 ERROR invalid_selector');
test('a pool without a spec', finds, 'apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: a}\n', '1:1 ERROR schema spec');
test('blocks that are no list', finds, pool('blocks: 10.0.0.0/24'), '5:3 ERROR invalid_address spec.blocks');
test('disabled that is no boolean', finds, pool('disabled: "yes"'), '5:3 ERROR invalid_option spec.disabled');
test('a misspelt field', finds, pool('block: [{cidr: 10.0.0.0/24}]'), '5:3 WARN unknown_field spec.block');
test('a pool whose own blocks overlap', finds, pool('blocks: [{cidr: 10.0.0.0/24}, {cidr: 10.0.0.64/28}]'), '5:12 ERROR cidr_overlap spec.blocks[0]');
test('two pools that overlap', finds, all(pool('blocks: [{cidr: 10.0.0.0/24}]', 'b'), pool('blocks: [{cidr: 10.0.0.64/28}]', 'a')), '5:12 ERROR cidr_overlap spec.blocks[0]');
test('a pool that selects no Service of the folder', finds, all(pool('serviceSelector: {matchLabels: {team: web}}'), service('type: LoadBalancer')), '5:3 WARN SelectorMatchesNothing spec.serviceSelector');
test('a pool under another version than is served', finds, pool('blocks: []').replace('v2', 'v1'), '1:1 ERROR unknown_version apiVersion');
test('a kind of the group that has no effect here', finds, object('cilium.io/v2', 'CiliumNetworkPolicy')('{}'), '2:1 WARN unknown_kind kind');

test('a policy with a bad expression', finds, policy('loadBalancerIPs: true\n  interfaces: ["eth0", "^eth[0-9"]'), '6:24 ERROR io.cilium/bad-interface-regex spec.interfaces[1]');
test('a policy with a back-reference, which RE2 has not', finds, policy('loadBalancerIPs: true\n  interfaces: ["(a)\\\\1"]'), '6:16 ERROR io.cilium/bad-interface-regex spec.interfaces[0]');
test('a policy with a bad node selector', finds, policy('loadBalancerIPs: true\n  nodeSelector: {matchExpressions: [{key: a, operator: Is}]}'), '6:46 ERROR io.cilium/bad-node-selector spec.nodeSelector.matchExpressions[0].operator');
test('a policy with a bad service selector', finds, policy('externalIPs: true\n  serviceSelector: {matchLabels: {a: "b c"}}'), '6:35 ERROR io.cilium/bad-service-selector spec.serviceSelector.matchLabels[a]');
test('a policy that announces nothing', finds, policy('interfaces: [eth0]'), '4:1 WARN fairlead.dev/inert spec');
test('a policy that selects no Node of the folder', finds, all(policy('loadBalancerIPs: true\n  nodeSelector: {matchLabels: {rack: b}}'), node('n1')), '6:3 WARN fairlead.dev/no-candidate spec.nodeSelector');
test('a policy that selects no Service of the folder', finds, all(policy('loadBalancerIPs: true\n  serviceSelector: {matchLabels: {a: b}}'), service('type: ClusterIP')), '6:3 WARN SelectorMatchesNothing spec.serviceSelector');
test('a policy with a number for a boolean', finds, policy('loadBalancerIPs: 1'), '5:3 ERROR schema spec.loadBalancerIPs');
test('a Service that no policy selects', finds, all(policy('loadBalancerIPs: true\n  serviceSelector: {matchLabels: {a: b}}'), service('type: LoadBalancer')), '6:3 WARN SelectorMatchesNothing spec.serviceSelector', '10:1 WARN NoPolicy metadata.labels');

const peers = (text: string) =>
  cluster(`bgpInstances: [{name: i, localASN: 64512, peers: [${text}]}]`);
test('a peer with a prefix for an address', finds, peers('{name: p, peerAddress: 10.0.0.1/32}'), '5:63 ERROR schema spec.bgpInstances[0].peers[0].peerAddress');
test('a peer without an address', finds, peers('{name: p, peerASN: 65001}'), '5:53 ERROR schema spec.bgpInstances[0].peers[0]');
test('a peer whose configuration is not there', finds, peers('{name: p, peerAddress: 10.0.0.1, peerConfigRef: {name: gone}}'), '5:102 ERROR MissingPeerConfigs spec.bgpInstances[0].peers[0].peerConfigRef.name');
test('two peers of one name', finds, peers('{name: p, peerAddress: 10.0.0.1}, {name: p, peerAddress: 10.0.0.2}'), '5:87 ERROR schema spec.bgpInstances[0].peers[1]');
test('an ASN out of range', finds, cluster('bgpInstances: [{name: i, localASN: 4294967296}]'), '5:28 ERROR schema spec.bgpInstances[0].localASN');
test('a port out of range', finds, cluster('bgpInstances: [{name: i, localASN: 1, localPort: 70000}]'), '5:41 ERROR schema spec.bgpInstances[0].localPort');
test('no instance', finds, cluster('nodeSelector: {}'), '4:1 ERROR schema spec.bgpInstances');
test('a cluster configuration that selects no Node', finds, all(cluster('nodeSelector: {matchLabels: {rack: b}}\n  bgpInstances: [{name: i, localASN: 1}]'), node('n1')), '5:3 WARN NoMatchingNode spec.nodeSelector');
test('two cluster configurations for one Node', finds, all(cluster('bgpInstances: [{name: i, localASN: 1}]', 'a'), cluster('bgpInstances: [{name: i, localASN: 1}]', 'b'), node('n1')), '10:1 ERROR ConflictingClusterConfigs spec.nodeSelector');

const used = peers('{name: p, peerAddress: 10.0.0.1, peerConfigRef: {name: a}}');
test('a peer configuration that nobody uses', finds, peer('ebgpMultihop: 2'), '3:12 WARN UnusedPeerConfig metadata.name');
test('a Secret that is not there', finds, all(peer('authSecretRef: key'), used), '5:3 ERROR MissingAuthSecret spec.authSecretRef');
test('a Secret of another namespace', finds, all(peer('authSecretRef: key'), used, 'apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: x}\n'), '5:3 ERROR MissingAuthSecret spec.authSecretRef');
test('a Secret without a password', finds, all(peer('authSecretRef: key'), used, 'apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: kube-system}\n'), '5:3 ERROR MissingAuthSecret spec.authSecretRef');
test('a keepalive above the hold time', finds, all(peer('timers: {holdTimeSeconds: 9, keepAliveTimeSeconds: 10}'), used), '5:3 ERROR schema spec.timers');
test('a hold time below the least', finds, all(peer('timers: {holdTimeSeconds: 2}'), used), '5:12 ERROR schema spec.timers.holdTimeSeconds');
test('an unknown address family', finds, all(peer('families: [{afi: ipv5, safi: unicast}]'), used), '5:15 ERROR schema spec.families[0].afi');
test('a family whose selector finds no advertisement', finds, all(peer('families: [{afi: ipv4, safi: unicast, advertisements: {matchLabels: {a: b}}}]'), used), '5:41 WARN NoAdvertisement spec.families[0].advertisements');
test('an advertisement that nobody selects', finds, advertisement('advertisements: [{advertisementType: PodCIDR}]'), '3:1 WARN UnusedAdvertisement metadata.labels');
test('an advertisement of Services without addresses', finds, advertisement('advertisements: [{advertisementType: Service}]'), '3:1 WARN UnusedAdvertisement metadata.labels', '5:20 ERROR schema spec.advertisements[0]');
test('a community that is none', finds, advertisement('advertisements: [{advertisementType: PodCIDR, attributes: {communities: {standard: ["70000:1"]}}}]'), '3:1 WARN UnusedAdvertisement metadata.labels', '5:87 ERROR schema spec.advertisements[0].attributes.communities.standard[0]');
test('an override for a Node that is not there', finds, all(override('bgpInstances: [{name: i}]'), node('n1')), '3:12 WARN UnknownOverride metadata.name');
test('an override for an instance that is not there', finds, all(override('bgpInstances: [{name: other}]', 'n1'), node('n1'), cluster('bgpInstances: [{name: i, localASN: 1}]')), '5:19 WARN UnknownOverride spec.bgpInstances[0].name');
test('a router ID that is no IPv4 address', finds, all(override('bgpInstances: [{name: i, routerID: "::1"}]', 'n1'), cluster('bgpInstances: [{name: i, localASN: 1}]')), '5:28 ERROR schema spec.bgpInstances[0].routerID');
test('a legacy neighbour without a prefix length', finds, legacy('virtualRouters: [{localASN: 1, neighbors: [{peerAddress: 10.0.0.1, peerASN: 2}]}]'), '5:47 ERROR schema spec.virtualRouters[0].neighbors[0].peerAddress');
test('a legacy policy beside a cluster configuration', finds, all(legacy('virtualRouters: [{localASN: 1, neighbors: [{peerAddress: 10.0.0.1/32, peerASN: 2}]}]'), cluster('bgpInstances: [{name: i, localASN: 1}]'), node('n1')), '4:1 WARN PolicyIgnored spec.nodeSelector');

const annotated = (key: string, value: string) =>
  service('type: LoadBalancer\n  loadBalancerClass: io.cilium/l2-announcer').replace(
    '{name: a}',
    `{name: a, annotations: {${key}: "${value}"}}`,
  );
const lan = pool('blocks: [{cidr: 10.0.0.0/24}]');
test('a Service that asks for an address outside the pools', finds, all(annotated('lbipam.cilium.io/ips', '10.9.9.9'), lan), '3:21 WARN no_pool metadata.annotations');
test('a Service that asks for no address at all', finds, all(annotated('lbipam.cilium.io/ips', '10.0.0.x'), lan), '3:21 WARN invalid_request metadata.annotations');
test('a Service that finds the only pool full', finds, all(service('type: LoadBalancer'), service('type: LoadBalancer', 'b'), pool('blocks: [{start: 10.0.0.1}]')), '9:12 WARN out_of_ips metadata.name');
test('an annotation that has no effect', finds, annotated('lbipam.cilium.io/ip', '10.0.0.1'), '3:21 WARN unknown_annotation metadata.annotations');
test('an annotation with a bad value', finds, annotated('lbipam.cilium.io/sharing-permit-different-pods', 'maybe'), '3:21 WARN invalid_annotation metadata.annotations');

test('a Service port out of range', finds, service('ports: [{port: 70000}]'), '5:12 ERROR malformed_object spec.ports[0].port');
test('a Service whose ports are no list', finds, service('ports: 80'), '5:3 ERROR malformed_object spec.ports');
test('an unknown protocol', finds, service('ports: [{port: 80, protocol: QUIC}]'), '5:22 ERROR malformed_object spec.ports[0].protocol');
test('two objects of one name', finds, all(service('type: ClusterIP'), service('type: NodePort')), '9:12 ERROR duplicate_object metadata.name');
const pods = `apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: a}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}\n`;
test('a Service that selects no pod', finds, all(service('selector: {app: b}'), pods), '5:3 WARN NoEndpointSlice spec.selector');
test('a Service whose target port nobody names', finds, all(service('selector: {app: a}\n  ports: [{port: 80, targetPort: https}]'), pods), '6:22 WARN PortNameMismatch spec.ports[0].targetPort');

test('a text that is no YAML', finds, 'kind: [a\n', '2:1 ERROR unreadable');
test('a tab for indentation', finds, 'kind: Service\nmetadata:\n\tname: a\n', '3:1 ERROR unreadable');
test('one bad document leaves the others', finds, all('a: [\n', policy('interfaces: []')), '2:1 ERROR unreadable', '6:1 WARN fairlead.dev/inert spec');
test('an object without a name', finds, 'apiVersion: v1\nkind: Service\nmetadata: {}\n', '3:1 ERROR unreadable metadata.name');
test('a list of objects has places inside', finds, 'apiVersion: v1\nkind: List\nitems:\n- apiVersion: cilium.io/v2\n  kind: CiliumLoadBalancerIPPool\n' + '  metadata: {name: a}\n  spec: {blocks: [{}]}\n', '7:19 ERROR empty_block spec.blocks[0]');
test('an alias bomb ends no process', finds, `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'.split('').map((key, index) => `${key}: &${key} [${Array.from({ length: 9 }, () => `*${'abcdefg'[index]}`).join()}]\n`).join('')}`, '1:1 ERROR unreadable');

for (const name of readdirSync(examples).filter((each) => each !== 'bad')) {
  test(`X14: example ${name} has no error`, async (t) => {
    const { exitCode, out } = await fairlead(['validate', '-f', join(examples, name)]);
    t.is(exitCode, 0);
    t.notRegex(out, /ERROR/);
  });
}

test('X14: the bad example exits 1, warnings alone only with --strict', async (t) => {
  t.is((await fairlead(['validate', '-f', join(examples, 'bad')])).exitCode, 1);
  const homelab = ['validate', '-f', join(examples, 'homelab')];
  t.is((await fairlead(homelab)).exitCode, 0);
  t.is((await fairlead([...homelab, '--strict'])).exitCode, 1);
});

const config = (text: string): string => (
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fairlead-config}\ndata:\n  config.yaml: |\n${
    text.split('\n').map((line) => `    ${line}`).join('\n')}\n`
);

test('a setting that does not exist', finds, config('l2:\n  sesion: 5s'), '7:7 ERROR ConfigRejected l2.sesion');
test('a setting of another type', finds, config('enable-ipv6: perhaps'), '6:5 ERROR ConfigRejected enable-ipv6');
test('a choice that there is not, under the name that Cilium has', finds, config('devices: eth0\nbpf-lb-algorithm: round'), '7:5 ERROR ConfigRejected datapath.algorithm');
test('a setting of l2 out of bounds, which is brought within them', finds, config('l2: {session: {duration: 1h}}'), '5:3 WARN ConfigRejected');
test('a configuration that is no mapping', finds, config('- l2'), '6:5 ERROR ConfigRejected');
test('a configuration that is no YAML', finds, config('l2: {'), '7:5 ERROR ConfigRejected');
test('a configuration in order', finds, config('bgp:\n  enabled: false\ncluster-pool-ipv4-cidr: 10.0.0.0/8'));
test('the ConfigMap of somebody else', finds, config('l2: {sesion: 1}').replace('fairlead-config', 'mine'));
test('a Service whose name begins with a digit', finds, service('type: LoadBalancer', '9web').replace('spec:\n', 'spec:\n  ports: [{port: 80}]\n'), '3:12 ERROR schema metadata.name');
test('a Node whose name has an underscore', finds, node('node_1'), '3:12 ERROR schema metadata.name');
test('a label value that is none', finds, `apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {zone: "a b"}}\n`, '3:21 ERROR schema metadata.labels');

test('a finding is one line: place, severity, code, path and sentence', async (t) => {
  const { out } = await fairlead(['validate', '-f', '-'], {
    input: pool('blocks: [{start: 10.0.0.9, stop: 10.0.0.3}]'),
  });
  t.regex(out, /^stdin:5:12 {3}ERROR {3}reversed_range {3}spec\.blocks\[0\]: 10\.0\.0\.9 .*\n$/);
});

test('-R looks into folders below, and only then', async (t) => {
  // It holds folders and no manifest of its own.
  const above = join(examples, '../overlays');
  t.is((await fairlead(['validate', '-f', above])).exitCode, 64);
  const { err } = await fairlead(['validate', '-R', '-f', above]);
  t.regex(err, /objects, [0-9]+ errors, [0-9]+ warnings\n$/);
});
