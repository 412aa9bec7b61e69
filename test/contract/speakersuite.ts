import type { Route, SpeakerGlobal, SpeakerPeer } from '../../bgp/port.ts';
import { ip, type Prefix } from '../../lb/ip.ts';
import {
  route, speakerClaims, vip, vip2, vip6, type SpeakerClaim, type SpeakerContract,
} from './speaker.ts';

/** What every `SpeakerPort` does, whoever stands behind it (bgp.md 9). */
export function speakerContract(contract: SpeakerContract): void {
  const claim = speakerClaims(contract);
  claimStart(claim);
  claimRoutes(claim);
  claimWholeSets(claim);
  claimAttributes(claim);
  claimNextHops(claim);
  claimPeers(claim);
  claimSessions(claim);
  claimEnds(claim);
  claimRefusals(claim);
  claimInvalidSets(claim);
}

function claimStart(claim: SpeakerClaim): void {
  claim('bgp G2: starting twice is one start', async (t, stage) => {
    t.is(await stage.start(), 'ok');
    t.is(await stage.start(), 'ok');
    t.is(stage.bench.starts, 1);
    t.is(stage.events.filter(({ kind }) => kind === 'live').length, 1);
  });

  claim('bgp 44: other global values replace the router', async (t, stage) => {
    await stage.setRoutes('a', route(vip));
    await stage.up('a');
    await stage.has('a', vip);
    const mark = stage.mark('a');
    t.is(await stage.start({ ...stage.bench.global, routerId: ip('192.0.2.77') }), 'ok');
    await stage.bench.pass('a session under the other router ID', () => (
      stage.since('a', mark).some((heard) => heard.kind === 'open'
        && heard.routerId === '192.0.2.77')
    ));
    await stage.has('a', vip);
    t.is(stage.bench.starts, 2);
  });
}

function claimRoutes(claim: SpeakerClaim): void {
  claim('routes set before a peer are in its first table', async (t, stage) => {
    const { speaker } = stage.bench;
    await stage.start();
    speaker.setRoutes('a', [route(vip), route(vip2)], () => undefined);
    await stage.setPeers(stage.peer('a'));
    await stage.bench.pass('the first table is complete', () => (
      stage.router('a').heard.some((heard) => (
        heard.kind === 'end-of-rib' && heard.family === 'IPv4'
      )) || stage.router('a').table.size === 2
    ));
    t.deepEqual([...stage.router('a').table.keys()].toSorted(), [vip, vip2]);
  });

  claim('a route that is absent from a set is withdrawn', async (t, stage) => {
    await stage.setRoutes('a', route(vip), route(vip2));
    await stage.up('a');
    await stage.has('a', vip2);
    const mark = stage.mark('a');
    t.is(await stage.setRoutes('a', route(vip2)), 'ok');
    await stage.lacks('a', vip);
    t.deepEqual(stage.since('a', mark), [{ kind: 'withdraw', prefix: vip }]);
  });

  claim('bgp G29: equal sets are silent', async (t, stage) => {
    await stage.setRoutes('a', route(vip, { communities: [65_000 * 65_536 + 1] }));
    await stage.up('a');
    await stage.has('a', vip);
    const mark = stage.mark('a');
    t.is(await stage.setRoutes('a', route(vip, { communities: [65_000 * 65_536 + 1] })), 'ok');
    t.is(await stage.setPeers(stage.peer('a')), 'ok');
    await stage.bench.rest(300_000);
    t.deepEqual(stage.since('a', mark), []);
  });
}

