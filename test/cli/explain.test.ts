import { join } from 'node:path';
import test from 'ava';
import { explanationText, stopAtFirstFault, type ExplainStep } from '../../cli/explanation.ts';
import { fairlead } from './session.ts';

const examples = join(import.meta.dirname, '../../kind/examples');
const explain = (name: string, folder = 'demo') =>
  fairlead(['service', 'explain', ...name.split(' '), '-f', join(examples, folder)]);

test('6: a Service that no pool serves', async (t) => {
  const { exitCode, out, err } = await explain('lab/db');
  t.is(exitCode, 1);
  t.is(err, '');
  const basis = /source: manifests \([0-9]+ objects, 3 nodes, [0-9.]+s virtual\)/;
  t.regex(out, basis);
  t.is(out.replace(basis, 'source: …'), `\
Service lab/db   LoadBalancer   IPv4   5432/TCP            source: …
1 allocation     FAIL   no_pool: 2 pools looked at, none serves this Service
                          dmz   FamilyMismatch         it has no IPv4 address
                          lan   PoolSelectorMismatch   pool wants team=web, Service has team=data
2..5             -      not reached
fix: kubectl label svc -n lab db --overwrite team=web       or widen the selector of pool lan; \
first: fairlead ippool plan -f DIR
`);
});

test('6: a chain that holds exits 0', async (t) => {
  const { exitCode, out } = await explain('svc/web/nginx');
  t.is(exitCode, 0);
  t.regex(out, /\n1 allocation {5}OK {5}192\.0\.2\.10 from pool lan\n/);
  t.regex(out, /\n2 announcement {3}OK {5}l2 policy lan; 192\.0\.2\.10 by n[123]\n/);
  const fronts = '10.96.12.34:80/TCP, 192.0.2.10:80/TCP, *:31940/TCP';
  t.true(out.includes(`\n3 frontends      OK     ${fronts}\n`));
  t.regex(out, /\n4 backends {7}OK {5}3 of 3 ready\n/);
  t.regex(out, /\n5 datapath {7}OK {5}3 frontends on each of 3 nodes\n/);
});

test('names come with a namespace, with -n, or in default', async (t) => {
  t.is((await explain('-n web api')).exitCode, 0);
  t.is((await explain('internal', 'bgp-rack')).exitCode, 1);
});

test('an absent Service exits 1 with the nearest names', async (t) => {
  const { exitCode, out, err } = await explain('nginx');
  t.deepEqual([exitCode, out], [1, '']);
  t.is(err, 'fairlead: Service default/nginx is not there; nearest: web/nginx\n');
  t.regex((await explain('web/nginz')).err, /nearest: web\/nginx\n$/);
});

test('--all walks on behind a broken link', async (t) => {
  const { exitCode, out } = await explain('--all lab/db');
  t.is(exitCode, 1);
  t.regex(out, /\n2 announcement {3}OK /);
  t.notRegex(out, /not reached/);
});

const codes = test.macro({
  exec: async (t, _: string, input: string, code: string) => {
    const line = ['service', 'explain', 's', '-f', '-', '-o', 'json'];
    const { exitCode, out } = await fairlead(line, { input });
    const { items } = JSON.parse(out) as { items: { steps: ExplainStep[] }[] };
    const steps = items[0]?.steps ?? [];
    const broken = steps.find(({ state }) => state === 'fail');
    t.is(`${broken?.step ?? 'whole'} ${broken?.reason ?? ''}`.trim(), code);
    t.is(exitCode, broken === undefined ? 0 : 1);
    t.is(steps.length, 5);
    t.is(broken?.next === undefined, broken === undefined, 'a broken link has a remedy');
    t.notRegex(out, /\bnull\b/);
  },
  title: (_, what: string) => `X7: ${what}`,
});

const service = (spec = '', metadata = '') => `apiVersion: v1\nkind: Service
metadata: {name: s${metadata}}\nspec: {type: LoadBalancer, ports: [{port: 80}]${spec}}\n---\n`;
const pool = (spec: string, name = 'a') =>
  `apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: ${name}}\nspec: {${spec}}\n---\n`;
const policy = `apiVersion: cilium.io/v2alpha1\nkind: CiliumL2AnnouncementPolicy
metadata: {name: p}\nspec: {loadBalancerIPs: true}\n---\n`;
const l2 = ', loadBalancerClass: io.cilium/l2-announcer';
const good = pool('blocks: [{cidr: 10.0.0.0/24}]');

const pod = `apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: x}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}\n---\n`;
const selecting = service(', selector: {app: x}');
const nowhere = policy.replace('true}', 'true, nodeSelector: {matchLabels: {rack: b}}}');
const devices = policy.replace('true}', 'true, interfaces: ["^wlan"]}');

test(codes, 'a whole chain', selecting + good + policy + pod, 'whole');
test(codes, 'a Service without pods', service() + good + policy, 'backends NoEndpointSlice');
test(codes, 'a policy for other nodes', selecting + good + nowhere + pod, 'announcement L2NoCandidate');
test(codes, 'a policy for other devices', selecting + good + devices + pod, 'announcement L2NoCandidate');
test(codes, 'a Service of type ClusterIP', selecting.replace('LoadBalancer', 'ClusterIP') + pod, 'whole');
test(codes, 'no pool at all', service(l2), 'allocation no_pool');
test(codes, 'a disabled pool', service() + pool('blocks: [{cidr: 10.0.0.0/24}], disabled: true'), 'allocation NotSelected');
test(codes, 'a class of another controller', service(', loadBalancerClass: example.com/x'), 'allocation ForeignClass');
test(codes, 'a pool in conflict', service(l2) + good.replace('/24', '/24}, {cidr: 10.0.0.0/25'), 'allocation no_pool');
test(codes, 'an address that is none', service(', loadBalancerIP: 10.0.0.400') + good, 'allocation invalid_request');
test(codes, 'an address outside every pool', service(l2, ', annotations: {lbipam.cilium.io/ips: 10.9.9.9}') + good, 'allocation no_pool');
test(codes, 'an exhausted pool', service(l2).replace('name: s', 'name: r') + service(l2) + pool('blocks: [{start: 10.0.0.1}]'), 'allocation out_of_ips');
test(codes, 'nobody announces', service() + good, 'announcement NoPolicy');
test(codes, 'no advertisement for the class', service(', loadBalancerClass: io.cilium/bgp-control-plane') + good, 'announcement NoAdvertisement');
test(codes, 'no policy for the class', service(l2) + good, 'announcement NoPolicy');
test(codes, 'no pod', service(', selector: {app: x}') + good + policy + 'apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: y}}\nspec: {}\n', 'backends NoEndpointSlice');

test('later steps count as not reached, and stand on one line', (t) => {
  const step = (name: ExplainStep['step'], state: ExplainStep['state']): ExplainStep =>
    ({ step: name, state, message: 'm', evidence: [] });
  const steps = stopAtFirstFault([
    step('allocation', 'ok'), step('announcement', 'fail'), step('frontends', 'ok'),
    step('backends', 'ok'), step('datapath', 'ok'),
  ]);
  const text = explanationText({
    service: 'a/b', type: 'LoadBalancer', families: [], ports: ['1/UDP'],
    source: 'cluster', basis: '5 objects, 3 agents', steps,
  }, (_, word) => word);
  t.is(text, `\
Service a/b   LoadBalancer   1/UDP            source: cluster (5 objects, 3 agents)
1 allocation     OK     m
2 announcement   FAIL   m
3..5             -      not reached
`);
});
