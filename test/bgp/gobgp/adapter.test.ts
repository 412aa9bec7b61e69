import anyTest from 'ava';
import { v3, v4, type Dialect } from '../../../bgp/gobgp/dialect.ts';
import { ip } from '../../../lb/ip.ts';
import { route, vip, vip2, vip6 } from '../../contract/speaker.ts';
import { global, peer, Stage } from './stage.ts';

// The rules of bgp.md 5.5 and 6 against a pretended daemon in virtual time, in both dialects.

const established = 6;
const active = 3;
const writes = new Set([
  'StartBgp', 'StopBgp', 'AddPeer', 'DeletePeer', 'AddPathStream', 'DeletePath', 'AddDefinedSet',
  'DeleteDefinedSet', 'AddPolicy', 'DeletePolicy', 'DeleteStatement', 'SetPolicyAssignment',
  'AddPolicyAssignment', 'DeletePolicyAssignment',
]);

function test(title: string, body: (t: import('ava').ExecutionContext, of: Dialect) => void): void {
  for (const dialect of [v3, v4]) {
    anyTest(`${title} (GoBGP ${dialect.major})`, (t) => body(t, dialect));
  }
}

/** Writes since a mark. */
function written(stage: Stage, mark = 0): readonly string[] {
  return stage.daemon.calls.slice(mark).map(({ name }) => name).filter((name) => writes.has(name));
}

/** A speaker with two peers that have a route each. */
function running(dialect: Dialect, options: { readonly supervised?: boolean } = {}): Stage {
  const stage = new Stage({ dialect, ...options });
  stage.port.setRoutes('p11', [route(vip), route(vip6)], () => undefined);
  stage.port.setRoutes('p12', [route(vip, { communities: [5] })], () => undefined);
  stage.port.setPeers([peer(11, { restart: 60 }), peer(12)], () => undefined);
  stage.start();
  stage.run(1);
  return stage;
}

test('bgp 43: paths come before peers, and one StartBgp before all', (t, dialect) => {
  const stage = running(dialect);
  const order = written(stage);
  t.is(order.indexOf('StartBgp'), 0);
  t.is(order.filter((name) => name === 'StartBgp').length, 1);
  t.true(order.lastIndexOf('AddPathStream') < order.indexOf('AddPeer'));
  t.true(order.lastIndexOf('AddPolicy') < order.indexOf('AddPeer'));
  t.deepEqual(stage.daemon.defaults, { 1: 2, 2: 2 });
  t.is(stage.daemon.count('DeletePath'), 0);
  t.is(stage.kinds('live'), 1);
});

test('routes of a session are counted by family as they were told', (t, dialect) => {
  const stage = running(dialect);
  for (const last of [11, 12]) stage.daemon.session(`192.0.2.${last}`, established);
  stage.run(5);
  const told = stage.events.filter((event) => event.kind === 'counts').at(-1);
  const advertised = told?.counts.map((one) => `${one.peer} ${one.family} ${one.advertised}`);
  t.deepEqual(advertised?.toSorted(), [
    'p11 IPv4 1', 'p11 IPv6 1', 'p12 IPv4 1', 'p12 IPv6 0',
  ]);
});

test('bgp 41, 44: another agent over the same daemon writes nothing', (t, dialect) => {
  const stage = running(dialect);
  for (const last of [11, 12]) stage.daemon.session(`192.0.2.${last}`, established);
  stage.run(1);
  stage.call((done) => stage.port.stop('keep', done));
  const before = stage.daemon.table();
  const mark = stage.daemon.calls.length;
  stage.open();
  stage.port.setRoutes('p11', [route(vip), route(vip6)], () => undefined);
  stage.port.setRoutes('p12', [route(vip, { communities: [5] })], () => undefined);
  stage.port.setPeers([peer(11, { restart: 60 }), peer(12)], () => undefined);
  t.is(stage.start(), 'ok');
  stage.run(5);
  t.deepEqual(written(stage, mark), []);
  t.deepEqual(stage.daemon.table(), before);
  t.is(stage.setRoutes('p11', route(vip)), 'ok');
  t.deepEqual(written(stage, mark), ['AddPathStream']);
});

test('what nobody wants any more leaves after adoption', (t, dialect) => {
  const stage = running(dialect);
  stage.call((done) => stage.port.stop('keep', done));
  stage.open();
  stage.port.setRoutes('p11', [route(vip)], () => undefined);
  stage.port.setPeers([peer(11, { restart: 60 })], () => undefined);
  stage.start();
  stage.run(10);
  t.deepEqual([...stage.daemon.peers.keys()], ['192.0.2.11']);
  t.deepEqual(Object.keys(stage.daemon.table()), [vip]);
  t.deepEqual([...stage.daemon.policies.keys()].toSorted(), ['fl1-import', 'fl1-p1']);
  t.false([...stage.daemon.statements.keys()].some((name) => name.startsWith('fl1-p2')));
  t.false([...stage.daemon.sets.keys()].some((name) => name.includes('fl1-p2')));
});

