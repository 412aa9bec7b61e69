import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { Rig } from './advertising.ts';
import {
  advertisement, common, ep, nodeConfig, peerConfig, service, serviceEntry, slice, torPeer, vip,
} from './objects.ts';

const host = `${vip}/32`;
const local = service({ spec: { externalTrafficPolicy: 'Local' } });
const here = slice({ endpoints: [ep('n1')] });
const gone = slice({ endpoints: [] });

test('nothing is told before every listing is complete, and then paths before peers', (t) => {
  const rig = new Rig([...common, service()]);
  rig.advertiser.start();
  rig.run(60_000);
  t.deepEqual(rig.speakers.opened, []);
  t.deepEqual(rig.advertiser.pending(), ['bgp waits for listings and the data path']);
  rig.complete();
  rig.run(10);
  t.deepEqual(rig.speakers.of().take(),
    ['start 65001 10.99.0.1 -', `tor: ${host}`, 'peers tor']);
  rig.run(1000);
  t.deepEqual(rig.advertiser.pending(), []);
});

test('bgp 49: nothing is told until the data path serves, then each frontend counts', (t) => {
  const rig = new Rig([...common, service()]);
  rig.unprogrammed = undefined;
  rig.complete();
  rig.advertiser.start();
  rig.run(1000);
  t.deepEqual(rig.speakers.opened, []);
  rig.fronts(new Set([vip]));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), ['start 65001 10.99.0.1 -', 'tor: ', 'peers tor']);
  rig.fronts(new Set(), vip);
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), [`tor: ${host}`]);
  rig.fronts(new Set([vip]), vip);
  rig.run(1);
  t.deepEqual(rig.speakers.of().take(), ['tor: ']);
});

test('bgp 3: the last local endpoint takes the route with it in the same turn', (t) => {
  const rig = Rig.announcing([...common, local, here]);
  rig.put(gone);
  const at = rig.world.now;
  rig.run(0);
  t.deepEqual(rig.speakers.of().calls, [{ at, text: 'tor: ' }]);
  rig.run(10);
  const took = rig.samples.filter(({ name }) => name === 'bgp_withdraw_seconds');
  t.deepEqual(took.map(({ value }) => value), [0.001]);
});

test('bgp 3: a slice that is deleted takes the route with it in the same turn', (t) => {
  const rig = Rig.announcing([...common, local, here]);
  rig.tables.slices.delete('test/svc-ipv4');
  rig.run(0);
  t.deepEqual(rig.speakers.of().take(), ['tor: ']);
});

test('bgp 5: without endpoints the route follows them where it has to', (t) => {
  const rig = Rig.announcing([...common, service(), gone], { noServiceEndpointsRoutable: false });
  t.deepEqual(rig.speakers.of().routes.get('tor'), []);
  rig.put(here);
  rig.run(1000);
  rig.put(gone);
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), [`tor: ${host}`, 'tor: ']);
});

const aggregated = advertisement([serviceEntry({
  service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 24 },
})]);
test('bgp 16: an aggregate goes with the last address in it, and no message before', (t) => {
  const second = service({ name: 'second', ingress: ['198.51.100.2'] });
  const rig = Rig.announcing([...common, aggregated, service(), second]);
  rig.tables.services.delete('test/svc');
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), []);
  rig.tables.services.delete('test/second');
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), ['tor: ']);
});

test('bgp 20: a shared Local address goes with the last endpoint of any owner', (t) => {
  const other = service({ name: 'b', spec: { externalTrafficPolicy: 'Local' } });
  const rig = Rig.announcing([...common, local, here, other]);
  t.is(rig.speakers.of().routes.get('tor')?.length, 1);
  rig.put(gone);
  rig.run(0);
  t.deepEqual(rig.speakers.of().take(), ['tor: ']);
});

test('bgp 15: other attributes for one peer say nothing to the other', (t) => {
  const coloured = (colour: string, community: string) => advertisement(
    [serviceEntry({ attributes: { communities: { standard: [community] } } })], colour, { colour },
  );
  const peers = ['a', 'b'].map((name, index) => (
    { ...torPeer, name, peerAddress: `10.99.0.${3 + index}`, peerConfigRef: { name } }
  ));
  const rig = Rig.announcing([
    ...common, nodeConfig(peers), service(), coloured('red', '65000:1'),
    coloured('blue', '65000:2'), peerConfig({}, 'a', { colour: 'red' }),
    peerConfig({}, 'b', { colour: 'blue' }),
  ]);
  rig.put(coloured('blue', '65000:1'));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), [`b: ${host} 65000:1`]);
});

test('bgp 30: another address of a peer is the same routes and another set of peers', (t) => {
  const rig = Rig.announcing([...common, service()]);
  rig.put(nodeConfig([{ ...torPeer, peerAddress: '10.99.0.122' }]));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), ['peers tor']);
  t.is(rig.speakers.of().peers[0]?.address.ip, ip('10.99.0.122'));
});

test('bgp 45: what was mended is counted', (t) => {
  const rig = Rig.announcing([...common, service()]);
  rig.speakers.of().tell({ kind: 'drift', object: 'path', text: `path ${host}` });
  const repaired = rig.samples.filter(({ name }) => name === 'bgp_drift_repaired_total');
  t.deepEqual(repaired.map(({ value }) => value), [1]);
});

test('bgp 21: what comes back in the same turn is no change', (t) => {
  const rig = Rig.announcing([...common, service()]);
  rig.tables.services.delete('test/svc');
  rig.put(service());
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), []);
});