function claimWholeSets(claim: SpeakerClaim): void {
  claim('bgp 42, G29: a change for one peer takes nothing from others', async (t, stage) => {
    for (const name of ['a', 'b'] as const) await stage.setRoutes(name, route(vip));
    await stage.up('a', 'b');
    await stage.has('a', vip);
    await stage.has('b', vip);
    const before = stage.router('b').table.get(vip);
    const mark = stage.mark('b');
    await stage.setRoutes('a');
    await stage.lacks('a', vip);
    await stage.bench.rest(300_000);
    t.deepEqual(stage.router('b').table.get(vip), before);
    // An identical UPDATE is allowed (bgp.md 5.5, G29).
    for (const heard of stage.since('b', mark)) t.is(heard.kind, 'announce');
  });

  claim('ten thousand routes reach a peer in time', async (t, stage) => {
    const routes = Array.from({ length: 10_000 }, (_, index) => (
      route(`10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}/32` as Prefix)
    ));
    await stage.up('a');
    const startedAt = stage.bench.now();
    t.is(await stage.setRoutes('a', ...routes), 'ok');
    await stage.bench.pass('all are there', () => stage.router('a').table.size === 10_000);
    t.true(stage.bench.now() - startedAt < 30_000_000);
    t.is(await stage.setRoutes('a'), 'ok');
    await stage.bench.pass('all are gone', () => stage.router('a').table.size === 0);
  });
}

function claimAttributes(claim: SpeakerClaim): void {
  const [red, blue] = [65_000 * 65_536 + 1, 65_000 * 65_536 + 2];

  claim('bgp 15, G26: a prefix may carry other attributes for each peer', async (t, stage) => {
    await stage.setRoutes('a', route(vip, { communities: [red], large: [[65_001, 1, 2]] }));
    await stage.setRoutes('b', route(vip, { communities: [blue], origin: 'igp' }));
    await stage.up('a', 'b');
    await stage.has('a', vip);
    await stage.has('b', vip);
    t.like(stage.router('a').table.get(vip), { communities: [red], large: [[65_001, 1, 2]] });
    t.like(stage.router('b').table.get(vip), { communities: [blue], large: [] });
    const mark = stage.mark('a');
    const before = stage.router('a').table.get(vip);
    await stage.setRoutes('b', route(vip, { communities: [red], large: [[65_001, 1, 2]] }));
    await stage.bench.pass('b sees the new one', () => (
      stage.router('b').table.get(vip)?.communities[0] === red
    ));
    // At most an identical UPDATE (bgp.md 5.5, G29).
    for (const heard of stage.since('a', mark)) {
      t.deepEqual(heard, { kind: 'announce', prefix: vip, route: before! });
    }
  });

  claim('bgp 12, 13: a change of attributes is one UPDATE without a withdraw', async (t, stage) => {
    await stage.setRoutes('a', route(vip, { communities: [red], localPref: 50 }));
    await stage.setRoutes('inner', route(vip, { communities: [red], localPref: 50 }));
    await stage.up('a', 'inner');
    await stage.has('a', vip);
    await stage.has('inner', vip);
    const marks = { a: stage.mark('a'), inner: stage.mark('inner') };
    const changed = route(vip, { communities: [blue], localPref: 60 });
    void stage.setRoutes('a', changed);
    await stage.setRoutes('inner', changed);
    for (const name of ['a', 'inner'] as const) {
      await stage.bench.pass(`${name} sees it`, () => stage.since(name, marks[name]).length > 0);
    }
    await stage.bench.rest(300_000);
    for (const name of ['a', 'inner'] as const) {
      t.is(stage.since(name, marks[name]).length, 1);
      t.like(stage.router(name).table.get(vip), { communities: [blue] });
    }
    t.is(stage.router('a').table.get(vip)?.localPref, undefined);
    t.is(stage.router('inner').table.get(vip)?.localPref, 60);
  });
}

function claimNextHops(claim: SpeakerClaim): void {
  claim('bgp 1, 22, G25, G32: AS path, origin and next hop are a router’s', async (t, stage) => {
    const { global, local } = stage.bench;
    for (const name of ['a', 'inner', 'six'] as const) {
      await stage.setRoutes(name, route(vip, { origin: 'incomplete' }), route(vip6));
    }
    await stage.up('a', 'inner', 'six');
    for (const name of ['a', 'inner', 'six'] as const) {
      await stage.has(name, vip);
      await stage.has(name, vip6);
    }
    const external = stage.router('a').table;
    t.like(external.get(vip), { origin: 'incomplete', asPath: [global.asn], nextHop: local.ip });
    t.like(external.get(vip6), { origin: 'igp', nextHop: local.ip6 });
    // LOCAL_PREF is 100 unless said (RFC 4271 5.1.5), and not for external peers (G32).
    t.like(stage.router('inner').table.get(vip), {
      asPath: [], nextHop: local.ip, localPref: 100,
    });
    t.is(external.get(vip)?.localPref, undefined);
    // RFC 8950: an IPv4 route whose next hop is the session's IPv6 address.
    t.like(stage.router('six').table.get(vip), { nextHop: local.ip6, asPath: [global.asn] });
    t.like(stage.router('six').table.get(vip6), { nextHop: local.ip6 });
  });
}

