import type { Micros } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import { KnownName, type WorldEvent } from '../event.ts';
import type { World } from '../world.ts';
import { isGroupMac } from './address.ts';
import type { Cut } from './cut.ts';
import type { Frame } from './frame.ts';
import { Link } from './link.ts';
import type { Nic, NicPort } from './nic.ts';
import { LearningSwitch, type SwitchMemory, type SwitchOptions } from './switch.ts';
import type { PacketTap } from './tap.ts';

/**
 * Up to this delay a frame crosses both links and the switch in one event. A slower link gets its
 * own, so that a switch never learns long before the frame is there.
 */
const fusedDelayMax: Micros = 1_000;

/** One NIC in one port of the switch, with the cable between. */
export class SwitchPort implements NicPort {
  readonly nic: Nic;
  readonly link: Link;
  /** Names the arrival of a frame here in the trace. */
  readonly arrival: KnownName;
  /** The same for a frame on a slow link that reaches the switch. */
  readonly departure: KnownName;
  /** Leads to another switch, which gets every group whatever was reported here (RFC 4541 2.1). */
  trunk = false;
  /** What the switch keeps of the last frame from here. */
  remembered: SwitchMemory | undefined;
  /** Latest arrival at each port of a frame that was sent here; keeps order on varied links. */
  readonly lastArrivals = new Map<SwitchPort, Micros>();
  #segment: Segment;

  constructor(segment: Segment, nic: Nic, link: Link) {
    this.#segment = segment;
    this.nic = nic;
    this.link = link;
    this.arrival = new KnownName('frame', nic.label);
    this.departure = new KnownName('frame-out', nic.label);
  }

  get carrier(): boolean {
    return this.link.carrier && this.#segment.learning.powered;
  }

  transmit(frame: Frame): void {
    this.#segment.transmit(this, frame);
  }

  /** A frame that `from` sent is here. */
  arrive(from: SwitchPort, frame: Frame): void {
    this.#segment.arrive(this, { from, frame });
  }

  adminChanged(): void {
    if (!this.nic.adminUp) this.#segment.learning.forgetPort(this);
  }
}

/** A frame on its way to one port: by far the most frequent event, so without a closure. */
class Arrival implements WorldEvent {
  time: Micros = 0;
  rank = 0;
  count = 0;
  cancelled = false;
  readonly name: KnownName;
  readonly nameHash: number;
  readonly digest: number;
  readonly port: SwitchPort;
  readonly from: SwitchPort;
  readonly frame: Frame;

  constructor(port: SwitchPort, { from, frame }: Sent) {
    this.name = port.arrival;
    this.nameHash = port.arrival.hash;
    this.digest = frame.digest;
    this.port = port;
    this.from = from;
    this.frame = frame;
  }

  run(): void {
    this.port.arrive(this.from, this.frame);
  }

  cancel(): void {
    this.cancelled = true;
  }
}

interface Sent {
  readonly from: SwitchPort;
  readonly frame: Frame;
}

interface Passage extends Sent {
  /** Time the frame still needs to reach the switch. */
  readonly before: Micros;
  /** Extra delay of an overtaken frame, which gives up its place in the order. */
  readonly overtaken: Micros;
}

/**
 * One broadcast domain: a learning switch and a link to every NIC (simulator.md 5.3). A frame costs
 * one event from sender to receivers; what may change meanwhile is looked at again on arrival.
 */
export class Segment {
  readonly name: string;
  readonly world: World;
  readonly tap: PacketTap;
  readonly learning: LearningSwitch;
  readonly ports: SwitchPort[] = [];
  #cuts: Cut[] = [];

  constructor(tap: PacketTap, name: string, options: SwitchOptions = {}) {
    this.name = name;
    this.tap = tap;
    this.world = tap.world;
    this.learning = new LearningSwitch(this, options);
  }

  /** Plugs a NIC in. The link is named `segment/owner:nic`. */
  attach(nic: Nic): SwitchPort {
    const link = new Link(this.world, `${this.name}/${nic.label}`, {
      onChange: () => this.#linkChanged(port),
      release: (proceed) => this.#later(proceed),
    });
    const port = new SwitchPort(this, nic, link);
    nic.plug(port);
    this.ports.push(port);
    this.ports.sort((left, right) => compareText(left.nic.label, right.nic.label));
    return port;
  }

