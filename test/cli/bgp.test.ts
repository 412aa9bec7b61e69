import test from 'ava';
import { fairlead } from './session.ts';

const folder = ['-f', 'kind/examples/bgp-rack'];

async function rows(...words: readonly string[]): Promise<string[][]> {
  const { out, err } = await fairlead(['bgp', ...words, ...folder]);
  return err === '' ? out.trimEnd().split('\n').map((line) => line.split(/ {3,}/u)) : [[err]];
}

test('bgp peers shows every session of the racks', async (t) => {
  const [head, ...peers] = await rows('peers', '--node', 'rack-a-1');
  t.is(head?.join(), 'NODE,LOCAL-AS,PEER-AS,PEER-ADDRESS,SESSION-STATE,UPTIME,FAMILY,RECEIVED,' +
    'ADVERTISED');
  t.deepEqual(peers.map((row) => row.toSpliced(5, 1).join(' ')), [
    'rack-a-1 64512 64701 10.10.1.1 established ipv4/unicast 0 3',
    'rack-a-1 64512 64701 10.10.1.2 established ipv4/unicast 0 3',
  ]);
});

test('bgp routes advertised shows attributes and, wide, the Service', async (t) => {
  const [, ...routes] = await rows(
    'routes', 'advertised', 'ipv4', 'unicast', '--peer', '10.10.1.1', '-o', 'wide',
    '--prefix', '203.0.113.0/32', '--node', 'rack-a-2',
  );
  t.deepEqual(routes.map((row) => row.toSpliced(5, 1).join(' ')), [
    'rack-a-2 main 10.10.1.1 203.0.113.0/32 10.10.1.102 ' +
    'Origin IGP, AS 64512, Comm 64512:100 65535:65281, Large 64512:1:100 default/api',
  ]);
});

test('bgp routes explain says who is told an address, and why others are not', async (t) => {
  const { out, exitCode } = await fairlead(
    ['bgp', 'routes', 'explain', '203.0.113.1', '-o', 'json', ...folder],
  );
  t.is(exitCode, 0);
  const { kind, source, items } = JSON.parse(out);
  t.is(kind, 'BGPRouteExplanation');
  t.is(source, 'manifests');
  const reasons = new Map(items.map((item: { node: string; reason: string }) =>
    [item.node, item.reason]));
  t.is(reasons.get('rack-a-1'), 'Announced');
  t.is(reasons.get('rack-a-2'), 'NoLocalEndpoint');
});

test('an address that nothing yields is explained and exits 1', async (t) => {
  const { out, exitCode } = await fairlead(
    ['bgp', 'routes', 'explain', '192.0.2.9', ...folder],
  );
  t.is(exitCode, 1);
  t.regex(out, /NotSelected/u);
});

const refused = test.macro({
  exec: async (t, words: readonly string[], sentence: RegExp) => {
    const { exitCode, err } = await fairlead(['bgp', 'routes', ...words, ...folder]);
    t.is(exitCode, 64);
    t.regex(err, sentence);
  },
  title: (_, words: readonly string[]) => `bgp routes ${words.join(' ')} is refused`,
});
test(refused, ['advertised', 'l2vpn', 'evpn'], /not l2vpn evpn/u);
test(refused, ['explain', '300.1.1.1'], /neither an address nor a prefix/u);

test('without an agent the socket is named', async (t) => {
  const { exitCode, err } = await fairlead(
    ['bgp', 'peers', '--socket', '/nonexistent/agent.sock'],
  );
  t.is(exitCode, 3);
  t.regex(err, /nonexistent/u);
});
