import { row, shown } from './row.ts';

for (const [how, change] of [
  ['to a taken port', { ports: 'TCP/80' }], ['to another key', { key: 'other' }],
] as const) {
  row(44, `who changes ${how} moves, the unchanged stays`, (t, c) => {
    c.pool('a', '10.0.10.0/24').service('s1', { key: 'k', ports: 'TCP/80' });
    c.service('s2', { key: 'k', ports: 'TCP/81' }).settle();
    t.is(c.ips('s1') + c.ips('s2'), '10.0.10.010.0.10.0');
    c.forget();
    c.edit('s2', change).settle();
    t.is(c.ips('s1'), '10.0.10.0');
    t.is(c.ips('s2'), '10.0.10.1');
    t.is(c.writesOf('s1').length, 0);
    t.is(c.writesOf('s2').length, 1);
  });
}

row(44, 'the changed one moves even if it is the older', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1', { key: 'k', ports: 'TCP/80' });
  c.service('s2', { key: 'k', ports: 'TCP/81' }).settle();
  c.edit('s1', { ports: 'TCP/81' }).settle();
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['10.0.10.1', '10.0.10.0']);
});

row(45, 'a sharer that changes address and key leaves the other behind', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('A', { ips: '10.0.10.22', key: 'k1', ports: 'TCP/80' });
  c.service('B', { ips: '10.0.10.33', key: 'k2', ports: 'TCP/81' });
  c.service('C', { ips: '10.0.10.33', key: 'k2', ports: 'TCP/82' }).settle();
  t.is(c.ips('C'), '10.0.10.33');
  c.edit('C', { ips: '10.0.10.22', key: 'k1' }).settle();
  t.deepEqual(
    ['A', 'B', 'C'].map((name) => c.ips(name)), ['10.0.10.22', '10.0.10.33', '10.0.10.22'],
  );
  t.deepEqual(
    c.ipam.holders().map((holding) => holding.services.join()),
    ['default/A,default/C', 'default/B'],
  );
});

row(46, 'an address is free when its last holder leaves', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1', { key: 'k' }).service('s2', { key: 'k' }).settle();
  c.drop('s1').settle();
  t.is(c.counts('a'), '256/255/1');
  c.drop('s2').settle();
  t.is(c.counts('a'), '256/256/0');
  t.deepEqual(c.ipam.holders(), []);
});

row(47, 'namespaces share only where both permit it', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1', { ns: 'one', key: 'k', cross: '*' });
  c.service('s2', { ns: 'two', key: 'k', cross: '*' }).service('s3', { ns: 'three', key: 'k' });
  c.settle();
  t.deepEqual(
    ['s1', 's2', 's3'].map((name) => c.ips(name)), ['10.0.10.0', '10.0.10.0', '10.0.10.1'],
  );
});

interface Sharer {
  readonly ns?: string;
  readonly cross?: string;
  readonly ports?: string;
  readonly etp?: 'Cluster' | 'Local';
  readonly selector?: Record<string, string>;
  readonly permit?: string;
}

const pairs: readonly (readonly [number, string, Sharer, Sharer, string])[] = [
  [48, 'one namespace lists the other', { ns: 'one', cross: 'two' }, { ns: 'two' }, 'NamespaceNotPermitted'],
  [48, 'a namespace that is not the other is listed', { ns: 'one', cross: 'two' }, { ns: 'two', cross: 'three' }, 'NamespaceNotPermitted'],
  [48, 'both list each other', { ns: 'one', cross: 'two' }, { ns: 'two', cross: 'one' }, ''],
  [49, 'protocols differ', { ports: 'TCP/53' }, { ports: 'UDP/53' }, ''],
  [49, 'one of two ports is common', { ports: 'TCP/80,TCP/443' }, { ports: 'TCP/8080,TCP/443' }, 'PortTaken'],
  [50, 'traffic policies differ', { etp: 'Cluster' }, { etp: 'Local' }, 'TrafficPolicyDiffers'],
  [50, 'a local one has no selector', { etp: 'Local', permit: 'true' }, { etp: 'Local', permit: 'true', selector: {} }, 'SelectorEmpty'],
  [50, 'a cluster-wide one has no selector', {}, { selector: {} }, ''],
  [51, 'local selectors differ', { etp: 'Local' }, { etp: 'Local', selector: { app: 'x' } }, 'SelectorDiffers'],
  [51, 'one permits different pods', { etp: 'Local', permit: 'true' }, { etp: 'Local', selector: { app: 'x' } }, 'SelectorDiffers'],
  [51, 'both permit different pods', { etp: 'Local', permit: '1' }, { etp: 'Local', permit: 't', selector: { app: 'x' } }, ''],
];
for (const [number, fact, left, right, code] of pairs) {
  const outcome = code === '' ? 'shared' : `kept by ${code}`;
  row(number, `when ${fact} the address is ${outcome}`, (t, c) => {
    c.pool('a', '10.0.10.0/24').service('s1', { key: 'k', ips: '10.0.10.5', ...left });
    c.service('s2', { key: 'k', ips: '10.0.10.5', ...right }).settle();
    t.is(c.ips('s1'), '10.0.10.5');
    if (code === '') {
      t.is(shown(c, 's2'), '10.0.10.5 True/satisfied');
      return;
    }
    t.is(shown(c, 's2'), 'False/already_allocated_incompatible_service');
    t.true(c.message('s2').startsWith(`${code}: `));
    // Another tenant's names are nobody's business.
    t.is(c.message('s2').includes('s1'), left.ns === undefined);
  });
}

row(49, 'two with one port take two addresses under one key', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s1', { key: 'k', ports: 'TCP/80' });
  c.service('s2', { key: 'k', ports: 'TCP/80' }).service('s3', { key: 'k', ports: 'TCP/81' });
  c.settle();
  t.deepEqual(
    ['s1', 's2', 's3'].map((name) => c.ips(name)), ['10.0.10.0', '10.0.10.1', '10.0.10.0'],
  );
});

for (const ips of [undefined, '10.0.10.7']) {
  const how = ips === undefined ? 'generically' : 'by address';
  row(52, `who waits ${how} joins when the holder changes its port`, (t, c) => {
    c.pool('a', '10.0.10.7').service('s1', { key: 'k', ports: 'TCP/80' });
    c.service('s2', { key: 'k', ports: 'TCP/80', ...(ips === undefined ? {} : { ips }) }).settle();
    const generic = ips === undefined;
    t.is(
      c.verdict('s2'),
      generic ? 'False/out_of_ips' : 'False/already_allocated_incompatible_service',
    );
    t.is(c.message('s2').split(':')[0], generic ? 'OutOfIPs' : 'PortTaken');
    c.edit('s1', { ports: 'TCP/81' }).settle();
    t.is(shown(c, 's2'), '10.0.10.7 True/satisfied');
  });
}

row(52, 'who waits joins an address that a younger one of its key got', (t, c) => {
  c.pool('a', '10.0.10.7').service('other').settle();
  c.service('s1', { key: 'k', at: 2000 }).service('s2', { key: 'k', at: 1500 }).settle();
  t.is(shown(c, 's1'), 'False/out_of_ips');
  c.drop('other').settle();
  t.deepEqual([c.ips('s1'), c.ips('s2')], ['10.0.10.7', '10.0.10.7']);
});
