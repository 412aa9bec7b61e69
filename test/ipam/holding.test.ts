import { Cluster } from './cluster.ts';
import { condition, equals, type ServiceOptions } from './objects.ts';
import { row, shown } from './row.ts';

const satisfied = 'cilium.io/IPAMRequestSatisfied';

/** A store as it was left, with a controller that has not started. */
function found(setup: (c: Cluster) => void, settings = {}): Cluster {
  const c = new Cluster(settings, false);
  setup(c);
  c.complete();
  c.ipam.start();
  return c.settle();
}

row(54, 'shown and listed addresses are kept at a start', (t) => {
  const c = found((store) => {
    store.pool('a', '10.0.10.0/24').service('s', { ips: '10.0.10.123,10.0.10.124' });
    store.patchStatus('s', { ingress: ['10.0.10.123', '10.0.10.124'] });
  });
  t.is(shown(c, 's'), '10.0.10.123 10.0.10.124 True/satisfied');
  t.is(c.counts('a'), '256/254/2');
  t.deepEqual(c.reasons('s'), []);
});

for (const [written, ips] of [
  ['True/satisfied', '10.0.10.0'], ['', '192.168.1.12 10.0.10.0'],
] as const) {
  row(55, `an address outside every pool beside condition '${written}' leads to ${ips}`, (t) => {
    const c = found((store) => {
      store.pool('a', '10.0.10.0/24').service('s');
      const conditions = written === '' ? [] : [
        condition(satisfied, written), condition(satisfied, written),
      ];
      store.patchStatus('s', { ingress: ['192.168.1.12'], conditions });
    });
    t.is(shown(c, 's'), `${ips} True/satisfied`);
    t.is(c.writesOf('s').length, 1);
  });
}

for (const key of ['k', undefined]) {
  row(56, `two that show one address ${key === undefined ? 'without' : 'with'} a key`, (t) => {
    const c = found((store) => {
      store.pool('a', '10.0.10.0/24');
      for (const name of ['s1', 's2']) {
        store.service(name, key === undefined ? {} : { key });
        store.patchStatus(name, { ingress: ['10.0.10.123'] });
      }
    });
    t.is(c.ips('s1'), '10.0.10.123');
    t.is(c.ips('s2'), key === undefined ? '10.0.10.0' : '10.0.10.123');
    t.is(c.reasons('s2').includes('AddressConflict'), key === undefined);
    t.is(c.counts('a'), key === undefined ? '256/254/2' : '256/255/1');
  });
}

row(56, 'a recorded holder goes before an older one without record', (t) => {
  const c = found((store) => {
    store.pool('a', '10.0.10.0/24').service('old').service('young');
    const record = condition('fairlead.dev/IPAMAllocation', 'True/allocated', '10.0.10.9=pool/a');
    store.patchStatus('old', { ingress: ['10.0.10.9'] });
    store.patchStatus('young', { ingress: ['10.0.10.9'], conditions: [record] });
  });
  t.deepEqual([c.ips('young'), c.ips('old')], ['10.0.10.9', '10.0.10.0']);
});

row(57, 'a holder is not displaced by an older one at a restart', (t, c) => {
  c.pool('a', '10.0.10.7').service('s1', { at: 2000 }).settle();
  c.service('s0', { at: 1000 }).settle();
  t.is(shown(c, 's0'), 'False/out_of_ips');
  c.restart();
  t.deepEqual(c.writes, []);
  t.is(c.ips('s1'), '10.0.10.7');
});

row(58, 'a widened range serves the waiting and moves nobody', (t, c) => {
  c.pool('a', '10.0.10.120-10.0.10.127');
  for (let index = 0; index < 10; index += 1) c.service(`s${index}`);
  c.settle();
  const before = c.names.slice(0, 8).map((name) => c.ips(name));
  c.pool('a', '10.0.10.117-10.0.10.127').settle();
  t.deepEqual(c.names.slice(0, 8).map((name) => c.ips(name)), before);
  t.deepEqual([c.ips('s8'), c.ips('s9')], ['10.0.10.117', '10.0.10.118']);
});

