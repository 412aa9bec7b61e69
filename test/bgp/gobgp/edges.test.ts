import anyTest from 'ava';
import { v3, v4, type Dialect } from '../../../bgp/gobgp/dialect.ts';
import type { SpeakerPeer } from '../../../bgp/port.ts';
import { ip } from '../../../lb/ip.ts';
import { route, vip, vip2, vip6 } from '../../contract/speaker.ts';
import { global, peer, Stage } from './stage.ts';

// What the adapter says to a daemon, word by word, where the daemon would take less or more without
// a complaint (bgp.md 5.5).

const established = 6;

function test(title: string, body: (t: import('ava').ExecutionContext, of: Dialect) => void): void {
  for (const dialect of [v3, v4]) {
    anyTest(`${title} (GoBGP ${dialect.major})`, (t) => body(t, dialect));
  }
}

function running(dialect: Dialect, ...peers: readonly SpeakerPeer[]): Stage {
  const stage = new Stage({ dialect });
  for (const { name } of peers) stage.setRoutes(name, route(vip), route(vip6));
  stage.setPeers(...peers);
  stage.start();
  stage.run(1);
  return stage;
}

/** Arguments of the calls of a name, since a mark. */
function told(stage: Stage, name: string, mark = 0): readonly any[] {
  return stage.daemon.calls.slice(mark).filter((call) => call.name === name)
    .map(({ value }) => value);
}

/** AddPeer and DeletePeer since a mark, with the last part of the address. */
function turnover(stage: Stage, mark: number): readonly string[] {
  return stage.daemon.calls.slice(mark).flatMap(({ name, value }) => {
    if (name === 'AddPeer') return [`add ${value.peer.conf.neighbor_address}`];
    return name === 'DeletePeer' ? [`delete ${value.address}`] : [];
  });
}

test('bgp G4: who does not listen says -1, not 0', (t, dialect) => {
  t.is(told(running(dialect), 'StartBgp')[0].global.listen_port, -1);
  const stage = new Stage({ dialect });
  stage.start({ ...global, listenPort: 1790 });
  t.is(told(stage, 'StartBgp')[0].global.listen_port, 1790);
});

for (const [text, kind] of [
  ['listen tcp4 0.0.0.0:179: bind: address already in use', 'port-in-use'],
  ['listen tcp4 0.0.0.0:179: bind: permission denied', 'port-denied'],
] as const) {
  test(`bgp 36, G4: ${kind} blocks the instance until its configuration changes`, (t, dialect) => {
    const stage = new Stage({ dialect });
    stage.daemon.fault = (name) => (name === 'StartBgp' ? { kind: 'other', text } : undefined);
    t.is(stage.start(), kind);
    stage.run(60);
    t.is(stage.kinds('blocked'), 1);
    stage.daemon.fault = () => undefined;
    t.is(stage.start({ ...global, listenPort: 1790 }), 'ok');
  });
}

const changes: readonly (readonly [string, Partial<SpeakerPeer>])[] = [
  ['AS number', { asn: 65_099 }],
  ['local address', { localAddress: ip('192.0.2.1') }],
  ['port', { port: 1790 }],
  ['TTL', { ttl: 3 }],
  ['timers and graceful restart', {
    timers: { connectRetry: 5, hold: 15, keepalive: 5 }, restart: 60,
  }],
  ['password', { password: { text: 'hunter2', version: 'u/1' } }],
  ['families', { families: ['IPv4'] }],
];
for (const [what, change] of changes) {
  test(`bgp 29, G13: another ${what} is one DeletePeer and one AddPeer`, (t, dialect) => {
    const stage = running(dialect, peer(11), peer(12));
    const mark = stage.daemon.calls.length;
    t.is(stage.setPeers(peer(11, change), peer(12)), 'ok');
    stage.run(40);
    t.deepEqual(turnover(stage, mark), ['delete 192.0.2.11', 'add 192.0.2.11']);
  });
}

test('bgp G13: another name or next hop, or the same password again, is no new session', (
  t, dialect,
) => {
  const keyed = { password: { text: 'hunter2', version: 'u/1' } };
  const stage = running(dialect, peer(11, keyed));
  const mark = stage.daemon.calls.length;
  stage.setRoutes('renamed', route(vip), route(vip6));
  t.is(stage.setPeers(peer(11, { ...keyed, name: 'renamed', nextHop6: ip('2001:db8::1') })), 'ok');
  stage.run(40);
  t.deepEqual(turnover(stage, mark), []);
  t.deepEqual(Object.keys(stage.daemon.table()), [vip, vip6]);
});

