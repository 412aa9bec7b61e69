import { familyOf, type Ip } from '../../lb/ip.ts';
import type { BlackholePort, KernelPort, LinkPort } from '../../lb/ports.ts';
import { PrefixSet } from '../../lb/prefixset.ts';
import { assert } from '../../lb/result.ts';
import type { DatapathDevices } from '../../bpf/datapath/devices.ts';
import { allNodes, solicitedNodeGroup } from '../../l2/frames.ts';
import type { TrafficHost } from '../net/client.ts';
import { Frame } from '../net/frame.ts';
import type { NeighbourFacts } from '../net/neighbour.ts';
import { Nic } from '../net/nic.ts';
import type { Packet, PacketTuple } from '../net/packet.ts';
import { IpStack, type StackInterface } from '../net/stack.ts';
import type { DropReason, PacketTap } from '../net/tap.ts';
import { Transport } from '../net/transport.ts';
import { MachineClock, type Process } from '../process.ts';
import type { World } from '../world.ts';
import { blackholesOf } from './blackholes.ts';
import { hostCalls } from './hostcalls.ts';
import { SimKernel } from './kernel.ts';
import { nodeCookie, NodeDevices } from './devices.ts';
import { FrameHooks, type HookVerdict } from './hooks.ts';
import { isConflictEvidence, NodeLinks } from './links.ts';
import type { NodeLink, NodeOptions } from './nodeoptions.ts';
import { Masquerade } from './masquerade.ts';
import { PodTable, type PodSpec, type SimPod } from './pod.ts';
import { ResponderIndex } from './responderindex.ts';
import { socketHooks, type SocketCaller } from './sockets.ts';

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
  readonly hooks: FrameHooks;
  /** What `fl_l2` holds: which addresses this node would answer for. */
  readonly responder: ResponderIndex;
  readonly stack: IpStack;
  /** Sockets of the host network: host processes and pods without an interface of their own. */
  readonly host: Transport;
  /** What the node's FORWARD chain does with traffic between interfaces (simulator.md 5.2). */
  forwardPolicy: 'accept' | 'drop' = 'accept';
  /** Whether pods appear as the node when they call beyond the pod ranges. */
  masquerade = true;
  #links: NodeLinks;
  #devices: NodeDevices;
  #caller: SocketCaller = { socketCookie: 0, namespaceCookie: nodeCookie };
  #pods: PodTable;
  #podRanges = new PrefixSet();
  #outbound = new Masquerade();
  #powered = true;
  #frozen = false;
  #onResponder: ((address: Ip) => void)[] = [];

  constructor(tap: PacketTap, options: NodeOptions) {
    const { name } = options;
    this.name = name;
    this.tap = tap;
    this.world = tap.world;
    this.clock = new MachineClock(tap.world);
    const own = { caller: this.#caller, stack: () => this.stack, pods: () => this.#pods };
    const site = { clock: this.clock, host: hostCalls(own), object: options.object };
    this.kernel = new SimKernel(tap.world, name, site);
    this.hooks = new FrameHooks(this.kernel);
    this.responder = new ResponderIndex(this.kernel, this.clock);
    const neighbour = options.neighbour ?? {};
    this.stack = new IpStack(tap, { name, place: `node ${name}`, forwarding: true, neighbour });
    this.#links = new NodeLinks({
      name, tap, running: () => this.running,
      egress: (frame, nic, mark) => this.#egress(frame, { nic, mark }),
      interfaces: () => this.stack.interfaces,
      routes: () => this.stack.routes.routes,
      defaultInterface: () => this.stack.routes.routes.find(
        ({ prefix }) => prefix.prefixBits === 0)?.iface,
    });
    this.host = new Transport(tap, {
      name, place: `node ${name}`,
      send: (packet) => this.#fromHost(packet),
      confirm: (target) => this.stack.confirm(target),
      sockets: socketHooks(this.kernel, { cookie: nodeCookie }, this.#caller),
      sourceFor: (remote) => this.stack.addressOf(familyOf(remote)),
    });
    this.#pods = new PodTable({
      tap, host: this.host,
      send: (pod, packet) => this.#fromPod(pod, packet),
      sockets: ({ cookie }) => socketHooks(this.kernel, { cookie }, this.#caller),
      changed: () => this.#devices.changed(),
    });
    this.#devices = new NodeDevices({
      interfaces: () => this.stack.interfaces, pods: () => this.#pods.running.values(),
    });
    for (const link of options.links) this.#connect(link);
    for (const gateway of options.gateways ?? []) this.setGateway(gateway);
    for (const range of options.podRanges ?? []) this.#podRanges.add(range);
    this.stack.ingress = (frame, iface) => this.#ingress(frame, iface);
    this.stack.postrouting = (packet) => this.#postrouting(packet);
    this.stack.egress = (frame, { nic }) => this.#egress(frame, { nic });
    this.stack.onLocal = (packet) => this.host.receive(packet);
    this.responder.onChange((address) => this.#responderChanged([address]));
    this.kernel.onExchange(() => this.hooks.exchanged());
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

  neighbour(address: Ip): NeighbourFacts | undefined {
    return this.stack.neighbour(address);
  }

  /** Whether a request for `address` would be answered now, on any interface with carrier. */
  wouldAnswer(address: Ip): boolean {
    return this.running && this.nics.some(
      (nic) => nic.carrier && this.responder.holds(address, nic.ifindex, this.clock.now()),
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

  readonly blackholePort = (process: Process): BlackholePort => blackholesOf(this.stack, process);

  devicesPort(process: Process): DatapathDevices {
    return this.#devices.portOf(process);
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
    this.#responderChanged(this.responder.addresses());
  }

  thaw(): void {
    this.#frozen = false;
    this.#responderChanged(this.responder.addresses());
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
      this.#devices.changed();
      this.#responderChanged(this.responder.addresses());
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
    if (isConflictEvidence(frame)) this.#links.hear(iface.nic, frame);
    const verdict = this.hooks.run('fl_uplink_in', frame, iface.nic);
    if (verdict.kind !== 'pass') {
      this.#end(verdict, frame);
      return undefined;
    }
    const passed = verdict.frame;
    const { flow } = passed;
    if (flow === undefined || passed.ethTarget !== iface.nic.mac) return passed;
    const answered = this.#outbound.in(passed, this.clock.now());
    return this.#arrived(answered, answered.flow ?? flow);
  }

  /** An IP packet for this machine behind the hook. */
  #arrived(frame: Frame, flow: PacketTuple): Frame | undefined {
    const pod = this.#pods.at(flow.target);
    if (pod !== undefined) this.#forwardToPod(pod, frame, flow);
    else if (this.forwardPolicy === 'accept' || this.stack.isLocal(flow.target)) return frame;
    else this.#drop(frame, 'policy', 'FORWARD');
    return undefined;
  }

  /** Through the stack from an uplink to a pod: one hop, by the node's FORWARD chain. */
  #forwardToPod(pod: SimPod, frame: Frame, flow: PacketTuple): void {
    if (this.forwardPolicy === 'drop') return this.#drop(frame, 'policy', 'FORWARD');
    if (frame.ttl <= 1) return this.#drop(frame, 'ttl');
    this.#outbound.asked(flow, this.clock.now());
    this.#toPod(pod, frame.forwarded(pod.link.inward));
  }

  /** The egress hook of a pod's interface, then the pod. */
  #toPod(pod: SimPod, frame: Frame): void {
    const { link } = pod;
    const verdict = this.hooks.run('fl_to_pod', frame, link.host);
    if (verdict.kind !== 'pass') return this.#end(verdict, frame);
    if (verdict.frame.packet !== undefined) pod.receive(verdict.frame.packet);
  }

  /** The CNI's masquerade rule; undefined: the packet ends here. */
  #postrouting(packet: Packet): Packet | undefined {
    if (!this.running) return undefined;
    const ours = this.masquerade && this.#pods.at(packet.source) !== undefined;
    if (!ours || packet.protocol === 'ICMP' || this.#outbound.spares(packet)) return packet;
    if (this.#podRanges.contains(packet.target)) return packet;
    const address = this.stack.addressOf(familyOf(packet.target));
    if (address === undefined) return packet;
    const sent = this.#outbound.out(packet, address, this.clock.now());
    if (sent === undefined) {
      const detail = 'masquerade ports exhausted';
      this.tap.drop({ place: `node ${this.name}`, why: 'policy', packet, detail });
    }
    return sent;
  }

  /** The egress hook of an uplink; undefined: the frame ends here. */
  #egress(frame: Frame, of: { readonly nic: Nic; readonly mark?: number }): Frame | undefined {
    if (!this.running) return undefined;
    const { ifindex, mac } = of.nic;
    const verdict = this.hooks.run('fl_uplink_out', frame, { ifindex, mac, mark: of.mark ?? 0 });
    if (verdict.kind === 'pass') return verdict.frame;
    this.#end(verdict, frame);
    return undefined;
  }

  #fromPod(pod: SimPod, packet: Packet): void {
    if (!this.running) return;
    const { link } = pod;
    const frame = Frame.ofPacket(packet, link.outward);
    const verdict = this.hooks.run('fl_from_pod', frame, link.host);
    if (verdict.kind !== 'pass') return this.#end(verdict, frame);
    if (verdict.frame.flow !== undefined) this.#routeFromPod(verdict.frame, verdict.frame.flow);
  }

  #routeFromPod(frame: Frame, flow: PacketTuple): void {
    const other = this.#pods.at(flow.target);
    if (other !== undefined) {
      return this.#later(() => this.#toPod(other, frame.withAddresses(other.link.inward)));
    }
    if (this.stack.isLocal(flow.target)) {
      if (frame.packet !== undefined) this.stack.send(frame.packet);
      return;
    }
    if (frame.ttl <= 1) return this.#drop(frame, 'ttl');
    if (this.forwardPolicy === 'drop') return this.#drop(frame, 'policy', 'FORWARD');
    this.stack.forward(frame);
  }

  #fromHost(packet: Packet): void {
    if (!this.running) return;
    const pod = this.#pods.at(packet.target);
    if (pod === undefined) return this.stack.send(packet);
    this.#later(() => this.#toPod(pod, Frame.ofPacket(packet, pod.link.inward)));
  }

  /** A verdict that does not pass: dropped, or out at once and past the egress programs. */
  #end(verdict: Exclude<HookVerdict, { kind: 'pass' }>, frame: Frame): void {
    switch (verdict.kind) {
      case 'drop':
        this.tap.drop({
          place: `node ${this.name}`, why: 'datapath', frame, detail: verdict.reason,
        });
        return;
      case 'route': return this.#redirect(verdict.frame);
      case 'send': return this.#send(verdict.frame, verdict.ifindex);
    }
  }

  #redirect(frame: Frame): void {
    const { flow } = frame;
    const pod = flow && this.#pods.at(flow.target);
    if (pod === undefined) return this.stack.redirect(frame);
    const { packet } = frame;
    if (packet !== undefined) this.#later(() => pod.receive(packet));
  }

  #send(frame: Frame, ifindex: number): void {
    const nic = this.nics.find((one) => one.ifindex === ifindex);
    if (nic !== undefined) {
      nic.send(frame);
      return;
    }
    const pod = this.#pods.behind(ifindex);
    const { packet } = frame;
    if (pod !== undefined && packet !== undefined) this.#later(() => pod.receive(packet));
  }

  // Between sockets of one machine: never inside the call that sent, lest two echo for ever.
  #later(deliver: () => void): void {
    this.world.schedule(0, { kind: 'local', entity: this.name }, () => {
      if (this.running) deliver();
    });
  }

  #drop(frame: Frame, why: DropReason, detail?: string): void {
    this.tap.drop({ place: `node ${this.name}`, why, packet: frame.packet, detail });
  }
}
