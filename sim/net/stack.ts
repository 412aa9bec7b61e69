import {
  groupMac, solicitedNodeGroup, zeroMac, broadcastMac, allNodes, type ArpFrame, type NdpFrame,
} from '../../l2/frames.ts';
import {
  familyOf, parsePrefix, prefixContains, type Family, type Ip, type PrefixParts,
} from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import { isLinkLocal, linkLocalOf, isGroupMac } from './address.ts';
import { Frame } from './frame.ts';
import { NeighbourCache, type NeighbourFacts } from './neighbour.ts';
import type { NeighbourSettings } from './neighbour-rules.ts';
import type { Nic } from './nic.ts';
import {
  agedPacket, noPayload, tupleOf, type IcmpMessage, type Packet, type PacketTuple,
} from './packet.ts';
import { RouteTable, type Route } from './route.ts';
import type { DropReason, InterfaceAddress, PacketTap } from './tap.ts';

/** One interface of a stack: its NIC, its addresses and what it knows about its neighbours. */
export interface StackInterface {
  readonly nic: Nic;
  /** What waits in it bears no MAC of its next hop yet. */
  readonly neighbours: NeighbourCache<Frame>;
  readonly addresses: readonly Ip[];
  /** Prefixes that are on the segment. */
  readonly subnets: readonly PrefixParts[];
}

interface OwnInterface extends StackInterface {
  readonly addresses: Ip[];
  readonly subnets: PrefixParts[];
}

export interface StackOptions {
  /** Names places and streams: `phone`, `router`. */
  readonly name: string;
  readonly place: string;
  readonly forwarding: boolean;
  readonly neighbour?: Partial<NeighbourSettings>;
}

const ttlDefault = 64;

/**
 * The IP layer of a machine: answers ARP and NDP for its addresses and ICMP echo, resolves
 * neighbours, looks up routes and forwards when told to (RFC 1122, RFC 1812, RFC 8200).
 */
export class IpStack {
  readonly name: string;
  readonly place: string;
  readonly tap: PacketTap;
  forwarding: boolean;
  readonly routes = new RouteTable<StackInterface>();
  /** Prefixes where packets end unless a route of them, or a longer one, leads on. */
  blackholes: readonly PrefixParts[] = [];
  /** Sees a frame first; undefined means that it was consumed. */
  ingress: ((frame: Frame, iface: StackInterface) => Frame | undefined) | undefined;
  /** Sees a packet with its route before it is resolved; undefined means that it was consumed. */
  postrouting: ((packet: Packet, iface: StackInterface) => Packet | undefined) | undefined;
  /** Sees every frame that leaves, redirected ones apart; undefined means that it was consumed. */
  egress: ((frame: Frame, iface: StackInterface) => Frame | undefined) | undefined;
  /** Packets for this machine, ICMP echo excepted. */
  onLocal: (packet: Packet) => void = () => undefined;
  #interfaces: OwnInterface[] = [];
  #local = new Set<Ip>();
  #settings: Partial<NeighbourSettings>;
  // Those that wait for their neighbour, which nobody else remembers.
  #redirected = new WeakSet<Frame>();

  constructor(tap: PacketTap, options: StackOptions) {
    this.tap = tap;
    this.name = options.name;
    this.place = options.place;
    this.forwarding = options.forwarding;
    this.#settings = options.neighbour ?? {};
  }

  get interfaces(): readonly StackInterface[] {
    return this.#interfaces;
  }

