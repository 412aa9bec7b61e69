import anyTest from 'ava';
import { route, vip, vip2, vip6 } from '../../contract/speaker.ts';
import { BirdRouter, routersMissing, Segment, startFrr, type FrrRouter } from './segment.ts';
import { SpeakerNode, rest, until } from './node.ts';

// Rows of bgp.md 12 against BIRD and FRR. One segment and one speaker serve the whole file; each
// test leaves both sessions up and no route behind.

const test = routersMissing() === undefined ? anyTest.serial : anyTest.serial.skip;
const red = 65_000 * 65_536 + 10;
const blue = 65_000 * 65_536 + 11;

let segment: Segment;
let node: SpeakerNode;
let bird: BirdRouter;
let frr: FrrRouter;

if (routersMissing() === undefined) {
  anyTest.before(async () => {
    segment = Segment.open();
    bird = new BirdRouter(segment);
    await bird.start();
    frr = startFrr(segment);
    node = new SpeakerNode(segment);
    await node.start();
    await both();
    await node.up('bird', 'frr');
  });
  anyTest.after.always(async () => {
    await node.close();
    segment.close();
  });
}

const restart = 30;

/** The usual two peers. */
function both(): Promise<string> {
  return node.setPeers(
    node.peer('bird', segment.address('bird'), { restart }),
    node.peer('frr', segment.address('frr'), { restart }),
  );
}

async function routes(...of: readonly ReturnType<typeof route>[]): Promise<void> {
  for (const name of ['bird', 'frr'] as const) await node.setRoutes(name, ...of);
}

function kernelHas(place: 'bird' | 'frr', prefix: string): boolean {
  const flag = prefix.includes(':') ? '-6' : '-4';
  return segment.run(place, 'ip', flag, 'route', 'show', prefix) !== '';
}

function installed(prefix: string, there = true): Promise<number> {
  return until(`${prefix} is ${there ? '' : 'not '}in both kernels`, () => (
    kernelHas('bird', prefix) === there && kernelHas('frr', prefix) === there
  ));
}

test('bgp 1: an address is a plain route of the node at both routers', async (t) => {
  await routes(route(vip));
  await installed(vip);
  const text = bird.route(vip);
  t.regex(text, /BGP\.as_path: 65001\n/u);
  t.regex(text, /BGP\.next_hop: 10\.99\.0\.1\n/u);
  t.regex(text, /BGP\.origin: IGP\n/u);
  t.notRegex(text, /community/u);
  const [path] = frr.ask(`show bgp ipv4 unicast ${vip}`).paths;
  t.like(path, { origin: 'IGP', aspath: { string: '65001' } });
  t.is(path.community, undefined);
  t.is(path.largeCommunity, undefined);
  await routes();
  await installed(vip, false);
});

test('bgp 13: an attribute changes without a delete and without a new session', async (t) => {
  await routes(route(vip, { communities: [red], large: [[65_001, 1, 2]], localPref: 50 }));
  await installed(vip);
  t.regex(bird.route(vip), /BGP\.community: \(65000,10\)\n/u);
  t.regex(bird.route(vip), /BGP\.large_community: \(65001, 1, 2\)\n/u);
  t.notRegex(bird.route(vip), /4294967295/u);
  const flaps = frr.neighbor('10.99.0.1').connectionsDropped;
  const monitors = [segment.monitor('bird'), segment.monitor('frr')];
  await rest(100);
  await routes(route(vip, { communities: [blue], localPref: 60 }));
  await until('both have it', () => bird.route(vip).includes('(65000,11)')
    && frr.ask(`show bgp ipv4 unicast ${vip}`).paths[0].community?.string === '65000:11');
  for (const monitor of monitors) t.false(monitor.changes(vip).includes('delete'));
  t.is(frr.neighbor('10.99.0.1').connectionsDropped, flaps);
  await routes();
});

test('bgp 15, 42: each peer sees its own attributes, one leaves without the other', async (t) => {
  await node.setRoutes('bird', route(vip, { communities: [red] }));
  await node.setRoutes('frr', route(vip, { communities: [blue] }));
  await installed(vip);
  t.regex(bird.route(vip), /\(65000,10\)/u);
  t.is(frr.ask(`show bgp ipv4 unicast ${vip}`).paths[0].community.string, '65000:11');
  const monitor = segment.monitor('frr');
  await rest(100);
  await node.setRoutes('bird');
  await until('BIRD has none', () => !kernelHas('bird', vip));
  await rest(200);
  t.deepEqual(monitor.changes(vip), []);
  t.true(kernelHas('frr', vip));
  t.deepEqual([node.session('bird')?.state, node.session('frr')?.state], [
    'established', 'established',
  ]);
  await routes();
});

test('bgp 23: an IPv6 address goes by an IPv4 session with the node as next hop', async (t) => {
  await routes(route(vip6), route(vip));
  await installed(vip6);
  t.regex(bird.route(vip6), /BGP\.next_hop: fd00:99::1/u);
  t.regex(segment.run('bird', 'ip', '-6', 'route', 'show', vip6), /via fd00:99::1 /u);
  t.regex(segment.run('frr', 'ip', '-6', 'route', 'show', vip6), /eth0/u);
  await routes();
  await installed(vip6, false);
});

test('bgp 27: the lower hold time holds, keepalives at a third', async (t) => {
  await node.setPeers(
    node.peer('bird', segment.address('bird'), {
      timers: { connectRetry: 5, hold: 15, keepalive: 5 }, restart,
    }),
    node.peer('frr', segment.address('frr'), { restart }),
  );
  await until('9 and 3', () => node.session('bird')?.hold === 9);
  t.like(node.session('bird'), { state: 'established', hold: 9, keepalive: 3, remoteAsn: 65_020 });
  await both();
  await node.up('bird', 'frr');
});

for (const who of ['the speaker dies', 'the agent is replaced'] as const) {
  test(`bgp 39, 41: no route leaves a kernel when ${who}`, async (t) => {
    const many = Array.from({ length: 100 }, (_, index) => (
      route(`198.51.100.${index + 10}/32` as typeof vip)
    ));
    await routes(route(vip), route(vip2), ...many);
    await installed(vip);
    await installed('198.51.100.109/32');
    // The helpers are noted when the sessions have been seen.
    await until('both are helpers', () => ['bird', 'frr'].every((name) => (
      node.session(name)?.capabilities?.restartTime !== undefined
    )));
    const monitors = [segment.monitor('bird'), segment.monitor('frr')];
    await rest(200);
    node.events.length = 0;
    if (who === 'the speaker dies') node.crash();
    else {
      await node.replaceAgent();
      for (const name of ['bird', 'frr']) {
        // One endpoint went meanwhile.
        void node.setRoutes(name, route(vip), ...many);
      }
      void both();
      t.is(await node.start(), 'ok');
    }
    await node.up('bird', 'frr');
    if (who === 'the agent is replaced') await installed(vip2, false);
    await rest(3_000);
    for (const monitor of monitors) {
      for (const { prefix } of [route(vip), ...many]) t.deepEqual(monitor.changes(prefix), []);
      t.deepEqual(monitor.changes(vip2), who === 'the speaker dies' ? [] : ['delete']);
    }
    await routes();
    await installed(vip, false);
  });
}
