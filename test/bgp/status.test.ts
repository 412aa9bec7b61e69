import test from 'ava';
import type { SessionReport } from '../../bgp/port.ts';
import { ip } from '../../lb/ip.ts';
import { Rig, secret } from './advertising.ts';
import {
  advertisement, common, custom, node, nodeConfig, peerConfig, service, serviceEntry, torPeer, vip,
} from './objects.ts';

const up: SessionReport = {
  peer: 'tor', state: 'established', remoteAsn: 65010, remoteId: ip('10.99.0.3'), hold: 9,
  keepalive: 3,
};
const down: SessionReport = { peer: 'tor', state: 'idle', cause: 'NOTIFICATION 6/2' };

/** `Type: message` of the conditions that are True in the last status. */
function truths(rig: Rig): string[] {
  const conditions = rig.statuses.at(-1)?.conditions ?? [];
  return conditions.filter(({ status }: any) => status === 'True')
    .map(({ type, message }: any) => `${type.replace(/^.*\//u, '')}: ${message}`);
}

test('a status has every resolved peer, and sessions with timers, time and counts', (t) => {
  const rig = Rig.announcing([...common, service()]);
  t.deepEqual(rig.statuses.at(-1)?.bgpInstances, [{
    name: 'main', localASN: 65001, peers: [{
      name: 'tor', peerAddress: '10.99.0.3', peerASN: 65010, peeringState: 'unknown',
    }],
  }]);
  rig.speakers.of().tell({ kind: 'session', session: up });
  rig.speakers.of().tell({ kind: 'counts', counts: [
    { peer: 'tor', family: 'IPv4', received: 2, advertised: 1 },
  ] });
  rig.run(10_000);
  t.deepEqual(rig.statuses.at(-1)?.bgpInstances[0].peers[0], {
    name: 'tor', peerAddress: '10.99.0.3', peerASN: 65010, peeringState: 'established',
    timers: { appliedHoldTimeSeconds: 9, appliedKeepaliveSeconds: 3 },
    establishedTime: '2026-01-01T00:00:01Z',
    routeCount: [{ afi: 'ipv4', safi: 'unicast', received: 2, advertised: 1 }],
  });
  t.deepEqual(truths(rig), []);
});

test('bgp 32: an AS number that was left open is the learned one', (t) => {
  const rig = Rig.announcing([...common, nodeConfig([{ ...torPeer, peerASN: 0 }])]);
  rig.speakers.of().tell({ kind: 'session', session: up });
  rig.run(10_000);
  t.is(rig.statuses.at(-1)?.bgpInstances[0].peers[0].peerASN, 65010);
});

test('the first change is written within a second, later ones five seconds apart', (t) => {
  const rig = Rig.announcing([...common, service()]);
  const start = rig.world.now;
  t.is(rig.statusTimes.length, 1);
  t.true(rig.statusTimes[0]! < 1_000_000);
  for (let second = 0; second < 30; second += 1) {
    rig.speakers.of().tell({ kind: 'session', session: second % 2 === 0 ? up : down });
    rig.run(1000);
  }
  const gaps = rig.statusTimes.slice(1).map((time, index) => time - rig.statusTimes[index]!);
  t.true(gaps.length >= 4, `${gaps.length}`);
  for (const gap of gaps) t.true(gap >= 4_490_000 && gap <= 5_600_000, `${gap}`);
  rig.run(60_000);
  const settled = rig.statusTimes.length;
  rig.run(60_000);
  t.is(rig.statusTimes.length, settled, 'nothing changed, nothing is written');
  t.true(rig.world.now > start);
});

test('a status that the API has already is not written', (t) => {
  const first = Rig.announcing([...common, service()]);
  const status = first.statuses.at(-1);
  const stored = { ...nodeConfig(), status } as typeof common[number];
  t.is(Rig.announcing([...common, service(), stored]).statuses.length, 0);
});

test('bgp 36: an instance without an AS number is an error', (t) => {
  const rig = Rig.announcing([...common, nodeConfig([torPeer], { localASN: undefined })]);
  t.deepEqual(truths(rig), ['BGPReconcileError: main: localASN is set nowhere']);
  t.deepEqual(rig.speakers.opened, []);
});

