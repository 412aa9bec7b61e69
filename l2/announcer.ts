import type { Ip } from '../lb/ip.ts';
import type { LinkFacts, Micros, Timer } from '../lb/ports.ts';
import { Assembly, type AnnouncerPorts, type AnnouncerSettings } from './assembly.ts';
import type { L2Tables } from './catalogue.ts';
import { listRows, type L2Row } from './rows.ts';
import type { SessionLink } from './lease.ts';
import type { SessionStateName } from './session-machine.ts';
import { second } from './settings.ts';
import type { SessionSeen, ViewListener } from './view.ts';

export type { AnnouncerPorts, AnnouncerSettings } from './assembly.ts';
export type { L2Tables } from './catalogue.ts';
export type { FrontPort } from './place.ts';
export type { L2Row } from './rows.ts';

export interface Announcer {
  start(): void;
  /** L4: hands every address over, at most 4 s, then calls back. */
  stop(done: () => void): void;
  /** What has not settled, one sentence each; a burst in progress has. */
  pending(): readonly string[];
  /** `fairlead l2 list` as this node sees it. */
  rows(): readonly L2Row[];
  /** `fairlead l2 status`. */
  status(): L2Status;
  /** Interfaces of this node, whether announced on or not. */
  links(): readonly LinkFacts[];
}

/** How this node stands as an announcer. */
export interface L2Status {
  readonly session: string;
  readonly state: SessionStateName;
  /** Until nothing may be answered any more; undefined while no session is open. */
  readonly fenceLeft: Micros | undefined;
  readonly hostLock: boolean;
  readonly links: readonly SessionLink[];
  /** Addresses with keys in the responder map. */
  readonly keys: number;
  /** Open sessions of all nodes, and what the renewals of them cost a second (l2.md 5.5). */
  readonly sessions: number;
  readonly settings: AnnouncerSettings;
}

const hostLock = '@fairlead-l2';
const linkPollEvery: Micros = 10 * second;
const neededFor: Micros = 60 * second;

/** The L2 part of one node's daemon (l2.md). Nothing is answered before the host lock is held. */
export function createAnnouncer(
  ports: AnnouncerPorts, tables: L2Tables, settings: AnnouncerSettings,
): Announcer {
  return new NodeAnnouncer(ports, tables, settings);
}

class NodeAnnouncer implements Announcer {
  #ports: AnnouncerPorts;
  #settings: AnnouncerSettings;
  #parts: Assembly;
  #locked = false;
  #cleared = false;
  #stopping: (() => void) | undefined;
  #stopped = false;
  #unneededSince: Micros | undefined;
  #timers = new Map<string, Timer>();

  constructor(ports: AnnouncerPorts, tables: L2Tables, settings: AnnouncerSettings) {
    this.#ports = ports;
    this.#settings = settings;
    const hooks = {
      wake: (callback: () => void) => this.#wake(callback),
      view: this.#viewListener(),
      session: {
        live: () => this.#live(),
        extended: (fence: Micros) => this.#extend(fence),
        lost: (reason: string, identity: string) => this.#lost(reason, identity),
        leaving: () => this.#pump(),
        dropAll: (done: () => void) => this.#dropAll(done),
        ended: () => this.#ended(),
      },
      review: (address: Ip) => this.#review(address),
      looked: () => {
        this.#parts.place.nodeSeen();
        this.#considerNeed();
      },
    };
    this.#parts = new Assembly(ports, tables, { settings, hooks });
    const read = (): void => this.#parts.ownership.tablesChanged();
    for (const table of Object.values(tables)) table.onChange(read);
  }

