import type { ArpFrame, NdpFrame } from '../../l2/frames.ts';
import type { Ip } from '../../lb/ip.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import { KnownName } from '../event.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';
import {
  arpHint, ignores, ndpHint, neighbourSettings, type Listener, type NeighbourHint,
  type NeighbourSettings,
} from './neighbour-rules.ts';

export type NeighbourState = 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed';

/** One entry, for people and checks. */
export interface NeighbourFacts {
  readonly ip: Ip;
  readonly mac: string | undefined;
  readonly state: NeighbourState;
  /** World time of the last change of MAC or state. */
  readonly changedAt: Micros;
  readonly router: boolean;
  /** Held by the fault `neighbour.stick`. */
  readonly stuck: boolean;
}

export interface NeighbourOutputs<Waiting> extends Listener {
  /** Asks for `target`, unicast when a MAC is given, else by broadcast or solicited-node group. */
  solicit(target: Ip, mac: string | undefined): void;
  /** A packet that waited, now with the MAC of its next hop. */
  transmit(packet: Waiting, mac: string): void;
  /** A packet that ends here: nobody answered, or too many wait. */
  unresolved(packet: Waiting, why: 'no-neighbour' | 'neighbour-queue'): void;
}

interface Entry<Waiting> {
  readonly ip: Ip;
  mac: string | undefined;
  state: NeighbourState;
  changedAt: Micros;
  usedAt: Micros;
  confirmedAt: Micros;
  /** How long REACHABLE lasts after a confirmation, drawn on entering it. */
  life: Micros;
  attempts: number;
  router: boolean;
  timer: Timer | undefined;
  queue: Waiting[];
}

const second: Micros = 1_000_000;
/** What Linux calls lock time: a newer binding has to wait so long, lest two answers flap. */
const lockTime: Micros = second;
const delayTime: Micros = 5 * second;
const retransTime: Micros = second;
const attemptsMax = 3;
const queueMax = 3;
const tableQuiet = 128;
const unusedTime: Micros = 60 * second;
const neverConfirmed: Micros = -1_000 * second;

/**
 * The neighbour table of one interface, ARP and NDP (RFC 826, RFC 4861 section 7.3) with the rules
 * that Linux shows in practice (simulator.md 5.4). REACHABLE ends without a timer: an entry is aged
 * when somebody looks at it.
 */
export class NeighbourCache<Waiting> {
  readonly settings: NeighbourSettings;
  #world: World;
  #event: KnownName;
  #prng: Prng;
  #outputs: NeighbourOutputs<Waiting>;
  #entries = new Map<Ip, Entry<Waiting>>();
  #stuck = new Set<Ip>();