test('bgp 20: the first of two Services that share an address goes without a message', (t) => {
  const rig = Rig.announcing([...common, service(), service({ name: 'b' })]);
  rig.tables.services.delete('test/svc');
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), []);
  rig.tables.services.delete('test/b');
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), ['tor: ']);
});

test('a burst is two plans, and a loss in it is told at once', (t) => {
  const rig = Rig.announcing([...common, local, here]);
  const start = rig.world.now;
  const more = (index: number) => service({ name: `s${index}`, ingress: [`203.0.113.${index}`] });
  rig.put(more(1));
  rig.run(5);
  rig.put(more(2));
  rig.run(5);
  rig.put(more(3), gone);
  rig.run(100);
  const told = rig.speakers.of().calls.map(({ at, text }) => `${(at - start) / 1000} ${text}`);
  t.deepEqual(told, [
    `0 tor: ${host}, 203.0.113.1/32`,
    '10 tor: 203.0.113.1/32',
    '20 tor: 203.0.113.1/32, 203.0.113.2/32, 203.0.113.3/32',
  ]);
});

test('bgp 13: other attributes are one call about the routes, and none about the peer', (t) => {
  const entry = (community: string, localPreference: number) => advertisement([serviceEntry({
    attributes: { communities: { standard: [community] }, localPreference },
  })]);
  const rig = Rig.announcing([...common, service(), entry('65000:10', 50)]);
  rig.put(entry('65000:11', 60));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), [`tor: ${host} 65000:11`]);
});

test('bgp 30, 42: a peer that goes loses its routes first, the others hear nothing', (t) => {
  const other = { ...torPeer, name: 'other', peerAddress: '10.99.0.4' };
  const rig = Rig.announcing([...common, nodeConfig([torPeer, other]), service()]);
  rig.put(nodeConfig([other]));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), ['tor: ', 'peers other']);
});

test('an instance that goes is withdrawn, and comes back only after that', (t) => {
  const rig = Rig.announcing([...common, service()]);
  const first = rig.speakers.of();
  rig.tables.nodeConfigs.delete('n1');
  rig.run(0);
  t.deepEqual(first.take(), ['stop withdraw']);
  t.is(rig.speakers.opened.length, 1);
  rig.put(nodeConfig());
  rig.run(1000);
  t.is(rig.speakers.opened.length, 2);
  t.deepEqual(rig.speakers.of().take(),
    ['start 65001 10.99.0.1 -', `tor: ${host}`, 'peers tor']);
});

test('another router ID starts the router anew, and nothing else is repeated', (t) => {
  const rig = Rig.announcing([...common, service()]);
  rig.put(nodeConfig([torPeer], { routerID: '10.9.9.9' }));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), ['start 65001 10.9.9.9 -']);
});

test('what a speaker refuses is told again, later each time, and at once after a change', (t) => {
  const rig = Rig.announcing([...common, service()]);
  const speaker = rig.speakers.of();
  speaker.refusal = { kind: 'unreachable', text: 'no socket' };
  rig.put(service({ name: 'b', ingress: ['203.0.113.1'] }));
  const start = rig.world.now;
  rig.run(60_000);
  const times = speaker.calls.map(({ at }) => (at - start) / 1_000_000);
  t.true(speaker.calls.every(({ text }) => text === `tor: ${host}, 203.0.113.1/32`));
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  for (const [index, gap] of gaps.entries()) {
    const mean = Math.min(0.5 * 2 ** index, 15);
    t.true(gap >= mean / 2 && gap <= mean * 1.5 + 0.01, `${index}: ${gap}`);
  }
  t.true(gaps.length >= 5);
  t.not(rig.advertiser.instances[0]?.failed, undefined);
  speaker.take();
  speaker.refusal = undefined;
  rig.put(service({ name: 'c', ingress: ['203.0.113.2'] }));
  rig.run(1);
  t.deepEqual(speaker.take(), [`tor: ${host}, 203.0.113.1/32, 203.0.113.2/32`]);
  rig.run(1000);
  t.is(rig.advertiser.instances[0]?.failed, undefined);
  t.deepEqual(rig.advertiser.pending(), []);
});

test('bgp 48: a flapping prefix rests a second after its fourth withdraw', (t) => {
  const rig = Rig.announcing([...common, local, here]);
  const start = rig.world.now;
  for (let toggle = 0; toggle < 5; toggle += 1) {
    rig.put(gone);
    rig.run(200);
    rig.put(here);
    rig.run(200);
  }
  rig.run(5_000);
  const told = rig.speakers.of().calls
    .map(({ at, text }) => `${(at - start) / 1000} ${text === 'tor: ' ? 'withdraw' : 'announce'}`);
  t.deepEqual(told, [
    '0 withdraw', '200 announce', '400 withdraw', '600 announce', '800 withdraw', '1000 announce',
    '1200 withdraw', '2200 announce',
  ]);
});

test('stopping leaves every speaker in the way asked for, and then nothing is told', (t) => {
  const rig = Rig.announcing([...common, service()]);
  let ended = 0;
  rig.advertiser.stop('keep', () => { ended += 1; });
  rig.put(service({ name: 'b', ingress: ['203.0.113.1'] }));
  rig.run(60_000);
  t.is(ended, 1);
  t.deepEqual(rig.speakers.of().take(), ['stop keep']);
});

test('a peer without its configuration is no peer, and comes with it', (t) => {
  const rig = Rig.announcing([
    ...common, nodeConfig([{ ...torPeer, peerConfigRef: { name: 'y' } }]), service(),
  ]);
  t.deepEqual(rig.speakers.of().peers, []);
  rig.put(peerConfig({}, 'y'));
  rig.run(1000);
  t.deepEqual(rig.speakers.of().take(), [`tor: ${host}`, 'peers tor']);
});
