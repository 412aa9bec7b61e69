import { familyOf, type Ip } from '../../lb/ip.ts';
import type { KernelPort, LinkPort } from '../../lb/ports.ts';
import { PrefixSet } from '../../lb/prefixset.ts';
import { assert } from '../../lb/result.ts';
import type { ViewIndex } from '../../lb/view.ts';
import { allNodes, etherTypeArp, solicitedNodeGroup } from '../../l2/frames.ts';
import type { TrafficHost } from '../net/client.ts';
import { Frame } from '../net/frame.ts';
import type { NeighbourFacts } from '../net/neighbour.ts';
import type { NeighbourSettings } from '../net/neighbour-rules.ts';
import { Nic } from '../net/nic.ts';
import type { Packet } from '../net/packet.ts';
import type { Segment } from '../net/segment.ts';
import { IpStack, type StackInterface } from '../net/stack.ts';
import type { DropReason, InterfaceAddress, PacketTap } from '../net/tap.ts';
import { Transport } from '../net/transport.ts';
import { MachineClock, type Process } from '../process.ts';
import type { World } from '../world.ts';
import { SimKernel } from './kernel.ts';
import { isConflictEvidence, NodeLinks } from './links.ts';
import { SlotPool } from './maps.ts';
import { Masquerade } from './masquerade.ts';
import { PodTable, type PodSpec, type SimPod } from './pod.ts';
import { NodePrograms, type Step } from './programs.ts';
import { L2Programs } from './responder.ts';
import { RowDecoder } from './viewcache.ts';

/** Caches that the nodes of one world share; they change speed and nothing else. */
export class NodeCaches {
  readonly slots = new SlotPool();
  readonly rows = new RowDecoder();
}

/** One interface of a node in one segment, `eth0` first. */
export interface NodeLink {
  readonly segment: Segment;
  readonly mac: string;
  readonly addresses: readonly InterfaceAddress[];
}

export interface NodeOptions {
  readonly name: string;
  readonly links: readonly NodeLink[];
  /** Next hop of everything off the segments, at most one per family. */
  readonly gateways?: readonly Ip[];
  /** Prefixes of the node's own pods. */
  readonly podRanges?: readonly string[];
  readonly neighbour?: Partial<NeighbourSettings>;
  readonly caches?: NodeCaches;
}

/**
 * One machine of the cluster: kernel with tables and programs, interfaces, IP stack and pods.
 * Processes of ours run on it through the ports it gives them (simulator.md 5.1, 5.2).
 */
export class SimNode {
  readonly name: string;
  readonly world: World;
  readonly tap: PacketTap;
  readonly clock: MachineClock;
  readonly kernel: SimKernel;
  readonly programs: NodePrograms;
  readonly l2: L2Programs;
  readonly stack: IpStack;
  /** Sockets of the host network: host processes and pods without an interface of their own. */
  readonly host: Transport;
  /** What the node's FORWARD chain does with traffic between interfaces (simulator.md 5.2). */
  forwardPolicy: 'accept' | 'drop' = 'accept';
  /** Whether pods appear as the node when they call beyond the pod ranges. */
  masquerade = true;
  #links: NodeLinks;
  #pods: PodTable;
  #podRanges = new PrefixSet();
  #outbound = new Masquerade();
  #powered = true;
  #frozen = false;
  #onResponder: ((address: Ip) => void)[] = [];

