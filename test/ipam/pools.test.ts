import { equals } from './objects.ts';
import { l2, row, shown } from './row.ts';
import { decodePool } from '../../kube/decode-policy.ts';
import type { PoolBlock } from '../../lb/model.ts';

const block = (fields: Partial<PoolBlock>): PoolBlock => {
  return { cidr: undefined, start: undefined, stop: undefined, ...fields };
};

row(1, 'without a pool only a Service with our class hears something', (t, c) => {
  c.service('s1').service('s2', { class: l2 }).settle();
  t.deepEqual(c.writes.map((write) => write.name), ['s2']);
  t.is(shown(c, 's2'), 'False/no_pool');
  t.true(c.message('s2').startsWith('NoPoolExists'));
  t.is(c.record('s2'), '');
});

row(2, 'a Service gets the lowest address, one condition and its record', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s', { families: ['IPv4'] }).settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
  t.is(c.record('s'), '10.0.10.0=pool/a');
  t.is(c.writesOf('s').length, 1);
});

row(3, 'a change of family changes the entry and frees the other', (t, c) => {
  c.pool('a', '10.0.10.0/24 ff::/48').service('s', { families: ['IPv4'] }).settle();
  c.edit('s', { families: ['IPv6'] }).settle();
  t.is(shown(c, 's'), 'ff:: True/satisfied');
  t.deepEqual(c.ipam.holders().map((row) => row.ip as string), ['ff::']);
  c.edit('s', { families: ['IPv4'] }).settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
});

for (const how of ['as pool b', 'as a block of a']) {
  row(4, `a listed address is granted once its block exists ${how}`, (t, c) => {
    c.pool('a', '10.0.10.0/24').service('s', { ips: '10.0.20.10' }).settle();
    t.is(shown(c, 's'), 'False/no_pool');
    if (how === 'as pool b') c.pool('b', '10.0.20.0/24').settle();
    else c.pool('a', '10.0.10.0/24 10.0.20.0/24').settle();
    t.is(shown(c, 's'), '10.0.20.10 True/satisfied');
  });
}

row(5, 'a removed block moves its holder in one write', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s').settle();
  c.pool('a', '10.0.10.0/24 10.0.20.0/24').settle();
  t.is(c.ips('s'), '10.0.10.0');
  c.forget();
  c.pool('a', '10.0.20.0/24').settle();
  t.is(c.ips('s'), '10.0.20.0');
  t.is(c.writesOf('s').length, 1);
  t.true(c.notes.includes('ipam.outOfPoolReleased'));
  t.deepEqual(c.reasons('s'), ['AddressReleased', 'AddressAssigned']);
});

row(6, 'a deleted pool moves its holder in one write', (t, c) => {
  c.pool('a', '10.0.10.0/24').pool('b', '10.0.20.0/24').service('s').settle();
  c.forget();
  c.dropPool('a').settle();
  t.is(c.ips('s'), '10.0.20.0');
  t.is(c.writesOf('s').length, 1);
});

row(7, 'a disabled pool keeps its holders and grants nothing', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1').settle();
  c.pool('a', '10.0.10.0/24', { disabled: true }).settle();
  c.service('s2').service('s3', { class: l2 }).settle();
  t.is(c.ips('s1'), '10.0.10.0');
  t.is(c.writesOf('s2').length, 0);
  t.is(shown(c, 's3'), 'False/no_pool');
  t.regex(c.message('s3'), /^PoolDisabled: pool a /u);
  c.pool('a', '10.0.10.0/24').settle();
  t.deepEqual(
    ['s1', 's2', 's3'].map((name) => c.ips(name)), ['10.0.10.0', '10.0.10.1', '10.0.10.2'],
  );
});

