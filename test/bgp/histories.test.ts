import test from 'ava';
import fc from 'fast-check';
import type { KubeObject } from '../../kube/port.ts';
import { parseIp, parsePrefix } from '../../lb/ip.ts';
import { Rig } from './advertising.ts';
import { derive, routeTexts } from './derive.ts';
import {
  advertisement, common, ep, nodeConfig, peerConfig, service, serviceEntry, slice, torPeer,
} from './objects.ts';

/** One step of a history: an object put, or one taken away, then some milliseconds. */
interface Step {
  readonly put: KubeObject | undefined;
  readonly drop: string | undefined;
  readonly wait: number;
}

const names = ['a', 'b', 'c'];
const ingress = fc.constantFrom('198.51.100.1', '198.51.100.2', '2001:DB8::1', '010.0.0.1', 'x');
const policy = fc.constantFrom('Local', 'Cluster');
const services = fc.tuple(fc.constantFrom(...names), ingress, policy).map(
  ([name, address, externalTrafficPolicy]) =>
    service({ name, ingress: [address], spec: { externalTrafficPolicy } }),
);
const slices = fc.tuple(
  fc.constantFrom(...names), fc.constantFrom<'IPv4' | 'IPv6'>('IPv4', 'IPv6'),
  fc.subarray(['n1', 'n2']),
).map(([of, family, nodes]) => slice({ of, family, endpoints: nodes.map((node) => ep(node)) }));
const peers = fc.subarray([
  torPeer, { ...torPeer, name: 'other', peerAddress: '10.99.0.4', peerConfigRef: { name: 'b' } },
]).map((list) => nodeConfig(list));
const entries = fc.record({
  community: fc.constantFrom('65000:1', '65000:2'), length: fc.constantFrom(undefined, 24, 26),
}).map(({ community, length }) => advertisement([serviceEntry({
  service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: length },
  attributes: { communities: { standard: [community] } },
})]));
const step: fc.Arbitrary<Step> = fc.record({
  put: fc.oneof(services, slices, peers, entries, fc.constant(undefined)),
  drop: fc.option(fc.constantFrom(...names), { nil: undefined }),
  wait: fc.constantFrom(0, 1, 30, 400),
});

test('whatever happened, speakers end with what the objects ask for, in canonical text', (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const start = [...common, peerConfig({}, 'b'), advertisement([serviceEntry()])];
    const rig = Rig.announcing(start);
    const last = new Map(start.map((object) => [keyOf(object), object]));
    for (const { put, drop, wait } of steps) {
      if (put !== undefined) {
        rig.put(put);
        last.set(keyOf(put), put);
      }
      if (drop !== undefined && rig.tables.services.delete(`test/${drop}`)) {
        last.delete(`Service ${drop}`);
      }
      rig.run(wait);
      for (const routes of rig.speakers.of().routes.values()) {
        for (const { prefix } of routes) {
          const parsed = parsePrefix(prefix);
          t.true(parsed.ok && parsed.value.prefix === prefix && !parsed.value.hostBits, prefix);
        }
      }
    }
    // Longer than what flapping prefixes rest, and than what statuses wait.
    rig.run(10_000);
    const speaker = rig.speakers.of();
    const told = speaker.peers.flatMap((peer) => {
      t.true(parseIp(peer.address.ip).ok);
      return routeTexts([{
        name: 'main', global: undefined, error: undefined, skipped: [], warnings: [],
        aggregates: [], peers: [{ peer, routes: speaker.routes.get(peer.name) ?? [] }],
      }]);
    });
    t.deepEqual(told, routeTexts(derive([...last.values()])));
    t.deepEqual(rig.advertiser.pending(), []);
  }), { seed: 3, numRuns: 60 });
});

function keyOf(object: KubeObject): string {
  return `${object.kind} ${object.metadata?.name}`;
}
