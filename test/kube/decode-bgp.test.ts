import test from 'ava';
import { refersToPeerConfig, type PeerConfigRef } from '../../lb/bgpmodel.ts';
import { bgpWholes } from './bgpwholes.ts';
import { decode, reads, texts, whole, type Fields, type Kind } from './decoding.ts';

// BGP objects work as a unit: a fault in the spec refuses the object, whose last good row stays.
const refuses = test.macro({
  exec: (t, kind: Kind, spec: Fields, ...faults: string[]) => {
    const read = decode(kind, whole(kind, { spec }));
    t.is(read.row, undefined);
    t.deepEqual(texts(read.faults), faults);
  },
  title: (_, kind, spec, fault) => `${kind} ${JSON.stringify(spec).slice(0, 80)}: ${fault}`,
});

test('every field of a good object is read, and leaves no fault', (t) => {
  for (const [kind, object] of Object.entries(bgpWholes)) {
    const { row, faults } = decode(kind as Kind, object);
    t.deepEqual(faults, [], kind);
    t.not(row, undefined, kind);
  }
});

test('a fault of a status takes no configuration out of force', (t) => {
  const { row, faults } = decode('bgpClusterConfig', whole('bgpClusterConfig', {
    spec: { bgpInstances: [] }, status: { conditions: 7 },
  }));
  t.not(row, undefined);
  t.deepEqual(texts(faults), ['status.conditions: expected a list, got 7']);
});

const peers = (...list: Fields[]): Fields => ({ bgpInstances: [{ name: 'i', peers: list }] });
const at = 'spec.bgpInstances[0]';
test(refuses, 'bgpClusterConfig', { bgpInstances: [{ name: 'i', localASN: 0 }] },
  `${at}.localASN: expected integer 1..4294967295, got 0`);
test(refuses, 'bgpClusterConfig', { bgpInstances: [{ name: 'i' }, { name: 'i' }] },
  "spec.bgpInstances[1].name: 'i' stands twice");
test(refuses, 'bgpClusterConfig', peers({ name: 'p' }),
  `${at}.peers[0].peerAddress: required without autoDiscovery`);
test(refuses, 'bgpClusterConfig', peers({ name: 'p', peerAddress: '10.0.0.1/32' }),
  `${at}.peers[0].peerAddress: expected an address without prefix length, got "10.0.0.1/32"`);
test(refuses, 'bgpClusterConfig', peers({ name: 'p', peerAddress: '10.0.0.1%eth0' }),
  `${at}.peers[0].peerAddress: expected an address without prefix length, got "10.0.0.1%eth0"`);
test(refuses, 'bgpClusterConfig', peers({ name: 'p', peerAddress: '010.0.0.1' }),
  `${at}.peers[0].peerAddress: expected an address without prefix length, got "010.0.0.1"`);
test(refuses, 'bgpClusterConfig', peers({ name: 'p', peerAddress: '1.1.1.1', peerASN: -1 }),
  `${at}.peers[0].peerASN: expected integer 0..4294967295, got -1`);

test('the reference of v2alpha1 has to name a PeerConfig of ours', (t) => {
  const ref = (fields: Fields): PeerConfigRef => {
    const { row } = decode('bgpClusterConfig', whole('bgpClusterConfig', {
      spec: peers({ name: 'p', peerAddress: '::1', peerConfigRef: { name: 'c', ...fields } }),
    }));
    return (row as any).instances[0].peers[0].config;
  };
  t.true(refersToPeerConfig(ref({})));
  t.true(refersToPeerConfig(ref({ group: 'cilium.io', kind: 'CiliumBGPPeerConfig' })));
  t.false(refersToPeerConfig(ref({ group: 'example.com' })));
  t.false(refersToPeerConfig(ref({ kind: 'Secret' })));
});

// bgp 28: timers that no session could have.
const timers = (fields: Fields): Fields => ({ timers: fields });
test(refuses, 'bgpPeerConfig', timers({ holdTimeSeconds: 30, keepAliveTimeSeconds: 31 }),
  'spec.timers.keepAliveTimeSeconds: 31 is larger than holdTimeSeconds 30');
test(refuses, 'bgpPeerConfig', timers({ holdTimeSeconds: 2, keepAliveTimeSeconds: 1 }),
  'spec.timers.holdTimeSeconds: expected integer 3..65535, got 2');
test(refuses, 'bgpPeerConfig', timers({ holdTimeSeconds: 0, keepAliveTimeSeconds: 1 }),
  'spec.timers.holdTimeSeconds: expected integer 3..65535, got 0');