  /** Adds an interface; its IPv6 link-local address is made from the MAC. */
  addInterface(nic: Nic, addresses: readonly InterfaceAddress[] = []): StackInterface {
    const own: Ip[] = [];
    const subnets: PrefixParts[] = [];
    const neighbours = new NeighbourCache<Frame>(this.tap.world, {
      mac: nic.mac,
      isLocal: (address) => this.#local.has(address),
      inSubnet: (address) => subnets.some((subnet) => prefixContains(subnet, address)),
      solicit: (target, mac) => this.#solicit(iface, target, mac),
      transmit: (frame, mac) => this.#release(iface, frame, mac),
      unresolved: ({ packet }, why) => {
        if (packet !== undefined) this.#unresolved(packet, why);
      },
    }, { name: this.name, ...this.#settings });
    const iface: OwnInterface = { nic, neighbours, addresses: own, subnets };
    this.#interfaces.push(iface);
    nic.onFrame = (frame) => this.#receive(iface, frame);
    nic.onCarrier = () => {
      if (!nic.carrier) neighbours.flush();
    };
    nic.join(allNodes);
    for (const address of addresses) this.addAddress(iface, address);
    this.addAddress(iface, { ip: linkLocalOf(nic.mac), prefixBits: 64 });
    return iface;
  }

  addAddress(iface: StackInterface, address: InterfaceAddress): void {
    const own = this.#own(iface);
    own.addresses.push(address.ip);
    this.#local.add(address.ip);
    if (familyOf(address.ip) === 'IPv6') own.nic.join(solicitedNodeGroup(address.ip));
    this.addSubnet(iface, `${address.ip}/${address.prefixBits}`);
  }

  removeAddress(iface: StackInterface, address: Ip): void {
    const own = this.#own(iface);
    const index = own.addresses.indexOf(address);
    assert(index >= 0, `${this.name} has ${address}`);
    own.addresses.splice(index, 1);
    this.#local.delete(address);
    if (familyOf(address) === 'IPv6') own.nic.leave(solicitedNodeGroup(address));
  }

  /** Makes a prefix on-link: announced pools may lie outside the subnet of the nodes. */
  addSubnet(iface: StackInterface, prefix: string): void {
    const parsed = parsePrefix(prefix);
    assert(parsed.ok, `${prefix} is a prefix`);
    const own = this.#own(iface);
    if (own.subnets.some((subnet) => subnet.prefix === parsed.value.prefix)) return;
    own.subnets.push(parsed.value);
    this.routes.add(prefix, iface);
  }

  isLocal(address: Ip): boolean {
    return this.#local.has(address);
  }

  /** The first address of a family that is not link-local. */
  addressOf(family: Family): Ip | undefined {
    for (const iface of this.#interfaces) {
      const found = iface.addresses.find((one) => familyOf(one) === family && !isLinkLocal(one));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The own address that packets to `remote` leave with; undefined: there is no way there. */
  sourceTowards(remote: Ip): Ip | undefined {
    const route = this.routes.lookup(remote);
    return route === undefined ? undefined : sourceFor(route.iface, route.via ?? remote);
  }

  /** What this machine knows about a neighbour, on whatever interface. */
  neighbour(address: Ip): NeighbourFacts | undefined {
    for (const iface of this.#interfaces) {
      const facts = iface.neighbours.lookup(address);
      if (facts !== undefined) return facts;
    }
    return undefined;
  }

  /** New data of a flow to `target` was acknowledged: its next hop is there. */
  confirm(target: Ip): void {
    const route = this.routes.lookup(target);
    route?.iface.neighbours.confirm(route.via ?? target);
  }

  /** Sends a packet of this machine. */
  send(packet: Packet): void {
    if (this.#local.has(packet.target)) {
      const what = { kind: 'loopback', entity: this.name };
      this.tap.world.schedule(0, what, () => this.#deliver(packet));
      return;
    }
    const route = this.routes.lookup(packet.target);
    if (route === undefined) return this.#drop(packet, 'no-route');
    const sent = this.postrouting === undefined ? packet : this.postrouting(packet, route.iface);
    if (sent !== undefined) this.#emit(sent, route);
  }

  /** Sends what came in by another interface one hop further. */
  forward(frame: Frame): void {
    const { flow } = frame;
    if (flow === undefined) return;
    const route = this.routes.lookup(flow.target);
    if (route !== undefined) this.#pass(frame, flow, route);
    else this.tap.drop({ place: this.place, why: 'no-route', frame });
  }

  /** Sends a packet by its route past both hooks, as `bpf_redirect_neigh` does. */
  redirect(frame: Frame): void {
    const { flow } = frame;
    if (flow === undefined) return;
    const route = this.routes.lookup(flow.target);
    if (route === undefined) return this.tap.drop({ place: this.place, why: 'no-route', frame });
    const { iface, via } = route;
    const next = via ?? flow.target;
    const mac = iface.neighbours.use(next);
    if (mac !== undefined) {
      iface.nic.send(frame.withAddresses(iface.nic.headerTo(mac)));
      return;
    }
    this.#redirected.add(frame);
    iface.neighbours.wait(next, frame);
  }

  #own(iface: StackInterface): OwnInterface {
    const own = this.#interfaces.find((one) => one === iface);
    assert(own !== undefined, `an interface of ${this.name}`);
    return own;
  }

  #receive(iface: StackInterface, arrived: Frame): void {
    const frame = this.ingress === undefined ? arrived : this.ingress(arrived, iface);
    if (frame === undefined) return;
    const { flow } = frame;
    if (flow === undefined) return this.#receiveOther(iface, frame);
    const mine = frame.ethTarget === iface.nic.mac || isGroupMac(frame.ethTarget);
    if (!mine) return this.tap.drop({ place: this.place, why: 'not-mine', frame });
    if (!this.#local.has(flow.target)) return this.#forward(frame, flow);
    if (frame.packet !== undefined) this.#deliver(frame.packet);
  }

  #receiveOther(iface: StackInterface, frame: Frame): void {
    const { content } = frame;
    switch (content.kind) {
      case 'arp': return this.#onArp(iface, content.arp);
      case 'ndp': return this.#onNdp(iface, content.ndp);
      case 'packet': case 'mld': return;
      case 'other': {
        const why = content.fault === 'fragment' ? 'unsupported' : content.fault;
        this.tap.drop({ place: this.place, why, frame });
      }
    }
  }

  #deliver(packet: Packet): void {
    const { icmp } = packet;
    if (icmp?.kind !== 'echo-request') return this.onLocal(packet);
    this.tap.pass('received', this.place, packet);
    const { source, target } = packet;
    const answer = { ...packet, source: target, target: source, ttl: ttlDefault };
    this.send({ ...answer, icmp: { ...icmp, kind: 'echo-reply' } });
  }

  #forward(frame: Frame, flow: PacketTuple): void {
    const route = this.routes.lookup(flow.target);
    if (this.blackholes.length > 0 && this.#swallows(flow.target, route)) {
      return this.tap.drop({ place: this.place, why: 'blackhole', frame });
    }
    const passes = this.forwarding && frame.ttl > 1 && route !== undefined
      && frame.payloadLength <= route.iface.nic.mtuBytes;
    if (passes) this.#pass(frame, flow, route);
    else if (frame.packet !== undefined) this.#refuse(frame.packet, route);
  }

  #swallows(target: Ip, route: Route<StackInterface> | undefined): boolean {
    return this.blackholes.some((prefix) => prefixContains(prefix, target)
      && prefix.prefixBits > (route?.prefix.prefixBits ?? -1));
  }

