import type { Ip } from '../../lb/ip.ts';
import type { NeighbourFacts } from './neighbour.ts';
import type { NeighbourSettings } from './neighbour-rules.ts';
import { Nic } from './nic.ts';
import type { Segment } from './segment.ts';
import { IpStack, type StackInterface } from './stack.ts';
import type { InterfaceAddress, PacketTap } from './tap.ts';

export interface RouterOptions {
  readonly name: string;
  readonly neighbour?: Partial<NeighbourSettings>;
}

export interface RouterLink {
  readonly segment: Segment;
  readonly mac: string;
  readonly addresses: readonly InterfaceAddress[];
  /** More prefixes on that segment, for example announced pools outside its subnet. */
  readonly extraPrefixes?: readonly string[];
}

/** A machine that forwards between segments (simulator.md 5.5), without BGP. */
export class Router {
  readonly name: string;
  readonly stack: IpStack;
  #tap: PacketTap;

  constructor(tap: PacketTap, options: RouterOptions) {
    this.#tap = tap;
    this.name = options.name;
    this.stack = new IpStack(tap, {
      name: options.name, place: `router ${options.name}`, forwarding: true,
      neighbour: options.neighbour ?? {},
    });
  }

  /** Adds a NIC, `eth0` first. */
  connect(link: RouterLink): StackInterface {
    const count = this.stack.interfaces.length;
    const nic = new Nic(this.#tap, {
      owner: this.name, name: `eth${count}`, mac: link.mac, ifindex: count + 2,
    });
    link.segment.attach(nic);
    const iface = this.stack.addInterface(nic, link.addresses);
    for (const prefix of link.extraPrefixes ?? []) this.stack.addSubnet(iface, prefix);
    return iface;
  }

  neighbour(address: Ip): NeighbourFacts | undefined {
    return this.stack.neighbour(address);
  }

  /** `router.reboot`: forwarding ends and comes back with empty neighbour tables. */
  setPower(on: boolean): void {
    this.stack.forwarding = on;
    for (const iface of this.stack.interfaces) iface.nic.setAdminUp(on);
  }
}
