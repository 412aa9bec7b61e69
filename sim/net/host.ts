import { familyOf, type Ip } from '../../lb/ip.ts';
import type { NeighbourFacts } from './neighbour.ts';
import type { NeighbourSettings } from './neighbour-rules.ts';
import { Nic } from './nic.ts';
import type { Packet } from './packet.ts';
import type { Segment } from './segment.ts';
import { IpStack, type StackInterface } from './stack.ts';
import type { InterfaceAddress, PacketTap } from './tap.ts';
import { Transport } from './transport.ts';

export interface HostOptions {
  readonly name: string;
  readonly mac: string;
  readonly segment: Segment;
  readonly addresses: readonly InterfaceAddress[];
  /** Next hop of everything off the segment, at most one per family. */
  readonly gateways?: readonly Ip[];
  readonly neighbour?: Partial<NeighbourSettings>;
}

/** A machine with one NIC that neither forwards nor belongs to the cluster: a phone, a server. */
export class Host {
  readonly name: string;
  readonly nic: Nic;
  readonly stack: IpStack;
  readonly iface: StackInterface;
  readonly transport: Transport;

  constructor(tap: PacketTap, options: HostOptions) {
    const { name } = options;
    this.name = name;
    this.stack = new IpStack(tap, {
      name, place: `host ${name}`, forwarding: false, neighbour: options.neighbour ?? {},
    });
    this.nic = new Nic(tap, { owner: name, name: 'eth0', mac: options.mac, ifindex: 2 });
    options.segment.attach(this.nic);
    this.iface = this.stack.addInterface(this.nic, options.addresses);
    for (const gateway of options.gateways ?? []) this.setGateway(gateway);
    this.transport = new Transport(tap, {
      name,
      place: `host ${name}`,
      send: (packet: Packet) => this.stack.send(packet),
      confirm: (target: Ip) => this.stack.confirm(target),
    });
    this.stack.onLocal = (packet) => this.transport.receive(packet);
  }

  /** Replaces the default route of the gateway's family. */
  setGateway(gateway: Ip): void {
    const everything = familyOf(gateway) === 'IPv4' ? '0.0.0.0/0' : '::/0';
    this.stack.routes.remove(everything);
    this.stack.routes.add(everything, this.iface, gateway);
  }

  neighbour(address: Ip): NeighbourFacts | undefined {
    return this.stack.neighbour(address);
  }
}