test('bgp 36: of two instances on one port the second is told, the first runs', (t) => {
  const instance = (name: string, localASN: number) => ({ name, localASN, localPort: 179 });
  const rig = Rig.announcing([...common, custom('CiliumBGPNodeConfig', 'n1', {
    bgpInstances: [instance('one', 65001), instance('two', 65002)],
  })]);
  t.deepEqual(truths(rig),
    ['BGPReconcileError: two: port-in-use: instance one listens on port 179']);
  t.deepEqual(rig.speakers.opened.map(({ name }) => name), ['one']);
});

test('a speaker that is away or blocked, and what it refuses', (t) => {
  const rig = Rig.announcing([...common]);
  const speaker = rig.speakers.of();
  speaker.tell({ kind: 'lost', error: { kind: 'unreachable', text: 'no socket' } });
  rig.run(10_000);
  t.deepEqual(truths(rig), ['SpeakerUnavailable: main: unreachable: no socket']);
  speaker.tell({ kind: 'live' });
  rig.run(10_000);
  t.deepEqual(truths(rig), []);
  speaker.refusal = { kind: 'rejected', text: 'no' };
  rig.put(service());
  rig.run(10_000);
  t.deepEqual(truths(rig), ['BGPReconcileError: main: rejected: no']);
});

test('bgp 34, 54: peers that are skipped are named with their reasons', (t) => {
  const peers = [
    { ...torPeer, name: 'a', peerConfigRef: { name: 'y' } },
    { name: 'b', autoDiscovery: { mode: 'Unnumbered' } },
    { ...torPeer, name: 'c' }, { ...torPeer, name: 'd' },
  ];
  const rig = Rig.announcing([...common, nodeConfig(peers)]);
  t.deepEqual(truths(rig), [
    'PeersSkipped: main/a: MissingPeerConfig no CiliumBGPPeerConfig y\n'
      + 'main/b: NotSupported autoDiscovery Unnumbered is not supported\n'
      + 'main/d: DuplicateAddress 10.99.0.3 is that of peer c',
  ]);
  t.deepEqual(rig.statuses.at(-1)?.bgpInstances[0].peers.map(({ name }: any) => name), ['c']);
  t.deepEqual(rig.events.map(({ reason }) => reason), ['BGPPeerSkipped'], 'one a minute');
});

test('bgp 22: IPv4 to an IPv6 peer that cannot take it is a warning', (t) => {
  const rig = Rig.announcing([
    ...common, service(), nodeConfig([{ ...torPeer, peerAddress: 'fd00:99::3' }]),
  ]);
  const capabilities = { extendedNextHop: true, notificationRestart: false };
  const tell = (extendedNextHop: boolean): void => {
    const session = { ...up, capabilities: { ...capabilities, extendedNextHop } };
    rig.speakers.of().tell({ kind: 'session', session });
    rig.run(10_000);
  };
  tell(true);
  t.deepEqual(truths(rig), []);
  tell(false);
  t.deepEqual(truths(rig), [
    'Warnings: main/tor: ExtendedNextHopMissing it takes no IPv4 route over IPv6 (RFC 8950)',
  ]);
});

test('bgp 23: IPv6 to an IPv4 peer goes by the Node\'s address, or the family is withheld', (t) => {
  const six = service({ ingress: ['2001:db8::1', vip] });
  const rig = Rig.announcing([...common, six]);
  t.like(rig.speakers.of().peers[0], { families: ['IPv4', 'IPv6'], nextHop6: 'fd00:99::1' });
  const four = node('n1', 1, { status: {
    addresses: [{ type: 'InternalIP', address: '10.99.0.1' }],
  } });
  rig.put(four);
  rig.run(10_000);
  t.like(rig.speakers.of().peers[0], { families: ['IPv4'], nextHop6: undefined });
  t.deepEqual(rig.speakers.of().routes.get('tor')?.map(({ prefix }) => prefix), [`${vip}/32`]);
  t.deepEqual(truths(rig), [
    'Warnings: main/tor: NoIPv6NextHop the node has no IPv6 address towards this peer',
  ]);
});

