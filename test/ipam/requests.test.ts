import { Cluster } from './cluster.ts';
import { condition, equals } from './objects.ts';
import { l2, row, shown } from './row.ts';

const satisfied = 'cilium.io/IPAMRequestSatisfied';
const inputValid = 'fairlead.dev/IPAMInputValid';

row(27, 'a listed address of a pool that does not select is a mismatch', (t, c) => {
  c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'red' }) }).pool('b', '10.0.20.0/24');
  c.service('s', { ips: '10.0.10.5', labels: { color: 'blue' } }).settle();
  t.is(shown(c, 's'), 'False/pool_selector_mismatch');
  t.regex(c.message('s'), /^PoolSelectorMismatch: /u);
});

row(28, 'listed addresses come in request order, the field first', (t, c) => {
  c.pool('a', '10.0.10.0/24');
  c.service('s1', { lbip: '10.0.10.21', ips: '10.0.10.23,10.0.10.22' });
  c.service('s2', { ips: '10.0.10.21' }).settle();
  t.is(shown(c, 's1'), '10.0.10.21 10.0.10.23 10.0.10.22 True/satisfied');
  t.is(shown(c, 's2'), 'False/already_allocated');
  t.regex(c.message('s2'), /^SharingKeyDiffers: .*s1/u);
});

row(29, 'an address struck from the list becomes free', (t, c) => {
  c.pool('a', '10.0.10.0/24');
  c.service('s', { lbip: '10.0.10.123', ips: '10.0.10.124,10.0.10.125' }).settle();
  c.edit('s', { ips: '10.0.10.124' }).settle();
  t.is(c.ips('s'), '10.0.10.123 10.0.10.124');
  t.is(c.counts('a'), '256/254/2');
});

row(30, 'the key wins over its alias, even when empty', (t, c) => {
  const alias = { 'io.cilium/lb-ipam-ips': '10.0.10.6' };
  c.pool('a', '10.0.10.0/24').service('s1', { ips: '10.0.10.5', annotations: alias });
  c.service('s2', { ips: '', annotations: alias }).service('s3', { annotations: alias }).settle();
  t.deepEqual(
    ['s1', 's2', 's3'].map((name) => c.ips(name)), ['10.0.10.5', '10.0.10.0', '10.0.10.6'],
  );
});

const malformed: readonly (readonly [string, string, string])[] = [
  ['10.0.10.5, junk', '10.0.10.5', 'junk'],
  ['junk', '', 'junk'],
  ['::ffff:10.0.10.5', '', '::ffff:10.0.10.5'],
  ['fe80::1%eth0', '', 'fe80::1%eth0'],
  ['010.0.10.5', '', '010.0.10.5'],
];
for (const [ips, given, quoted] of malformed) {
  row(31, `of a list '${ips}' the good items are served and the bad one is quoted`, (t, c) => {
    c.pool('a', '10.0.10.0/24').service('s', { ips }).settle();
    t.is(shown(c, 's'), `${given} False/invalid_request`.trim());
    t.true(c.message('s').includes(`'${quoted}'`));
  });
}

row(31, 'the hundred and first address is not served', (t, c) => {
  const ips = Array.from({ length: 103 }, (_, index) => `10.0.10.${index}`).join();
  c.pool('a', '10.0.10.0/24').service('s', { ips }).settle();
  t.is(c.ips('s').split(' ').length, 100);
  t.is(c.verdict('s'), 'False/invalid_request');
});

for (const how of ['gets a bad item', 'is removed']) {
  row(32, `when the list ${how} nothing is taken away`, (t, c) => {
    c.pool('a', '10.0.10.0/24').service('s', { ips: '10.0.10.5,10.0.10.6' }).settle();
    if (how === 'is removed') c.edit('s', { ips: '' });
    else c.edit('s', { ips: '10.0.10.5,10.0.10.6x' });
    c.settle();
    const verdict = how === 'is removed' ? 'True/satisfied' : 'False/invalid_request';
    t.is(shown(c, 's'), `10.0.10.5 10.0.10.6 ${verdict}`);
  });
}

