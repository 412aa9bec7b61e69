import { broadcastMac, groupMac, allNodes, solicitedNodeGroup, zeroMac } from '../../l2/frames.ts';
import { familyOf, type Ip } from '../../lb/ip.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import { Frame } from './frame.ts';
import { Nic } from './nic.ts';
import type { Segment } from './segment.ts';

export interface RogueOptions {
  readonly name: string;
  readonly segment: Segment;
  readonly address: Ip;
  readonly mac: string;
  /** Repeats the announcement; 0 announces once. */
  readonly announceEvery: Micros;
}

/**
 * A foreign machine that claims an address: it announces it and answers requests for it
 * (`rogue.claim`). Packets that reach it vanish.
 */
export class Rogue {
  readonly nic: Nic;
  #segment: Segment;
  #address: Ip;
  #every: Micros;
  #timer: Timer | undefined;

  constructor(options: RogueOptions) {
    const { segment, name, mac } = options;
    this.#segment = segment;
    this.#address = options.address;
    this.#every = options.announceEvery;
    this.nic = new Nic(segment.tap, { owner: name, name: 'eth0', mac, ifindex: 2 });
    segment.attach(this.nic);
    this.nic.onFrame = (frame) => this.#receive(frame);
    if (familyOf(options.address) === 'IPv6') this.nic.join(solicitedNodeGroup(options.address));
    this.#announce();
  }

  /** Unplugs the machine; caches that believed it stay wrong until they learn better. */
  stop(): void {
    this.#timer?.cancel();
    this.nic.setAdminUp(false);
  }

  #announce(): void {
    const { mac } = this.nic;
    const address = this.#address;
    if (familyOf(address) === 'IPv4') {
      this.nic.send(Frame.ofArp({
        kind: 'arp', opcode: 1, ethSource: mac, ethTarget: broadcastMac,
        senderMac: mac, senderIp: address, targetMac: zeroMac, targetIp: address,
      }));
    } else {
      this.#advertise({ ethTarget: groupMac(allNodes), destination: allNodes, solicited: false });
    }
    if (this.#every === 0) return;
    const what = { kind: 'rogue', entity: this.nic.label };
    this.#timer = this.#segment.world.schedule(this.#every, what, () => this.#announce());
  }

  #receive(frame: Frame): void {
    const { content } = frame;
    const { mac } = this.nic;
    if (content.kind === 'arp') {
      const { arp } = content;
      if (arp.opcode !== 1 || arp.targetIp !== this.#address || arp.senderIp === arp.targetIp) {
        return;
      }
      this.nic.send(Frame.ofArp({
        kind: 'arp', opcode: 2, ethSource: mac, ethTarget: arp.senderMac,
        senderMac: mac, senderIp: this.#address, targetMac: arp.senderMac, targetIp: arp.senderIp,
      }));
    } else if (content.kind === 'ndp') {
      const { ndp } = content;
      if (ndp.kind !== 'solicitation' || ndp.target !== this.#address || ndp.source === '::') {
        return;
      }
      this.#advertise({ ethTarget: ndp.ethSource, destination: ndp.source, solicited: true });
    } else if (content.kind === 'packet') {
      this.#segment.tap.drop({ place: `rogue ${this.nic.owner}`, why: 'not-mine', frame });
    }
  }

  #advertise(to: { ethTarget: string; destination: Ip; solicited: boolean }): void {
    const { mac } = this.nic;
    this.nic.send(Frame.ofNdp({
      kind: 'advertisement', ethSource: mac, ...to, source: this.#address, target: this.#address,
      linkLayer: mac, router: false, override: true, hopLimit: 255,
    }));
  }
}