function claimPeers(claim: SpeakerClaim): void {
  claim('bgp 30: a removed peer hears withdraws, then the end', async (t, stage) => {
    await stage.setRoutes('a', route(vip));
    await stage.setRoutes('b', route(vip));
    await stage.up('a', 'b');
    await stage.has('a', vip);
    await stage.has('b', vip);
    const marks = { a: stage.mark('a'), b: stage.mark('b') };
    t.is(await stage.setPeers(stage.peer('b')), 'ok');
    await stage.bench.pass('the session ended', () => !stage.router('a').established);
    t.deepEqual(stage.since('a', marks.a).slice(0, 2), [
      { kind: 'withdraw', prefix: vip }, { kind: 'notification', code: 6, subcode: 3 },
    ]);
    t.true(stage.router('b').established);
    t.false(stage.since('b', marks.b).some(({ kind }) => kind !== 'announce'));
  });

  const changes: readonly [string, Partial<SpeakerPeer>][] = [
    ['timers', { timers: { connectRetry: 5, hold: 15, keepalive: 5 } }],
    ['families', { families: ['IPv4'] }],
    ['graceful restart', { restart: 60 }],
  ];
  for (const [what, change] of changes) {
    claim(`a change of ${what} adds that peer again and no other`, async (t, stage) => {
      await stage.up('a', 'b');
      const marks = { a: stage.mark('a'), b: stage.mark('b') };
      t.is(await stage.setPeers(stage.peer('a', change), stage.peer('b')), 'ok');
      await stage.bench.pass('a new session', () => (
        stage.since('a', marks.a).some(({ kind }) => kind === 'established')
      ));
      const open = stage.router('a').heard.findLast((heard) => heard.kind === 'open');
      t.like(open, {
        hold: change.timers?.hold ?? 9, families: change.families ?? ['IPv4', 'IPv6'],
        ...(change.restart === undefined ? {} : { restartTime: 60, notificationRestart: true }),
      });
      t.deepEqual(stage.since('b', marks.b), []);
    });
  }
}

function claimSessions(claim: SpeakerClaim): void {
  claim('session events come in order, with what was learned', async (t, stage) => {
    await stage.start();
    await stage.setPeers(stage.peer('a', { asn: 0 }));
    await stage.established('a');
    t.like(stage.session('a'), { remoteAsn: stage.router('a').asn, hold: 9, keepalive: 3 });
    stage.router('a').cut();
    await stage.bench.pass('the loss is told', () => stage.session('a')?.state !== 'established');
    await stage.established('a');
    const up = stage.events.flatMap((event) => (
      event.kind === 'session' ? [event.session.state === 'established'] : []
    )).filter((now, at, all) => now !== all[at - 1]);
    t.deepEqual(up.slice(up.indexOf(true)), [true, false, true]);
  });
}