test('bgp 24: two sessions with one router that carry one family are told', (t) => {
  const rig = Rig.announcing([
    ...common, nodeConfig([torPeer, { ...torPeer, name: 'tor6', peerAddress: 'fd00:99::3' }]),
  ]);
  for (const peer of ['tor', 'tor6']) {
    rig.speakers.of().tell({ kind: 'session', session: { ...up, peer } });
  }
  rig.run(10_000);
  t.deepEqual(truths(rig), [
    'Warnings: main/tor6: DuplicateFamilySessions IPv4 also goes by tor\n'
      + 'main/tor6: DuplicateFamilySessions IPv6 also goes by tor',
  ]);
});

test('bgp 31: a Secret that is missing, wrong, rotated and gone', (t) => {
  const keyed = [...common, peerConfig({ authSecretRef: 'key' })];
  const rig = Rig.announcing(keyed);
  t.deepEqual(truths(rig), [
    'PeersSkipped: main/tor: MissingAuthSecret Secret key has no key password of 1 to 80 bytes',
  ]);
  rig.secrets.set('key', secret('key', 'x'.repeat(81)));
  rig.run(20_000);
  t.deepEqual(rig.speakers.of().peers, [], 'too long');
  rig.secrets.set('key', secret('key', 'hunter2', '2'));
  rig.run(20_000);
  t.deepEqual(rig.speakers.of().peers[0]?.password, { text: 'hunter2', version: 'uid-key/2' });
  rig.run(40_000);
  t.deepEqual(truths(rig), [
    'Warnings: main/tor: CheckPassword no session for 30 s: do both ends have one password?',
  ]);
  rig.speakers.of().tell({ kind: 'session', session: up });
  rig.run(10_000);
  t.deepEqual(truths(rig), []);
  rig.secrets.set('key', secret('key', 'rotated', '3'));
  rig.run(20_000);
  t.is(rig.speakers.of().peers[0]?.password?.text, 'rotated');
  rig.speakers.of().take();
  rig.secrets.delete('key');
  rig.run(60_000);
  t.deepEqual(rig.speakers.of().take(), []);
});

test('sessions are Events, one a minute for each reason', (t) => {
  const rig = Rig.announcing([...common]);
  const speaker = rig.speakers.of();
  speaker.tell({ kind: 'session', session: up });
  speaker.tell({ kind: 'session', session: down });
  speaker.tell({ kind: 'session', session: up });
  rig.run(61_000);
  speaker.tell({ kind: 'session', session: down });
  t.deepEqual(rig.events.map(({ type, reason, message }) => `${type} ${reason} ${message}`), [
    'Normal BGPSessionEstablished main/tor: with 10.99.0.3 of AS 65010',
    'Warning BGPSessionDown main/tor: NOTIFICATION 6/2',
    'Warning BGPSessionDown main/tor: NOTIFICATION 6/2',
  ]);
  t.is(rig.samples.filter(({ name }) => name === 'bgp_session_flaps_total').length, 2);
});

test('without status reports nothing is written', (t) => {
  const rig = Rig.announcing([...common], { statusReport: false });
  rig.speakers.of().tell({ kind: 'session', session: up });
  rig.run(60_000);
  t.deepEqual(rig.statuses, []);
});

test('bgp 54: families that are not spoken are told, the others work', (t) => {
  const families = [
    { afi: 'l2vpn', safi: 'evpn' },
    { afi: 'ipv4', safi: 'unicast', advertisements: { matchLabels: { advertise: 'bgp' } } },
  ];
  const rig = Rig.announcing([
    ...common, peerConfig({ families }), advertisement([serviceEntry()]), service(),
  ]);
  t.deepEqual(rig.speakers.of().peers[0]?.families, ['IPv4']);
  t.deepEqual(truths(rig), ['Warnings: main/tor: UnsupportedFamily l2vpn/evpn']);
});