  constructor(tap: PacketTap, options: NodeOptions) {
    const { name } = options;
    const caches = options.caches ?? new NodeCaches();
    this.name = name;
    this.tap = tap;
    this.world = tap.world;
    this.clock = new MachineClock(tap.world);
    this.kernel = new SimKernel(tap.world, name, caches.slots);
    this.programs = new NodePrograms(this.kernel, this.clock, caches.rows);
    this.l2 = new L2Programs(this.kernel, this.clock);
    const { neighbour = {} } = options;
    this.stack = new IpStack(tap, { name, place: `node ${name}`, forwarding: true, neighbour });
    this.#links = new NodeLinks({
      name, tap, l2: this.l2, running: () => this.running,
      interfaces: () => this.stack.interfaces,
      defaultInterface: () => this.stack.routes.routes.find(
        (route) => route.prefix.prefixBits === 0,
      )?.iface,
    });
    this.host = new Transport(tap, {
      name, place: `node ${name}`,
      send: (packet) => this.#fromHost(packet),
      confirm: (target) => this.stack.confirm(target),
    });
    const send = (pod: SimPod, packet: Packet): void => this.#fromPod(pod, packet);
    this.#pods = new PodTable({ tap, host: this.host, send });
    for (const link of options.links) this.#connect(link);
    for (const gateway of options.gateways ?? []) this.setGateway(gateway);
    for (const range of options.podRanges ?? []) this.#podRanges.add(range);
    this.stack.ingress = (frame, iface) => this.#ingress(frame, iface);
    this.stack.postrouting = (packet) => this.#postrouting(packet);
    this.stack.egress = (frame) => this.#egress(frame);
    this.stack.onLocal = (packet) => this.host.receive(this.programs.toClient(packet));
    this.l2.keys.onChange((address) => this.#responderChanged([address]));
  }

  /** True while powered and not frozen. */
  get running(): boolean {
    return this.#powered && !this.#frozen;
  }

  get bootId(): string {
    return this.kernel.bootId;
  }

  get nics(): readonly Nic[] {
    return this.stack.interfaces.map((iface) => iface.nic);
  }

  /** Pods that run, host-network ones apart, by uid. */
  get pods(): ReadonlyMap<string, SimPod> {
    return this.#pods.running;
  }

  /** What the node's programs know of the cluster now. */
  view(): ViewIndex {
    return this.programs.view;
  }

  neighbour(address: Ip): NeighbourFacts | undefined {
    return this.stack.neighbour(address);
  }

  /** Whether a request for `address` would be answered now, on any interface with carrier. */
  wouldAnswer(address: Ip): boolean {
    return this.running && this.nics.some(
      (nic) => nic.carrier && this.l2.mayAnnounce(nic.ifindex, address),
    );
  }

  /** Called for an address after whatever may change the answer of `wouldAnswer`, time apart. */
  onResponderChange(listener: (address: Ip) => void): void {
    this.#onResponder.push(listener);
  }

  /** Where traffic of host processes may start. */
  hostClient(): TrafficHost {
    return { name: this.name, stack: this.stack, transport: this.host };
  }

  /** Where traffic of a running pod may start; undefined for one that does not run here. */
  podClient(uid: string): TrafficHost | undefined {
    return this.#pods.client(uid);
  }

  kernelPort(process: Process): KernelPort {
    return this.kernel.portOf(process);
  }

  linkPort(process: Process): LinkPort {
    return this.#links.portOf(process);
  }

  /** Replaces the default route of the gateway's family. */
  setGateway(gateway: Ip): void {
    const everything = familyOf(gateway) === 'IPv4' ? '0.0.0.0/0' : '::/0';
    const iface = this.stack.routes.lookup(gateway)?.iface ?? this.stack.interfaces[0];
    assert(iface !== undefined, `${this.name} has an interface`);
    this.stack.routes.remove(everything);
    this.stack.routes.add(everything, iface, gateway);
    this.#links.changed();
  }

  /** The way to another node's pods, as plain routes of a CNI go; repeating it is harmless. */
  addPodRoute(prefix: string, via: Ip): void {
    const iface = this.stack.routes.lookup(via)?.iface;
    if (iface === undefined || this.stack.isLocal(via)) return;
    this.stack.routes.remove(prefix, via);
    this.stack.routes.add(prefix, iface, via);
    this.#podRanges.add(prefix);
  }

  removePodRoute(prefix: string, via: Ip): void {
    this.stack.routes.remove(prefix, via);
  }

  startPod(spec: PodSpec): void {
    if (this.running) this.#pods.start(spec);
  }

  stopPod(uid: string): void {
    this.#pods.stop(uid);
  }

  /** Gone without a farewell, with tables, rows and pods. End the processes on it first. */
  powerOff(): void {
    if (!this.#powered) return;
    this.#powered = false;
    this.#frozen = false;
    this.#pods.stopAll();
    this.host.vanish();
    this.#outbound.clear();
    this.programs.reset();
    for (const { nic, neighbours } of this.stack.interfaces) {
      nic.forgetGroups();
      nic.setAdminUp(false);
      neighbours.flush();
    }
    this.kernel.reboot();
  }

  /** Boots: configured addresses and routes are there, everything else is empty. */
  powerOn(): void {
    if (this.#powered) return;
    this.#powered = true;
    for (const { nic, addresses } of this.stack.interfaces) {
      nic.setAdminUp(true);
      nic.join(allNodes);
      for (const address of addresses) {
        if (familyOf(address) === 'IPv6') nic.join(solicitedNodeGroup(address));
      }
    }
  }

  /** Kernel and data path stand still; what arrives meanwhile is lost. Pause its processes too. */
  freeze(): void {
    this.#frozen = true;
    this.#responderChanged(this.l2.keys.addresses());
  }

  thaw(): void {
    this.#frozen = false;
    this.#responderChanged(this.l2.keys.addresses());
  }

  #connect(link: NodeLink): void {
    const count = this.stack.interfaces.length;
    const nic = new Nic(
      this.tap, { owner: this.name, name: `eth${count}`, mac: link.mac, ifindex: count + 2 },
    );
    link.segment.attach(nic);
    this.stack.addInterface(nic, link.addresses);
    const { onCarrier } = nic;
    nic.onCarrier = () => {
      onCarrier();
      this.#links.changed();
      this.#responderChanged(this.l2.keys.addresses());
    };
  }

  #responderChanged(addresses: readonly Ip[]): void {
    this.world.touch();
    for (const address of addresses) for (const listener of this.#onResponder) listener(address);
  }

  /** The ingress hook of an uplink; undefined: the frame ends here. */
  #ingress(frame: Frame, iface: StackInterface): Frame | undefined {
    if (!this.running) {
      this.tap.drop({ place: `node ${this.name}`, why: 'powered-off', frame });
      return undefined;
    }
    const { packet } = frame;
    if (packet !== undefined) {
      if (frame.ethTarget !== iface.nic.mac) return frame;
      return this.#arrived(frame, packet);
    }
    if (isConflictEvidence(frame)) this.#links.hear(iface.nic, frame);
    if (frame.etherType !== etherTypeArp && frame.ndp?.kind !== 'solicitation') return frame;
    const answer = this.l2.answer(frame, iface.nic);
    if (answer === undefined) return frame;
    iface.nic.send(answer);
    return undefined;
  }

  #arrived(frame: Frame, packet: Packet): Frame | undefined {
    const step = this.programs.uplinkIn(packet);
    if (step.kind !== 'pass') {
      this.#end(step, packet);
      return undefined;
    }
    const inbound = this.#outbound.in(step.packet, this.clock.now()) ?? step.packet;
    const pod = this.#pods.at(inbound.target);
    if (pod !== undefined) {
      this.#forwardToPod(pod, inbound);
      return undefined;
    }
    if (inbound === packet) return this.#forwardable(packet) ? frame : undefined;
    return this.#forwardable(inbound) ? Frame.ofPacket(inbound, frame) : undefined;
  }

  #forwardable(packet: Packet): boolean {
    if (this.forwardPolicy === 'accept' || this.stack.isLocal(packet.target)) return true;
    this.#drop(packet, 'policy', 'FORWARD');
    return false;
  }

  /** Through the stack from an uplink to a pod: one hop, by the node's FORWARD chain. */
  #forwardToPod(pod: SimPod, packet: Packet): void {
    if (this.forwardPolicy === 'drop') return this.#drop(packet, 'policy', 'FORWARD');
    if (packet.ttl <= 1) return this.#drop(packet, 'ttl');
    this.#outbound.asked(packet, this.clock.now());
    this.#toPod(pod, { ...packet, ttl: packet.ttl - 1 });
  }

  #toPod(pod: SimPod, packet: Packet): void {
    pod.receive(this.programs.toClient(packet));
  }

  /** The CNI's masquerade rule; undefined: the packet ends here. */
  #postrouting(packet: Packet): Packet | undefined {
    if (!this.running) return undefined;
    const ours = this.masquerade && this.#pods.at(packet.source) !== undefined;
    if (!ours || this.#podRanges.contains(packet.target)) return packet;
    const address = this.stack.addressOf(familyOf(packet.target));
    if (address === undefined || packet.protocol === 'ICMP') return packet;
    const sent = this.#outbound.out(packet, address, this.clock.now());
    if (sent === undefined) this.#drop(packet, 'policy', 'masquerade ports exhausted');
    return sent;
  }

  /** The egress hook of an uplink; undefined: the frame ends here. */
  #egress(frame: Frame): Frame | undefined {
    if (!this.running) return undefined;
    const { packet } = frame;
    if (packet === undefined) return frame;
    const step = this.programs.uplinkOut(packet);
    if (step.kind === 'pass') {
      return step.packet === packet ? frame : Frame.ofPacket(step.packet, frame);
    }
    this.#end(step, packet);
    return undefined;
  }

  #fromPod(pod: SimPod, packet: Packet): void {
    if (!this.running) return;
    const step = this.programs.fromPod(packet);
    if (step.kind === 'pass') return this.#routeFromPod(step.packet);
    if (step.kind === 'back') return this.#later(() => pod.receive(step.packet));
    this.#end(step, packet);
  }

  #routeFromPod(packet: Packet): void {
    const other = this.#pods.at(packet.target);
    if (other !== undefined) return this.#later(() => this.#toPod(other, packet));
    if (this.stack.isLocal(packet.target)) return this.stack.send(packet);
    if (packet.ttl <= 1) return this.#drop(packet, 'ttl');
    if (this.forwardPolicy === 'drop') return this.#drop(packet, 'policy', 'FORWARD');
    this.stack.send({ ...packet, ttl: packet.ttl - 1 });
  }

  #fromHost(packet: Packet): void {
    if (!this.running) return;
    const step = this.programs.fromHost(packet);
    if (step.kind === 'back') return this.#later(() => this.host.receive(step.packet));
    if (step.kind !== 'pass') return this.#end(step, packet);
    const pod = this.#pods.at(step.packet.target);
    if (pod !== undefined) return this.#later(() => this.#toPod(pod, step.packet));
    this.stack.send(step.packet);
  }

  /** A verdict that does not pass: out at once, past the egress programs, or dropped. */
  #end(step: Exclude<Step, { kind: 'pass' }>, packet: Packet): void {
    if (step.kind === 'drop') return this.#drop(packet, 'datapath', step.reason);
    this.stack.redirect(step.packet);
  }

  // Between sockets of one machine: never inside the call that sent, lest two echo for ever.
  #later(deliver: () => void): void {
    this.world.schedule(0, { kind: 'local', entity: this.name }, () => {
      if (this.running) deliver();
    });
  }

  #drop(packet: Packet, why: DropReason, detail?: string): void {
    this.tap.drop({ place: `node ${this.name}`, why, packet, detail });
  }
}
