import test from 'ava';
import { serviceKey } from '../../lb/model.ts';
import type { Prefix } from '../../lb/ip.ts';
import {
  ask, clusterIp, endpoint, everyEndpoint, ingressEntry, meta, service, slice, viewOf, vip,
  type Given,
} from './fixture.ts';

/** Questions and answers over one variant of the fixture, `question = answer`. */
const row = test.macro({
  exec: (t, _row: string, given: Given, ...cases: string[]) => {
    const view = viewOf(given);
    for (const text of cases) {
      const [question = '', answer = ''] = text.split(' = ');
      t.is(ask(view, question), answer, question);
    }
  },
  title: (_, name, __, ...cases) => `datapath ${name}: ${cases.join('; ')}`,
});

const external = (policy: 'Local' | 'Cluster'): Given => (
  { services: [service({ externalTrafficPolicy: policy })] }
);
const local = external('Local');
const internalLocal: Given = { services: [service({ internalTrafficPolicy: 'Local' })] };
const without = (name: string): Given['slices'] => [
  slice(everyEndpoint.filter((of) => of !== everyEndpoint['abc'.indexOf(name[0]!)])),
];
const noEndpoints = [slice([])];
const S = (more: Parameters<typeof service>[0]): Given => ({ services: [service(more)] });
const E = (...endpoints: ReturnType<typeof endpoint>[]): Given => ({ slices: [slice(endpoints)] });

test(row, 'V1', {}, 'P → CIP:80 = a1 b1 c1');
test(row, 'V2', {}, 'H → CIP:80 = a1 b1 c1 M');
test(row, 'V2', local, 'H → VIP:80 = a1 b1 c1 M');
test(row, 'V3', {}, 'X → CIP:80 = a1 b1 c1 M');
test(row, 'V3 externalClusterIP off', { options: { externalClusterIp: false } }, 'X → CIP:80 = DROP externalClusterIp', 'P → CIP:80 = a1 b1 c1');
test(row, 'V4', {}, 'X → node:30080 = a1 b1 c1 M');
test(row, 'V5', local, 'X → node:30080 = a1');
test(row, 'V6 a1 removed', { ...local, slices: without('a1')! }, 'X → VIP:80 = DROP policyEmpty');
test(row, 'V6 none left', { ...local, slices: noEndpoints }, 'X → VIP:80 = REJECT noEndpoint');
test(row, 'V7', local, 'P → VIP:80 = a1 b1 c1');
test(row, 'V8', {}, 'P → node:30080 = a1 b1 c1 M');
test(row, 'V8 eTP Local', local, 'P → node:30080 = a1 b1 c1');
test(row, 'V9', internalLocal, 'P → CIP:80 = a1');
test(row, 'V9 a1 removed', { ...internalLocal, slices: without('a1')! }, 'P → CIP:80 = DROP policyEmpty');
test(row, 'V10', internalLocal, 'X → CIP:80 = a1 M');
test(row, 'V11', local, 'X → EIP:80 = a1');
test(row, 'V12', {}, 'P → CIP:81 = REJECT unknownPort', 'P → CIP:80/UDP = REJECT unknownPort');
const foreign = service({
  meta: meta('f', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }),
  key: serviceKey('default', 'f'), clusterIps: ['10.200.7.7'], externalIps: [], ingress: [],
});
test(row, 'V13', { services: [service(), foreign] }, 'P → 10.200.9.9:80 = DROP unallocated', 'P → 10.200.7.7:80 = NOT_MINE', 'P → 10.200.7.7:9 = NOT_MINE');
test(row, 'V14', {}, 'X → VIP:81 = DROP vipPort', 'P → VIP:81 = NOT_MINE', 'X → EIP:81 = DROP vipPort');
test(row, 'V14 guard off', { options: { vipGuard: false } }, 'X → VIP:81 = NOT_MINE');
test(row, 'V16', S({ externalIps: ['192.0.2.11'] }), 'X → 192.0.2.11:22 = NOT_MINE', 'X → 192.0.2.11:80 = a1 b1 c1 M');
test(row, 'V17', {}, 'X → 192.0.2.111:30080 = NOT_MINE');
test(row, 'V17 all', { options: { nodePortAddresses: { kind: 'all' } } }, 'X → 192.0.2.111:30080 = a1 b1 c1 M');
test(row, 'V17 by prefix', { options: { nodePortAddresses: { kind: 'cidrs', prefixes: ['192.0.2.111/32' as Prefix] } } },
  'X → 192.0.2.111:30080 = a1 b1 c1 M', 'X → 192.0.2.11:30080 = NOT_MINE');
const undetected = { options: { localDetector: { kind: 'none' } } } as const;
test(row, 'V19', { ...local, ...undetected }, 'X → CIP:80 = a1 b1 c1', 'P → VIP:80 = a1', 'H → CIP:80 = a1 b1 c1');
test(row, 'V19 by prefix', { ...local, options: { localDetector: { kind: 'cidr', prefixes: ['10.64.0.0/16' as Prefix] } } },
  'P → VIP:80 = a1 b1 c1', 'X → VIP:80 = a1', 'b1 → VIP:80 = a1 b1 c1');