test('bgp 30: another address is told the routes, the former one loses them first', (
  t, dialect,
) => {
  const stage = running(dialect, peer(11));
  stage.daemon.session('192.0.2.11', established);
  stage.run(1);
  const mark = stage.daemon.calls.length;
  stage.call((done) => stage.port.setPeers([{ ...peer(12, { asn: 65_011 }), name: 'p11' }], done));
  stage.run(5);
  t.deepEqual(turnover(stage, mark), ['add 192.0.2.12', 'delete 192.0.2.11']);
  const [paths] = told(stage, 'AddPathStream', mark);
  t.true(paths.paths.length > 0);
  const order = stage.daemon.calls.slice(mark).map(({ name }) => name);
  t.true(order.indexOf('AddPathStream') < order.indexOf('DeletePeer'));
  t.deepEqual(stage.daemon.table(), { [vip]: 'igp||||2:0', [vip6]: 'igp||||2:0' });
});

test('bgp G14, G15: both families and every value of graceful restart are said', (t, dialect) => {
  const [plain, helped] = told(running(dialect, peer(11), peer(12, { restart: 60 })), 'AddPeer')
    .map((value) => value.peer);
  const families = (of: any): readonly number[] => of.afi_safis.map(
    ({ config }: any) => config.enabled && config.family.safi === 1 && config.family.afi,
  );
  t.deepEqual([families(plain), families(helped)], [[1, 2], [1, 2]]);
  t.is(plain.graceful_restart, undefined);
  t.deepEqual(helped.graceful_restart, {
    enabled: true, restart_time: 60, deferral_time: 5, notification_enabled: true,
    local_restarting: false,
  });
  t.true(helped.afi_safis.every((of: any) => of.mp_graceful_restart.config.enabled));
});

test('bgp G16: a drain outlasts the deferral of a restart', (t, dialect) => {
  const stage = running(dialect, peer(11, { restart: 60 }));
  const known = stage.daemon.peers.get('192.0.2.11')!;
  stage.daemon.peers.set('192.0.2.11', { ...known, afi_safis: known.afi_safis!.map((of) => ({
    ...of, mp_graceful_restart: { state: { received: true, advertised: true } },
  })) });
  stage.daemon.session('192.0.2.11', established);
  stage.run(11);
  stage.daemon.session('192.0.2.11', 1);
  stage.run(0.1);
  const held = stage.clock.now();
  t.true(told(stage, 'AddPeer').at(-1).peer.graceful_restart.local_restarting);
  stage.daemon.session('192.0.2.11', established);
  const mark = stage.daemon.calls.length;
  let closedAt: number | undefined;
  stage.daemon.fault = (name) => {
    if (name === 'DeletePeer') closedAt ??= stage.clock.now();
    return undefined;
  };
  t.is(stage.call((done) => stage.port.stop('withdraw', done)), 'ok');
  t.is(told(stage, 'DeletePath', mark).length, 2);
  // Deferral of five seconds, and the second of drain.
  t.true((closedAt ?? 0) - held >= 5_800_000, `${closedAt} ${held}`);
});

test('bgp G20: multihop is said with its TTL, to external peers alone', (t, dialect) => {
  const added = told(running(
    dialect, peer(11, { ttl: 3 }), peer(12, { ttl: 3, asn: global.asn }), peer(13, { ttl: 1 }),
  ), 'AddPeer').map((value) => value.peer.ebgp_multihop);
  t.deepEqual(added, [{ enabled: true, multihop_ttl: 3 }, undefined, undefined]);
});

test('bgp G21: a zone stays with its address, and a set has none', (t, dialect) => {
  const zoned = { ...peer(11), address: { ip: ip('fe80::1'), zone: 'eth0' } };
  const stage = running(dialect, zoned);
  t.is(told(stage, 'AddPeer')[0].peer.conf.neighbor_address, 'fe80::1%eth0');
  const sets = told(stage, 'AddDefinedSet').map(({ defined_set: set }) => set.list);
  t.true(sets.some((list) => list.join() === 'fe80::1/128'));
});