row(33, 'what can be had of a list is given', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('other', { ips: '10.0.10.6' });
  c.service('s', { ips: '10.0.10.5,10.0.10.6,10.0.10.7' }).settle();
  t.is(shown(c, 's'), '10.0.10.5 10.0.10.7 False/already_allocated');
});

for (const [families, v4only, v6only] of [
  [[], '10.0.10.0 True/satisfied', 'ff:: True/satisfied'],
  [['IPv6'], 'ff:: True/satisfied', 'ff:: True/satisfied'],
  [['IPv4'], '10.0.10.0 True/satisfied', '10.0.10.0 True/satisfied'],
] as const) {
  const claim = `one family enabled and [${families.join()}] listed wants ${v4only.split(' ')[0]}`;
  row(34, claim, (t) => {
    for (const [ipv4, ipv6, expected] of [[true, false, v4only], [false, true, v6only]] as const) {
      const c = new Cluster({ ipv4, ipv6 });
      c.pool('a', '10.0.10.0/24 ff::/48').service('s', { families: [...families] }).settle();
      t.is(shown(c, 's'), expected);
    }
  });
}

row(34, 'a family without addresses is waited for rather than replaced', (t) => {
  const c = new Cluster({ ipv6: false });
  c.pool('a', '10.0.10.0/24').service('s', { families: ['IPv6'] }).settle();
  t.is(shown(c, 's'), 'False/no_pool');
  t.regex(c.message('s'), /^FamilyMismatch: /u);
});

for (const [policy, families, ips] of [
  [undefined, [], '10.0.10.0'],
  [undefined, ['IPv4', 'IPv6'], '10.0.10.0'],
  [undefined, ['IPv6', 'IPv4'], 'ff::'],
  ['SingleStack', ['IPv6', 'IPv4'], 'ff::'],
  ['PreferDualStack', [], '10.0.10.0 ff::'],
  ['PreferDualStack', ['IPv6'], 'ff::'],
  ['RequireDualStack', ['IPv6'], '10.0.10.0 ff::'],
] as const) {
  row(35, `policy ${policy ?? 'unset'} with [${families.join()}] wants ${ips}`, (t, c) => {
    c.pool('a', '10.0.10.0/24 ff::/48');
    c.service('s', { policy, families: [...families] }).settle();
    t.is(shown(c, 's'), `${ips} True/satisfied`);
  });
}

row(36, 'RequireDualStack is met by the one enabled family', (t) => {
  const c = new Cluster({ ipv4: false });
  c.pool('a', 'ff::/48').service('s', { policy: 'RequireDualStack', families: ['IPv4'] }).settle();
  t.is(shown(c, 's'), 'ff:: True/satisfied');
});

row(36, 'without any wanted family the request can never be met', (t) => {
  const c = new Cluster({ ipv4: false });
  c.pool('a', 'ff::/48').service('s', { policy: 'PreferDualStack', families: ['IPv4'] }).settle();
  t.is(shown(c, 's'), 'False/no_family');
});

row(37, 'the second family may come later and from another pool', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s', { policy: 'RequireDualStack' }).settle();
  t.is(shown(c, 's'), '10.0.10.0 False/no_pool');
  t.regex(c.message('s'), /IPv6/u);
  c.pool('b', 'ff::/48').settle();
  t.is(shown(c, 's'), '10.0.10.0 ff:: True/satisfied');
  t.is(c.record('s'), '10.0.10.0=pool/a,ff::=pool/b');
});

row(38, 'with no owner for the class-less only our classes are served', (t) => {
  const c = new Cluster({ classlessOwner: 'none' });
  c.pool('a', '10.0.10.0/24').service('s1').service('s2', { class: l2 });
  c.service('s3', { class: 'net.example/x' }).settle();
  t.deepEqual(['s1', 's2', 's3'].map((name) => c.ips(name)), ['', '10.0.10.0', '']);
  t.deepEqual(
    c.writes.filter((write) => write.kind === 'service').map((write) => write.name), ['s2'],
  );
  t.deepEqual([...c.reasons('s1'), ...c.reasons('s3')], []);
});

