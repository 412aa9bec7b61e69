import test from 'ava';
import { verdictOf, type Bench } from './bench.ts';
import { chainHash } from './rivals/chains.ts';
import { BenchClock } from './rivals/clock.ts';
import { iptablesChange, iptablesRules } from './rivals/iptables.ts';
import { modelOf } from './rivals/model.ts';
import { nftablesChange, nftablesRules } from './rivals/nftables.ts';
import { quantile, Shared, shuffled } from './rivals/rounds.ts';
import { benchServices, tested, withChangedEndpoint } from './rivals/services.ts';

function lines(text: string, pattern: RegExp): string[] {
  return text.split('\n').filter((line) => pattern.test(line));
}

test('the Service under test has the last front of all, and NodePorts come after it', (t) => {
  const fronts = lines(iptablesRules(benchServices(50)), /^-A KUBE-SERVICES /u);
  t.is(fronts.length, 51);
  t.regex(fronts[49] ?? '', new RegExp(`-d ${tested.clusterIp}/32`, 'u'));
  t.regex(fronts[50] ?? '', /--dst-type LOCAL -j KUBE-NODEPORTS$/u);
});

test('every Service has chains of its own for itself and its endpoints', (t) => {
  const services = benchServices(40_000);
  const fronts = new Set(services.map(({ clusterIp }) => clusterIp));
  const endpoints = services.flatMap((of) => of.endpoints.map(({ ip, port }) => `${ip}:${port}`));
  t.is(fronts.size, services.length);
  t.is(new Set(endpoints).size, endpoints.length);
  const rules = iptablesRules(services.slice(-100));
  const declared = lines(rules, /^:KUBE-(?:SVC|SEP)-/u);
  t.is(declared.length, 300);
  t.is(new Set(declared).size, declared.length);
});

test('the first endpoint is drawn with one half, the last one takes the rest', (t) => {
  const draws = lines(iptablesRules([tested]), /-j KUBE-SEP-/u);
  const shares = draws.map((rule) => /--probability (\S+)/u.exec(rule)?.[1]);
  t.deepEqual(shares, ['0.50000000000', undefined]);
});

test('a change names the chains of one Service only', (t) => {
  const after = withChangedEndpoint(tested, 0);
  const names = (text: string): Set<string> => new Set(text.match(/KUBE-(?:SVC|SEP)-\w+/gu));
  t.is(names(iptablesChange(after)).size, 3);
  const nft = nftablesChange(tested, after);
  t.is(lines(nft, /^add chain /u).length, 1);
  t.is(lines(nft, /^delete chain /u).length, 1);
  t.is(lines(nft, /^flush chain ip kube-proxy service-/u).length, 1);
});

test('the verdict map has one element for each Service', (t) => {
  const rules = nftablesRules(benchServices(30));
  t.is([...rules.matchAll(/: goto service-/gu)].length, 30);
  t.is([...rules.matchAll(/numgen random mod 2 vmap/gu)].length, 30);
});

test('the hash of a chain is sixteen letters of base 32', (t) => {
  t.regex(chainHash('bench/tested:web'), /^[A-Z2-7]{16}$/u);
  t.not(chainHash('a'), chainHash('b'));
});

test('ours gets the Service that the rivals get', (t) => {
  const { model, slice } = modelOf(tested, { vip: true });
  t.deepEqual(model.clusterIps, [tested.clusterIp]);
  t.is(model.ingress[0]?.ip, '172.20.0.10');
  const listed = slice.endpoints.map(({ addresses }) => addresses[0]);
  t.deepEqual(listed, tested.endpoints.map(({ ip }) => ip));
  t.is(slice.service, model.key);
});

test('each reader gets each sample once, and samples begin anew after the last one', (t) => {
  let taken = 0;
  const shared = new Shared(() => (taken += 1), 2);
  const [left, right] = [shared.reader(), shared.reader()];
  t.deepEqual([left(), left(), left(), right(), right()], [1, 2, 1, 1, 2]);
  t.is(taken, 2);
});

test('a shuffled list has the same items', (t) => {
  t.deepEqual(shuffled([1, 2, 3, 4, 5]).toSorted((left, right) => left - right), [1, 2, 3, 4, 5]);
  t.is(quantile([3, 1, 2], 0.99), 3);
});

test('time of a bench stands still while work is done at once', (t) => {
  const clock = new BenchClock();
  const seen: string[] = [];
  clock.after(0, () => {
    seen.push('now');
    clock.after(0, () => seen.push('then'));
  });
  clock.after(10, () => seen.push('later'));
  clock.settle();
  t.deepEqual(seen, ['now', 'then']);
  clock.pass(10);
  t.deepEqual(seen, ['now', 'then', 'later']);
});

const figure: Bench = { name: 'a figure', unit: '×', floor: 2, run: () => 1 };

test('a miss is judged unless the controls of its rounds differ', (t) => {
  t.is(verdictOf(figure, 1.9, false), 'BELOW');
  t.is(verdictOf({ ...figure, steady: () => true }, 1.9, false), 'BELOW');
  t.is(verdictOf({ ...figure, steady: () => false }, 0.1, false), 'noisy');
  t.is(verdictOf({ ...figure, steady: () => false }, 2, false), 'ok');
});
