import test from 'ava';
import { TokenBucket } from '../../lb/ipam/attempts.ts';
import { planOnce } from '../../lb/ipam/once.ts';
import { compileSelector } from '../../lb/selector.ts';
import { parseSelectorText } from '../../lb/selector-text.ts';
import { formatTime } from '../../lb/time.ts';
import {
  defaultIpamSettings, ipamSettingNames, parseIpamSettings, type IpamSettings,
} from '../../lb/ipam/settings.ts';
import { mergeConditions } from '../../lb/conditions.ts';
import {
  condition, nodeObject, poolObject, serviceObject, type ServiceOptions,
} from './objects.ts';
import type { Labels, Meta } from '../../lb/model.ts';

const accepted = test.macro({
  exec: (t, key: string, value: unknown, expected: Partial<IpamSettings>) => {
    const parsed = parseIpamSettings({ [key]: value, 'other-option': 7 });
    t.deepEqual(parsed, { ok: true, value: { ...defaultIpamSettings, ...expected } });
  },
  title: (_, key, value) => `${key}: ${JSON.stringify(value)} is accepted`,
});

test(accepted, 'enable-lb-ipam', 'false', { lbIpam: false });
test(accepted, 'enable-ipv6', false, { ipv6: false });
test(accepted, 'default-lb-service-ipam', 'nodeipam', { classlessOwner: 'nodeipam' });
test(accepted, 'lbipam-require-lb-class', 'true', { classlessOwner: 'none' });
test(accepted, 'lb-ipam-reuse-hold-down', '1m30s', { holdDown: 90_000_000 });
test(accepted, 'lb-ipam-batch-window', '0', { batchWindow: 0 });
test(accepted, 'lb-ipam-batch-window', '250us', { batchWindow: 250 });
test(accepted, 'lb-ipam-write-qps', '20', { writeQps: 20 });
test(accepted, 'lb-ipam-write-burst', 1, { writeBurst: 1 });

const refused = test.macro({
  exec: (t, key: string, value: unknown, permitted: string) => {
    const parsed = parseIpamSettings({ [key]: value });
    t.false(parsed.ok);
    if (parsed.ok) return;
    t.is(parsed.error.key, key);
    t.true(parsed.error.message.includes(permitted), parsed.error.message);
  },
  title: (_, key, value) => `${key}: ${JSON.stringify(value)} is refused by name`,
});

test(refused, 'enable-lb-ipam', 'yes', 'true or false');
test(refused, 'enable-ipv4', 1, 'true or false');
test(refused, 'lbipam-require-lb-class', '', 'true or false');
test(refused, 'default-lb-service-ipam', 'LBIPAM', 'lbipam, nodeipam or none');
test(refused, 'lb-ipam-reuse-hold-down', '-1s', '0s to 24h');
test(refused, 'lb-ipam-reuse-hold-down', '25h', '0s to 24h');
test(refused, 'lb-ipam-batch-window', '50', '0s to 10s');
test(refused, 'lb-ipam-batch-window', 50, '0s to 10s');
test(refused, 'lb-ipam-write-qps', 0, '1 to 10000');
test(refused, 'lb-ipam-write-qps', 1.5, '1 to 10000');
test(refused, 'lb-ipam-write-burst', '1e3', '1 to 10000');

test('the present setting goes before the older one', (t) => {
  const parsed = parseIpamSettings(
    { 'lbipam-require-lb-class': true, 'default-lb-service-ipam': 'lbipam' },
  );
  t.is(parsed.ok && parsed.value.classlessOwner, 'lbipam');
  t.is(ipamSettingNames.length, 12);
});

test('times are written as the API server writes them', (t) => {
  const day = 86_400_000_000;
  t.is(formatTime(0), '1970-01-01T00:00:00Z');
  t.is(formatTime(1_767_225_600_000_000), '2026-01-01T00:00:00Z');
  const leapDays = [951_782_399_999_999, 951_827_696_000_000];
  for (const micros of [...leapDays, 4_107_542_400_000_000, 19_780 * day - 1]) {
    const seconds = Math.floor(micros / 1_000_000) * 1000;
    t.is(formatTime(micros), new Date(seconds).toISOString().replace('.000Z', 'Z'));
  }
});

