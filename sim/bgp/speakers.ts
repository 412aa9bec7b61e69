import type { SpeakerGlobal, SpeakerPort } from '../../bgp/port.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import type { IpStack } from '../net/stack.ts';
import type { Transport } from '../net/transport.ts';
import { Process, type MachineClock } from '../process.ts';
import type { World } from '../world.ts';
import { SpeakerDaemon } from './daemon.ts';
import type { Md5Keys } from './keys.ts';
import type { BgpSite } from './peer.ts';
import { SimSpeaker } from './speaker.ts';

/** The machine that daemons run on, as far as they need it. */
export interface SpeakerMachine {
  readonly name: string;
  readonly world: World;
  readonly clock: MachineClock;
  /** Sockets of its host network. */
  readonly host: Transport;
  readonly stack: IpStack;
}

export interface SpeakerSettings {
  readonly keys: Md5Keys;
  /** Seconds; `bgp.deferralSeconds`. */
  readonly deferral: number;
  /** Seconds; `bgp.drainSeconds`. */
  readonly drain: number;
}

/** One daemon over its lives. */
export interface DaemonSlot {
  readonly instance: string;
  readonly process: Process | undefined;
  readonly daemon: SpeakerDaemon | undefined;
  /** Times that a daemon was told its global values. */
  readonly starts: number;
  /** Begins a new life; the old one is over. */
  spawn(global: SpeakerGlobal): SpeakerDaemon;
  kill(): void;
}

/** The BGP daemons of one node, one an instance, each a process of its own (simulator.md 5.5). */
export class NodeSpeakers {
  readonly machine: SpeakerMachine;
  readonly settings: SpeakerSettings;
  #slots = new Map<string, Slot>();

  constructor(machine: SpeakerMachine, settings: SpeakerSettings) {
    this.machine = machine;
    this.settings = settings;
  }

  /** The port of an agent's process to the speaker of an instance. */
  open(agent: Process, instance: string): SpeakerPort {
    return new SimSpeaker(agent, this.slot(instance), this);
  }

  /** Those that ever ran, by instance. */
  slots(): DaemonSlot[] {
    return [...this.#slots.keys()].sort(compareText).map((name) => this.slot(name));
  }

  slot(instance: string): DaemonSlot {
    let slot = this.#slots.get(instance);
    if (slot === undefined) {
      slot = new Slot(this, instance);
      this.#slots.set(instance, slot);
    }
    return slot;
  }

  /** Whether another instance of this node listens there. */
  portTaken(port: number, instance: string): boolean {
    return this.slots().some((slot) =>
      slot.instance !== instance && slot.daemon?.global.listenPort === port);
  }

  /** The machine lost power: every daemon is gone, and no socket says so. */
  powerOff(): void {
    for (const slot of this.#slots.values()) slot.kill();
  }

  pause(): void {
    for (const { process } of this.#slots.values()) process?.pause();
  }

  resume(): void {
    for (const { process } of this.#slots.values()) process?.resume();
  }
}

class Slot implements DaemonSlot {
  readonly instance: string;
  process: Process | undefined;
  daemon: SpeakerDaemon | undefined;
  starts = 0;
  #speakers: NodeSpeakers;

  constructor(speakers: NodeSpeakers, instance: string) {
    this.#speakers = speakers;
    this.instance = instance;
  }

  spawn(global: SpeakerGlobal): SpeakerDaemon {
    assert(this.daemon === undefined, `one daemon of ${this.instance} at a time`);
    const { machine, settings } = this.#speakers;
    const name = `speaker/${machine.name}`;
    const process = new Process(machine.world, name, machine.clock);
    const { keys, deferral } = settings;
    const daemon = new SpeakerDaemon(siteOf(machine, process), { global, keys, deferral });
    process.onEnd(() => {
      this.daemon = undefined;
      daemon.vanish();
    });
    this.process = process;
    this.daemon = daemon;
    this.starts += 1;
    return daemon;
  }

  kill(): void {
    this.process?.crash();
  }
}

function siteOf(machine: SpeakerMachine, process: Process): BgpSite {
  const { stack, world } = machine;
  return {
    name: process.name, world, transport: machine.host, prng: world.stream(process.name),
    enter: (callback) => process.enter(callback),
    later: (delay, kind, callback) => process.later(delay, kind, callback),
    sourceFor: (remote) => stack.sourceTowards(remote),
    addressOf: (family) => stack.addressOf(family),
  };
}