  /** The link of a machine on this segment. */
  linkOf(owner: string): Link | undefined {
    return this.ports.find((port) => port.nic.owner === owner)?.link;
  }

  /** Applies a cut until the returned function heals it. */
  cut(cut: Cut): () => void {
    this.#cuts.push(cut);
    return () => {
      this.#cuts = this.#cuts.filter((other) => other !== cut);
      for (const proceed of cut.release()) this.#later(proceed);
    };
  }

  /** An outage of the switch: all ports lose carrier, the MAC table is empty afterwards. */
  setPower(powered: boolean): void {
    if (this.learning.powered === powered) return;
    this.learning.setPower(powered);
    for (const port of this.ports) port.nic.carrierChanged();
  }

  /** `switch.reboot`: power off now and on after `duration`. */
  reboot(duration: Micros): void {
    this.setPower(false);
    const what = { kind: 'switch-on', entity: this.name };
    this.world.schedule(duration, what, () => this.setPower(true), { band: 0 });
  }

  /** The first half of the way: the sender's link. */
  transmit(from: SwitchPort, frame: Frame): void {
    if (from.nic.isolated.out) {
      return this.tap.drop({ place: from.nic.label, why: 'isolated', frame });
    }
    const out = from.link.toSwitch;
    const refusal = out.refusal(frame);
    if (refusal !== undefined) return this.tap.drop({ place: out.name, why: refusal, frame });
    if (!out.clogged) return this.#cross(from, frame);
    out.queued += 1;
    out.hold(() => {
      out.queued -= 1;
      this.#cross(from, frame);
    });
  }

