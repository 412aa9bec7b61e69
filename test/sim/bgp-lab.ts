import type { Route, SpeakerPeer, SpeakerPort } from '../../bgp/port.ts';
import { ip, type Ip, type Prefix } from '../../lb/ip.ts';
import { BgpRouter } from '../../sim/bgp/bgprouter.ts';
import type { FibChange } from '../../sim/bgp/fib.ts';
import { Md5Keys } from '../../sim/bgp/keys.ts';
import type { Neighbour, RouterBgpOptions } from '../../sim/bgp/routeroptions.ts';
import { NodeSpeakers } from '../../sim/bgp/speakers.ts';
import { Host } from '../../sim/net/host.ts';
import { Router } from '../../sim/net/router.ts';
import { Segment } from '../../sim/net/segment.ts';
import { PacketTap } from '../../sim/net/tap.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

export const second = 1_000_000;
export const vip = '198.51.100.1/32' as Prefix;
export const vip6 = '2001:db8:100::1/128' as Prefix;

export function route(prefix: Prefix, more: Partial<Route> = {}): Route {
  return { prefix, origin: 'igp', communities: [], large: [], ...more };
}

export interface LabOptions {
  readonly seed?: bigint;
  readonly nodes?: number;
  readonly router?: Partial<RouterBgpOptions>;
  readonly neighbour?: Partial<Neighbour>;
  readonly peer?: Partial<SpeakerPeer>;
}

/** A machine with a speaker, as a node has one. */
export interface LabNode {
  readonly name: string;
  readonly host: Host;
  readonly speakers: NodeSpeakers;
  readonly port: SpeakerPort;
}

/** Nodes n1.. at 10.99.0.1.. and the router tor at 10.99.0.200 on one wire; AS 65001 and 65010. */
export class BgpLab {
  readonly world: World;
  readonly tap: PacketTap;
  readonly lan: Segment;
  readonly keys = new Md5Keys();
  readonly tor: BgpRouter;
  readonly nodes: LabNode[] = [];
  /** Changes of the router's forwarding table, with their times. */
  readonly changes: (FibChange & { readonly time: number })[] = [];
  #options: LabOptions;

  constructor(options: LabOptions = {}) {
    this.#options = options;
    this.world = new World({ seed: options.seed ?? 1n });
    this.tap = new PacketTap(this.world);
    this.lan = new Segment(this.tap, 'lan');
    this.tor = this.addRouter('tor', 200, 65_010, options.router);
    this.tor.bgp.onRoute((change) => this.changes.push({ ...change, time: this.world.now }));
    this.tor.start();
    for (let index = 1; index <= (options.nodes ?? 1); index += 1) this.#addNode(index);
    for (const { port } of this.nodes) {
      port.setRoutes('tor', [route(vip), route(vip6)], () => undefined);
      this.peers(port, this.peer());
    }
  }

  addRouter(
    name: string, index: number, asn: number, more: Partial<RouterBgpOptions> = {},
  ): BgpRouter {
    const router = new Router(this.tap, { name });
    router.connect({ segment: this.lan, mac: `02:00:00:00:01:${index.toString(16)}`, addresses: [
      { ip: ip(`10.99.0.${index}`), prefixBits: 24 },
      { ip: ip(`fd00:99::${index}`), prefixBits: 64 },
    ] });
    return new BgpRouter(router, this.tap, {
      asn, routerId: ip(`10.99.0.${index}`), port: 179, profile: 'bird', hold: 90, keepalive: 30,
      neighbours: [{
        from: '10.99.0.0/24' as Prefix, asn: 0, dials: false, port: 179, password: undefined,
        ...this.#options.neighbour,
      }],
      confederation: [],
      networks: [], pathsMax: 16, relax: true,
      ecmp: { mapper: 'threshold', fields: '5-tuple', seed: 1 }, restartTime: 120,
      prefixesMax: undefined, requirePolicy: false, extendedNextHop: true, convergence: 4000,
      updateDelay: 0,
      ...more,
    }, this.keys);
  }

  peer(more: Partial<SpeakerPeer> = {}): SpeakerPeer {
    return {
      name: 'tor', address: { ip: ip('10.99.0.200') }, asn: 65_010, port: 179,
      timers: { connectRetry: 5, hold: 9, keepalive: 3 }, families: ['IPv4', 'IPv6'],
      ...this.#options.peer, ...more,
    };
  }

  peers(port: SpeakerPort, ...peers: readonly SpeakerPeer[]): void {
    port.setPeers(peers, () => undefined);
  }

  run(duration: number): void {
    this.world.schedule(duration, { kind: 'wait', entity: 'test' }, () => undefined);
    this.world.run(this.world.now + duration);
  }

  nextHops(prefix: Prefix = vip): readonly Ip[] {
    return this.tor.bgp.fib.nextHops(prefix);
  }

  /** Power off without a word. */
  kill(node: number): void {
    const { host, speakers } = this.nodes[node - 1]!;
    host.transport.vanish();
    host.nic.setAdminUp(false);
    speakers.powerOff();
  }

  #addNode(index: number): void {
    const name = `n${index}`;
    const host = new Host(this.tap, {
      name, mac: `02:00:00:00:00:0${index}`, segment: this.lan, addresses: [
        { ip: ip(`10.99.0.${index}`), prefixBits: 24 },
        { ip: ip(`fd00:99::${index}`), prefixBits: 64 },
      ],
    });
    const clock = new MachineClock(this.world);
    const machine = {
      name, world: this.world, clock, host: host.transport, stack: host.stack,
    };
    const speakers = new NodeSpeakers(machine, { keys: this.keys, deferral: 5, drain: 0 });
    const port = speakers.open(new Process(this.world, `agent/${name}`, clock), 'main');
    port.start({ asn: 65_001, routerId: ip(`10.99.0.${index}`), listenPort: 179 }, () => undefined);
    this.nodes.push({ name, host, speakers, port });
  }
}