row(8, 'the younger of two overlapping pools grants nothing until the overlap goes', (t, c) => {
  c.pool('a', '10.0.10.0/24').pool('b', '10.0.10.0/24 ff::/48');
  c.service('s', { families: ['IPv6'] }).settle();
  t.is(c.poolVerdict('b', 'PoolConflict'), 'True/cidr_overlap');
  t.is(c.poolVerdict('a', 'PoolConflict'), 'False/resolved');
  t.is(shown(c, 's'), 'False/no_pool');
  t.regex(c.message('s'), /^PoolConflicting: pool b /u);
  c.pool('b', 'ff::/48').settle();
  t.is(c.poolVerdict('b', 'PoolConflict'), 'False/resolved');
  t.is(shown(c, 's'), 'ff:: True/satisfied');
  t.true(c.reasons('b').includes('PoolConflictResolved'));
});

row(9, 'a pool that overlaps itself is in conflict until either block goes', (t, c) => {
  for (const kept of ['10.0.10.0/24', '10.0.10.64/28']) {
    c.pool('a', '10.0.10.0/24 10.0.10.64/28').settle();
    t.is(c.poolVerdict('a', 'PoolConflict'), 'True/cidr_overlap');
    t.is(c.counts('a'), '256/256/0');
    c.pool('a', kept).settle();
    t.is(c.poolVerdict('a', 'PoolConflict'), 'False/resolved');
  }
});

for (const [a, b] of [
  ['10.0.10.64/28', '10.0.10.0/24'], ['10.0.10.0/24', '10.0.10.64/28'],
] as const) {
  row(9, `beside the older ${a} the younger ${b} is in conflict`, (t, c) => {
    c.pool('a', a).pool('b', b).settle();
    t.is(c.poolVerdict('a', 'PoolConflict'), 'False/resolved');
    t.is(c.poolVerdict('b', 'PoolConflict'), 'True/cidr_overlap');
    t.regex(c.poolCondition('b', 'PoolConflict')?.message ?? '', /spec\.blocks\[0\].*pool a/u);
  });
}

const ranges: readonly (readonly [string, string, string])[] = [
  ['10.0.0.0/25', 'False/valid', ''],
  ['10.0.0.12/24', 'False/valid_with_warnings', '10.0.0.0-10.0.0.255'],
  ['::/112', 'False/valid_with_warnings', '::-::ffff'],
  ['192.168.100.200/28', 'False/valid_with_warnings', '192.168.100.192-192.168.100.207'],
];
for (const [text, verdict, range] of ranges) {
  row(10, `block ${text} is ${verdict}`, (t, c) => {
    c.pool('a', text).settle();
    t.is(c.poolVerdict('a', 'Invalid'), verdict);
    const message = c.poolCondition('a', 'Invalid')?.message ?? '';
    t.is(range === '' ? message : message.slice(-range.length), range);
  });
}

row(11, 'counts know size, reserved and shared addresses', (t, c) => {
  c.pool('a', '10.0.10.0/24').pool('b', '10.0.20.0/24', { first: 'No' }).settle();
  t.is(c.counts('a'), '256/256/0');
  t.is(c.counts('b'), '256/254/2');
  c.service('s1', { key: 'k' }).service('s2', { key: 'k' }).settle();
  t.is(c.ips('s1'), c.ips('s2'));
  t.is(c.counts('a'), '256/255/1');
  t.true(c.notes.includes('ipam.shared'));
});

row(12, 'a deletion and a cut in one batch make a single pool write', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1').service('s2').settle();
  c.forget();
  c.drop('s2').pool('a', '10.0.10.0/25').settle();
  t.is(c.counts('a'), '128/127/1');
  t.is(c.writesOf('a').length, 1);
});

row(13, 'a start alone is a pool of one', (t, c) => {
  c.pool('a', '10.0.10.7').settle();
  c.service('s1').service('s2').settle();
  t.is(shown(c, 's1'), '10.0.10.7 True/satisfied');
  t.is(shown(c, 's2'), 'False/out_of_ips');
  t.true(c.reasons('s2').includes('AllocationFailed'));
  t.true(c.reasons('a').includes('PoolExhausted'));
});