row(59, 'a deletion touches nobody else', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1').service('s2').service('s3').settle();
  c.forget();
  c.drop('s2').settle();
  t.deepEqual(c.writes.map((write) => write.name), ['a']);
  t.deepEqual([c.ips('s1'), c.ips('s3')], ['10.0.10.0', '10.0.10.2']);
});

function sixty(c: Cluster): void {
  c.pool('a', '1.2.3.0/30 1000::/126').service('s1', { families: ['IPv4'] });
  c.service('s2', { families: ['IPv6'] }).settle();
}

row(60, 'widening and narrowing around the holders moves nobody', (t, c) => {
  sixty(c);
  c.pool('a', '1.2.3.0/24 1000::/120').settle();
  c.pool('a', '1.2.3.0/30 1000::/126').settle();
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['1.2.3.0', '1000::']);
  t.is(c.counts('a'), '8/6/2');
});

for (const [edit, one, two] of [
  ['1.2.3.2/31 1000::/126', '1.2.3.2', '1000::'], ['1.2.3.0/30 1000::2/127', '1.2.3.0', '1000::2'],
] as const) {
  row(61, `cut to ${edit} only who is cut off moves`, (t, c) => {
    sixty(c);
    c.pool('a', edit).settle();
    t.deepEqual([c.ips('s1'), c.ips('s2')], [one, two]);
  });
}

row(62, 'a pool recreated under another name in one batch keeps its holders', (t, c) => {
  sixty(c);
  c.dropPool('a').pool('a2', '1.2.3.0/30 1000::/126').settle();
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['1.2.3.0', '1000::']);
  t.deepEqual([c.record('s1'), c.record('s2')], ['1.2.3.0=pool/a2', '1000::=pool/a2']);
  t.is(c.counts('a2'), '8/6/2');
});

row(63, 'pools that swap their blocks in one batch keep their holders', (t, c) => {
  sixty(c);
  c.pool('a', '1.2.3.0/31 1000::2/127').pool('b', '1.2.3.2/31 1000::/127').settle();
  t.deepEqual([c.record('s1'), c.record('s2')], ['1.2.3.0=pool/a', '1000::=pool/b']);
  t.deepEqual([c.counts('a'), c.counts('b')], ['4/3/1', '4/3/1']);
});

row(64, 'a freed address goes to the oldest that waits, whenever it came', (t, c) => {
  c.pool('a', '10.0.10.7').service('holder').settle();
  const arrivals = [['p3', 9003], ['p1', 9001], ['p2', 9002]] as const;
  for (const [name, at] of arrivals) c.service(name, { at }).settle(1);
  c.drop('holder').settle();
  t.deepEqual(['p1', 'p2', 'p3'].map((name) => c.ips(name)), ['10.0.10.7', '', '']);
});

row(65, 'one batch in all 720 orders gives the same writes', (t) => {
  const steps: ((c: Cluster) => void)[] = [(c) => void c.pool('a', '10.0.10.0/30', { at: 1 })];
  const options: readonly ServiceOptions[] = [
    { at: 1000 }, { at: 2000, ips: '10.0.10.1' }, { at: 2000, key: 'k', ports: 'TCP/1' },
    { at: 3000, key: 'k', ports: 'TCP/2' }, { at: undefined },
  ];
  for (const [index, option] of options.entries()) {
    steps.push((c) => void c.service(`s${index}`, { ports: 'TCP/9', ...option }));
  }
  const outcomes = new Set<string>();
  for (const order of permutations(steps)) {
    const c = new Cluster();
    for (const step of order) step(c);
    c.settle(1);
    const writes = c.writes.map((write) => `${write.kind} ${write.name} ${write.ingress?.join()}`);
    outcomes.add(`${writes.join('; ')} ${c.events.map((event) => event.message).join('; ')}`);
    if (outcomes.size === 1) continue;
    t.fail([...outcomes].join('\n'));
    return;
  }
  const [text = ''] = outcomes;
  const given = text.split('service ').slice(1).map((part) => part.split(';')[0]);
  t.deepEqual(
    given, ['s0 10.0.10.0', 's1 10.0.10.1', 's2 10.0.10.2', 's3 10.0.10.2', 's4 10.0.10.3'],
  );
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) => {
    return permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]);
  });
}