test('bgp G22: every path names its family, ORIGIN and next hop, withdraws too', (t, dialect) => {
  const stage = running(dialect, peer(11));
  stage.setRoutes('p11', route(vip2));
  const paths = told(stage, 'AddPathStream').flatMap((value) => value.paths);
  t.deepEqual(paths.map(({ is_withdraw: gone }) => gone), [false, false, true, true, false]);
  for (const { family, nlri, pattrs } of paths) {
    const kinds = pattrs.map((of: Uint8Array) => dialect.unwrap('attribute', of)?.kind);
    t.is(family.safi, 1);
    t.is(dialect.unwrap('nlri', nlri)?.kind, 'IPAddressPrefix');
    t.true(kinds.includes('OriginAttribute') && kinds.includes('NextHopAttribute'));
  }
});

test('bgp G24: a drain names a family in each call, and both are empty after it', (t, dialect) => {
  const stage = running(dialect, peer(11));
  t.is(Object.keys(stage.daemon.table()).length, 2);
  stage.call((done) => stage.port.stop('withdraw', done));
  t.deepEqual(new Set(told(stage, 'DeletePath').map(({ family }) => family.afi)), new Set([1, 2]));
  t.deepEqual(stage.daemon.table(), {});
});

test('bgp G27: the default action stays reject, whatever comes and goes', (t, dialect) => {
  const stage = running(dialect, peer(11), peer(12));
  stage.setPeers(peer(12));
  stage.run(5);
  stage.setPeers(peer(12), peer(13));
  stage.run(5);
  for (const { assignment } of [
    'SetPolicyAssignment', 'AddPolicyAssignment', 'DeletePolicyAssignment',
  ].flatMap((name) => told(stage, name))) t.is(assignment.default_action, 2);
  t.is(told(stage, 'DeletePolicyAssignment').length, 1);
  t.deepEqual(stage.daemon.defaults, { 1: 2, 2: 2 });
});

test('bgp 45, G31: a peer that was deconfigured by hand is back within 30 s', (t, dialect) => {
  const stage = running(dialect, peer(11), peer(12));
  stage.daemon.session('192.0.2.11', established);
  stage.run(1);
  const gone = stage.daemon.peers.get('192.0.2.11')!;
  stage.daemon.peers.delete('192.0.2.11');
  stage.daemon.event({ type: 0, peer: { conf: gone.conf!, state: { session_state: 1 } } });
  stage.run(31);
  t.true(stage.daemon.peers.has('192.0.2.11'));
  t.is(stage.events.filter((event) => event.kind === 'drift').length, 1);
});

test('bgp 32: why a session ended is told in the words of the daemon', (t, dialect) => {
  const stage = running(dialect, peer(11));
  const cause = (state: object): string | undefined => {
    const known = stage.daemon.peers.get('192.0.2.11')!;
    stage.daemon.peers.set('192.0.2.11', { ...known, state });
    stage.daemon.session('192.0.2.11', 3);
    stage.run(1);
    const told = stage.events.findLast((event) => event.kind === 'session');
    return told?.kind === 'session' ? told.session.cause : undefined;
  };
  t.is(cause({}), undefined);
  t.is(cause({ messages: { sent: { notification: 1 } } }), 'NOTIFICATION sent');
  t.is(cause({ messages: { received: { notification: 1 } } }), 'NOTIFICATION received');
  t.is(cause({ disconnect_message: 'hold timer expired' }), 'hold timer expired');
});

test('a speaker of somebody else is waited for, runs on, or is stopped after a drain', (t, dialect) => {
  const stage = new Stage({ dialect, supervised: false });
  stage.daemon.running = false;
  t.is(stage.start(), 'unreachable');
  stage.daemon.running = true;
  stage.run(5);
  t.is(stage.kinds('live'), 1);
  stage.setRoutes('p11', route(vip));
  stage.setPeers(peer(11));
  stage.call((done) => stage.port.stop('keep', done));
  t.true(stage.daemon.running);
  t.deepEqual(Object.keys(stage.daemon.table()), [vip]);
  stage.open();
  stage.setPeers(peer(11));
  t.is(stage.start(), 'ok');
  t.is(stage.call((done) => stage.port.stop('withdraw', done)), 'ok');
  const last = stage.daemon.calls.map(({ name }) => name).slice(-2);
  t.deepEqual(last, ['DeletePeer', 'StopBgp']);
});
