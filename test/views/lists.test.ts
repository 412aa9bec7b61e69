import test from 'ava';
import { parse } from 'yaml';
import { encodeL2, encodeL2Key } from '../../bpf/layout.gen.ts';
import {
  printBackends, printFrontKeys, printFronts, printMembers, printRanges,
} from '../../cli/lbviews.ts';
import { printLiveServices } from '../../cli/liveservices.ts';
import type { OutputFlags } from '../../cli/output.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';
import { endpoint, everyEndpoint, service, slice, vip } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { altered, shown } from './maps.ts';

const plain = () => new MapRig().load().start().run().kernel;

// eTP Local, affinity, source ranges, and an endpoint that only serves its old flows.
const rich = () => new MapRig().load(
  [service({
    affinitySeconds: 10, externalTrafficPolicy: 'Local',
    sourceRanges: ['203.0.113.0/25', '192.0.2.0/24'],
  })],
  [slice([
    ...everyEndpoint, endpoint('10.64.1.99', { ready: false, terminating: true, nodeName: 'n-a' }),
  ])],
).start().run().kernel;

const list = test.macro({
  exec: async (
    t, print: Parameters<typeof shown<OutputFlags>>[0], maps: typeof plain,
    lines: readonly string[],
  ) => {
    const { out, err, exitCode } = await shown(print, maps(), {});
    t.deepEqual(out.split('\n'), [...lines, '']);
    t.deepEqual([err, exitCode], ['', 0]);
  },
  title: (claim = '') => claim,
});

test('lb list: each front by type, with its endpoints local first', list, printFronts, plain, [
  'NODE   FRONT                  KIND           SVC   GEN   SET   SLOT   ENDPOINT          SCOPE     FLAGS',
  'n-a    10.200.0.10:80/TCP     ClusterIP      1     1     1     0      10.64.1.21:8080   local     -',
  '                                                               1      10.64.2.21:8080   cluster   -',
  '                                                               2      10.64.3.21:8080   cluster   -',
  'n-a    *:30080/TCP            NodePort       1     1     1     0      10.64.1.21:8080   local     -',
  '                                                               1      10.64.2.21:8080   cluster   -',
  '                                                               2      10.64.3.21:8080   cluster   -',
  'n-a    192.0.2.250:80/TCP     ExternalIP     1     1     1     0      10.64.1.21:8080   local     -',
  '                                                               1      10.64.2.21:8080   cluster   -',
  '                                                               2      10.64.3.21:8080   cluster   -',
  'n-a    198.51.100.10:80/TCP   LoadBalancer   1     1     1     0      10.64.1.21:8080   local     -',
  '                                                               1      10.64.2.21:8080   cluster   -',
  '                                                               2      10.64.3.21:8080   cluster   -',
]);

test('--fronts: one row a front, with what the service port says', list, printFrontKeys, rich, [
  'NODE   FRONT                  KIND           SVC   GEN   SET   FLAGS',
  'n-a    10.200.0.10:80/TCP     ClusterIP      1     1     1     external-local,affinity=10s,ranges',
  'n-a    *:30080/TCP            NodePort       1     1     1     external-local,affinity=10s,ranges',
  'n-a    192.0.2.250:80/TCP     ExternalIP     1     1     1     external-local,affinity=10s,ranges',
  'n-a    198.51.100.10:80/TCP   LoadBalancer   1     1     1     external-local,affinity=10s,ranges',
]);

test('--backends: endpoints by address', list, printBackends, rich, [
  'NODE   ID   ENDPOINT          PROTO   GEN   FLAGS   SVC',
  'n-a    1    10.64.1.21:8080   TCP     1     local   1',
  'n-a    4    10.64.1.99:8080   TCP     4     local   1',
  'n-a    2    10.64.2.21:8080   TCP     2     -       1',
  'n-a    3    10.64.3.21:8080   TCP     3     -       1',
]);

test('--members: an endpoint that drains serves in no scope', list, printMembers, rich, [
  'NODE   SVC   ID   ENDPOINT          SCOPE     FLAGS',
  'n-a    1     1    10.64.1.21:8080   local     serving',
  'n-a    1     4    10.64.1.99:8080   -         serving',
  'n-a    1     2    10.64.2.21:8080   cluster   serving',
  'n-a    1     3    10.64.3.21:8080   cluster   serving',
]);