test('owned conditions are replaced, foreign ones stay, a type stands once', (t) => {
  const stored = [
    condition('x/Foreign', 'True/a'),
    condition('our/A', 'True/a'),
    condition('our/A', 'False/b'),
    condition('our/B', 'True/b'),
  ];
  const wanted = [
    { type: 'our/A', status: 'True' as const, reason: 'a', message: 'new', observedGeneration: 0 },
    { type: 'our/C', status: 'False' as const, reason: 'c', message: '', observedGeneration: 0 },
  ];
  const ownership = { owned: ['our/A', 'our/B', 'our/C'], at: '2026-01-01T00:00:00Z' };
  const merged = mergeConditions(stored, wanted, ownership);
  t.true(merged.changed);
  const texts = merged.conditions.map((item) => {
    return [item.type, item.message, item.lastTransitionTime?.slice(0, 4)].join();
  });
  t.deepEqual(texts, [
    'x/Foreign,,2025', 'our/A,new,2025', 'our/C,,2026',
  ]);
  t.deepEqual(
    mergeConditions(merged.conditions, wanted, ownership),
    { conditions: merged.conditions, changed: false },
  );
});

test('the bucket gives its burst and then its rate', (t) => {
  const bucket = new TokenBucket({ qps: 3, burst: 2 }, 0);
  for (let index = 0; index < 2; index += 1) {
    t.true(bucket.available(0));
    bucket.spend();
  }
  t.false(bucket.available(0));
  t.is(bucket.wait(0), 333_334);
  t.false(bucket.available(333_333));
  t.true(bucket.available(333_334));
  t.is(bucket.wait(10_000_000), 0);
});

test('other limits hold at once, and what was saved up stays within them', (t) => {
  const bucket = new TokenBucket({ qps: 1, burst: 100 }, 0);
  bucket.limit({ qps: 10, burst: 1 }, 0);
  t.true(bucket.available(0));
  bucket.spend();
  t.is(bucket.wait(0), 100_000);
});

const selects = test.macro({
  exec: (t, text: string, labels: Labels, expected: boolean | undefined) => {
    const parsed = parseSelectorText(text);
    const compiled = parsed.ok ? compileSelector(parsed.value) : undefined;
    t.is(compiled?.ok === true ? compiled.value(labels) : undefined, expected);
  },
  title: (_, text, labels, expected) => {
    return `'${text}' on ${JSON.stringify(labels)} is ${expected ?? 'refused'}`;
  },
});

test(selects, '', {}, true);
test(selects, ' a = b , c != d ', { a: 'b' }, true);
test(selects, 'a==b', { a: 'c' }, false);
test(selects, 'a in (b, c),!d', { a: 'c' }, true);
test(selects, 'a notin (b)', {}, true);
test(selects, 'x.io/a', { 'x.io/a': '' }, true);
test(selects, '!a', { a: '1' }, false);
const nonsense = ['a=(', 'a in b', 'a in (b', '=b', 'a=b,,c', ',', 'a b', 'a in (b))', '!', '-a=b'];
for (const text of nonsense) test(selects, text, {}, undefined);

function meta(namespace: string, name: string): Meta {
  return {
    namespace,
    name,
    uid: name,
    resourceVersion: '1',
    generation: 0,
    createdAtMs: 1,
    deleting: false,
    labels: {},
    annotations: {},
  };
}

test('a plan once shows addresses, verdicts and counts without writing', (t) => {
  const service = (name: string, options: ServiceOptions) => serviceObject(
    meta('default', name), options,
  );
  const planned = planOnce({
    pools: [
      poolObject(meta('', 'lan'), '10.0.0.0/30', { first: 'No' }),
      poolObject(meta('', 'bad'), 'x/1', {}),
    ],
    services: [
      service('b', {}),
      service('a', {}),
      service('c', {}),
      service('n', { class: 'io.cilium/node' }),
      service('x', { class: 'a.b/c' }),
    ],
    nodes: [nodeObject(meta('', 'n1'), 'InternalIP=192.0.2.7', {})],
    slices: [],
  }, defaultIpamSettings);
  const rows = planned.services.map((row) => {
    const given = row.addresses.map((item) => `${item.ip} ${item.pool}`).join();
    return `${row.key} ${given} ${row.explanation.code}`;
  });
  t.deepEqual(rows, [
    'default/a 10.0.0.1 lan satisfied', 'default/b 10.0.0.2 lan satisfied', 'default/c  out_of_ips',
    'default/n 192.0.2.7  satisfied', 'default/x  ForeignClass',
  ]);
  t.deepEqual(
    planned.pools.map((pool) => [pool.name, pool.usable, pool.counts?.available]),
    [['bad', false, undefined], ['lan', true, 0n]],
  );
  t.deepEqual(planned.services.map((row) => row.touched), [true, true, true, true, false]);
});
