import { whole } from './decoding.ts';

const selector = {
  matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }],
};
const attributes = {
  communities: { standard: ['1:2'], wellKnown: ['no-export'], large: ['1:2:3'] },
  localPreference: 5,
};
const timers = { connectRetryTimeSeconds: 5, holdTimeSeconds: 9, keepAliveTimeSeconds: 3 };
const gracefulRestart = { enabled: true, restartTimeSeconds: 30 };

/** A good object of each BGP kind with every field that is read. */
export const bgpWholes = {
  bgpClusterConfig: whole('bgpClusterConfig', {
    spec: {
      nodeSelector: selector,
      bgpInstances: [{
        name: 'i', localASN: 65001, localPort: 179, peers: [
          { name: 'p', peerAddress: '10.0.0.1', peerASN: 1, peerConfigRef: { name: 'c' } },
          {
            name: 'g',
            autoDiscovery: { mode: 'DefaultGateway', defaultGateway: { addressFamily: 'ipv6' } },
          },
        ],
      }],
    },
  }),
  bgpPeerConfig: whole('bgpPeerConfig', {
    spec: {
      transport: { peerPort: 1790, sourceInterface: 'eth0' }, timers, gracefulRestart,
      authSecretRef: 's', ebgpMultihop: 2,
      families: [{ afi: 'ipv4', safi: 'unicast', advertisements: selector }],
    },
  }),
  bgpAdvertisement: whole('bgpAdvertisement', {
    spec: {
      advertisements: [
        {
          advertisementType: 'Service', selector, attributes,
          service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 24 },
        },
        { advertisementType: 'Interface', interface: { name: 'eth0' } },
      ],
    },
  }),
  bgpNodeConfig: whole('bgpNodeConfig', {
    spec: {
      bgpInstances: [{
        name: 'i', localASN: 65001, routerID: '1.2.3.4',
        peers: [{ name: 'p', peerAddress: 'fe80::1%eth0', localAddress: '10.0.0.2' }],
      }],
    },
    status: { bgpInstances: [], conditions: [{ type: 'T', status: 'True' }] },
  }),
  bgpNodeConfigOverride: whole('bgpNodeConfigOverride', {
    spec: {
      bgpInstances: [{
        name: 'i', routerID: '1.2.3.4', localPort: 1, localASN: 2,
        peers: [{ name: 'p', localAddress: '10.0.0.2' }],
      }],
    },
  }),
  bgpPeeringPolicy: whole('bgpPeeringPolicy', {
    spec: {
      nodeSelector: selector,
      virtualRouters: [{
        localASN: 65001, exportPodCIDR: true, podIPPoolSelector: selector,
        serviceSelector: selector, serviceAdvertisements: ['ExternalIP'],
        neighbors: [{
          peerAddress: '10.0.0.1/32', peerASN: 1, ...timers, gracefulRestart,
          families: [{ afi: 'ipv4', safi: 'unicast' }],
          advertisedPathAttributes: [{ selectorType: 'PodCIDR', selector, ...attributes }],
        }],
      }],
    },
  }),
  ciliumNode: whole('ciliumNode', {
    spec: {
      ipam: {
        podCIDRs: ['10.0.0.0/24'],
        pools: { allocated: [{ pool: 'a', cidrs: ['10.1.0.0/24'] }] },
      },
    },
  }),
  ciliumPodIpPool: whole('ciliumPodIpPool', { spec: {} }),
};
