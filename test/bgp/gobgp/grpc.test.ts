import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import test from 'ava';
import { v3, v4 } from '../../../bgp/gobgp/dialect.ts';
import { grpcPort } from '../../../bgp/gobgp/rpc.real.ts';
import { createGobgpSpeaker } from '../../../bgp/gobgp/speaker.ts';
import type { SpeakerDone, SpeakerEvent } from '../../../bgp/port.ts';
import { realClock } from '../../../bpf/clock.real.ts';
import { route, vip, vip6 } from '../../contract/speaker.ts';
import { FakeGobgp } from './fakegobgp.ts';
import { serveGobgp } from './grpcserver.ts';
import { global, peer } from './stage.ts';

// Both dialects through the real gRPC client, against servers that speak one of them each.

const established = 6;
// Of the clock of boots nothing is asked here.
const clock = realClock({ bootNs: () => 0n });

/** What a call comes to. */
function told(order: (done: SpeakerDone) => void): Promise<string> {
  return new Promise((resolve) => {
    order((result) => resolve(result.ok ? 'ok' : `${result.error.kind}: ${result.error.text}`));
  });
}

async function heard(events: readonly SpeakerEvent[], kind: SpeakerEvent['kind']): Promise<void> {
  for (let turn = 0; turn < 500 && !events.some((one) => one.kind === kind); turn += 1) {
    await rest(10);
  }
}

for (const dialect of [v3, v4]) {
  test(`routes, peers and events cross gRPC (GoBGP ${dialect.major})`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-grpc-'));
    const socket = join(folder, 's.sock');
    const daemon = new FakeGobgp(clock, dialect);
    const server = await serveGobgp(daemon, socket);
    const events: SpeakerEvent[] = [];
    const speaker = createGobgpSpeaker({
      clock, rpc: grpcPort, endpoint: `unix:${socket}`, daemon: undefined,
      drainSeconds: 0, deferralSeconds: 5,
    });
    speaker.subscribe((event) => events.push(event));
    t.teardown(async () => {
      await told((done) => speaker.stop('keep', done));
      server.forceShutdown();
      rmSync(folder, { recursive: true });
    });
    t.is(await told((done) => speaker.start(global, done)), 'ok');
    t.is(await told((done) => speaker.setRoutes('p11', [route(vip), route(vip6)], done)), 'ok');
    t.is(await told((done) => speaker.setPeers([peer(11)], done)), 'ok');
    t.deepEqual(Object.keys(daemon.table()).toSorted(), [vip, vip6].toSorted());
    t.deepEqual([...daemon.peers.keys()], ['192.0.2.11']);
    daemon.session('192.0.2.11', established);
    await heard(events, 'session');
    const sessions = events.flatMap((one) => (one.kind === 'session' ? [one.session] : []));
    t.is(sessions.at(-1)?.state, 'established');
    t.is(await told((done) => speaker.setRoutes('p11', [route(vip)], done)), 'ok');
    t.deepEqual(Object.keys(daemon.table()), [vip]);
    daemon.crash();
    await heard(events, 'lost');
    t.true(events.some((one) => one.kind === 'lost'));
  });
}
