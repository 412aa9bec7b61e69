import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { World } from '../world.ts';
import type { Frame } from './frame.ts';
import type { Packet } from './packet.ts';

/**
 * Why a frame or packet ended, closed. `datapath` and `policy` are said by a node's programs, which
 * add their own word in `detail`.
 */
export type DropReason =
  // On the wire.
  | 'interface-down' | 'link-down' | 'loss' | 'queue-full' | 'mtu' | 'partition' | 'isolated'
  // In the switch.
  | 'switch-off' | 'port-security' | 'unknown-mac'
  // In a host, router or node.
  | 'malformed' | 'bad-checksum' | 'unsupported' | 'not-mine' | 'no-route' | 'ttl'
  | 'no-neighbour' | 'neighbour-queue' | 'no-listener' | 'out-of-state' | 'powered-off'
  | 'datapath' | 'policy' | 'blackhole';

/** One step in the life of a packet. */
export interface PacketStep {
  readonly time: Micros;
  /** Where: `host phone`, `router gw`, `switch lan`, `link lan/node-1:eth0`. */
  readonly place: string;
  /** Left a NIC; arrived at a NIC; was taken by a socket; ended. */
  readonly what: 'sent' | 'delivered' | 'received' | 'dropped';
  /** Exactly for `dropped`. */
  readonly why: DropReason | undefined;
  /** What a person wants to know beside the reason: a MAC, an address, a verdict. */
  readonly detail: string | undefined;
  readonly packet: Packet | undefined;
  readonly frame: Frame | undefined;
}

export interface Drop {
  readonly place: string;
  readonly why: DropReason;
  readonly packet?: Packet | undefined;
  readonly frame?: Frame | undefined;
  readonly detail?: string | undefined;
}

const trailsMax = 4096;

/**
 * Where all parts of the network tell what happens to packets. Listening changes nothing: without a
 * listener only drops of packets with a trail are kept, so that a request can say why it failed.
 */
export class PacketTap {
  readonly world: World;
  #listeners: ((step: PacketStep) => void)[] = [];
  #lastDrop = new Map<number, PacketStep>();
  #trails = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** True when somebody wants every step, not drops alone. */
  get watched(): boolean {
    return this.#listeners.length > 0;
  }

  onStep(listener: (step: PacketStep) => void): () => void {
    this.#listeners.push(listener);
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  /** A number for the packets of one request, from 1. */
  newTrail(): number {
    this.#trails += 1;
    return this.#trails;
  }

  /** The last drop among the packets of a trail; asking forgets it. */
  takeDrop(trail: number): PacketStep | undefined {
    const step = this.#lastDrop.get(trail);
    if (step !== undefined) this.#lastDrop.delete(trail);
    return step;
  }

  pass(what: 'sent' | 'delivered' | 'received', place: string, frame: Frame | Packet): void {
    if (this.#listeners.length === 0) return;
    const packet = 'payload' in frame ? frame : frame.packet;
    const whole = 'payload' in frame ? undefined : frame;
    const step = { time: this.world.now, place, what, packet, frame: whole };
    this.#tell({ ...step, why: undefined, detail: undefined });
  }

  drop(drop: Drop): void {
    const packet = drop.packet ?? drop.frame?.packet;
    const trail = packet?.trail ?? 0;
    if (trail === 0 && this.#listeners.length === 0) return;
    const step: PacketStep = {
      time: this.world.now, place: drop.place, what: 'dropped', why: drop.why,
      detail: drop.detail, packet, frame: drop.frame,
    };
    if (trail !== 0) this.#keep(trail, step);
    this.#tell(step);
  }

  #keep(trail: number, step: PacketStep): void {
    this.#lastDrop.delete(trail);
    this.#lastDrop.set(trail, step);
    if (this.#lastDrop.size <= trailsMax) return;
    // Trails of requests that nobody asks about any more: the one touched longest ago goes.
    for (const oldest of this.#lastDrop.keys()) {
      this.#lastDrop.delete(oldest);
      return;
    }
  }

  #tell(step: PacketStep): void {
    for (const listener of this.#listeners) listener(step);
  }
}

/** `no-neighbour at router gw: 192.168.10.200`, for people. */
export function describeDrop(step: PacketStep): string {
  const detail = step.detail === undefined ? '' : `: ${step.detail}`;
  return `${step.why ?? step.what} at ${step.place}${detail}`;
}

/** An address on an interface, with the bits of its subnet. */
export interface InterfaceAddress {
  readonly ip: Ip;
  readonly prefixBits: number;
}
