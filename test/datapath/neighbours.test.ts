import test from 'ava';
import { neighboursOf, type NeighbourFacts } from '../../bpf/neighbours.ts';
import { localPortRange, reservedPorts, restoredText } from '../../bpf/sysctl.ts';

const alone: NeighbourFacts = { nftables: [], iptables: '', devices: ['lo', 'eth0'], programs: [] };

const found = test.macro({
  exec: (t, facts: Partial<NeighbourFacts>, expected: string) => {
    const said = neighboursOf({ ...alone, ...facts }).map(({ kind, text }) => `${kind}: ${text}`);
    if (expected === '') t.deepEqual(said, []);
    else t.true(said.join('\n').startsWith(expected), said.join('\n'));
  },
  title: (_, facts, expected) => `${JSON.stringify(facts)}: ${expected || 'nobody'}`,
});

test(found, {}, '');
test(found, { nftables: ['ip kube-proxy', 'ip6 kube-proxy'] }, 'kube-proxy: kube-proxy has left the nftables table ip kube-proxy, the nftables table ip6 kube-proxy: ');
test(found, { nftables: ['ip filter', 'inet kube-proxy-like', 'ip fairlead'] }, '');
test(found, { iptables: '*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\nCOMMIT\n' }, 'kube-proxy: kube-proxy has left KUBE- chains');
// The kubelet makes these two wherever it runs.
test(found, { iptables: '*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n' }, '');
test(found, { devices: ['lo', 'kube-ipvs0'] }, 'kube-proxy: kube-proxy has left the IPVS device');
test(found, { programs: [{ name: 'cil_sock4_conne', maps: ['cilium_lb4_serv', 'cilium_lb4_back'] }] }, 'service-proxy: program cil_sock4_conne with the Service map cilium_lb4_serv');
test(found, { programs: [{ name: 'calico_connect4', maps: ['cali_v4_nat_fe3'] }] }, 'service-proxy: program calico_connect4');
test(found, { programs: [{ name: 'monitor', maps: ['events', 'counters'] }] }, '');
test(found, { iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n' }, 'forward-closed: the FORWARD chain of iptables drops');

const reserves = test.macro({
  exec: (t, before: string, after: string | undefined) => {
    t.is(reservedPorts(before, { first: 50_000, last: 65_535 }), after);
  },
  title: (_, before, after) => `'${String(before).trim()}' becomes ${after ?? 'nothing else'}`,
});

test(reserves, '\n', '50000-65535');
test(reserves, '8080,9148\n', '8080,9148,50000-65535');
test(reserves, '50000-65535\n', undefined);
test(reserves, '40000-65535\n', undefined);
test(reserves, '50000-50999,51000-65535\n', undefined);
test(reserves, '50000-60000\n', '50000-60000,60001-65535');
// Written out of order by an administrator.
test(reserves, '60000-65535,50000-59999\n', undefined);
test(reserves, '50001\n', '50001,50000-65535');

const narrows = test.macro({
  exec: (t, before: string, after: string | undefined) => {
    t.is(localPortRange(before, { first: 50_000, last: 65_535 }), after);
  },
  title: (_, before, after) => `local ports '${before}' become '${after ?? 'nothing else'}'`,
});

test(narrows, '32768\t60999\n', '32768\t49999');
test(narrows, '1024 65535\n', '1024\t49999');
test(narrows, '32768\t49999\n', undefined);
// Too few would be left, and none at all.
test(narrows, '49000\t60999\n', undefined);
test(narrows, '55000\t60999\n', undefined);

const restores = test.macro({
  exec: (t, before: string, now: string, expected: string) => {
    const after = reservedPorts(before, { first: 50_000, last: 65_535 }) ?? before;
    t.is(restoredText({ before, after }, now, 'ports'), expected);
  },
  title: (_, before, now, expected) => `ports '${before}' then '${now}' become '${expected}' again`,
});

test(restores, '', '50000-65535\n', '');
test(restores, '8080', '8080,50000-65535', '8080');
test(restores, '50001', '50000-65535', '50001');
// The kernel writes touching ranges as one.
test(restores, '49000-49999', '49000-65535', '49000-49999');
// Others reserved more, or freed some, meanwhile.
test(restores, '', '9100,50000-65535', '9100');
test(restores, '8080', '50000-60000', '');

test('a switch that somebody else turned since stays as it is', (t) => {
  const record = { before: '1', after: '0' };
  t.is(restoredText(record, '0\n', 'value'), '1');
  t.is(restoredText(record, '2\n', 'value'), undefined);
});