test(row, 'V20', { options: { masqueradeAll: true } }, 'P → CIP:80 = a1 b1 c1 M');
const proxied = meta('s', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } });
test(row, 'V21 label added', S({ meta: proxied }), 'P → CIP:80 = NOT_MINE', 'X → VIP:80 = NOT_MINE', 'X → node:30080 = NOT_MINE');
test(row, 'V21 headless label', S({ meta: meta('s', { labels: { 'service.kubernetes.io/headless': '' } }) }), 'P → CIP:80 = NOT_MINE');
test(row, 'V21 label removed', {}, 'P → CIP:80 = a1 b1 c1', 'X → VIP:80 = a1 b1 c1 M');
test(row, 'V21 on a slice', { slices: [slice(everyEndpoint, { meta: proxied })] }, 'P → CIP:80 = REJECT noEndpoint');
test(row, 'V22 ExternalName', S({ type: 'ExternalName' }), 'P → CIP:80 = DROP unallocated', 'X → VIP:80 = NOT_MINE', 'X → node:30080 = NOT_MINE');
test(row, 'V22 None', S({ clusterIps: ['None'] }), 'X → VIP:80 = NOT_MINE', 'X → node:30080 = NOT_MINE');
test(row, 'V22 empty', S({ clusterIps: [] }), 'X → node:30080 = NOT_MINE');
test(row, 'V23', S({ ingress: [ingressEntry(vip, 'Proxy')] }), 'P → VIP:80 = NOT_MINE', 'P → CIP:80 = a1 b1 c1');
test(row, 'V24', S({ ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }] }), 'X → VIP:80 = a1 b1 c1 M', 'X → 192.0.2.11:30080 = NOT_MINE');
test(row, 'V25', S({ clusterIps: ['10.200.0.010'] }), 'P → 10.200.0.10:80 = a1 b1 c1');
test(row, 'V26', local, 'P → 192.0.2.12:30080 = NOT_MINE');
test(row, 'V26 on B', { ...local, slices: without('b1')!, nodeName: 'n-b' }, 'P → 192.0.2.12:30080 = a1 c1');
test(row, 'V26 on B from the wire', { ...local, slices: without('b1')!, nodeName: 'n-b' }, 'X → 192.0.2.12:30080 = DROP policyEmpty');
test(row, 'V27', {}, 'H → 127.0.0.1:30080 = a1 b1 c1 M', 'P → 127.0.0.1:30080 = NOT_MINE');
const younger = service(
  {
    meta: meta('t', { createdAtMs: 2_000 }), key: serviceKey('default', 't'),
    clusterIps: ['10.200.0.11'], externalIps: [],
  },
);

test('datapath V28: the older Service keeps a front that two claim, in either order of arrival', (t) => {
  for (const services of [[service(), younger], [younger, service()]]) {
    const view = viewOf({ services });
    t.is(ask(view, 'X → VIP:80'), 'a1 b1 c1 M');
    t.deepEqual(
      view.conflicts().map(({ front, loser }) => `${front} ${loser}`),
      [`${vip}:80/TCP default/t`, 'node:30080/TCP default/t'],
    );
    view.remove(`default/s:web/TCP/IPv4` as never);
    t.is(ask(view, 'X → VIP:80'), 'REJECT noEndpoint');
    t.deepEqual(view.conflicts(), []);
  }
});