test(refuses, 'bgpPeerConfig', timers({ holdTimeSeconds: 9 }),
  'spec.timers.keepAliveTimeSeconds: 30 is larger than holdTimeSeconds 9');
test(refuses, 'bgpPeerConfig', { gracefulRestart: { restartTimeSeconds: 3 } },
  'spec.gracefulRestart.enabled: required');

test(reads, 'bgpPeerConfig', {}, {
  port: 179, timers: { connectRetry: 120, hold: 90, keepalive: 30 }, restart: undefined,
  ebgpMultihop: 1,
});
// bgp 54: a family that is not spoken is kept, so that it can be reported.
test(reads, 'bgpPeerConfig', { spec: { families: [{ afi: 'l2vpn', safi: 'evpn' }] } }, {
  families: [{ afi: 'l2vpn', safi: 'evpn', family: undefined, advertisements: undefined }],
});

// bgp 14: texts of communities.
const communities = (of: Fields): Fields => ({
  advertisements: [{ advertisementType: 'PodCIDR', attributes: { communities: of } }],
});
test('communities are read as numbers', (t) => {
  const { row } = decode('bgpAdvertisement', whole('bgpAdvertisement', {
    spec: communities({
      standard: ['4294967295', '0:0', '65000:10'], wellKnown: ['blackhole', 'no-export'],
      large: ['1:2:4294967295'],
    }),
  }));
  t.deepEqual((row as any).entries[0].attributes, {
    communities: [4294967295, 0, 4259840010, 0xffff029a, 0xffffff01],
    large: [[1, 2, 4294967295]], localPref: undefined,
  });
});
const listed = 'spec.advertisements[0].attributes.communities';
for (const text of ['4294967296', '65536:1', '1:2:3', 'no-export', '-1', '']) {
  test(refuses, 'bgpAdvertisement', communities({ standard: [text] }),
    `${listed}.standard[0]: no community: ${JSON.stringify(text)}`);
}
for (const text of ['1:2', '1:2:4294967296', '1:2:3:4', '1::3']) {
  test(refuses, 'bgpAdvertisement', communities({ large: ['1:2:3', text] }),
    `${listed}.large[1]: no community: ${JSON.stringify(text)}`);
}
test(refuses, 'bgpAdvertisement', communities({ wellKnown: ['constructor'] }),
  `${listed}.wellKnown[0]: no community: "constructor"`);

const entry = (fields: Fields): Fields => ({ advertisements: [fields] });
test(refuses, 'bgpAdvertisement', entry({ advertisementType: 'Service' }),
  'spec.advertisements[0].service: required');
test(refuses, 'bgpAdvertisement', entry({ advertisementType: 'Service', service: {} }),
  'spec.advertisements[0].service.addresses: expected at least one');
test(refuses, 'bgpAdvertisement', entry({ advertisementType: 'Interface' }),
  'spec.advertisements[0].interface: required');
test(refuses, 'bgpAdvertisement', entry({ advertisementType: 'Route' }),
  'spec.advertisements[0].advertisementType: expected one of Service, PodCIDR, CiliumPodIPPool, '
    + 'Interface, got "Route"');
test(refuses, 'bgpNodeConfigOverride', { bgpInstances: [{ name: 'i', routerID: '::1' }] },
  `${at}.routerID: expected an IPv4 address other than 0.0.0.0, got ::1`);

test('only the owner that controls a NodeConfig is its owner', (t) => {
  const owner = (controller: boolean): Fields =>
    ({ kind: 'CiliumBGPClusterConfig', name: 'c', uid: 'u', controller });
  const read = (...ownerReferences: Fields[]): unknown =>
    decode('bgpNodeConfig', {
      metadata: { name: 'n', uid: 'u', resourceVersion: '1', ownerReferences },
    }).row?.['owner'];
  t.is(read(owner(false)), undefined);
  t.deepEqual(read(owner(false), owner(true)), {
    kind: 'CiliumBGPClusterConfig', name: 'c', uid: 'u',
  });
});

test('a legacy neighbour with a wider prefix has no address, and is left to be reported', (t) => {
  const { row } = decode('bgpPeeringPolicy', whole('bgpPeeringPolicy', {
    spec: {
      virtualRouters: [{
        localASN: 1, neighbors: [
          { peerAddress: '10.99.0.3/32', peerASN: 2 }, { peerAddress: '10.99.0.0/24', peerASN: 2 },
        ],
      }],
    },
  }));
  t.deepEqual((row as any).routers[0].neighbours.map((of: any) => of.address),
    ['10.99.0.3', undefined]);
});
