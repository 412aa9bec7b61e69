import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { manifestsOf } from '../sim/fixture.ts';
import { checkedPrograms } from '../vm/checked.ts';
import { Rig } from './advertising.ts';
import { advertisement, common, service, serviceEntry } from './objects.ts';

const aggregated = advertisement([serviceEntry({
  service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 24 },
})]);

test('a black hole comes before its aggregate and goes after it', (t) => {
  const rig = Rig.announcing([...common, aggregated, service()]);
  t.deepEqual(rig.blackholes, ['add 198.51.100.0/24']);
  const speaker = rig.speakers.of();
  t.deepEqual(speaker.routes.get('tor')?.map(({ prefix }) => prefix), ['198.51.100.0/24']);
  rig.put(service({ name: 'b', ingress: ['198.51.100.9'] }));
  rig.run(100);
  rig.tables.services.delete('test/svc');
  rig.run(100);
  t.is(rig.blackholes.length, 1, 'the aggregate stands');
  rig.tables.services.delete('test/b');
  rig.run(100);
  t.deepEqual(rig.blackholes, ['add 198.51.100.0/24', 'remove 198.51.100.0/24']);
});

test('black holes of an earlier life are adopted, or go', (t) => {
  const rig = new Rig([...common, aggregated, service()]);
  rig.holes.push('198.51.100.0/24' as never, '203.0.113.0/24' as never);
  rig.complete();
  rig.advertiser.start();
  rig.run(100);
  t.deepEqual(rig.blackholes, ['remove 203.0.113.0/24']);
});

test('an agent that restarts keeps its black holes, one that leaves takes them along', (t) => {
  const keep = Rig.announcing([...common, aggregated, service()]);
  keep.advertiser.stop('keep', () => undefined);
  keep.run(1000);
  t.deepEqual(keep.holes, ['198.51.100.0/24' as never]);
  const leave = Rig.announcing([...common, aggregated, service()]);
  leave.advertiser.stop('withdraw', () => undefined);
  leave.run(1000);
  t.deepEqual(leave.holes, []);
});

test('bgp 19: a packet to an unassigned address of an aggregate ends on the node', (t) => {
  const folder = 'kind/examples/bgp-rack';
  const objects = manifestsOf(...['nodes', 'services', 'fairlead'].map(
    (file) => `${folder}/${file}.yaml`,
  )).map((object: any): KubeObject => (object.kind !== 'CiliumBGPAdvertisement' ? object : {
    ...object, spec: { advertisements: [{
      advertisementType: 'Service', selector: {},
      service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 26 },
    }] },
  }));
  const cluster = new Cluster({
    seed: 1n, cluster: defaultCluster(), network: undefined, objects, freeze: true,
    programs: checkedPrograms,
    traffic: [{
      name: 'stray', from: 'phone', to: '203.0.113.60:80', protocol: 'UDP', every: 1_000_000,
      flows: 0, family: 'IPv4',
    }],
  });
  const ends = new Map<string, number>();
  cluster.tap.onStep(({ place, what, why, packet }) => {
    if (packet?.target !== '203.0.113.60' || what !== 'dropped') return;
    const key = `${place.split(' ')[0]} ${why}`;
    ends.set(key, (ends.get(key) ?? 0) + 1);
  });
  cluster.start();
  cluster.world.run(30_000_000);
  const count = ends.get('node blackhole') ?? 0;
  t.true(count > 5, JSON.stringify([...ends]));
  t.false([...ends.keys()].some((key) => key.endsWith(' ttl')), JSON.stringify([...ends]));
});
