import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { World } from '../world.ts';
import { isGroupMac } from './address.ts';
import { Frame } from './frame.ts';
import type { LinkHeader } from './linkheader.ts';
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

/** What the table says of a MAC. */
export interface MacEntry {
  readonly port: SwitchPort;
  seen: Micros;
  /** Taken out of the table: whoever remembers it has to look again. */
  gone: boolean;
}

/** What the table said of the last frame that came in at a port. */
export interface SwitchMemory {
  readonly head: LinkHeader;
  readonly source: MacEntry;
  target: MacEntry | undefined;
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
    for (const mac of this.#table.keys()) this.#delete(mac);
    this.#groups.clear();
    this.#suppressed.clear();
    this.#frozen.clear();
  }

  /** A port lost its link: its entries and memberships go at once. */
  forgetPort(port: SwitchPort): void {
    for (const [mac, entry] of this.#table) if (entry.port === port) this.#delete(mac);
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
    return this.#alive(mac, this.#table.get(mac));
  }

  /** `portOf` the target of a frame that `admit` let in. */
  portFor(from: SwitchPort, frame: Frame): SwitchPort | undefined {
    const { remembered } = from;
    const { head } = frame;
    if (remembered?.head !== head) return this.portOf(head.ethTarget);
    if (remembered.target === undefined || remembered.target.gone) {
      remembered.target = this.#table.get(head.ethTarget);
    }
    return this.#alive(head.ethTarget, remembered.target);
  }

  /** Learns from a frame, or says why the switch refuses it. */
  admit(from: SwitchPort, frame: Frame): DropReason | undefined {
    if (!this.#powered) return 'switch-off';
    const { head } = frame;
    const { remembered } = from;
    // Mostly a machine sends another frame the way of the last.
    if (remembered?.head === head && !remembered.source.gone && remembered.source.port === from) {
      remembered.source.seen = this.#world.now;
    } else {
      const source = this.#learned(from, head.ethSource);
      if (source === undefined) return 'port-security';
      from.remembered = { head, source, target: this.#table.get(head.ethTarget) };
    }
    if (this.arpSuppression) this.#learnArp(frame);
    if (this.multicastSnooping) this.#snoop(from, frame);
    return undefined;
  }

  /** The entry of a MAC that shows up at a port; undefined where port security forbids it. */
  #learned(from: SwitchPort, mac: string): MacEntry | undefined {
    const known = this.#table.get(mac);
    if (known?.port === from) {
      known.seen = this.#world.now;
      return known;
    }
    if (this.portSecurity && this.portOf(mac) !== undefined) return undefined;
    this.#delete(mac);
    const entry = { port: from, seen: this.#world.now, gone: false };
    this.#table.set(mac, entry);
    return entry;
  }

  #alive(mac: string, entry: MacEntry | undefined): SwitchPort | undefined {
    if (entry === undefined) return undefined;
    if (this.#world.now - entry.seen < this.macAgeing) return entry.port;
    this.#delete(mac);
    return undefined;
  }

  #delete(mac: string): void {
    const entry = this.#table.get(mac);
    if (entry !== undefined) entry.gone = true;
    this.#table.delete(mac);
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