  start(): void {
    const { kernel, link } = this.#ports;
    this.#parts.stream.start();
    link.onLinks(() => this.#wake(() => this.#parts.place.refreshLinks()));
    link.onFrame((ifindex, frame) => {
      if (!this.#parts.claims.concerns(frame)) return;
      this.#wake(() => this.#parts.claims.hear(ifindex, frame));
    });
    this.#ports.datapath?.onChange(({ all, ips }) => this.#wake(() => {
      if (all) this.#parts.ownership.markAll();
      else for (const address of ips) this.#parts.ownership.mark(address);
    }));
    kernel.hostLock(hostLock, () => this.#wake(() => {
      this.#locked = true;
      this.#clear();
    }));
    this.#every('level', second, () => {
      this.#considerNeed();
      if (this.#cleared) this.#parts.upkeep.run();
      this.#pump();
    });
    this.#every('links', linkPollEvery, () => this.#parts.place.refreshLinks());
  }

  stop(done: () => void): void {
    this.#stopping = done;
    if (!this.#parts.session.open) this.#parts.ownership.sendAll({ type: 'DENIED' });
    this.#parts.session.stop();
  }

  pending(): readonly string[] {
    if (this.#stopped) return [];
    const sentences: string[] = [];
    const { state } = this.#parts.session;
    if (!this.#locked) sentences.push('waits for the host lock @fairlead-l2');
    if (state === 'opening' || state === 'leaving') sentences.push(`the L2 session is ${state}`);
    for (const address of this.#parts.ownership.sorted()) {
      if (address.answers || address.state === 'standby') continue;
      sentences.push(`${address.ip} is ${address.state}`);
    }
    return sentences;
  }

  rows(): readonly L2Row[] {
    const { clock, kernel } = this.#ports;
    const { catalogue, view, elections, session, ownership, claims, keys } = this.#parts;
    return listRows({
      catalogue, view, elections, session, ownership, claims, keys, kernel,
      now: clock.now(), boot: clock.boot(),
      linkName: (ifindex) => (
        this.links().find((link) => link.ifindex === ifindex)?.name ?? String(ifindex)
      ),
    });
  }

  status(): L2Status {
    const { session, links, keys, view } = this.#parts;
    const { fence } = session;
    return {
      session: session.identity, state: session.state, hostLock: this.#locked,
      fenceLeft: fence === undefined ? undefined : fence - this.#ports.clock.boot(),
      links: links.told(), keys: keys.size,
      sessions: [...view.sessions.values()].filter(({ open }) => open).length,
      settings: this.#settings,
    };
  }

  links(): readonly LinkFacts[] {
    return this.#ports.link.links();
  }

  // Rule S7: a passed fence ends the session at whatever wakes the process up first.
  #wake(callback: () => void): void {
    if (this.#stopped) return;
    this.#parts.session.checkFence();
    callback();
  }

  #every(name: string, interval: Micros, callback: () => void): void {
    this.#timers.set(name, this.#ports.clock.after(interval, () => this.#wake(() => {
      callback();
      if (!this.#stopped) this.#every(name, interval, callback);
    })));
  }

  /** Rule S2; repeated until the map reads back as empty. */
  #clear(): void {
    if (this.#parts.keys.clear()) {
      this.#cleared = true;
      this.#parts.place.refreshLinks();
      this.#parts.ownership.tablesChanged();
      return;
    }
    this.#parts.chronicle.note(
      'error', 'l2.mapNotCleared', 'the responder map cannot be emptied; L2 stays silent',
    );
    this.#timers.set(
      'clear', this.#ports.clock.after(second, () => this.#wake(() => this.#clear())),
    );
  }

  #viewListener(): ViewListener {
    return {
      lockChanged: (name: string) => this.#parts.ownership.lockChanged(name),
      sessionChanged: (name: string) => this.#sessionChanged(name),
      delivered: (name: string, seen: SessionSeen) => {
        if (this.#parts.silence.heard(name)) this.#parts.elections.outdate();
        if (seen.identity === this.#parts.session.identity) this.#parts.session.delivered(seen);
      },
      listed: () => {
        this.#parts.ownership.markAll();
        this.#parts.ownership.tablesChanged();
      },
    };
  }

  #sessionChanged(name: string): void {
    const { elections, view, session, silence, ownership } = this.#parts;
    elections.outdate();
    const seen = view.sessions.get(name);
    if (seen === undefined) {
      if (session.open && view.session(session.identity) === undefined) {
        session.delivered(undefined);
      }
    } else {
      silence.observe();
      if (!seen.open) {
        for (const lock of view.locksOf(seen.identity)) ownership.lockChanged(lock);
      }
    }
    ownership.markHeld();
  }

  #live(): void {
    const { chronicle, session, links, elections, silence, ownership, overtime } = this.#parts;
    chronicle.note('info', 'l2.sessionLive', `session ${session.identity} is open`);
    links.forgetLosses();
    elections.outdate();
    silence.restart();
    ownership.forgetWaits();
    overtime.sessionLive();
    ownership.sendAll({ type: 'SESSION_LIVE' });
    ownership.markAll();
  }

  /** Row 5: one batch; a key whose lock is no longer held is never extended. */
  #extend(fence: Micros): void {
    const { overtime, ownership, keys } = this.#parts;
    overtime.counted();
    keys.extend(ownership.held(), fence);
  }

  #lost(reason: string, identity: string): void {
    this.#parts.chronicle.note('warn', 'l2.sessionLost', `session ${identity} is lost (${reason})`);
    this.#parts.chronicle.count('l2_session_lost_total', { reason });
    this.#parts.ownership.sendAll({ type: 'SESSION_LOST' });
    this.#parts.ownership.forgetWaits();
    this.#parts.elections.outdate();
  }

  #dropAll(done: () => void): void {
    const { clock } = this.#ports;
    let wait: Micros = 0;
    for (const address of this.#parts.ownership.sorted()) {
      const last = this.#parts.keys.lastExpiry(address.ip);
      address.send({ type: 'SESSION_LOST' });
      if (!this.#parts.keys.remove(address.ip)) wait = Math.max(wait, last - clock.boot());
    }
    clock.after(Math.max(0, wait) + 10_000, () => this.#wake(done));
  }

  #ended(): void {
    const done = this.#stopping;
    if (done === undefined) return;
    this.#stopping = undefined;
    for (const address of this.#parts.ownership.sorted()) {
      address.send({ type: 'SESSION_LOST' });
      this.#parts.keys.remove(address.ip);
      address.stop();
    }
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#parts.stream.stop();
    done();
  }

  #pump(): void {
    if (this.#parts.session.state === 'leaving' && this.#parts.ownership.pumpReleases()) {
      this.#parts.session.allReleased();
    }
  }

  #review(address: Ip): void {
    this.#parts.ownership.mark(address);
    if (this.#parts.session.state === 'leaving') this.#pump();
  }

  #considerNeed(): void {
    if (this.#stopping !== undefined || !this.#locked || !this.#cleared) return;
    if (this.#parts.view.listedAt === undefined || !this.#parts.catalogue.complete) return;
    const now = this.#ports.clock.now();
    if (this.#parts.catalogue.selectsNode(this.#settings.nodeName)) {
      this.#unneededSince = undefined;
      if (!this.#parts.stream.complete) return;
      this.#parts.session.need();
      return;
    }
    this.#unneededSince ??= now;
    if (now >= this.#unneededSince + neededFor) this.#parts.session.notNeeded();
  }
}
