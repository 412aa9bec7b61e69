import test from 'ava';
import fc from 'fast-check';
import { elect, localityOf, nodeFacts, type SessionFacts } from '../../l2/candidacy.ts';
import {
  identityOf, lockName, nodeOf, sessionName, sessionStateOf, sessionStateText, stampOf, stampText,
  type Stamp,
} from '../../l2/lease.ts';
import { compilePolicy, PolicyBook } from '../../l2/policy.ts';
import { createRank } from '../../l2/rank.ts';
import { contributionsOf, publishedAddresses, refusalOf } from '../../l2/selection.ts';
import { parseL2Settings, silenceOf } from '../../l2/settings.ts';
import { ip } from '../../lb/ip.ts';
import type { L2Policy, Lease, Service } from '../../lb/model.ts';
import { ingress, meta, nodeObject, policyObject, serviceObject, sliceObject } from './harness.ts';

const compiled = (change: Partial<L2Policy> = {}) => {
  const result = compilePolicy(policyObject('p', change));
  if (!result.ok) throw new Error('the policy of this row compiles');
  return result.value;
};

const ranks = test.macro({
  exec(t, address: string, nodes: string, order: string) {
    const rank = createRank();
    for (const list of [nodes.split(' '), nodes.split(' ').reverse()]) {
      const sorted = [...list].sort((a, b) => rank.compare(address, `node-${a}`, `node-${b}`));
      t.is(sorted.join(' '), order);
      const names = list.map((one) => `node-${one}`);
      t.deepEqual(
        order.split(' ').map((one) => rank.position(address, `node-${one}`, names)),
        sorted.map((_, k) => k),
      );
    }
  },
  title: (_, address, nodes, order) => `l2 27: for ${address} nodes ${nodes} rank ${order}`,
});
test(ranks, '10.0.0.1', 'a b c', 'b a c');
test(ranks, '10.0.0.2', 'a b c', 'b c a');
test(ranks, '2001:db8::64', 'a b c', 'a c b');
test(ranks, '10.20.30.1', 'a b', 'b a');

const wanted = test.macro({
  exec(t, service: Partial<Service>, policy: Partial<L2Policy>, expected: string) {
    t.is(
      [...contributionsOf(serviceObject('s', service), [compiled(policy)]).keys()].join(' '),
      expected,
    );
  },
  title: (name) => `l2 ${name}`,
});
const both = { externalIps: ['192.168.2.2'], ingress: [ingress('192.168.2.7')] };
test('6: with both booleans false nothing is selected', wanted, both, { externalIps: false, loadBalancerIps: false }, '');
test('7: loadBalancerIPs alone selects the load-balancer address', wanted, both, { externalIps: false }, '192.168.2.7');
test('7: externalIPs alone selects the external address', wanted, both, { loadBalancerIps: false }, '192.168.2.2');
test('8: a hostname and an empty text publish nothing', wanted, { externalIps: [''], ingress: [{ ...ingress(''), ip: undefined, hostname: 'h' }] }, {}, '');
test('10: the class of fairlead is selected', wanted, { ...both, loadBalancerClass: 'io.cilium/l2-announcer' }, {}, '192.168.2.2 192.168.2.7');
test('10: another class deselects external addresses too', wanted, { ...both, loadBalancerClass: 'unsupported.io/x' }, {}, '');
test('24: a mapped address is the IPv4 one', wanted, { ingress: [ingress('::ffff:192.0.2.1')] }, {}, '192.0.2.1');
test('24: spellings of one address are one', wanted, { ingress: [ingress('2001:DB8:0:0::64'), ingress('2001:db8::64')] }, {}, '2001:db8::64');
test('P1: an entry of mode Proxy publishes nothing', wanted, { ingress: [{ ...ingress('192.0.2.1'), ipMode: 'Proxy' }] }, {}, '');
const inProd = { matchLabels: { 'io.kubernetes.service.namespace': 'prod' }, matchExpressions: [] };
test('14: the namespace label is the namespace', wanted, both, { serviceSelector: inProd }, '192.168.2.2 192.168.2.7');
test('14: a user label of that name cannot pretend', wanted, { ...both, meta: meta('s', { namespace: 'dev', labels: { 'io.kubernetes.service.namespace': 'prod' } }) }, { serviceSelector: inProd }, '');

test('l2 24: lock names derive from the address alone', (t) => {
  t.is(lockName(ip('192.0.2.1')), 'fairlead-l2-192-0-2-1');
  t.is(lockName(ip('2001:db8::64')), 'fairlead-l2-2001-0db8-0000-0000-0000-0000-0000-0064');
  t.deepEqual(
    publishedAddresses(serviceObject('s', { externalIps: ['nonsense', '010.0.0.1'] })), [],
  );
});