test('bgp 44, G5: another router is replaced as its version allows', (t, dialect) => {
  const stage = running(dialect);
  const mark = stage.daemon.calls.length;
  t.is(stage.start({ ...global, asn: 65_009 }), 'ok');
  stage.run(1);
  const after = written(stage, mark);
  t.is(after.includes('StopBgp'), dialect.major === 3);
  t.is(stage.process.spawned, dialect.major === 3 ? 1 : 2);
  t.is(stage.daemon.global?.asn, 65_009);
  t.is(stage.daemon.peers.size, 2);
});

test('bgp 44: another router of somebody else stays', (t, dialect) => {
  const stage = running(dialect, { supervised: false });
  const answer = stage.start({ ...global, asn: 65_009 });
  t.is(answer, dialect.major === 3 ? 'ok' : 'unsupported');
  t.is(stage.kinds('blocked'), dialect.major === 3 ? 0 : 1);
});

test('bgp 44: a running daemon without our policies is foreign and left alone', (t, dialect) => {
  const stage = new Stage({ dialect, supervised: false });
  stage.daemon.global = { asn: global.asn, router_id: global.routerId, listen_port: -1 };
  stage.daemon.peers.set('192.0.2.99', { conf: { neighbor_address: '192.0.2.99' } });
  t.is(stage.start(), 'foreign');
  stage.run(60);
  t.deepEqual(written(stage), []);
  t.is(stage.kinds('blocked'), 1);
});

test('bgp 45: a path, a peer, a policy gone by hand come back within 30 s', (t, dialect) => {
  const stage = running(dialect);
  const before = stage.daemon.table();
  stage.daemon.paths.delete(vip);
  stage.daemon.peers.delete('192.0.2.12');
  stage.daemon.policies.set('fl1-p1', []);
  stage.run(31);
  t.deepEqual(stage.daemon.table(), before);
  t.true(stage.daemon.peers.has('192.0.2.12'));
  t.deepEqual(stage.daemon.policies.get('fl1-p1'), ['fl1-p1-a0', 'fl1-p1-a1']);
  const drifts = stage.events.flatMap((event) => (event.kind === 'drift' ? [event.object] : []));
  t.deepEqual(drifts.toSorted(), ['path', 'peer', 'policy']);
});

test('bgp 45, G31: strange and lost events do no harm', (t, dialect) => {
  const stage = running(dialect);
  stage.daemon.session('192.0.2.11', established, false);
  stage.daemon.event({ type: 2, peer: { state: { neighbor_address: '<nil>' } } });
  stage.run(1);
  const state = (name: string): string | undefined => {
    const told = stage.events.findLast(
      (event) => event.kind === 'session' && event.session.peer === name,
    );
    return told?.kind === 'session' ? told.session.state : undefined;
  };
  t.is(state('p11'), 'established');
  stage.daemon.session('192.0.2.12', established, false);
  stage.run(31);
  t.is(state('p12'), 'established');
});

test('bgp G30: statements that were not understood block the instance', (t, dialect) => {
  const stage = new Stage({ dialect });
  stage.daemon.forgetsConditions = true;
  stage.port.setRoutes('p11', [route(vip)], () => undefined);
  stage.port.setPeers([peer(11)], () => undefined);
  t.is(stage.start(), 'unsupported');
  t.is(stage.daemon.peers.size, 0);
  t.is(stage.daemon.paths.size, 0);
});

test('bgp G11: a lost session is kicked at once, a short one later, a new never', (t, dialect) => {
  const stage = running(dialect);
  const address = '192.0.2.11';
  const adds = (): number => stage.daemon.calls.filter(({ name, value }) => (
    name === 'AddPeer' && value.peer.conf.neighbor_address === address
  )).length;
  stage.run(60);
  t.is(adds(), 1);
  stage.daemon.session(address, established);
  stage.run(11);
  stage.daemon.session(address, 1);
  stage.run(0.1);
  t.is(adds(), 2);
  stage.daemon.session(address, established);
  stage.run(1);
  stage.daemon.session(address, active);
  stage.run(0.5);
  t.is(adds(), 2);
  stage.run(1.6);
  t.is(adds(), 3);
  stage.daemon.session(address, established);
  stage.run(11);
  // A handshake is under way by itself: it is not cut.
  stage.daemon.session(address, 1, false);
  stage.daemon.session(address, 4);
  stage.run(5);
  t.is(adds(), 3);
});

