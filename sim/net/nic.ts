import { broadcastMac, groupMac } from '../../l2/frames.ts';
import type { Ip } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import { isGroupMac } from './address.ts';
import { Frame } from './frame.ts';
import { LinkHeader } from './linkheader.ts';
import type { PacketTap } from './tap.ts';

/** What a NIC is plugged into. */
export interface NicPort {
  readonly carrier: boolean;
  transmit(frame: Frame): void;
  /** The NIC was switched on or off. */
  adminChanged(): void;
}

export interface NicOptions {
  /** Name of the machine, `node-1`. */
  readonly owner: string;
  /** Name of the interface, `eth0`. */
  readonly name: string;
  readonly mac: string;
  readonly ifindex: number;
  readonly mtuBytes?: number;
}

const headersMax = 1_024;

/** One network interface of a simulated machine. */
export class Nic {
  readonly owner: string;
  readonly name: string;
  /** `node-1:eth0`. */
  readonly label: string;
  readonly mac: string;
  readonly ifindex: number;
  mtuBytes: number;
  /** Takes frames for other machines too, as the port of a bridge does. */
  promiscuous = false;
  /** Cut from its segment by the fault `net.isolate`, per direction. */
  isolated: { in: boolean; out: boolean } = { in: false, out: false };
  /** A frame that passed the filter. */
  onFrame: (frame: Frame) => void = () => undefined;
  /** `carrier` or `adminUp` changed. */
  onCarrier: () => void = () => undefined;
  #tap: PacketTap;
  #adminUp = true;
  #port: NicPort | undefined;
  #groups = new Map<string, number>();
  #headers = new Map<string, LinkHeader>();
  #lastHeader: LinkHeader | undefined;
  /** The groups joined, in order. Two groups of one MAC count once, as in the hardware filter. */
  #reported: Ip[] = [];

  constructor(tap: PacketTap, options: NicOptions) {
    this.#tap = tap;
    this.owner = options.owner;
    this.name = options.name;
    this.label = `${options.owner}:${options.name}`;
    this.mac = options.mac;
    this.ifindex = options.ifindex;
    this.mtuBytes = options.mtuBytes ?? 1500;
  }

  get adminUp(): boolean {
    return this.#adminUp;
  }

  get carrier(): boolean {
    return this.#adminUp && this.#port?.carrier === true;
  }

  /** Called once, by the segment. */
  plug(port: NicPort): void {
    assert(this.#port === undefined, `${this.label} has one cable`);
    this.#port = port;
  }

  setAdminUp(up: boolean): void {
    if (this.#adminUp === up) return;
    this.#adminUp = up;
    this.#port?.adminChanged();
    this.carrierChanged();
  }

  /** Called by the segment too. Back on the wire, the groups are reported anew. */
  carrierChanged(): void {
    if (this.carrier) {
      for (const group of this.#reported) this.#report(group, 'report');
    }
    this.onCarrier();
  }

  /** In front of frames to a MAC. */
  headerTo(mac: string): LinkHeader {
    const last = this.#lastHeader;
    if (last?.ethTarget === mac) return last;
    let header = this.#headers.get(mac);
    if (header === undefined) {
      if (this.#headers.size >= headersMax) this.#headers.clear();
      header = new LinkHeader({ ethSource: this.mac, ethTarget: mac });
      this.#headers.set(mac, header);
    }
    this.#lastHeader = header;
    return header;
  }

  /** False when the interface is down or has no carrier; true says nothing about arrival. */
  send(frame: Frame): boolean {
    const port = this.#port;
    if (port === undefined || !this.#adminUp || !port.carrier) {
      this.#tap.drop({ place: this.label, why: 'interface-down', frame });
      return false;
    }
    this.#tap.pass('sent', this.label, frame);
    port.transmit(frame);
    return true;
  }

  /** True when the hardware filter lets the frame in. */
  accepts(frame: Frame): boolean {
    const { ethTarget } = frame;
    if (ethTarget === this.mac || ethTarget === broadcastMac || this.promiscuous) return true;
    return isGroupMac(ethTarget) && this.#groups.has(ethTarget);
  }

  /** Called by the segment, for frames that `accepts` took. */
  receive(frame: Frame): void {
    if (!this.#adminUp) {
      this.#tap.drop({ place: this.label, why: 'interface-down', frame });
      return;
    }
    this.#tap.pass('delivered', this.label, frame);
    this.onFrame(frame);
  }

  /**
   * Joins an IPv6 group: opens the filter and reports it to snooping switches, twice a second apart
   * because reports may be lost (RFC 2710 section 4). Memberships are counted.
   */
  join(group: Ip): void {
    const mac = groupMac(group);
    const members = this.#groups.get(mac) ?? 0;
    this.#groups.set(mac, members + 1);
    if (members > 0) return;
    this.#reported.push(group);
    this.#report(group, 'report');
    const again = { kind: 'mld', entity: this.label };
    this.#tap.world.schedule(1_000_000, again, () => {
      if (this.#groups.has(mac)) this.#report(group, 'report');
    });
  }

  leave(group: Ip): void {
    const mac = groupMac(group);
    const members = this.#groups.get(mac) ?? 0;
    if (members > 1) {
      this.#groups.set(mac, members - 1);
    } else if (members === 1) {
      this.#groups.delete(mac);
      this.#reported = this.#reported.filter((other) => other !== group);
      this.#report(group, 'done');
    }
  }

  /** Power is gone: memberships are lost without a farewell. */
  forgetGroups(): void {
    this.#groups.clear();
    this.#reported = [];
  }

  // Every host listens to all nodes and never reports that (RFC 2710 section 5).
  #report(group: Ip, kind: 'report' | 'done'): void {
    if (this.carrier && group !== 'ff02::1') {
      this.send(Frame.ofMld({ kind, ethSource: this.mac, group }));
    }
  }
}
