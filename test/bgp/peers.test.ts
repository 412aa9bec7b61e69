import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { ip, type Prefix } from '../../lb/ip.ts';
import type { LinkFacts, RouteFacts } from '../../lb/ports.ts';
import { derive, type Surroundings } from './derive.ts';
import { Rig } from './advertising.ts';
import { common, node, nodeConfig, peerConfig, service, torPeer } from './objects.ts';

type Fields = Record<string, unknown>;

const link = (
  name: string, ifindex: number, addresses: string[], more: Partial<LinkFacts> = {},
): LinkFacts => ({
  name, ifindex, mac: '02:00:00:00:00:01', adminUp: true, carrier: true, loopback: false,
  noArp: false, enslaved: false, defaultRoute: false, addresses: addresses.map(ip), ...more,
});
const route = (prefix: string, ifindex: number, more: Partial<RouteFacts> = {}): RouteFacts =>
  ({ prefix: prefix as Prefix, gateway: undefined, ifindex, metric: 0, ...more });
const via = (
  prefix: string, gateway: string, of: { metric: number; ifindex: number },
): RouteFacts => route(prefix, of.ifindex, { ...of, gateway: ip(gateway) });

/** The peers of n1 as one line each, `name address…`, or `name Reason`. */
const resolves = test.macro({
  exec: (
    t, _: string, peers: Fields[], expected: string[],
    more: { objects?: readonly KubeObject[]; around?: Surroundings } = {},
  ) => {
    const instances = derive([...common, nodeConfig(peers), ...more.objects ?? []], more.around);
    const lines = instances.flatMap(({ peers: found, skipped }) => [
      ...found.map(({ peer }) => [
        peer.name, peer.address.ip, ...(peer.address.zone ? [`zone=${peer.address.zone}`] : []),
        ...(peer.localAddress ? [`from=${peer.localAddress}`] : []),
        ...(peer.ttl ? [`ttl=${peer.ttl}`] : []),
        ...(peer.port === 179 ? [] : [`port=${peer.port}`]),
      ].join(' ')),
      ...skipped.map(({ peer, reason }) => `${peer} ${reason}`),
    ]);
    t.deepEqual(lines, expected);
  },
  title: (_, what: string) => what,
});

test(resolves, 'a peer without a reference has the default configuration',
  [{ name: 'a', peerAddress: '10.99.0.3' }], ['a 10.99.0.3']);
test(resolves, 'a zone stays with its address', [{ name: 'a', peerAddress: 'fe80::1%eth0' }],
  ['a fe80::1 zone=eth0']);
test(resolves, 'bgp 34: a missing configuration', [{ ...torPeer, peerConfigRef: { name: 'y' } }],
  ['tor MissingPeerConfig']);
test(resolves, 'a reference of v2alpha1 to something else is missing',
  [{ ...torPeer, peerConfigRef: { name: 'tor', group: 'example.com' } }],
  ['tor MissingPeerConfig']);
test(resolves, 'of two peers with one address the smaller name is used',
  [{ ...torPeer, name: 'b' }, { ...torPeer, name: 'a' }], ['a 10.99.0.3', 'b DuplicateAddress']);
test(resolves, 'bgp 54: unnumbered peers are not supported',
  [{ name: 'a', autoDiscovery: { mode: 'Unnumbered' } }], ['a NotSupported']);
test(resolves, 'bgp 35: a local address is the source', [{ ...torPeer, localAddress: '10.99.0.1' }],
  ['tor 10.99.0.3 from=10.99.0.1']);
test(resolves, 'multihop is for external peers',
  [torPeer, { ...torPeer, name: 'in', peerASN: 65001, peerAddress: '10.99.0.4' }],
  ['in 10.99.0.4 port=1790', 'tor 10.99.0.3 ttl=3 port=1790'],
  { objects: [peerConfig({ ebgpMultihop: 3, transport: { peerPort: 1790 } })] });

const sourced = [peerConfig({ transport: { sourceInterface: 'eth1' } })];
const around = (...links: LinkFacts[]): Surroundings => ({ links: () => links });
const eth1 = (...addresses: string[]): LinkFacts => link('eth1', 3, addresses);
test(resolves, 'the one usable address of the source interface', [torPeer],
  ['tor 10.99.0.3 from=10.5.0.1'],
  { objects: sourced, around: around(eth1('10.5.0.1', '127.0.0.2', 'fd00::5')) });