test('bgp G17, G18: the R-bit is set after a loss, not on a first start', (t, dialect) => {
  const stage = running(dialect);
  const bits = (): readonly boolean[] => stage.daemon.calls.flatMap(({ name, value }) => (
    name === 'AddPeer' && value.peer.conf.neighbor_address === '192.0.2.11'
      ? [value.peer.graceful_restart.local_restarting] : []
  ));
  const negotiate = (): void => {
    const known = stage.daemon.peers.get('192.0.2.11')!;
    stage.daemon.peers.set('192.0.2.11', { ...known, afi_safis: known.afi_safis!.map((of) => ({
      ...of, mp_graceful_restart: { state: { received: true, advertised: true } },
    })) });
    stage.daemon.session('192.0.2.11', established);
    stage.run(11);
  };
  negotiate();
  stage.process.die();
  stage.run(2);
  t.deepEqual(bits(), [false, true]);
  negotiate();
  stage.daemon.session('192.0.2.11', 1);
  stage.run(2);
  t.deepEqual(bits(), [false, true, true]);
});

test('a refused peer is reported, tried again, and blocks no other', (t, dialect) => {
  const stage = running(dialect);
  let refusals = 2;
  stage.daemon.fault = (name) => {
    if (name !== 'AddPeer' || refusals === 0) return undefined;
    refusals -= 1;
    return { kind: 'other', text: '' };
  };
  t.is(stage.setPeers(peer(11, { restart: 60 }), peer(12), peer(13)), 'rejected');
  stage.run(10);
  t.deepEqual([...stage.daemon.peers.keys()].toSorted(), [
    '192.0.2.11', '192.0.2.12', '192.0.2.13',
  ]);
});

test('bgp G1: a withdraw that failed is made again, by looking first', (t, dialect) => {
  const stage = running(dialect);
  let once = true;
  stage.daemon.fault = (name) => {
    if (name !== 'AddPathStream' || !once) return undefined;
    once = false;
    return { kind: 'other', text: '' };
  };
  const mark = stage.daemon.calls.length;
  t.is(stage.setRoutes('p11', route(vip)), 'rejected');
  stage.run(1);
  t.deepEqual(Object.keys(stage.daemon.table()), [vip]);
  t.true(stage.daemon.calls.slice(mark).some(({ name }) => name === 'ListPath'));
});

test('a daemon that dies is started at once, then later and later (5.1)', (t, dialect) => {
  const stage = running(dialect);
  stage.process.die();
  stage.run(0.3);
  t.is(stage.process.spawned, 2);
  t.deepEqual([stage.kinds('lost'), stage.kinds('live')], [1, 2]);
  t.is(stage.daemon.count('StartBgp'), 2);
  t.is(stage.daemon.peers.size, 2);
  stage.process.die();
  stage.run(0.3);
  t.is(stage.process.spawned, 2);
  stage.run(0.5);
  t.is(stage.process.spawned, 3);
});

test('bgp 46, G6: drain takes all back, waits, ends sessions, then the process', (t, dialect) => {
  const stage = running(dialect);
  stage.daemon.session('192.0.2.11', established);
  stage.run(1);
  stage.heedsTerm = false;
  const mark = stage.daemon.calls.length;
  const from = stage.clock.now();
  t.is(stage.call((done) => stage.port.stop('withdraw', done)), 'ok');
  t.deepEqual(written(stage, mark), ['DeletePath', 'DeletePath', 'DeletePeer', 'DeletePeer']);
  t.deepEqual([stage.process.signals[0], stage.process.signals.at(-1)], ['SIGTERM', 'SIGKILL']);
  // A second of drain, five until a daemon that hangs is killed.
  t.true(stage.clock.now() - from >= 6_000_000);
});

test('bgp G27: a peer that left leaves nothing that its index would inherit', (t, dialect) => {
  const stage = running(dialect);
  t.is(stage.setPeers(peer(11, { restart: 60 })), 'ok');
  const type = dialect.definedType.neighbour;
  // As after a removal that was cut short.
  stage.daemon.sets.set(`${type} fl1-p2`, ['192.0.2.12/32']);
  t.is(stage.setPeers(peer(11, { restart: 60 }), peer(20)), 'ok');
  t.deepEqual(stage.daemon.sets.get(`${type} fl1-p2`), ['192.0.2.20/32']);
});

test('bgp G28: a later next hop of IPv6 takes another set, and no session', (t, dialect) => {
  const stage = new Stage({ dialect });
  const at = (last: string) => peer(11, { nextHop6: ip(`2001:db8::${last}`) });
  stage.setRoutes('p11', route(vip6), route(vip2));
  stage.setPeers(at('1'));
  stage.start();
  stage.run(1);
  const mark = stage.daemon.calls.length;
  t.is(stage.setPeers(at('2')), 'ok');
  t.false(written(stage, mark).some((name) => name === 'AddPeer' || name === 'DeletePeer'));
  t.deepEqual(stage.daemon.table(), {
    [vip6]: 'igp||||1:1', [vip2]: 'igp||||1:0',
  });
  t.is(stage.daemon.statements.get('fl1-p1-a1-v6')?.actions?.nexthop?.address, '2001:db8::2');
});
