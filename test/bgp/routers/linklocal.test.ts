import anyTest from 'ava';
import { ip } from '../../../lb/ip.ts';
import { route, vip6 } from '../../contract/speaker.ts';
import { SpeakerNode, until } from './node.ts';
import { BirdRouter, routersMissing, Segment, type Place } from './segment.ts';

const test = routersMissing() === undefined ? anyTest.serial : anyTest.serial.skip;

/** The link-local address of a place, once no other host can have it (RFC 4862 5.4). */
async function linkLocal(segment: Segment, place: Place): Promise<string> {
  const shown = (): string => segment.run(
    place, 'ip', '-6', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'link', '-tentative',
  );
  await until('it has a link-local address', () => shown() !== '');
  return /inet6 (\S+)\/64/u.exec(shown())![1]!;
}

test('bgp G21: a peer at a link-local address of a zone hears its routes', async (t) => {
  const segment = Segment.open();
  const bird = new BirdRouter(segment);
  let node: SpeakerNode | undefined;
  try {
    const [own, other] = [await linkLocal(segment, 'n1'), await linkLocal(segment, 'bird')];
    const more = `protocol bgp ll {
      local as 65020; neighbor ${own}%eth0 as 65001; connect delay time 1; connect retry time 1;
      error wait time 1, 2; ipv6 { import all; export none; }; }`;
    await bird.start({ more });
    node = new SpeakerNode(segment);
    await node.setRoutes('ll', route(vip6));
    await node.start();
    const address = { ip: ip(other), zone: 'eth0' };
    t.is(await node.setPeers({ ...node.peer('ll', other), address, families: ['IPv6'] }), 'ok');
    await node.up('ll');
    await until('the route is there', () => (
      segment.run('bird', 'ip', '-6', 'route', 'show', vip6).includes(`via ${own} dev eth0`)
    ));
    t.is(node.session('ll')?.remoteAsn, 65_020);
  } finally {
    await node?.close();
    segment.close();
  }
});