const refused = test.macro({
  exec(t, address: string, why: string) {
    t.regex(refusalOf(ip(address), (one) => one === '10.0.0.11') ?? '-', new RegExp(why));
  },
  title: (_, address, why) => `l2 25: ${address}: ${why}`,
});
for (const [address, why] of [
  ['0.0.0.0', 'unspecified'], ['::', 'unspecified'], ['127.0.0.1', 'loopback'], ['::1', 'loopback'],
  ['224.0.0.1', 'multicast'], ['ff02::1', 'multicast'], ['255.255.255.255', 'broadcast'], ['fe80::1', 'link-local'],
  ['10.0.0.11', 'Node'], ['192.0.2.1', '-'], ['2001:db8::1', '-'],
] as const) test(refused, address, why);

const faulty = test.macro({
  exec(t, change: Partial<L2Policy>, type: string, message: RegExp) {
    const result = compilePolicy(policyObject('p', change));
    t.false(result.ok);
    if (!result.ok) t.regex(result.error.get(type as never) ?? '', message);
  },
  title: (name) => `l2 ${name}`,
});
const expression = (operator: string) => (
  { matchLabels: {}, matchExpressions: [{ key: 'color', operator, values: [] }] }
);
test('11: `eth[` is a bad expression', faulty, { interfaces: ['eth[0-9]', 'eth['] }, 'io.cilium/bad-interface-regex', /interfaces\[1\].*eth\[/);
test('12: NotIn without values is a bad Service selector', faulty, { serviceSelector: expression('NotIn') }, 'io.cilium/bad-service-selector', /values/);
test('12: an unknown operator is a bad Node selector', faulty, { nodeSelector: expression('Near') }, 'io.cilium/bad-node-selector', /operator/);
test('13: a look-ahead is a bad expression', faulty, { interfaces: ['^(?!veth)'] }, 'io.cilium/bad-interface-regex', /\(\?!/);

test('l2 13: expressions are unanchored', (t) => {
  const found = (text: string) => ['veth0', 'eth10'].filter(
    compiled({ interfaces: [text] }).matchesInterface,
  );
  t.deepEqual(found('eth'), ['veth0', 'eth10']);
  t.deepEqual(found('^eth[0-9]+$'), ['eth10']);
});

test('l2 11: an edit that does not compile leaves the last valid generation in force', (t) => {
  const book = new PolicyBook();
  t.true(book.set('p', policyObject('p', { interfaces: ['eth0'] })));
  t.false(book.set('p', policyObject('p', { interfaces: ['eth['] })));
  t.true(book.get('p')?.matchesInterface('eth0'));
  t.is(book.faults('p').size, 1);
  t.true(book.set('p', policyObject('p', { interfaces: ['eth1'] })));
  t.false(book.get('p')?.matchesInterface('eth0'));
  t.is(book.faults('p').size, 0);
  book.set('q', policyObject('q', { interfaces: ['eth['] }));
  t.is(book.get('q'), undefined);
});

const usable = test.macro({
  exec: (t, ready: boolean | undefined, serving: boolean | undefined, expected: boolean) => {
    const slice = sliceObject('s', ['n'], { ready, serving, terminating: true });
    t.is(localityOf([slice], 'IPv4').nodes.has('n'), expected);
  },
  title: (_, ready, serving, expected) =>
    `l2 17: ready ${ready}, serving ${serving}, terminating: usable is ${expected}`,
});
test(usable, undefined, undefined, true);
test(usable, false, true, true);
test(usable, false, false, false);

interface Row {
  labels?: Record<string, Record<string, string>>;
  local?: (string | undefined)[][];
  cordoned?: string;
  ignore?: boolean;
}
const candidates = test.macro({
  exec(t, row: Row, expected: string) {
    const nodes = ['n1', 'n2', 'n3'].map((name) => nodeFacts(nodeObject(name, {
      labels: row.labels?.[name] ?? {}, unschedulable: row.cordoned === name,
    })));
    const sessions = new Map<string, SessionFacts[]>(nodes.map(({ name }) => [name, [{
      node: name, identity: `${name}_1`, live: true, since: 0, declined: [],
      links: [{ name: 'eth0', mac: '', up: true, lost: false, families: ['IPv4'] }],
    }]]));
    const local = row.local ?? [];
    const contributions = (local.length === 0 ? [['*']] : local).map((list, index) => ({
      service: serviceObject(`s${index}`, {
        externalTrafficPolicy: list[0] === '*' ? 'Cluster' : 'Local',
      }),
      policies: [compiled()],
    }));
    const election = elect({
      ip: ip('10.0.0.1'), contributions, nodes, sessions, ignoreExcludeLabel: row.ignore ?? false,
      locality: (one) => {
        const index = contributions.findIndex((other) => other.service === one.service);
        return localityOf([sliceObject('s', local[index] ?? [])], 'IPv4');
      },
    });
    const names = election.candidates.map((one) => (one.reluctant ? `~${one.node}` : one.node));
    if (election.excludeIgnored) names.push('exclude-ignored');
    if (election.localityUnknown) names.push('locality-unknown');
    t.is(names.join(' '), expected);
  },
  title: (name) => `l2 ${name}`,
});
const excluded = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
test('18: policy Cluster needs no endpoint', candidates, {}, 'n1 n2 n3');
test('16: policy Local needs one on the node', candidates, { local: [['n1']] }, 'n1');
test('19: policy Local without endpoints has no candidate', candidates, { local: [[]] }, '');
test('20: the only endpoint lacks a node name', candidates, { local: [[undefined]] }, 'n1 n2 n3 locality-unknown');
test('21: some endpoints lack one', candidates, { local: [['n1', undefined]] }, 'n1 ~n2 ~n3');
test('30: a shared address, Local on n1 and Cluster', candidates, { local: [['n1'], ['*']] }, 'n1 ~n2 ~n3');
test('23: a cordoned node is reluctant', candidates, { cordoned: 'n2' }, 'n1 ~n2 n3');
test('C7: the exclude label excludes', candidates, { labels: { n1: excluded } }, 'n2 n3');
test('C7: carried by every candidate it is ignored, and that is told', candidates, { labels: { n1: excluded, n2: excluded, n3: excluded } }, 'n1 n2 n3 exclude-ignored');
test('22: with the setting it means nothing', candidates, { labels: { n1: excluded, n2: excluded, n3: excluded }, ignore: true }, 'n1 n2 n3');

const clamped = test.macro({
  exec(t, record: Record<string, unknown>, duration: number, renew: number, warnings: number) {
    const read = parseL2Settings(record);
    t.deepEqual(
      [read.settings.duration / 1000, read.settings.renew / 1000, read.warnings.length],
      [duration, renew, warnings],
    );
  },
  title: (_, record) => `l2 32: ${JSON.stringify(record)}`,
});
test(clamped, {}, 5000, 1000, 0);
test(clamped, { 'l2.session.duration': '500ms' }, 1000, 250, 1);
test(clamped, { 'l2.session.duration': '5s', 'l2.session.renew': '3s' }, 5000, 1250, 1);
test(clamped, { 'l2.session.renew': '10ms' }, 5000, 100, 1);
test(clamped, { 'l2.session.duration': 'soon', 'l2.session.renew': '-1s' }, 5000, 1000, 2);
test(clamped, { 'l2.session.duration': '10m' }, 60_000, 1000, 1);
test('5.1: W is 5.06 s at the default', (t) => t.is(silenceOf(5_000_000), 5_060_000));

const leaseOf = (annotations: Record<string, string>): Lease => ({
  kind: 'Lease', meta: meta('l', { annotations }), holderIdentity: '', leaseDurationSeconds: 5,
  leaseTransitions: 0, acquireTime: undefined, renewTime: undefined, faults: [],
});
test('2.3: stamps and session states survive being written', (t) => {
  const stamps: Stamp[] = [
    { kind: 'new' },
    { kind: 'take', identity: 'n_1', epoch: 7, uid: 'u' },
    { kind: 'release', identity: 'n_1', epoch: 7, uid: 'u' },
  ];
  for (const stamp of stamps) t.deepEqual(
    stampOf(leaseOf({ 'fairlead.dev/stamp': stampText(stamp) })), stamp,
  );
  t.is(stampOf(leaseOf({ 'fairlead.dev/stamp': 'v2 take' })), 'unknown');
  t.is(stampOf(leaseOf({ 'fairlead.dev/stamp': 'v1 take n_1 x u' })), undefined);
  t.is(stampOf(leaseOf({})), undefined);
  fc.assert(fc.property(fc.nat(), fc.nat(), fc.string(), (seq, durationMs, bootId) => {
    const state = {
      seq, durationMs, bootId, state: 'live' as const, links: [], declined: [], notices: [],
    };
    t.deepEqual(
      sessionStateOf(leaseOf({ 'fairlead.dev/session': sessionStateText(state) })), state,
    );
  }), { seed: 3, numRuns: 100 });
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    sessionStateOf(leaseOf({ 'fairlead.dev/session': text }));
  }), { seed: 4, numRuns: 300 });
});
test('2.3: an identity names its node and its Lease, which fits', (t) => {
  const identity = identityOf('a'.repeat(253), '01234567');
  t.is(nodeOf(identity), 'a'.repeat(253));
  t.is(sessionName(identity).length, 253);
  t.is(sessionName(identityOf('node-1', '89abcdef')), 'fairlead-session-node-1-89abcdef');
});