row(14, 'a range crosses its octets in age order', (t, c) => {
  c.pool('a', '192.168.0.254-192.168.1.1');
  for (const name of ['s1', 's2', 's3', 's4', 's5']) c.service(name);
  c.settle();
  const ips = ['s1', 's2', 's3', 's4'].map((name) => c.ips(name));
  t.deepEqual(ips, ['192.168.0.254', '192.168.0.255', '192.168.1.0', '192.168.1.1']);
  t.is(shown(c, 's5'), 'False/out_of_ips');
});

row(15, 'of two freed addresses the lower is given', (t, c) => {
  c.pool('a', '10.0.10.0/24');
  for (let index = 0; index < 10; index += 1) c.service(`s${index}`);
  c.settle();
  c.drop('s7').drop('s2').settle();
  c.service('new').settle();
  t.is(c.ips('new'), '10.0.10.2');
});

row(16, 'pools are used by age, then by name', (t, c) => {
  c.pool('z', '10.0.1.0/24', { at: 1 }).pool('a', '10.0.2.0/24', { at: 2 }).service('s').settle();
  t.is(c.ips('s'), '10.0.1.0');
  c.drop('s').pool('a', '10.0.2.0/24', { at: 1 }).settle();
  c.service('s').settle();
  t.is(c.ips('s'), '10.0.2.0');
});

row(17, 'a reversed range is named and spoils its own pool only', (t, c) => {
  c.pool('a', '10.0.10.9-10.0.10.3').pool('b', '10.0.20.0/24').service('s').settle();
  t.is(c.poolVerdict('a', 'Invalid'), 'True/reversed_range');
  t.deepEqual(c.reasons('a'), ['PoolInvalid']);
  t.is(c.ips('s'), '10.0.20.0');
  c.pool('a', '10.0.10.3-10.0.10.9').settle();
  t.is(c.poolVerdict('a', 'Invalid'), 'False/valid');
  t.deepEqual(c.reasons('a'), ['PoolInvalid', 'PoolValid']);
});

const bad: readonly (readonly [Partial<PoolBlock>, string])[] = [
  [{ start: '10.0.0.1', stop: 'ff::1' }, 'True/mixed_families'],
  [{}, 'True/empty_block'],
  [{ stop: '10.0.0.1' }, 'True/missing_start'],
  [{ cidr: '10.0.0.0/33' }, 'True/invalid_address'],
  [{ cidr: '10.0.0.0/24', start: '10.0.0.5' }, 'False/valid_with_warnings'],
  [{ cidr: '010.0.0.0/8' }, 'True/invalid_address'],
  [{ cidr: '10.0.0.0' }, 'True/invalid_address'],
  [{ cidr: '::ffff:10.0.0.0/120' }, 'True/invalid_address'],
  [{ start: 'fe80::1%eth0' }, 'True/invalid_address'],
];
for (const [fields, verdict] of bad) {
  row(18, `block ${JSON.stringify(fields)} is ${verdict}`, (t, c) => {
    c.pool('a', [block(fields)]).settle();
    t.is(c.poolVerdict('a', 'Invalid'), verdict);
    t.is(c.counts('a').startsWith('256/'), verdict.startsWith('False'));
  });
}

row(19, 'a pool that becomes invalid works on as it was', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1').settle();
  c.pool('a', 'junk/x').settle();
  c.service('s2').settle();
  t.is(c.poolVerdict('a', 'Invalid'), 'True/invalid_address');
  t.is(c.ips('s1'), '10.0.10.0');
  t.is(c.ips('s2'), '10.0.10.1');
});

row(19, 'after a restart the invalid pool is hold-only', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1').settle();
  c.pool('a', 'junk/x').settle();
  c.restart();
  t.deepEqual(c.writes, []);
  c.service('s2', { class: l2 }).settle();
  t.is(c.ips('s1'), '10.0.10.0');
  t.is(shown(c, 's2'), 'False/no_pool');
  t.regex(c.message('s2'), /^PoolInvalid: pool a /u);
});

