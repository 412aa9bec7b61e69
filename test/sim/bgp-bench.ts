import type { Family, Ip, Prefix } from '../../lb/ip.ts';
import { ip } from '../../lb/ip.ts';
import { Md5Keys } from '../../sim/bgp/keys.ts';
import type { OpenMessage, UpdateMessage } from '../../sim/bgp/message.ts';
import { Peer, type BgpSite } from '../../sim/bgp/peer.ts';
import { NodeSpeakers } from '../../sim/bgp/speakers.ts';
import { Host } from '../../sim/net/host.ts';
import { Segment } from '../../sim/net/segment.ts';
import { PacketTap } from '../../sim/net/tap.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import type { Heard, HeardRoute, ObservingPeer, RouterName, SpeakerBench } from
  '../contract/speaker.ts';

/** A host and what a BGP process on it needs. */
export function siteOf(host: Host): BgpSite {
  const { world } = host.stack.tap;
  return {
    name: `router ${host.name}`, world, transport: host.transport,
    prng: world.stream(`router ${host.name}`),
    enter: (callback) => callback(),
    later: (delay, kind, callback) => world.schedule(delay, { kind, entity: host.name }, callback),
    sourceFor: (remote) => host.stack.sourceTowards(remote),
    addressOf: (family) => host.stack.addressOf(family),
  };
}

interface Place {
  readonly name: RouterName;
  readonly address: Ip;
  readonly asn: number;
}

const second = 1_000_000;

/** A peer that takes any speaker and writes down what it hears. */
class Observer implements ObservingPeer {
  readonly address: Ip;
  readonly asn: number;
  readonly port = 179;
  readonly heard: Heard[] = [];
  readonly table = new Map<Prefix, HeardRoute>();
  #peer: Peer;

  constructor(host: Host, place: Place, speaker: Ip) {
    this.address = place.address;
    this.asn = place.asn;
    const never = { min: 1000 * second, max: 1000 * second };
    this.#peer = new Peer(siteOf(host), { ip: speaker, port: 179 }, {
      localAsn: place.asn, routerId: ip(`192.0.2.${10 + ['a', 'b', 'inner', 'six']
        .indexOf(place.name)}`),
      peerAsn: 0, hold: 90, keepalive: 30, families: ['IPv4', 'IPv6'], extendedNextHop: true,
      passive: true, firstDial: never, redial: never, idleHold: 0,
      restart: { time: 120, restarting: false }, staleTime: 1000 * second,
    }, {
      onUp: () => this.heard.push({ kind: 'established' }),
      onDown: (cause) => {
        const said = /received NOTIFICATION (\d+)\/(\d+)/u.exec(cause);
        if (said !== null) {
          this.heard.push({
            kind: 'notification', code: Number(said[1]), subcode: Number(said[2]),
          });
        }
        this.heard.push({ kind: 'closed' });
        this.table.clear();
      },
      onSweep: () => undefined,
      onUpdate: (update) => this.#take(update),
      onRefresh: () => undefined,
      onState: () => {
        const { open } = this.#peer;
        const heard = this.#peer.state === 'open-confirm' && open !== undefined;
        if (heard) this.heard.push(asHeard(open));
      },
    });
    this.#peer.start();
    host.transport.listen(179, (connection) => this.#peer.accept(connection));
  }

  get established(): boolean {
    return this.#peer.session !== undefined;
  }

  cut(): void {
    this.#peer.reset();
  }

  #take({ withdrawn, announced, attributes, endOfRib }: UpdateMessage): void {
    for (const prefix of withdrawn) {
      this.heard.push({ kind: 'withdraw', prefix });
      this.table.delete(prefix);
    }
    for (const { nextHop, prefixes } of announced) {
      for (const prefix of prefixes) {
        const { origin, asPath, localPref, communities, large } = attributes!;
        const route: HeardRoute = {
          nextHop, origin, asPath: asPath.flatMap(({ asns }) => asns), communities, large,
          ...(localPref === undefined ? {} : { localPref }),
        };
        this.heard.push({ kind: 'announce', prefix, route });
        this.table.set(prefix, route);
      }
    }
    if (endOfRib !== undefined) this.heard.push({ kind: 'end-of-rib', family: endOfRib });
  }
}

function asHeard({ asn, routerId, holdTime, capabilities }: OpenMessage): Heard {
  const { restart } = capabilities;
  return {
    kind: 'open', asn, routerId, hold: holdTime,
    families: capabilities.families.toSorted() as Family[],
    ...(restart === undefined ? {} : { restartTime: restart.time }),
    restarting: restart?.restarting === true,
    notificationRestart: restart?.notification === true,
  };
}

/** A speaker on a machine of its own and four routers, all on one wire. */
export function simBench(): SpeakerBench {
  const world = new World({ seed: 1n });
  const tap = new PacketTap(world);
  const lan = new Segment(tap, 'lan');
  const host = (name: string, index: number): Host => new Host(tap, {
    name, mac: `02:00:00:00:00:0${index}`, segment: lan, addresses: [
      { ip: ip(`10.99.0.${index}`), prefixBits: 24 },
      { ip: ip(`fd00:99::${index}`), prefixBits: 64 },
    ],
  });
  const node = host('n1', 1);
  const clock = new MachineClock(world);
  const machine = { name: 'n1', world, clock, host: node.transport, stack: node.stack };
  const speakers = new NodeSpeakers(machine, { keys: new Md5Keys(), deferral: 5, drain: 0 });
  const agent = new Process(world, 'agent/n1', clock);
  const speaker = speakers.open(agent, 'main');
  const local = { ip: ip('10.99.0.1'), ip6: ip('fd00:99::1') };
  const places: readonly Place[] = [
    { name: 'a', address: ip('10.99.0.2'), asn: 65_010 },
    { name: 'b', address: ip('10.99.0.3'), asn: 65_020 },
    { name: 'inner', address: ip('10.99.0.4'), asn: 65_001 },
    { name: 'six', address: ip('fd00:99::5'), asn: 65_030 },
  ];
  const routers = Object.fromEntries(places.map((place, index) => {
    const towards = place.name === 'six' ? local.ip6 : local.ip;
    return [place.name, new Observer(host(place.name, index + 2), place, towards)];
  })) as unknown as Record<RouterName, Observer>;
  const run = (time: number): void => {
    world.schedule(time, { kind: 'wait', entity: 'test' }, () => undefined);
    world.run(world.now + time);
  };
  return {
    speaker, routers, local,
    global: { asn: 65_001, routerId: ip('10.99.0.1'), listenPort: undefined },
    get starts() {
      return speakers.slot('main').starts;
    },
    crash: () => speakers.slot('main').kill(),
    now: () => world.now,
    pass: (what, done) => {
      const deadline = world.now + 120 * second;
      while (!done()) {
        if (world.now > deadline) return Promise.reject(new Error(`not in time: ${what}`));
        run(1000);
      }
      return Promise.resolve();
    },
    rest: (duration) => {
      run(duration);
      return Promise.resolve();
    },
  };
}
