import type { Micros } from '../../lb/ports.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';
import { etherTypes } from './codec.ts';
import { Frame } from './frame.ts';
import type { DropReason } from './tap.ts';

/**
 * One direction of a link, with the faults that may afflict it. All of it may change at any time.
 */
export class LinkDirection {
  readonly name: string;
  /** Light on the fibre. A direction that is down alone fails silently, without loss of carrier. */
  up = true;
  /**
   * Parts per million of frames that vanish, come twice, are overtaken, arrive with a wrong bit.
   */
  lossPpm = 0;
  duplicatePpm = 0;
  reorderPpm = 0;
  corruptPpm = 0;
  /** How late an overtaken frame may come. */
  reorderWindow: Micros = 10_000;
  /** Larger packets vanish without an ICMP error: the black hole of a tunnel. */
  mtuBytes = 1500;
  /** Frames that may be under way or held at once; more are dropped at the tail. */
  queueFrames = 1000;
  /** True once a delay differed from its default, after which frames have to be kept in order. */
  varied = false;
  /** Frames under way or held. */
  queued = 0;
  #delayMin: Micros = 50;
  #delayMean: Micros = 0;
  #held: (() => void)[] | undefined;
  #prng: Prng;

  constructor(world: World, name: string) {
    this.name = name;
    this.#prng = world.stream(`net/${name}`);
  }

  /** Fixed part of the delay. */
  get delayMin(): Micros {
    return this.#delayMin;
  }

  /** Mean of the exponential part, which is added to the fixed one. */
  get delayMean(): Micros {
    return this.#delayMean;
  }

  setDelay(delayMin: Micros, delayMean: Micros): void {
    this.varied = true;
    this.#delayMin = delayMin;
    this.#delayMean = delayMean;
  }

  get clogged(): boolean {
    return this.#held !== undefined;
  }

  /** Frames wait from now on. Clearing returns what waited, first come first. */
  clog(): void {
    this.#held ??= [];
  }

  unclog(): readonly (() => void)[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }

  /** Keeps `proceed` until the clog ends; false when there is none. */
  hold(proceed: () => void): boolean {
    if (this.#held === undefined) return false;
    this.#held.push(proceed);
    return true;
  }

  /** Why this direction will not carry the frame, or undefined. */
  refusal(frame: Frame): DropReason | undefined {
    if (!this.up) return 'link-down';
    if (this.queued >= this.queueFrames) return 'queue-full';
    if (frame.payloadLength > this.mtuBytes) return 'mtu';
    if (this.lossPpm > 0 && this.#prng.ratio(this.lossPpm, 1_000_000)) return 'loss';
    // ARP has no checksum of its own, so a wrong bit always ends at that of the Ethernet frame.
    const bare = this.corruptPpm > 0 && frame.etherType === etherTypes.arp;
    return bare && this.#prng.ratio(this.corruptPpm, 1_000_000) ? 'bad-checksum' : undefined;
  }

  delay(): Micros {
    if (this.#delayMean === 0) return this.#delayMin;
    return this.#delayMin + this.#prng.exponential(this.#delayMean);
  }

  copies(): 1 | 2 {
    return this.duplicatePpm > 0 && this.#prng.ratio(this.duplicatePpm, 1_000_000) ? 2 : 1;
  }

  /** Extra delay of a frame that others may overtake; 0 for one that keeps its place. */
  overtaken(): Micros {
    if (this.reorderPpm === 0 || !this.#prng.ratio(this.reorderPpm, 1_000_000)) return 0;
    return 1 + this.#prng.below(this.reorderWindow);
  }

  /** The frame, or a copy with one bit of the packet turned, as broken memory of a switch does. */
  carried(frame: Frame): Frame {
    if (this.corruptPpm === 0 || frame.etherType === etherTypes.arp) return frame;
    if (!this.#prng.ratio(this.corruptPpm, 1_000_000)) return frame;
    const bytes = frame.bytes.slice();
    const bit = 8 * ethernetHeader + this.#prng.below(8 * (bytes.length - ethernetHeader));
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return Frame.ofBytes(bytes);
  }
}

const ethernetHeader = 14;

export type Direction = 'toSwitch' | 'fromSwitch' | 'both';

/** The cable between a NIC and its switch port. */
export class Link {
  readonly name: string;
  readonly toSwitch: LinkDirection;
  readonly fromSwitch: LinkDirection;
  #onChange: (link: Link) => void;
  #release: (proceed: () => void) => void;

  constructor(world: World, name: string, owner: {
    onChange: (link: Link) => void;
    /** Runs what a clog held, in the order given. */
    release: (proceed: () => void) => void;
  }) {
    this.name = name;
    this.toSwitch = new LinkDirection(world, `${name}:out`);
    this.fromSwitch = new LinkDirection(world, `${name}:in`);
    this.#onChange = owner.onChange;
    this.#release = owner.release;
  }

  /** Both ends see carrier unless both directions are dark. */
  get carrier(): boolean {
    return this.toSwitch.up || this.fromSwitch.up;
  }

  directions(direction: Direction = 'both'): readonly LinkDirection[] {
    if (direction === 'both') return [this.toSwitch, this.fromSwitch];
    return [this[direction]];
  }

  setUp(up: boolean, direction: Direction = 'both'): void {
    for (const one of this.directions(direction)) one.up = up;
    this.#onChange(this);
  }

  setDelay(delay: { min: Micros; mean: Micros }, direction: Direction = 'both'): void {
    for (const one of this.directions(direction)) one.setDelay(delay.min, delay.mean);
  }

  /** `ppm` per million of the frames, 0 to 1,000,000. */
  setRatio(
    fault: 'lossPpm' | 'duplicatePpm' | 'reorderPpm' | 'corruptPpm', ppm: number,
    direction: Direction = 'both',
  ): void {
    for (const one of this.directions(direction)) one[fault] = ppm;
  }

  setMtu(mtuBytes: number, direction: Direction = 'both'): void {
    for (const one of this.directions(direction)) one.mtuBytes = mtuBytes;
  }

  setClogged(clogged: boolean, direction: Direction = 'both'): void {
    for (const one of this.directions(direction)) {
      if (clogged) one.clog();
      else for (const proceed of one.unclog()) this.#release(proceed);
    }
  }
}