row(66, 'holding beats age across batches', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s2', { at: 2000 }).settle();
  c.service('s1', { at: 1000 }).settle();
  t.deepEqual([c.ips('s2'), c.ips('s1')], ['10.0.10.0', '10.0.10.1']);
});

row(67, 'a freed address rests while another is free', (t) => {
  const c = new Cluster({ holdDown: 60_000_000 });
  c.pool('a', '10.0.10.0/24').service('s').settle();
  c.drop('s').settle(10);
  c.service('s1').settle(60);
  c.service('s2').settle();
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['10.0.10.1', '10.0.10.0']);
});

row(67, 'rest never means refusal', (t) => {
  const c = new Cluster({ holdDown: 60_000_000 });
  c.pool('a', '10.0.10.6-10.0.10.7').service('s').service('s1').settle();
  c.drop('s1').settle(1);
  t.is(c.counts('a'), '2/1/1');
  c.drop('s').settle(1);
  c.service('s2').service('s3', { ips: '10.0.10.6' }).settle(1);
  t.deepEqual([c.ips('s2'), c.ips('s3')], ['10.0.10.7', '10.0.10.6']);
});

row(68, 'an address is shown by its next holder only after it is gone from the last', (t, c) => {
  c.pool('a', '10.0.10.7', { selector: equals({ color: 'red' }) });
  c.service(
    's1', { labels: { color: 'red' } },
  ).service('s2', { labels: { color: 'red' } }).settle();
  c.errors.set('s1', ['retry']);
  c.edit('s1', { labels: {} }).settle();
  const order = c.writes.filter((write) => write.kind === 'service').slice(-3);
  t.deepEqual(
    order.map((write) => `${write.name} ${write.outcome}`), ['s1 retry', 's1 ok', 's2 ok'],
  );
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['', '10.0.10.7']);
});

row(68, 'a write under way counts as shown', (t, c) => {
  c.pool('a', '10.0.10.7', { selector: equals({ color: 'red' }) }).settle();
  c.latency = 100_000;
  c.service('s1', { labels: { color: 'red' } }).service('s2', { labels: { color: 'red' } });
  c.settle(0.06);
  c.edit('s1', { labels: {} }).settle();
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['', '10.0.10.7']);
  t.deepEqual(c.doubles, []);
});

for (const landed of [true, false]) {
  row(68, `a lost answer counts as shown until it is known (landed: ${landed})`, (t, c) => {
    c.pool('a', '10.0.10.7', { selector: equals({ color: 'red' }) }).settle();
    c.errors.set('s1', ['retry']);
    if (landed) c.before = (write) => {
      if ('key' in write && write.ingress?.length === 1) {
        c.before = undefined;
        c.patchStatus('s1', { ingress: ['10.0.10.7'], conditions: [...write.conditions ?? []] });
      }
    };
    c.service('s1', { labels: { color: 'red' } }).service('s2', { labels: { color: 'red' } });
    c.settle(0.06);
    c.edit('s1', { labels: {} }).settle();
    t.deepEqual([c.ips('s1'), c.ips('s2')], ['', '10.0.10.7']);
    t.deepEqual([c.doubles, c.ipam.pending()], [[], []]);
  });
}

row(68, 'two Services swap their addresses without ever showing one twice', (t, c) => {
  c.pool('a', '10.0.10.0/24').service(
    's1', { ips: '10.0.10.5' },
  ).service('s2', { ips: '10.0.10.6' });
  c.settle();
  c.before = () => t.not(c.ips('s1') === '' ? 'x' : c.ips('s1'), c.ips('s2'));
  c.edit('s1', { ips: '10.0.10.6' }).edit('s2', { ips: '10.0.10.5' }).settle();
  t.deepEqual(
    [shown(c, 's1'), shown(c, 's2')], ['10.0.10.6 True/satisfied', '10.0.10.5 True/satisfied'],
  );
  t.deepEqual(c.ipam.pending(), []);
});