const draining = { ready: false, serving: true, terminating: true };
const [a1, b1, c1] = everyEndpoint as [
  ReturnType<typeof endpoint>, ReturnType<typeof endpoint>, ReturnType<typeof endpoint>,
];
test(row, 'V29', E(endpoint('a1', draining), b1, c1), 'P → CIP:80 = b1 c1');
test(row, 'V30', { ...local, ...E(endpoint('a1', draining), b1, c1) }, 'X → VIP:80 = a1');
test(row, 'V31', E(endpoint('a1', draining), endpoint('b1', draining), endpoint('c1', draining)), 'P → CIP:80 = a1 b1 c1');
test(row, 'V32', { ...local, ...E(endpoint('a1', { ready: false, serving: false, terminating: true }), b1, c1) }, 'X → VIP:80 = DROP policyEmpty');
test(row, 'V33', E(endpoint('a1', { ready: false, serving: true, terminating: false })), 'P → CIP:80 = REJECT noEndpoint');
const absent = { ready: undefined, serving: undefined, terminating: undefined };
test(row, 'V34', E(endpoint('a1', absent)), 'P → CIP:80 = a1');
test(row, 'V34 published', E(endpoint('a1', { ready: true, serving: false, terminating: true })), 'P → CIP:80 = a1');
test(row, 'V35', { slices: [slice(everyEndpoint, { ports: [{ name: 'http', protocol: 'TCP', port: 8080 }] })] }, 'P → CIP:80 = REJECT noEndpoint');
test(row, 'V35 port without a number', { slices: [slice(everyEndpoint, { ports: [{ name: 'web', protocol: 'TCP', port: undefined }] })] }, 'P → CIP:80 = REJECT noEndpoint');
test(row, 'V35 other protocol', { slices: [slice(everyEndpoint, { ports: [{ name: 'web', protocol: 'UDP', port: 8080 }] })] }, 'P → CIP:80 = REJECT noEndpoint');
const twice = [
  slice([endpoint('a1', { nodeName: undefined })]), slice([a1], { meta: meta('s-2') }),
];
test(row, 'V36', { ...local, slices: twice }, 'X → VIP:80 = a1', 'P → CIP:80 = a1');
test(row, 'V36 other order', { ...local, slices: [...twice].reverse() }, 'X → VIP:80 = a1');
const others = [
  slice([endpoint('a1', { addresses: ['10.64.1.21', '10.64.1.22'] })]),
  slice([endpoint('2001:db8::9')], { meta: meta('s-6'), addressType: 'IPv6' }),
  slice([endpoint('example.org')], { meta: meta('s-7'), addressType: 'FQDN' }),
];
test(row, 'V37', { slices: others }, 'P → CIP:80 = a1');
const zoned = (...zones: string[]): Given => E(
  ...[a1, b1, c1].map(
    (of, index) => ({ ...of, hintZones: zones[index] === '' ? [] : [zones[index]!] }),
  ),
);
test(row, 'V38', zoned('z1', 'z2', 'z1'), 'P → CIP:80 = a1 c1');
test(row, 'V39 one without', zoned('z1', 'z2', ''), 'P → CIP:80 = a1 b1 c1');
test(row, 'V39 other zone', { ...zoned('z1', 'z2', 'z1'), nodeName: 'n-z' }, 'P → CIP:80 = a1 b1 c1');
const hinted = E(
  ...[a1, b1, c1].map(
    (of) => ({ ...of, hintNodes: [of.nodeName!], hintZones: [of === b1 ? 'z2' : 'z1'] }),
  ),
);
test(row, 'V40', hinted, 'P → CIP:80 = a1');
test(row, 'V40 on n-d', { ...hinted, nodeName: 'n-d' }, 'P → CIP:80 = a1 c1');
test(row, 'V41', { ...local, ...zoned('z2', 'z2', 'z1') }, 'X → VIP:80 = a1');
test(row, 'V42', E(endpoint('b1', { ...draining, hintZones: ['z2'] })), 'P → CIP:80 = b1');
test(row, 'V43', S({ sourceRanges: ['203.0.113.0/25'] }), 'X → VIP:80 = a1 b1 c1 M', 'Y → VIP:80 = DROP srcRange',
  'P → VIP:80 = DROP srcRange', 'Y → node:30080 = a1 b1 c1 M', 'Y → EIP:80 = a1 b1 c1 M');
test(row, 'V44 everybody', S({ sourceRanges: [' 0.0.0.0/0', ' 203.0.113.0/25'] }), 'Y → VIP:80 = a1 b1 c1 M');
test(row, 'V44 nothing left', S({ sourceRanges: ['2001:db8::/32', 'x'] }), 'Y → VIP:80 = a1 b1 c1 M');
test(row, 'V44 trimmed, octal refused', S({ sourceRanges: [' 203.0.113.0128/25 '] }), 'Y → VIP:80 = a1 b1 c1 M', 'X → VIP:80 = DROP srcRange');
test(row, 'V45', S({ sourceRanges: ['192.0.2.0/24'] }), `${vip} → VIP:80 = a1 b1 c1 M`, 'X → VIP:80 = DROP srcRange');
test(row, 'V45 not for others', S({ sourceRanges: ['203.0.113.0/24'] }), `${vip} → VIP:80 = DROP srcRange`);

// Beyond the numbered rows: options and spellings that the sections name.
test(row, '1 noEndpoints drop', { options: { noEndpoints: 'drop' }, slices: noEndpoints }, 'P → CIP:80 = DROP noEndpoint');
test(row, '1 externalIPs off', { options: { externalIps: 'off' } }, 'X → EIP:80 = NOT_MINE');
test(row, '1 externalIPs nodeOwned', { options: { externalIps: 'nodeOwned' } }, 'X → EIP:80 = NOT_MINE');
test(row, '1 externalIPs nodeOwned', { ...S({ externalIps: ['192.0.2.12'] }), options: { externalIps: 'nodeOwned' } }, 'X → 192.0.2.12:80 = a1 b1 c1 M');
test(row, 'C4', S({ ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 30080 }, { name: 'dns', protocol: 'UDP', port: 80, nodePort: 30080 }] }),
  'P → CIP:80 = a1 b1 c1', 'P → CIP:80/UDP = REJECT noEndpoint', 'X → node:30080/UDP = REJECT noEndpoint');
test(row, 'C11', S({ clusterIps: [clusterIp, '2001:db8:2::10'], ingress: [ingressEntry(vip), ingressEntry('2001:db8:3::10')] }),
  'X → 2001:db8:3::10:80 = REJECT noEndpoint', 'P → CIP:80 = a1 b1 c1');
