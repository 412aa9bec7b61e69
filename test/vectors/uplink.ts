import { at, service } from './fixture.ts';
import { frame } from './packet.ts';
import type { Vector } from './vector.ts';

const syn = (ports: readonly [number, number], flags = 'S') =>
  ({ kind: 'tcp', ports, flags }) as const;
const asked = frame({ source: at.x, target: at.vip, body: syn([40000, 80]) });

/** V49 to V51: the paths of a packet from outside. */
export const uplinkVectors: readonly Vector[] = [
  {
    name: 'V49 V50 a SYN to a remote endpoint leaves with a node port, its answer comes back',
    rows: service(),
    steps: [
      {
        program: 'fl_uplink_in', device: 'uplink', packet: asked, seconds: 1000, draw: 1,
        verdict: 'redirect', redirect: 'uplink',
        bytes: frame({ source: at.node, target: at.b1, ttl: 63, body: syn([57707, 8080]) }),
        events: ['new none 203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080'],
        left: [
          'fl_ct forward 203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080 192.0.2.11:57707 b2 snat',
          'fl_snat reply 10.64.2.21:8080 192.0.2.11:57707 198.51.100.10:80 203.0.113.7:40000 b2 snat',
        ],
      },
      {
        program: 'fl_uplink_in', device: 'uplink', seconds: 1000,
        packet: frame({ source: at.b1, target: at.node, body: syn([8080, 57707], 'SA') }),
        verdict: 'redirect', redirect: 'uplink',
        bytes: frame({ source: at.vip, target: at.x, ttl: 63, body: syn([80, 40000], 'SA') }),
        events: [],
        left: [
          'fl_ct forward 203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080 192.0.2.11:57707 b2 answered snat',
          'fl_snat reply 10.64.2.21:8080 192.0.2.11:57707 198.51.100.10:80 203.0.113.7:40000 b2 answered snat',
        ],
      },
    ],
  },
];