function claimEnds(claim: SpeakerClaim): void {
  claim('after a crash everything that was set holds again', async (t, stage) => {
    await stage.setRoutes('a', route(vip));
    await stage.up('a');
    await stage.has('a', vip);
    const [told, heard] = [stage.events.length, stage.mark('a')];
    stage.bench.crash();
    await stage.bench.pass('it is live again', () => (
      stage.events.slice(told).some(({ kind }) => kind === 'live')
    ));
    await stage.bench.pass('a new session', () => (
      stage.since('a', heard).some(({ kind }) => kind === 'established')
    ));
    await stage.has('a', vip);
    t.deepEqual(
      stage.events.slice(told).map(({ kind }) => kind)
        .filter((kind) => kind === 'lost' || kind === 'live'),
      ['lost', 'live'],
    );
    t.is(stage.bench.starts, 2);
  });

  claim('bgp G6: leaving with `keep` says nothing to anybody', async (t, stage) => {
    await stage.setRoutes('a', route(vip));
    await stage.up('a');
    await stage.has('a', vip);
    const mark = stage.mark('a');
    t.is(await stage.call((done) => stage.bench.speaker.stop('keep', done)), 'ok');
    await stage.bench.rest(500_000);
    for (const heard of stage.since('a', mark)) t.is(heard.kind, 'closed');
  });

  claim('leaving with `withdraw` leaves no route before the end', async (t, stage) => {
    for (const name of ['a', 'b'] as const) {
      await stage.setRoutes(name, route(vip), route(vip2), route(vip6));
    }
    await stage.up('a', 'b');
    for (const name of ['a', 'b'] as const) {
      for (const each of [vip, vip2, vip6]) await stage.has(name, each);
    }
    const marks = { a: stage.mark('a'), b: stage.mark('b') };
    t.is(await stage.call((done) => stage.bench.speaker.stop('withdraw', done)), 'ok');
    for (const name of ['a', 'b'] as const) {
      await stage.bench.pass('the session ended', () => !stage.router(name).established);
      const heard = stage.since(name, marks[name]);
      const end = heard.findIndex(({ kind }) => kind === 'notification' || kind === 'closed');
      const gone = heard.slice(0, end);
      t.deepEqual(gone.map((one) => (one.kind === 'withdraw' ? one.prefix : one.kind)).toSorted(), [
        vip, vip2, vip6,
      ]);
    }
  });
}

function claimRefusals(claim: SpeakerClaim): void {
  const globals: readonly [string, Partial<SpeakerGlobal>][] = [
    ['AS number 0', { asn: 0 }],
    ['an AS number of 33 bits', { asn: 2 ** 32 }],
    ['an IPv6 router ID', { routerId: ip('2001:db8::1') }],
    ['router ID 0.0.0.0', { routerId: ip('0.0.0.0') }],
    ['a port beyond 65535', { listenPort: 65_536 }],
  ];
  for (const [what, change] of globals) {
    claim(`${what} is refused before the wire`, async (t, stage) => {
      t.is(await stage.start({ ...stage.bench.global, ...change }), 'invalid');
      t.is(stage.bench.starts, 0);
    });
  }
}

function claimInvalidSets(claim: SpeakerClaim): void {
  claim('bgp 25, 28, G3, G19, G23: an invalid peer or route changes nothing', async (t, stage) => {
    await stage.setRoutes('a', route(vip));
    await stage.up('a');
    await stage.has('a', vip);
    const mark = stage.mark('a');
    const peers: readonly Partial<SpeakerPeer>[] = [
      { timers: { connectRetry: 5, hold: 2, keepalive: 1 } },
      { timers: { connectRetry: 5, hold: 30, keepalive: 31 } },
      { password: { text: 'x'.repeat(81), version: '1' } },
      { password: { text: '', version: '1' } },
      { port: 0 }, { ttl: 256 }, { restart: 4_096 }, { families: [] },
    ];
    for (const change of peers) t.is(await stage.setPeers(stage.peer('a', change)), 'invalid');
    t.is(await stage.setPeers(stage.peer('a'), { ...stage.peer('a'), name: 'twin' }), 'invalid');
    const routes: readonly Route[] = [
      route('300.1.1.1/32' as Prefix), route('10.0.0.1/33' as Prefix),
      route('10.0.0.1/24' as Prefix), route('010.0.0.1/32' as Prefix),
      route(vip, { communities: [2 ** 32] }), route(vip, { large: [[2 ** 32 - 1, 1, 1]] }),
      route(vip, { localPref: -1 }),
    ];
    for (const one of routes) t.is(await stage.setRoutes('a', one), 'invalid');
    t.is(await stage.setRoutes('a', route(vip), route(vip)), 'invalid');
    await stage.bench.rest(200_000);
    t.deepEqual(stage.since('a', mark), []);
  });
}
