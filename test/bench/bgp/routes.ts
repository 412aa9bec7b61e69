// Ten thousand routes to four routers through a real daemon on the loopback, then one withdraw:
// prints `SECONDS MILLISECONDS`. Run by the bench.
import type { Route, SpeakerDone, SpeakerPeer } from '../../../bgp/port.ts';
import type { Prefix } from '../../../lb/ip.ts';
import { gobgpd, withGobgp } from '../../bgp/routers/gobgpbench.ts';

const names = ['a', 'b', 'inner', 'six'] as const;
const routes = Array.from({ length: 10_000 }, (_, index): Route => ({
  prefix: `10.100.${index >> 8}.${index & 255}/32` as Prefix, origin: 'igp', communities: [],
  large: [],
}));

const call = (order: (done: SpeakerDone) => void): Promise<void> => new Promise(
  (resolve, reject) => order((result) => {
    if (result.ok) resolve();
    else reject(new Error(result.error.text));
  }),
);

await withGobgp(gobgpd().command, async (bench) => {
  const { speaker, global, routers } = bench;
  const peers = names.map((name): SpeakerPeer => ({
    name, address: { ip: routers[name].address }, asn: routers[name].asn,
    port: routers[name].port, families: ['IPv4', 'IPv6'],
    timers: { connectRetry: 5, hold: 90, keepalive: 30 },
  }));
  const everywhere = (count: number): Promise<void> => bench.pass(`${count} routes`, () => (
    names.every((name) => routers[name].established && routers[name].table.size === count)
  ));
  const set = (of: readonly Route[]): Promise<unknown> => Promise.all(names.map(
    (name) => call((done) => speaker.setRoutes(name, of, done)),
  ));
  await call((done) => speaker.start(global, done));
  await call((done) => speaker.setPeers(peers, done));
  await everywhere(0);
  let from = performance.now();
  const filled = set(routes);
  await everywhere(10_000);
  const seconds = (performance.now() - from) / 1000;
  await filled;
  from = performance.now();
  const emptied = set(routes.slice(1));
  await everywhere(9_999);
  const ms = performance.now() - from;
  await emptied;
  process.stdout.write(`${seconds} ${ms}\n`);
});