test('--ranges: prefixes, and the VIP as its own source', list, printRanges, rich, [
  'NODE   SVC   RANGE   PREFIX             FLAGS',
  'n-a    1     1       192.0.2.0/24       admit',
  'n-a    1     1       198.51.100.10/32   self',
  'n-a    1     1       203.0.113.0/25     admit',
]);

test('service list: what the maps tell of each frontend', list, printLiveServices, rich, [
  'NAMESPACE   NAME   TYPE           FRONTEND               POLICY    BACKENDS   EXTERNAL-IP     ANNOUNCED   READY',
  '-           -      ClusterIP      10.200.0.10:80/TCP     Cluster   1/3        -               -           True',
  '-           -      NodePort       *:30080/TCP            Local     1/3        -               -           True',
  '-           -      ExternalIP     192.0.2.250:80/TCP     Local     1/3        -               -           True',
  '-           -      LoadBalancer   198.51.100.10:80/TCP   Local     1/3        198.51.100.10   -           True',
]);

const empty = () => new MapRig().load([], []).start().run().kernel;
test('an empty list is an answer', list, printFronts, empty, [
  'NODE   FRONT   KIND   SVC   GEN   SET   SLOT   ENDPOINT   SCOPE   FLAGS',
]);

const unserved = () => new MapRig().load([service({
  externalIps: [], ingress: [], ports: [{ name: 'web', protocol: 'UDP', port: 53, nodePort: 0 }],
})], []).start().run().kernel;
test('a front without endpoints says so', list, printFronts, unserved, [
  'NODE   FRONT                KIND        SVC   GEN   SET   SLOT   ENDPOINT   SCOPE   FLAGS',
  'n-a    10.200.0.10:53/UDP   ClusterIP   1     1     1     -      -          -       no-endpoint',
]);

test('both families have fronts of their own, IPv4 first', async (t) => {
  const six = service({ ipFamilies: ['IPv4', 'IPv6'], clusterIps: ['10.200.0.10', 'fd00:10::a'] });
  const maps = new MapRig().load([six]).start().run().kernel;
  const { out } = await shown(printFrontKeys, maps, { headers: false });
  t.deepEqual(out.split('\n').filter((line) => /ClusterIP|NodePort/u.test(line)).map(
    (line) => line.split(/ {3,}/u).slice(1, 4).join(' '),
  ), [
    '10.200.0.10:80/TCP ClusterIP 1', '[fd00:10::a]:80/TCP ClusterIP 2',
    '*:30080/TCP NodePort 1', '[*]:30080/TCP NodePort 2',
  ]);
});

test('an address is announced while the fence of its answers stands', async (t) => {
  const row = (expiryNs: bigint) => altered(plain(), 'fl_l2', [{
    key: encodeL2Key({ ifindex: 2, addr: ipBytes16(ip(vip)) }),
    value: encodeL2({ expiryNs, mac: new Uint8Array(6) }),
  }]);
  const announced = async (expiryNs: bigint): Promise<string | undefined> => {
    const { out } = await shown(printLiveServices, row(expiryNs), {});
    return out.split('\n').find((line) => line.includes('LoadBalancer'))?.split(/ {3,}/u)[7];
  };
  t.is(await announced(1_000_000_000_001n), 'l2:n-a');
  t.is(await announced(1_000_000_000_000n), '-');
});

test('X3, X4: documents agree, nothing is null, wide appends, names are sorted', async (t) => {
  const prints = [
    printFronts, printFrontKeys, printBackends, printMembers, printRanges, printLiveServices,
  ];
  for (const print of prints) {
    const json = (await shown(print, rich(), { output: 'json' })).out;
    t.deepEqual(parse((await shown(print, rich(), { output: 'yaml' })).out), JSON.parse(json));
    t.notRegex(json, /\bnull\b/u);
    t.is((JSON.parse(json) as { source: string }).source, 'cluster');
    const names = (await shown(print, rich(), { output: 'name' })).out.trimEnd().split('\n');
    t.deepEqual(names, names.toSorted());
    t.regex(names[0] ?? '', /^[a-z]+\/n-a\//u);
    const wide = (await shown(print, rich(), { output: 'wide' })).out.split('\n');
    const narrow = (await shown(print, rich(), {})).out.trimEnd().split('\n');
    t.true(narrow.every((line, index) => wide[index]?.startsWith(line)));
  }
});