  /** `name` is the machine's; chance comes from its stream `host/<name>`. */
  constructor(
    world: World, outputs: NeighbourOutputs<Waiting>,
    given: Partial<NeighbourSettings> & { name: string },
  ) {
    this.settings = neighbourSettings(given);
    this.#world = world;
    this.#event = new KnownName('neighbour', given.name);
    this.#prng = world.stream(`host/${given.name}`);
    this.#outputs = outputs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The MAC to use now. Undefined: the packet waits here, and ends in `transmit` or `unresolved`.
   */
  resolve(address: Ip, packet: Waiting): string | undefined {
    const mac = this.use(address);
    if (mac === undefined) this.wait(address, packet);
    return mac;
  }

  /** The MAC for a packet that leaves now. Undefined: it has to `wait`. */
  use(address: Ip): string | undefined {
    const entry = this.#aged(address) ?? this.#create(address);
    entry.usedAt = this.#world.now;
    if (entry.mac !== undefined && this.#isStuck(address)) return entry.mac;
    switch (entry.state) {
      case 'reachable': case 'delay': case 'probe':
        return entry.mac;
      case 'stale':
        this.#change(entry, 'delay');
        this.#arm(entry, delayTime);
        return entry.mac;
      case 'failed': case 'incomplete': return undefined;
    }
  }

  /** Keeps a packet for which `use` knew no MAC, and asks for one. */
  wait(address: Ip, packet: Waiting): void {
    const entry = this.#entries.get(address);
    assert(entry !== undefined, `${address} was looked for`);
    if (entry.state === 'failed' || entry.attempts === 0) this.#ask(entry, packet);
    else this.#enqueue(entry, packet);
  }

  onArp(frame: ArpFrame): void {
    // Most of what is broadcast is about an address that this machine never asked for.
    if (!this.#entries.has(frame.senderIp) && !this.#mayCreate(frame)) return;
    const hint = arpHint(frame, this.#outputs, this.settings);
    if (hint !== undefined) this.#learn(hint);
  }

  onNdp(frame: NdpFrame): void {
    const hint = ndpHint(frame, this.#outputs);
    if (hint !== undefined) this.#learn(hint);
  }

  /** New data was acknowledged by way of this neighbour (RFC 4861 section 7.3.1). */
  confirm(address: Ip): void {
    const entry = this.#entries.get(address);
    if (entry !== undefined) entry.confirmedAt = this.#world.now;
  }

  lookup(address: Ip): NeighbourFacts | undefined {
    const entry = this.#aged(address);
    if (entry === undefined) return undefined;
    const { ip, mac, state, changedAt, router } = entry;
    return { ip, mac, state, changedAt, router, stuck: this.#stuck.has(ip) };
  }

  /** What `lookup` says of the MAC, without the rest. */
  macOf(address: Ip): string | undefined {
    return this.#aged(address)?.mac;
  }

  addresses(): readonly Ip[] {
    return [...this.#entries.keys()];
  }

  /** The entry ignores updates and never ages (`neighbour.stick`) until `unstick`. */
  stick(address: Ip): void {
    this.#stuck.add(address);
  }

  unstick(address: Ip): void {
    this.#stuck.delete(address);
  }

  /** The link went down: everything learned is gone, waiting packets too. */
  flush(): void {
    for (const entry of this.#entries.values()) {
      entry.timer?.cancel();
      for (const packet of entry.queue) this.#outputs.unresolved(packet, 'no-neighbour');
    }
    this.#entries.clear();
  }

  // Hardly ever is one, and a set that is empty is hashed into all the same.
  #isStuck(address: Ip): boolean {
    return this.#stuck.size > 0 && this.#stuck.has(address);
  }

  get #fixedLife(): boolean {
    return this.settings.profile === 'sticky' || this.settings.profile === 'long';
  }

  #mayCreate({ opcode, senderIp, targetIp }: ArpFrame): boolean {
    if (senderIp === targetIp) return this.settings.arpAccept !== 0;
    return opcode === 1 && this.#outputs.isLocal(targetIp);
  }

  /** The entry as it is now: what expired since somebody last looked expires here. */
  #aged(address: Ip): Entry<Waiting> | undefined {
    const entry = this.#entries.get(address);
    if (entry?.state !== 'reachable' || this.#isStuck(address)) return entry;
    const until = Math.max(entry.changedAt, this.#fixedLife ? 0 : entry.confirmedAt) + entry.life;
    if (this.#world.now < until) return entry;
    if (this.#fixedLife) {
      this.#entries.delete(address);
      return undefined;
    }
    entry.state = 'stale';
    entry.changedAt = until;
    return entry;
  }

  #learn(hint: NeighbourHint): void {
    let entry = this.#aged(hint.ip);
    const asking = entry?.state === 'incomplete' || entry?.state === 'probe';
    if (ignores(this.settings, hint, asking)) return;
    if (entry === undefined) {
      if (!hint.creates) return;
      entry = this.#create(hint.ip);
    }
    if (entry.mac !== undefined && this.#stuck.has(hint.ip)) return;
    // Linux ignores advertisements for an entry in FAILED; ARP revives it.
    if (entry.state === 'failed' && hint.ip.includes(':') && !hint.creates) return;
    if (entry.state === 'incomplete' || entry.state === 'failed') this.#complete(entry, hint);
    else this.#update(entry, hint);
  }

  #complete(entry: Entry<Waiting>, hint: NeighbourHint): void {
    if (hint.mac === undefined) return;
    entry.mac = hint.mac;
    entry.router = hint.router ?? entry.router;
    this.#settle(entry, hint.state);
    const waiting = entry.queue;
    entry.queue = [];
    for (const packet of waiting) {
      const mac = this.resolve(entry.ip, packet);
      if (mac !== undefined) this.#outputs.transmit(packet, mac);
    }
  }

  #update(entry: Entry<Waiting>, hint: NeighbourHint): void {
    const same = hint.mac === undefined || hint.mac === entry.mac;
    entry.router = hint.router ?? entry.router;
    if (same) {
      if (hint.state === 'reachable' || this.#fixedLife) this.#settle(entry, 'reachable');
      return;
    }
    const locked = this.#world.now - entry.changedAt < lockTime;
    if (hint.replaces === 'always' || (hint.replaces === 'unlocked' && !locked)) {
      entry.mac = hint.mac;
      this.#settle(entry, hint.state);
    } else if (hint.replaces === 'never' && entry.state === 'reachable') {
      this.#settle(entry, 'stale');
    }
  }

  #settle(entry: Entry<Waiting>, state: 'stale' | 'reachable'): void {
    entry.timer?.cancel();
    entry.timer = undefined;
    entry.attempts = 0;
    if (state === 'stale' && !this.#fixedLife) return this.#change(entry, 'stale');
    this.#change(entry, 'reachable');
    entry.confirmedAt = this.#world.now;
    // 30 s times a draw from [0.5, 1.5) (RFC 4861 section 10).
    entry.life = this.#fixedLife
      ? this.settings.timeout
      : 15 * second + this.#prng.below(30 * second);
  }

  #change(entry: Entry<Waiting>, state: NeighbourState): void {
    entry.state = state;
    entry.changedAt = this.#world.now;
  }

  #create(ip: Ip): Entry<Waiting> {
    if (this.#entries.size >= tableQuiet) this.#collect();
    const { now } = this.#world;
    const entry: Entry<Waiting> = {
      ip, mac: undefined, state: 'incomplete', changedAt: now, usedAt: now,
      confirmedAt: neverConfirmed,
      life: 0, attempts: 0, router: false, timer: undefined, queue: [],
    };
    this.#entries.set(ip, entry);
    return entry;
  }

  #collect(): void {
    const idle = this.#world.now - unusedTime;
    for (const entry of this.#entries.values()) {
      const resting = entry.state === 'stale' || entry.state === 'failed'
        || entry.state === 'reachable';
      if (resting && entry.usedAt <= idle && entry.changedAt <= idle) {
        this.#entries.delete(entry.ip);
      }
    }
  }

  #ask(entry: Entry<Waiting>, packet: Waiting): void {
    entry.mac = undefined;
    entry.attempts = 0;
    entry.queue = [packet];
    this.#change(entry, 'incomplete');
    this.#solicit(entry);
  }

  #enqueue(entry: Entry<Waiting>, packet: Waiting): void {
    entry.queue.push(packet);
    if (entry.queue.length <= queueMax) return;
    const oldest = entry.queue.shift();
    if (oldest !== undefined) this.#outputs.unresolved(oldest, 'neighbour-queue');
  }

  #solicit(entry: Entry<Waiting>): void {
    entry.attempts += 1;
    this.#arm(entry, retransTime);
    this.#outputs.solicit(entry.ip, entry.state === 'probe' ? entry.mac : undefined);
  }

  #arm(entry: Entry<Waiting>, wait: Micros): void {
    entry.timer?.cancel();
    entry.timer = this.#world.schedule(wait, this.#event, () => this.#due(entry));
  }

  #due(entry: Entry<Waiting>): void {
    entry.timer = undefined;
    if (entry.mac !== undefined && this.#stuck.has(entry.ip)) {
      return this.#settle(entry, 'reachable');
    }
    if (entry.state === 'delay') {
      const confirmed = this.#world.now - entry.confirmedAt <= delayTime;
      if (confirmed) return this.#settle(entry, 'reachable');
      this.#change(entry, 'probe');
      entry.attempts = 0;
      return this.#solicit(entry);
    }
    if (entry.attempts < attemptsMax) return this.#solicit(entry);
    this.#change(entry, 'failed');
    entry.mac = undefined;
    const waiting = entry.queue;
    entry.queue = [];
    for (const packet of waiting) this.#outputs.unresolved(packet, 'no-neighbour');
  }
}