test(resolves, 'a source interface with two addresses', [torPeer], ['tor UnresolvedSource'],
  { objects: sourced, around: around(eth1('10.5.0.1', '10.5.0.2')) });
test(resolves, 'a source interface with link-local addresses alone',
  [{ ...torPeer, peerAddress: 'fd00:99::3' }], ['tor UnresolvedSource'],
  { objects: sourced, around: around(eth1('10.5.0.1', 'fe80::1')) });
test(resolves, 'a source interface that is not there', [torPeer], ['tor UnresolvedSource'],
  { objects: sourced });

const gateway = (family: string): Fields => ({
  name: 'gw', peerASN: 65010, peerConfigRef: { name: 'tor' },
  autoDiscovery: { mode: 'DefaultGateway', defaultGateway: { addressFamily: family } },
});
const down = link('eth1', 3, ['10.0.1.5'], { carrier: false });
const eth0 = link('eth0', 2, ['10.0.0.5']);
const defaults = [
  via('0.0.0.0/0', '10.0.1.1', { metric: 50, ifindex: 3 }),
  via('0.0.0.0/0', '10.0.0.1', { metric: 100, ifindex: 2 }),
  via('10.0.0.0/8', '10.0.0.9', { metric: 1, ifindex: 2 }),
];
test(resolves, 'bgp 37: no default route', [gateway('ipv4')], ['gw UnresolvedAddress']);
test(resolves, 'bgp 37: a link-local gateway', [gateway('ipv6')], ['gw UnresolvedAddress'], {
  around: {
    links: () => [eth0], routes: () => [via('::/0', 'fe80::1', { metric: 1, ifindex: 2 })],
  },
});
test('bgp 37: the gateway follows links and routes at once', (t) => {
  const rig = new Rig([...common, nodeConfig([gateway('ipv4')]), service()]);
  rig.network([eth0, down], defaults);
  rig.complete();
  rig.advertiser.start();
  rig.run(1000);
  const addresses = () => rig.speakers.of().peers.map(({ address }) => address.ip);
  t.deepEqual(addresses(), [ip('10.0.0.1')]);
  rig.network([eth0, { ...down, carrier: true }], defaults);
  rig.run(1);
  t.deepEqual(addresses(), [ip('10.0.1.1')]);
  rig.network([eth0, { ...down, carrier: true }], []);
  rig.run(20);
  t.deepEqual(addresses(), []);
  rig.run(10_000);
  t.deepEqual(rig.statuses.at(-1)?.bgpInstances[0].peers, []);
});

test('without an InternalIP the next hop is an address towards the peer', (t) => {
  const four = node('n1', 1, { status: {
    addresses: [{ type: 'InternalIP', address: '10.99.0.1' }],
  } });
  const [instance] = derive([...common, four], {
    links: () => [
      link('eth0', 2, ['10.1.0.1', 'fd00:1::1']),
      link('eth1', 3, ['10.99.0.1', 'fe80::2', 'fd00:2::1']),
    ],
    routes: () => [
      via('0.0.0.0/0', '10.1.0.9', { metric: 0, ifindex: 2 }), route('10.99.0.0/24', 3),
    ],
  });
  t.is(instance?.peers[0]?.peer.nextHop6, ip('fd00:2::1'));
});

test('bgp G10: the connect retry is capped, and 0 is no cap', (t) => {
  const retry = (connectRetryCapSeconds?: number) => derive(common, {
    settings: connectRetryCapSeconds === undefined ? {} : { connectRetryCapSeconds },
  })[0]?.peers[0]?.peer.timers.connectRetry;
  t.is(retry(), 5);
  t.is(retry(0), 120);
  t.is(retry(500), 120);
});

test('router IDs: InternalIP, ExternalIP, then a hash of the name', (t) => {
  const id = (addresses: Fields[]) =>
    derive([...common, node('n1', 1, { status: { addresses } })])[0]?.global?.routerId;
  const external = { type: 'ExternalIP', address: '203.0.113.1' };
  t.is(id([external, { type: 'InternalIP', address: '10.0.0.9' }]), ip('10.0.0.9'));
  t.is(id([external, { type: 'InternalIP', address: 'fd00::1' }]), ip('203.0.113.1'));
  // The last four bytes of SHA-256 of `n1`.
  t.is(id([]), ip('90.206.221.128'));
});