row(20, 'the cidrs of an old manifest are blocks', (t, c) => {
  const decoded = decodePool({
    apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumLoadBalancerIPPool',
    metadata: { name: 'old', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: { cidrs: [{ cidr: '10.0.10.0/24' }] },
  });
  if (!decoded.ok) throw new Error('the manifest decodes');
  c.tables.pools.upsert('old', decoded.value);
  c.service('s').settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
});

row(20, 'an empty list of blocks is valid and has nothing', (t, c) => {
  c.pool('a', '').service('s').settle();
  t.is(c.poolVerdict('a', 'Invalid'), 'False/valid');
  t.is(c.counts('a'), '0/0/0');
  t.is(shown(c, 's'), 'False/no_pool');
});

row(21, 'the first address of a block is granted unless it is reserved', (t, c) => {
  c.pool('a', '10.0.10.16/30', { first: 'No' }).service('s', { lbip: '10.0.10.16' }).settle();
  t.is(shown(c, 's'), 'False/already_allocated');
  c.pool('a', '10.0.10.16/30', { first: 'Yes' }).settle();
  t.is(shown(c, 's'), '10.0.10.16 True/satisfied');
});

row(22, 'a sharing key does not open a reserved address', (t, c) => {
  c.pool('a', '10.0.10.16/30', { first: 'No' });
  c.service('s', { ips: '10.0.10.16', key: 'k' }).settle();
  t.is(shown(c, 's'), 'False/already_allocated');
});

const whole = ['10.0.10.0/31', '10.0.10.0/32', 'ff::/127', 'ff::/128', '10.0.10.4-10.0.10.9'];
for (const text of whole) {
  row(23, `of ${text} every address can be granted in spite of No`, (t, c) => {
    c.pool('a', text, { first: 'No' }).settle();
    const size = Number(c.counts('a').split('/')[0]);
    const families = text.includes(':') ? ['IPv6' as const] : ['IPv4' as const];
    for (let index = 0; index < size; index += 1) c.service(`s${index}`, { families });
    c.settle();
    t.is(c.counts('a'), `${size}/0/${size}`);
  });
}

row(24, 'a selector decides who is served, claimed or told', (t, c) => {
  c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'red' }) });
  c.service('s1', { labels: { color: 'red' } }).service('s2', { labels: { color: 'blue' } });
  c.service('s3', { labels: { color: 'blue' }, class: l2 }).settle();
  t.is(shown(c, 's1'), '10.0.10.0 True/satisfied');
  t.is(c.writesOf('s2').length, 0);
  t.is(shown(c, 's3'), 'False/no_pool');
});

row(25, 'a namespace label of the user opens no other tenant\'s pool', (t, c) => {
  const label = { 'io.kubernetes.service.namespace': 'tenant-one' };
  c.pool('a', '10.0.10.0/24', { selector: equals(label) });
  c.service('s1', { ns: 'tenant-one' }).service('s2', { ns: 'tenant-two', labels: label }).settle();
  t.is(shown(c, 's1'), '10.0.10.0 True/satisfied');
  t.is(shown(c, 's2'), '');
});

for (const how of ['the label goes', 'the selector changes']) {
  row(26, `when ${how} the address goes in one write`, (t, c) => {
    c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'red' }) });
    c.service('s', { labels: { color: 'red' } }).settle();
    c.forget();
    if (how === 'the label goes') c.edit('s', { labels: {} });
    else c.pool('a', '10.0.10.0/24', { selector: equals({ color: 'blue' }) });
    c.settle();
    t.is(shown(c, 's'), 'False/no_pool');
    t.is(c.record('s'), '');
    t.is(c.writesOf('s').length, 1);
    // Let go of once, it is left alone until a pool claims it again.
    c.forget();
    c.edit('s', { annotations: { note: 'x' } }).settle();
    t.deepEqual(c.writes, []);
  });
}
