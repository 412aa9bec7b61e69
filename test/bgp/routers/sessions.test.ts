import anyTest from 'ava';
import { ip } from '../../../lb/ip.ts';
import { route, vip, vip2 } from '../../contract/speaker.ts';
import { BirdRouter, routersMissing, Segment } from './segment.ts';
import { SpeakerNode, rest, until } from './node.ts';

// What happens to sessions with BIRD: AS numbers, resets, passwords, drain (rows of bgp.md 12).
// Each test begins with a router of its own values.

const test = routersMissing() === undefined ? anyTest.serial : anyTest.serial.skip;

let segment: Segment;
let node: SpeakerNode;
let bird: BirdRouter;

if (routersMissing() === undefined) {
  anyTest.before(async () => {
    segment = Segment.open();
    bird = new BirdRouter(segment);
    await bird.start();
    node = new SpeakerNode(segment);
    await node.start();
  });
  anyTest.after.always(async () => {
    await node.close();
    segment.close();
  });
}

const at = (): string => segment.address('bird');
const peer = (more: Parameters<SpeakerNode['peer']>[2] = {}): ReturnType<SpeakerNode['peer']> => (
  node.peer('bird', at(), more)
);

function installed(prefix: string): boolean {
  return segment.run('bird', 'ip', 'route', 'show', prefix) !== '';
}

test('bgp 32: another AS number than the router has never comes up', async (t) => {
  await bird.restart();
  await node.setPeers(peer({ asn: 65_099 }));
  await until('BIRD is told why', () => (
    bird.ask('show', 'protocols', 'all', 'n1').includes('Bad peer AS')
  ));
  t.not(node.session('bird')?.state, 'established');
  await node.setPeers(peer({ asn: 65_020 }));
  await node.up('bird');
  t.is(node.session('bird')?.remoteAsn, 65_020);
  await node.setPeers();
});

test('bgp 22: an IPv4 route goes by an IPv6 session', async (t) => {
  await bird.restart({ more: `protocol bgp n6 {
  local fd00:99::4 as 65020; neighbor fd00:99::1 as 65001;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export none; extended next hop on; }; ipv6 { import all; export none; }; }` });
  await node.setRoutes('six', route(vip));
  await node.setPeers(node.peer('six', segment.address('bird', 'IPv6')));
  await node.up('six');
  await until('the route is there', () => installed(vip));
  t.regex(bird.route(vip), /BGP\.next_hop: fd00:99::1/u);
  t.true(node.session('six')?.capabilities?.extendedNextHop);
  await node.setPeers();
});

test('bgp 40: a reset session is back at once, and no route leaves', async (t) => {
  await bird.restart();
  await node.setRoutes('bird', route(vip), route(vip2));
  await node.setPeers(peer({ restart: 30 }));
  await node.up('bird');
  await until('the routes are there', () => installed(vip) && installed(vip2));
  // A session that lasted ten seconds is kicked without delay.
  await rest(10_500);
  const monitor = segment.monitor('bird');
  await rest(200);
  const mark = node.events.length;
  segment.run('bird', '/usr/bin/ss', '-K', 'dst', '10.99.0.1');
  await until('the loss is seen', () => node.events.slice(mark).some((event) => (
    event.kind === 'session' && event.session.state !== 'established'
  )));
  const took = await node.up('bird');
  t.true(took < 6_000, `${took} ms`);
  await rest(2_500);
  t.deepEqual(monitor.changes(vip), []);
  t.deepEqual(monitor.changes(vip2), []);
  await node.setPeers();
});

// GoBGP 3.10 leaves the key of a deleted peer on its listener: whoever then dials without one is
// not heard, so that only the node dials. What needs a router that dials stands before this.
test('bgp 31, G19: a password fits, does not fit, and is rotated', async (t) => {
  await bird.restart({ password: 'correct' });
  await node.setRoutes('bird', route(vip));
  await node.setPeers(peer({ password: { text: 'wrong', version: '1/1' } }));
  await rest(4_000);
  t.not(node.session('bird')?.state, 'established');
  t.false(installed(vip));
  await node.setPeers(peer({ password: { text: 'correct', version: '1/2' } }));
  await node.up('bird');
  await until('the route is there', () => installed(vip));
  await bird.restart({ password: 'rotated' });
  await node.setPeers(peer({ password: { text: 'rotated', version: '1/3' } }));
  await until('the session is new', () => bird.established('n1'));
  await until('the route is there again', () => installed(vip));
  await node.setPeers();
});

test('bgp 38: a drained speaker leaves no route behind, nor a session', async (t) => {
  await bird.restart();
  await node.setRoutes('bird', route(vip), route(vip2));
  await node.setPeers(peer({ restart: 30 }), node.peer('away', '10.99.0.77', {
    localAddress: ip('10.99.0.1'),
  }));
  await node.up('bird');
  await until('the routes are there', () => installed(vip) && installed(vip2));
  t.is(await node.stop('withdraw'), 'ok');
  t.false(installed(vip) || installed(vip2));
  await until('the session ended', () => !bird.established('n1'));
  t.is(node.pid, undefined);
});