  /** Why a packet is not forwarded, to those whom it concerns. */
  #refuse(packet: Packet, route: Route<StackInterface> | undefined): void {
    if (!this.forwarding) return this.#drop(packet, 'not-mine');
    if (packet.ttl <= 1) {
      this.#complain(packet, { kind: 'time-exceeded', quoted: tupleOf(packet) });
      return this.#drop(packet, 'ttl');
    }
    if (route === undefined) {
      this.#complain(packet, { kind: 'unreachable', cause: 'network', quoted: tupleOf(packet) });
      return this.#drop(packet, 'no-route');
    }
    const { mtuBytes } = route.iface.nic;
    this.#complain(packet, { kind: 'too-big', mtuBytes, quoted: tupleOf(packet) });
    this.#drop(packet, 'mtu');
  }

  /** The packet in a frame by its route, one hop further. */
  #pass(frame: Frame, flow: PacketTuple, route: Route<StackInterface>): void {
    if (this.postrouting !== undefined) {
      const { packet } = frame;
      const sent = packet && this.postrouting(packet, route.iface);
      if (sent === undefined) return;
      if (sent !== packet) return this.#emit(agedPacket(sent, 1), route);
    }
    const { iface, via } = route.pick === undefined ? route : route.pick(flow);
    const next = via ?? flow.target;
    const mac = iface.neighbours.use(next);
    if (mac !== undefined) this.#put(iface, frame.forwarded(iface.nic.headerTo(mac)));
    else iface.neighbours.wait(next, frame.forwarded(frame.head));
  }

  #emit(packet: Packet, { iface, via }: Route<StackInterface>): void {
    const next = via ?? packet.target;
    const mac = iface.neighbours.use(next);
    if (mac !== undefined) this.#put(iface, Frame.ofPacket(packet, iface.nic.headerTo(mac)));
    else iface.neighbours.wait(next, Frame.ofPacket(packet, iface.nic.headerTo(zeroMac)));
  }

  /** A packet that waited for its neighbour. */
  #release(iface: StackInterface, waited: Frame, mac: string): void {
    const frame = waited.withAddresses(iface.nic.headerTo(mac));
    if (this.#redirected.has(waited)) iface.nic.send(frame);
    else this.#put(iface, frame);
  }

  #put(iface: StackInterface, frame: Frame): void {
    const sent = this.egress === undefined ? frame : this.egress(frame, iface);
    if (sent !== undefined) iface.nic.send(sent);
  }

  /** An ICMP error to the source of a forwarded packet; never about an error (RFC 1122 3.2.2). */
  #complain(about: Packet, icmp: IcmpMessage): void {
    if (about.icmp !== undefined && 'quoted' in about.icmp) return;
    // Linux takes the address of the interface that the error leaves by.
    const back = this.routes.lookup(about.source);
    const source = back === undefined ? undefined : sourceFor(back.iface, about.source);
    if (source === undefined) return;
    this.send({
      source, target: about.source, protocol: 'ICMP', sourcePort: 0, targetPort: 0, ttl: ttlDefault,
      icmp, payload: noPayload,
    });
  }

  #unresolved(packet: Packet, why: 'no-neighbour' | 'neighbour-queue'): void {
    this.#drop(packet, why, this.routes.lookup(packet.target)?.via ?? packet.target);
    if (why !== 'no-neighbour' || this.#local.has(packet.source)) return;
    this.#complain(packet, { kind: 'unreachable', cause: 'host', quoted: tupleOf(packet) });
  }

  #drop(packet: Packet, why: DropReason, detail?: string): void {
    this.tap.drop({ place: this.place, why, packet, detail });
  }

  #onArp(iface: StackInterface, arp: ArpFrame): void {
    iface.neighbours.onArp(arp);
    if (arp.opcode !== 1 || !this.#local.has(arp.targetIp) || arp.senderIp === arp.targetIp) return;
    const { mac } = iface.nic;
    this.#put(iface, Frame.ofArp({
      kind: 'arp', opcode: 2,
      ethSource: mac, ethTarget: arp.senderMac,
      senderMac: mac, senderIp: arp.targetIp,
      targetMac: arp.senderMac, targetIp: arp.senderIp,
    }));
  }

  #onNdp(iface: StackInterface, ndp: NdpFrame): void {
    iface.neighbours.onNdp(ndp);
    if (ndp.kind !== 'solicitation' || ndp.hopLimit !== 255 || !this.#local.has(ndp.target)) return;
    const { mac } = iface.nic;
    // Duplicate address detection has no source to answer to (RFC 4862 section 5.4).
    const detection = ndp.source === '::';
    const destination = detection ? allNodes : ndp.source;
    this.#put(iface, Frame.ofNdp({
      kind: 'advertisement',
      ethSource: mac,
      ethTarget: detection ? groupMac(allNodes) : ndp.linkLayer ?? ndp.ethSource,
      source: ndp.target, destination, target: ndp.target, linkLayer: mac,
      router: this.forwarding, solicited: !detection, override: true, hopLimit: 255,
    }));
  }

  #solicit(iface: StackInterface, target: Ip, known: string | undefined): void {
    const source = sourceFor(iface, target);
    if (source === undefined) return;
    const ethSource = iface.nic.mac;
    if (familyOf(target) === 'IPv4') {
      this.#put(iface, Frame.ofArp({
        kind: 'arp', opcode: 1, ethSource, ethTarget: known ?? broadcastMac,
        senderMac: ethSource, senderIp: source, targetMac: zeroMac, targetIp: target,
      }));
      return;
    }
    const destination = known === undefined ? solicitedNodeGroup(target) : target;
    this.#put(iface, Frame.ofNdp({
      kind: 'solicitation', ethSource, ethTarget: known ?? groupMac(destination),
      source, destination, target, linkLayer: ethSource,
      router: false, solicited: false, override: false, hopLimit: 255,
    }));
  }
}

/**
 * The own address to use towards a neighbour: of its subnet if there is one, else of its family.
 */
function sourceFor(iface: StackInterface, target: Ip): Ip | undefined {
  const family = familyOf(target);
  const own = iface.addresses.filter((address) => familyOf(address) === family);
  const subnet = iface.subnets.find((one) => prefixContains(one, target));
  const near = subnet === undefined ? undefined : own.find((one) => prefixContains(subnet, one));
  return near ?? own[0];
}