  #cross(from: SwitchPort, frame: Frame): void {
    const out = from.link.toSwitch;
    // It may have waited in a clog meanwhile.
    if (!out.up) return this.tap.drop({ place: out.name, why: 'link-down', frame });
    const carried = out.carried(frame);
    const before = out.delay();
    const overtaken = out.overtaken();
    for (let copies = out.copies(); copies > 0; copies -= 1) {
      if (before <= fusedDelayMax) {
        this.#switchFrame({ from, frame: carried, before, overtaken });
        continue;
      }
      const wait = this.#inOrder(from, from, { travel: before + overtaken, overtaken });
      out.queued += 1;
      this.world.schedule(wait, from.departure, () => {
        out.queued -= 1;
        this.#switchFrame({ from, frame: carried, before: 0, overtaken: 0 });
      }, { channel: out.name, digest: carried.digest });
    }
  }

  /** The second half: learn, choose ports, and one event for all that receive at the same time. */
  #switchFrame(passage: Passage): void {
    const { from, frame } = passage;
    const refusal = this.learning.admit(from, frame);
    if (refusal !== undefined) {
      return this.tap.drop({ place: `switch ${this.name}`, why: refusal, frame });
    }
    const group = isGroupMac(frame.ethTarget);
    const answer = group ? this.learning.answer(frame) : undefined;
    if (answer !== undefined) {
      const wait = passage.before + from.link.fromSwitch.delay();
      return this.#deliverOne(wait, from, { from, frame: answer });
    }
    const known = group ? undefined : this.learning.portFor(from, frame);
    if (known === undefined) return this.#flood(passage);
    if (known === from) return;
    const due = this.#leave(passage, known);
    if (due >= 0) this.#deliverOne(due, known, passage);
  }

  #flood(passage: Passage): void {
    const { from, frame } = passage;
    const ports = this.learning.flood(frame);
    const takers = ports.filter((port) => port !== from && port.nic.accepts(frame));
    const group = isGroupMac(frame.ethTarget);
    if (takers.length === 0 && !group) {
      const place = `switch ${this.name}`;
      return this.tap.drop({ place, why: 'unknown-mac', frame, detail: frame.ethTarget });
    }
    let wait: Micros = -1;
    let together: SwitchPort[] = [];
    for (const port of takers) {
      const due = port.nic.adminUp || !group ? this.#leave(passage, port) : -1;
      if (due < 0) continue;
      if (due !== wait && together.length > 0) {
        this.#deliver(wait, together, passage);
        together = [];
      }
      wait = due;
      together.push(port);
    }
    if (together.length > 0) this.#deliver(wait, together, passage);
  }

  /** When the frame will reach the NIC; -1 when it will not, or was sent there on its own. */
  #leave(passage: Passage, port: SwitchPort): Micros {
    const { from, frame } = passage;
    const into = port.link.fromSwitch;
    const refusal = port.nic.adminUp ? into.refusal(frame) : 'interface-down';
    if (refusal !== undefined) {
      this.tap.drop({ place: into.name, why: refusal, frame, detail: port.nic.label });
      return -1;
    }
    const overtaken = passage.overtaken + into.overtaken();
    const travel = passage.before + into.delay() + overtaken;
    const due = this.#inOrder(from, port, { travel, overtaken });
    const carried = into.carried(frame);
    if (into.copies() > 1) this.#deliverOne(due, port, { from, frame: carried });
    if (carried === frame) return due;
    this.#deliverOne(due, port, { from, frame: carried });
    return -1;
  }

  #inOrder(from: SwitchPort, to: SwitchPort, way: { travel: Micros; overtaken: Micros }): Micros {
    if (!from.link.toSwitch.varied && !to.link.fromSwitch.varied) return way.travel;
    if (way.overtaken > 0) return way.travel;
    const due = Math.max(this.world.now + way.travel, from.lastArrivals.get(to) ?? 0);
    from.lastArrivals.set(to, due);
    return due - this.world.now;
  }

  #deliverOne(wait: Micros, port: SwitchPort, sent: Sent): void {
    port.link.fromSwitch.queued += 1;
    this.world.post(wait, new Arrival(port, sent), sent.from.link.toSwitch.name);
  }

  #deliver(wait: Micros, ports: readonly SwitchPort[], sent: Sent): void {
    const [first] = ports;
    assert(first !== undefined, 'a frame goes to at least one port');
    for (const port of ports) port.link.fromSwitch.queued += 1;
    const options = { channel: sent.from.link.toSwitch.name, digest: sent.frame.digest };
    this.world.schedule(wait, first.arrival, () => {
      for (const port of ports) this.arrive(port, sent);
    }, options);
  }

  /** The last part of the way: the receiver's link, as it is now. */
  arrive(port: SwitchPort, sent: Sent): void {
    const into = port.link.fromSwitch;
    into.queued -= 1;
    if (!into.up) return this.tap.drop({ place: into.name, why: 'link-down', frame: sent.frame });
    if (!into.clogged) return this.#enter(port, sent);
    if (into.queued >= into.queueFrames) {
      return this.tap.drop({ place: into.name, why: 'queue-full', frame: sent.frame });
    }
    into.queued += 1;
    into.hold(() => this.arrive(port, sent));
  }

  #enter(port: SwitchPort, sent: Sent): void {
    const { frame } = sent;
    if (!port.nic.accepts(frame)) {
      // The table still led here, but the machine with that address is elsewhere or gone.
      if (!isGroupMac(frame.ethTarget)) {
        this.tap.drop({ place: into(port), why: 'unknown-mac', frame, detail: frame.ethTarget });
      }
      return;
    }
    if (this.#cuts.length > 0 && this.#parted(port, sent)) return;
    this.#finish(port, frame);
  }

  #finish(port: SwitchPort, frame: Frame): void {
    if (port.nic.isolated.in) this.tap.drop({ place: port.nic.label, why: 'isolated', frame });
    else port.nic.receive(frame);
  }

  /** True when a cut took the frame. */
  #parted(port: SwitchPort, sent: Sent): boolean {
    const source = sent.from.nic.owner;
    const target = port.nic.owner;
    const cut = this.#cuts.find((one) => one.parts(source, target));
    if (cut === undefined) return false;
    const finish = (): void => this.#finish(port, sent.frame);
    if (cut.form.kind === 'slow') {
      this.world.schedule(cut.form.delay, port.arrival, finish, { digest: sent.frame.digest });
    } else if (cut.form.kind === 'drop' || !cut.hold(finish)) {
      const place = `segment ${this.name}`;
      const detail = `${source} → ${target}`;
      this.tap.drop({ place, why: 'partition', frame: sent.frame, detail });
    }
    return true;
  }

  #linkChanged(port: SwitchPort): void {
    if (!port.link.carrier) this.learning.forgetPort(port);
    port.nic.carrierChanged();
  }

  #later(proceed: () => void): void {
    const what = { kind: 'frame-held', entity: this.name };
    this.world.schedule(0, what, proceed, { channel: this.name });
  }

}

function into(port: SwitchPort): string {
  return port.link.fromSwitch.name;
}
