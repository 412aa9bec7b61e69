import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { World } from '../world.ts';
import { isGroupMac } from './address.ts';
import { Frame } from './frame.ts';
import type { SwitchPort } from './segment.ts';
import type { DropReason } from './tap.ts';

export interface SwitchOptions {
  /** How long an unused entry lives; default 300 s. */
  readonly macAgeing?: Micros;
  /** Answers ARP requests from what ARP frames showed, and does not flood them. */
  readonly arpSuppression?: boolean;
  /** Refuses a MAC that shows up at another port while its entry lives. */
  readonly portSecurity?: boolean;
  /** Floods an IPv6 group to the ports that reported it, all-nodes to every port. */
  readonly multicastSnooping?: boolean;
}

interface MacEntry {
  port: SwitchPort;
  seen: Micros;
}

/** The forwarding plane of a learning switch (IEEE 802.1D clause 7), without spanning tree. */
export class LearningSwitch {
  macAgeing: Micros;
  arpSuppression: boolean;
  portSecurity: boolean;
  multicastSnooping: boolean;
  #powered = true;
  #world: World;
  #allPorts: readonly SwitchPort[];
  #table = new Map<string, MacEntry>();
  #groups = new Map<string, Set<SwitchPort>>();
  #suppressed = new Map<Ip, string>();
  /** Addresses whose suppression entry no longer follows what is seen (`switch.suppress`). */
  #frozen = new Set<Ip>();

  constructor(segment: { world: World; ports: readonly SwitchPort[] }, options: SwitchOptions) {
    this.#world = segment.world;
    this.#allPorts = segment.ports;
    this.macAgeing = options.macAgeing ?? 300_000_000;
    this.arpSuppression = options.arpSuppression ?? false;
    this.portSecurity = options.portSecurity ?? false;
    this.multicastSnooping = options.multicastSnooping ?? false;
  }

  get powered(): boolean {
    return this.#powered;
  }

  setPower(powered: boolean): void {
    this.#powered = powered;
    this.forget();
  }

  /** `switch.forget`: every entry is flushed, group memberships too. */
  forget(): void {
    this.#table.clear();
    this.#groups.clear();
    this.#suppressed.clear();
    this.#frozen.clear();
  }

  /** A port lost its link: its entries and memberships go at once. */
  forgetPort(port: SwitchPort): void {
    for (const [mac, entry] of this.#table) if (entry.port === port) this.#table.delete(mac);
    for (const members of this.#groups.values()) members.delete(port);
  }

  /** `switch.suppress`: answers for the address keep naming the MAC known now, or the one given. */
  freeze(address: Ip, mac?: string): void {
    this.arpSuppression = true;
    this.#frozen.add(address);
    if (mac !== undefined) this.#suppressed.set(address, mac);
  }

  thaw(address: Ip): void {
    this.#frozen.delete(address);
  }

  /** The port that a MAC was last seen at, while the entry lives. */
  portOf(mac: string): SwitchPort | undefined {
    const entry = this.#table.get(mac);
    if (entry === undefined) return undefined;
    if (this.#world.now - entry.seen < this.macAgeing) return entry.port;
    this.#table.delete(mac);
    return undefined;
  }

  /** Learns from a frame, or says why the switch refuses it. */
  admit(from: SwitchPort, frame: Frame): DropReason | undefined {
    if (!this.#powered) return 'switch-off';
    const entry = this.#table.get(frame.ethSource);
    if (entry?.port === from) {
      entry.seen = this.#world.now;
    } else {
      const moved = this.portSecurity && this.portOf(frame.ethSource) !== undefined;
      if (moved) return 'port-security';
      this.#table.set(frame.ethSource, { port: from, seen: this.#world.now });
    }
    if (this.arpSuppression) this.#learnArp(frame);
    if (this.multicastSnooping) this.#snoop(from, frame);
    return undefined;
  }

  /** The answer of a suppressing switch to an ARP request that it need not flood. */
  answer(frame: Frame): Frame | undefined {
    if (!this.arpSuppression || !isGroupMac(frame.ethTarget)) return undefined;
    const { arp } = frame;
    if (arp?.opcode !== 1 || arp.senderIp === arp.targetIp) return undefined;
    const mac = this.#suppressed.get(arp.targetIp);
    if (mac === undefined || mac === arp.senderMac) return undefined;
    return Frame.ofArp({
      kind: 'arp', opcode: 2,
      ethSource: mac, ethTarget: arp.senderMac,
      senderMac: mac, senderIp: arp.targetIp,
      targetMac: arp.senderMac, targetIp: arp.senderIp,
    });
  }

  /** Ports of a frame whose target is a group or unknown. */
  flood(frame: Frame): readonly SwitchPort[] {
    if (!this.multicastSnooping || !frame.ethTarget.startsWith('33:33:')) return this.#allPorts;
    if (frame.ethTarget === '33:33:00:00:00:01') return this.#allPorts;
    const members = this.#groups.get(frame.ethTarget);
    return this.#allPorts.filter((port) => port.trunk || members?.has(port) === true);
  }

  #learnArp(frame: Frame): void {
    const { arp } = frame;
    if (arp === undefined || arp.senderIp === '0.0.0.0' || this.#frozen.has(arp.senderIp)) return;
    this.#suppressed.set(arp.senderIp, arp.senderMac);
  }

  #snoop(from: SwitchPort, frame: Frame): void {
    const { content } = frame;
    if (content.kind !== 'mld') return;
    const group = frame.ethTarget;
    const members = this.#groups.get(group) ?? new Set<SwitchPort>();
    if (content.mld.kind === 'report') members.add(from);
    else members.delete(from);
    this.#groups.set(group, members);
  }
}
