import test from 'ava';
import { policyStatements } from '../../bgp/gobgp/policyviews.ts';
import { v3 } from '../../bgp/gobgp/dialect.ts';
import { ip } from '../../lb/ip.ts';
import { route, vip } from '../contract/speaker.ts';
import { peer, Stage } from './gobgp/stage.ts';

test('statements of the layout read as rows', (t) => {
  const rows = policyStatements([
    {
      neighbour: '10.0.0.254/32',
      spec: { target: { index: 1, set: 0 }, attributes: undefined, next6: ip('2001:db8::1') },
    },
    {
      neighbour: '10.0.0.254/32',
      spec: {
        target: { index: 1, set: 2 }, next6: undefined,
        attributes: {
          communities: [65_000 * 65_536 + 10], large: [[65_001, 1, 2]], localPref: 70,
          next6: undefined,
        },
      },
    },
  ]);
  const texts = rows.map(({ policy, statement, direction, peers, families, control, actions }) => [
    policy, statement, direction, peers.join(), families.join(), control ?? '-',
    actions.join(', '),
  ].join('|'));
  t.deepEqual(texts, [
    'fl1-import|fl1-import|import|||-|routes of our own alone',
    'fl1-p1|fl1-p1-a0-v6|export|10.0.0.254/32|IPv6|1:0|remove control, next hop 2001:db8::1',
    'fl1-p1|fl1-p1-a0|export|10.0.0.254/32||1:0|remove control',
    'fl1-p1|fl1-p1-a2|export|10.0.0.254/32||1:2|' +
    'communities 65000:10, large 65001:1:2, local preference 70',
  ]);
});

test('a speaker shows what it installed in its daemon', (t) => {
  const stage = new Stage({ dialect: v3 });
  // One prefix with other attributes for each peer: each gets a set of its own.
  stage.setRoutes('p11', route(vip, { communities: [1] }));
  stage.setRoutes('p12', route(vip, { communities: [2] }));
  stage.setPeers(peer(11), peer(12));
  stage.start();
  stage.run(1);
  const shown = (stage.port.policies?.() ?? []).map(({ statement }) => statement);
  t.deepEqual(shown.toSorted(), [
    'fl1-import', ...stage.daemon.statements.keys().filter((name) => name !== 'fl1-import'),
  ].toSorted());
  t.true(shown.includes('fl1-p1-a1') && shown.includes('fl1-p2-a2'), shown.join());
});