row(38, 'a class-less Service keeps its address when its owner is switched off', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s').settle();
  c.restart({ classlessOwner: 'none' });
  t.deepEqual(c.writes, []);
  c.edit('s', { ips: '10.0.10.9' }).settle();
  t.is(shown(c, 's'), '');
  t.is(c.record('s'), undefined);
});

row(39, 'an address comes and goes with the type', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s', { type: 'ClusterIP' }).settle();
  t.is(c.writesOf('s').length, 0);
  c.edit('s', { type: 'LoadBalancer' }).settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
  c.forget();
  c.edit('s', { type: 'NodePort' }).settle();
  t.is(c.ips('s'), '');
  t.deepEqual(c.get('s').conditions, []);
  t.is(c.writesOf('s').length, 1);
  t.is(c.counts('a'), '256/256/0');
});

for (const foreign of ['lb.example.com', '192.0.2.9']) {
  row(40, `foreign entry ${foreign} stays ahead of ours`, (t, c) => {
    c.service('s', { labels: { color: 'red' } }).patchStatus('s', { ingress: [foreign] });
    c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'blue' }) }).settle();
    t.is(c.writesOf('s').length, 0);
    c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'red' }) }).settle();
    t.is(shown(c, 's'), `${foreign} 10.0.10.0 True/satisfied`);
    t.is(c.record('s'), '10.0.10.0=pool/a');
  });
}

row(41, 'a refusal that Cilium wrote is no claim', (t, c) => {
  c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'blue' }) });
  c.service('s').patchStatus('s', {
    ingress: ['192.0.2.9'], conditions: [condition(satisfied, 'False/no_pool')],
  }).settle();
  t.is(c.writesOf('s').length, 0);
});

row(42, 'with its feature off a class holds and gets nothing', (t) => {
  const c = new Cluster({ bgp: false });
  c.pool('a', '10.0.10.0/24').service('s', { class: 'io.cilium/bgp-control-plane' }).settle();
  t.is(shown(c, 's'), 'False/owner_disabled');
  const event = c.events.find((item) => item.reason === 'OwnerDisabled');
  t.regex(event?.message ?? '', /enable-bgp-control-plane/u);
});

row(42, 'with its feature switched off a holder keeps its address', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s', { class: 'io.cilium/bgp-control-plane' }).settle();
  c.restart({ bgp: false });
  t.deepEqual([...c.writes, ...c.events], []);
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
});

row(43, 'nothing is written before every list is complete', (t) => {
  const c = new Cluster({}, false);
  c.ipam.start();
  c.pool('a', '10.0.10.0/24').service('s').settle(60);
  c.tables.pools.markComplete();
  c.tables.nodes.markComplete();
  c.tables.slices.markComplete();
  c.settle(60);
  t.deepEqual(c.writes, []);
  t.deepEqual(c.ipam.pending(), ['the lists of services are not complete']);
  c.tables.services.markComplete();
  c.settle();
  t.is(c.ips('s'), '10.0.10.0');
  t.deepEqual(c.ipam.pending(), []);
});

row(53, 'a bad value counts as false and an unknown key is reported', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1', { permit: 'maybe' });
  c.service('s2', { annotations: { 'lbipam.cilium.io/ip': '10.0.10.5' } }).settle();
  t.is(c.verdict('s1', inputValid), 'False/invalid_annotation');
  t.is(c.verdict('s2', inputValid), 'False/unknown_annotation');
  t.is(c.ips('s2'), '10.0.10.1');
  t.true(c.reasons('s1').includes('InvalidAnnotation'));
  c.edit('s1', { permit: 'True' }).edit('s2', { annotations: {} }).settle();
  t.is(c.verdict('s1', inputValid) + c.verdict('s2', inputValid), '');
});

row(53, 'a field that could not be read is named by its path', (t, c) => {
  const faults = [{ path: 'spec.ports[0].port', message: 'is no port' }];
  c.pool('a', '10.0.10.0/24').service('s', { faults }).settle();
  t.is(c.verdict('s', inputValid), 'False/malformed_object');
  t.true(c.condition('s', inputValid)?.message.includes('spec.ports[0].port'));
});
