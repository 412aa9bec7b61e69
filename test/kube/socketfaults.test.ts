import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { utf8Text } from '../../kube/client.real.ts';
import { parseEndpoint } from '../../kube/endpoint.ts';
import { createHttpKube } from '../../kube/httpkube.ts';
import { httpTransport } from '../../kube/transport.real.ts';
import { ApiFront } from '../../sim/api/http/front.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { Prng } from '../../sim/prng.ts';
import { World } from '../../sim/world.ts';
import { FastClock } from './fastclock.ts';
import { FaultProxy } from './faultproxy.ts';
import { Faults } from './faults.ts';
import { change, Followers } from './followers.ts';

const runs = process.env['SOAK_SEEDS'] === undefined ? 30 : 300;
const atOnce = 15;
/** A minute of the reflectors and of the server passes in 0.6 s, their time-outs in 0.15 s. */
const speed = 100;
/** The Lease stream's requests wait a second at most: a busy machine needs a part of it. */
const leaseSpeed = 5;
const changes = 20;
/** Of the host; four hundred times what the reflectors need. */
const healingMsMax = 60_000;

/** An API server on a socket whose minutes are short. */
async function served(seed: bigint) {
  const world = new World({ seed });
  const server = new ApiServer(world);
  const live = new LiveWorld(world, LiveDriver.now());
  live.setRate(LiveDriver.now(), { virtual: speed, host: 1 });
  const driver = new LiveDriver(live);
  return { server, driver, api: await serveApi(driver, new ApiFront(world, server)) };
}

/** One run as `runFaults` does it, over TCP and through the proxy. */
async function runSockets(seed: bigint): Promise<{ wrongs: string[]; met: number }> {
  const { server, driver, api } = await served(seed);
  const proxy = await FaultProxy.listen(api.url);
  const prng = new Prng(seed, 'changes');
  const faults = new Faults(new Prng(seed, 'faults'));
  proxy.mischief = {
    fate: () => faults.fate(), answer: (text) => faults.answer(text),
    line: (text) => faults.line(text), delayMs: () => faults.delay() / 1000 / speed,
  };
  const endpoint = parseEndpoint(`http://${proxy.address}`);
  if (!endpoint.ok) throw new Error(endpoint.error);
  const transport = httpTransport({
    endpoints: [endpoint.value], credentials: {}, userAgent: 'fairlead/test',
  });
  const client = (clock: FastClock) => (
    { clock, kube: createHttpKube({ transport, clock, text: utf8Text }) }
  );
  const [quick, leases] = [client(new FastClock(speed)), client(new FastClock(leaseSpeed))];
  const chance = new Prng(seed, 'client');
  const random = { below: (bound: number) => chance.below(bound), rare: () => false };
  const ports = { ...quick, random, journal: { note: () => undefined } };
  const followers = new Followers(server, ports, leases);
  try {
    for (let step = 0; step < changes; step += 1) {
      await sleep(prng.below(prng.ratio(1, 10) ? 400 : 10));
      change(server, prng);
      driver.pace(() => undefined);
    }
    faults.heal();
    followers.doubtLeases();
    const until = performance.now() + healingMsMax;
    while (performance.now() < until) {
      if (followers.wrongs().length === 0 && followers.pending().length === 0) break;
      await sleep(20);
    }
    const met = [...faults.counts.values()].reduce((sum, count) => sum + count, 0);
    return { wrongs: [...followers.wrongs(), ...followers.pending()], met };
  } finally {
    followers.stop();
    quick.kube.close();
    leases.kube.close();
    transport.close();
    proxy.close();
    await api.close();
  }
}

test(`over real connections tables equal the lists too: ${runs} random runs`, async (t) => {
  t.timeout(600_000);
  let next = 0;
  let faultsMet = 0;
  const worker = async (): Promise<void> => {
    while (next < runs) {
      const seed = next;
      next += 1;
      const { wrongs, met } = await runSockets(BigInt(seed));
      t.deepEqual(wrongs, [], `seed ${seed}`);
      faultsMet += met;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  t.true(faultsMet > runs * 5, `${faultsMet} faults`);
});
