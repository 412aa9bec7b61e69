import type { KubePort } from '../kube/port.ts';
import type { Ip } from '../lb/ip.ts';
import type {
  Clock, EventSink, Journal, KernelPort, LinkPort, Micros, Random, Timer,
} from '../lb/ports.ts';
import { Bursts } from './burst.ts';
import { Catalogue, type L2Tables } from './catalogue.ts';
import { Chronicle } from './chronicle.ts';
import { Claims } from './claims.ts';
import { Duties } from './duties.ts';
import { Elections } from './elections.ts';
import { ResponderKeys } from './keys.ts';
import { l2Label } from './lease.ts';
import { Links, type Link } from './links.ts';
import { LockStore } from './lockstore.ts';
import { Overtime } from './overtime.ts';
import { Ownership } from './ownership.ts';
import { Place, type FrontPort } from './place.ts';
import type { Rank } from './rank.ts';
import { listRows, type L2Row } from './rows.ts';
import { Session } from './session.ts';
import { second, type L2Settings } from './settings.ts';
import { LeaseStream } from './stream.ts';
import { Upkeep } from './upkeep.ts';
import { LeaseView, type LeaseDecoder, type SessionSeen } from './view.ts';
import { SilenceWatch } from './watchers.ts';

export type { L2Tables } from './catalogue.ts';
export type { FrontPort } from './place.ts';
export type { L2Row } from './rows.ts';
export type { LeaseDecoder } from './view.ts';

export interface AnnouncerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly kube: KubePort;
  readonly kernel: KernelPort;
  readonly link: LinkPort;
  readonly journal: Journal;
  readonly events: EventSink;
  readonly decode: LeaseDecoder;
  readonly rank: Rank;
}

export interface Announcer {
  start(): void;
  /** L4: hands every address over, at most 4 s, then calls back. */
  stop(done: () => void): void;
  /** What has not settled, one sentence each; a burst in progress has. */
  pending(): readonly string[];
  /** `fairlead l2 list` as this node sees it. */
  rows(): readonly L2Row[];
}

export type AnnouncerSettings = L2Settings & {
  readonly nodeName: string;
  readonly namespace: string;
};

const hostLock = '@fairlead-l2';
const linkPollEvery: Micros = 10 * second;
const neededFor: Micros = 60 * second;

/** The L2 part of one node's daemon (l2.md). Nothing is answered before the host lock is held. */
export function createAnnouncer(
  ports: AnnouncerPorts,
  tables: L2Tables,
  settings: AnnouncerSettings,
  datapath?: FrontPort,
): Announcer {
  return new NodeAnnouncer(ports, { tables, settings, datapath });
}

interface Wiring {
  readonly tables: L2Tables;
  readonly settings: AnnouncerSettings;
  readonly datapath: FrontPort | undefined;
}

class NodeAnnouncer implements Announcer {
  #ports: AnnouncerPorts;
  #settings: AnnouncerSettings;
  #datapath: FrontPort | undefined;
  #catalogue: Catalogue;
  #view: LeaseView;
  #stream: LeaseStream;
  #session: Session;
  #links: Links;
  #keys: ResponderKeys;
  #bursts: Bursts;
  #chronicle: Chronicle;
  #elections: Elections;
  #silence: SilenceWatch;
  #ownership: Ownership;
  #duties: Duties;
  #claims: Claims;
  #overtime: Overtime;
  #upkeep: Upkeep;
  #place: Place;
  #locked = false;
  #cleared = false;
  #stopping: (() => void) | undefined;
  #stopped = false;
  #unneededSince: Micros | undefined;
  #timers = new Map<string, Timer>();

  constructor(ports: AnnouncerPorts, wiring: Wiring) {
    const { tables, settings } = wiring;
    const { clock } = ports;
    const wake = (callback: () => void): void => this.#wake(callback);
    this.#ports = ports;
    this.#settings = settings;
    this.#datapath = wiring.datapath;
    this.#catalogue = new Catalogue(tables);
    this.#view = new LeaseView(ports.decode, () => clock.now(), this.#viewListener());
    const stream = { namespace: settings.namespace, labelSelector: l2Label, wake };
    this.#stream = new LeaseStream(ports, stream, {
      list: (items) => this.#view.list(items),
      changed: (object) => this.#view.changed(object),
      gone: (object) => this.#view.gone(object),
    });
    this.#links = new Links(ports, settings.devices);
    this.#keys = new ResponderKeys(ports.kernel);
    this.#chronicle = new Chronicle(ports, this.#catalogue, settings.nodeName);
    this.#place = new Place({
      clock, wake, settings, datapath: wiring.datapath, catalogue: this.#catalogue,
      links: this.#links, session: () => this.#session, ownership: () => this.#ownership,
      duties: () => this.#duties, claims: () => this.#claims, elections: () => this.#elections,
    });
    const store = new LockStore(
      { clock, kube: ports.kube, wake }, settings.namespace, settings.duration,
    );
    this.#session = this.#createSession(wake);
    this.#elections = new Elections({
      catalogue: this.#catalogue, view: this.#view, rank: ports.rank,
      ignoreExcludeLabel: settings.ignoreExcludeLabel,
      own: () => this.#place.ownFacts(), silent: (name) => this.#silence.isSilent(name),
    });
    this.#silence = new SilenceWatch({
      clock, wake, view: this.#view, store, node: settings.nodeName,
      session: () => this.#session, elections: () => this.#elections,
    });
    this.#bursts = new Bursts(ports, {
      wake,
      link: (address, name) => this.#place.announceable(address, name),
      done: (address) => this.#ownership.addresses.get(address)?.send({ type: 'BURST' }),
      sent: (address) => {
        const known = this.#ownership.addresses.get(address);
        if (known !== undefined) known.lastSentAt = clock.now();
      },
    });
    const linksFor = (address: Ip): readonly Link[] => this.#place.linksFor(address);
    this.#duties = new Duties({
      clock, link: ports.link, view: this.#view, store, keys: this.#keys, bursts: this.#bursts,
      chronicle: this.#chronicle, session: () => this.#session, nodeName: settings.nodeName,
      reannounceInterval: settings.reannounceInterval, linksFor,
      review: (address) => this.#review(address),
    });
    this.#ownership = new Ownership({
      clock, wake, catalogue: this.#catalogue, view: this.#view, elections: this.#elections,
      silence: this.#silence, session: () => this.#session, settings, bootId: ports.kernel.bootId,
      duties: () => this.#duties, linksFor, servable: (address) => this.#place.servable(address),
      looked: () => this.#considerNeed(),
    });
    this.#claims = new Claims({
      clock, kube: ports.kube, wake, namespace: settings.namespace, links: this.#links,
      view: this.#view,
      bursts: this.#bursts, chronicle: this.#chronicle, session: () => this.#session,
      address: (address) => this.#ownership.addresses.get(address),
      linksChanged: () => this.#place.refreshLinks(), changed: () => this.#session.publish(),
      relist: () => this.#stream.relist(),
    });
    this.#overtime = new Overtime({
      clock, wake, settings, keys: this.#keys, duties: this.#duties, ownership: this.#ownership,
      session: () => this.#session,
    });
    this.#upkeep = new Upkeep({
      clock, settings, kernel: ports.kernel, catalogue: this.#catalogue, view: this.#view,
      keys: this.#keys,
      chronicle: this.#chronicle, elections: this.#elections, silence: this.#silence,
      ownership: this.#ownership, duties: this.#duties, claims: this.#claims,
      session: this.#session,
      serves: (address) => this.#place.servable(address) && linksFor(address).length > 0,
      refreshLinks: () => this.#place.refreshLinks(),
    });
    const read = (): void => this.#ownership.tablesChanged();
    for (const table of Object.values(tables)) table.onChange(read);
  }

  start(): void {
    const { kernel, link } = this.#ports;
    this.#stream.start();
    link.onLinks(() => this.#wake(() => this.#place.refreshLinks()));
    link.onFrame((ifindex, frame) => this.#wake(() => this.#claims.hear(ifindex, frame)));
    this.#datapath?.onChange(({ all, ips }) => this.#wake(() => {
      if (all) this.#ownership.markAll();
      else for (const address of ips) this.#ownership.mark(address);
    }));
    kernel.hostLock(hostLock, () => this.#wake(() => {
      this.#locked = true;
      this.#clear();
    }));
    this.#every('level', second, () => {
      this.#considerNeed();
      if (this.#cleared) this.#upkeep.run();
      this.#pump();
    });
    this.#every('links', linkPollEvery, () => this.#place.refreshLinks());
  }

  stop(done: () => void): void {
    this.#stopping = done;
    if (!this.#session.open) this.#ownership.sendAll({ type: 'DENIED' });
    this.#session.stop();
  }

  pending(): readonly string[] {
    if (this.#stopped) return [];
    const sentences: string[] = [];
    const { state } = this.#session;
    if (!this.#locked) sentences.push('waits for the host lock @fairlead-l2');
    if (state === 'opening' || state === 'leaving') sentences.push(`the L2 session is ${state}`);
    for (const address of this.#ownership.sorted()) {
      if (address.answers || address.state === 'standby') continue;
      sentences.push(`${address.ip} is ${address.state}`);
    }
    return sentences;
  }

  rows(): readonly L2Row[] {
    return listRows({
      catalogue: this.#catalogue, view: this.#view, elections: this.#elections,
      session: this.#session,
      ownership: this.#ownership, claims: this.#claims, kernel: this.#ports.kernel,
      keys: this.#keys,
      now: this.#ports.clock.now(), boot: this.#ports.clock.boot(),
    });
  }

  // Rule S7: a passed fence ends the session at whatever wakes the process up first.
  #wake(callback: () => void): void {
    if (this.#stopped) return;
    this.#session.checkFence();
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
    if (this.#keys.clear()) {
      this.#cleared = true;
      this.#place.refreshLinks();
      this.#ownership.tablesChanged();
      return;
    }
    this.#chronicle.note(
      'error', 'l2.mapNotCleared', 'the responder map cannot be emptied; L2 stays silent',
    );
    this.#timers.set(
      'clear', this.#ports.clock.after(second, () => this.#wake(() => this.#clear())),
    );
  }

  #viewListener() {
    return {
      lockChanged: (name: string) => this.#ownership.lockChanged(name),
      sessionChanged: (name: string) => this.#sessionChanged(name),
      delivered: (name: string, seen: SessionSeen) => {
        if (this.#silence.heard(name)) this.#elections.outdate();
        if (seen.identity === this.#session.identity) this.#session.delivered(seen);
      },
      listed: () => {
        this.#ownership.markAll();
        this.#ownership.tablesChanged();
      },
    };
  }

  #sessionChanged(name: string): void {
    this.#elections.outdate();
    const seen = this.#view.sessions.get(name);
    if (seen === undefined) {
      if (this.#session.open && this.#view.session(this.#session.identity) === undefined) {
        this.#session.delivered(undefined);
      }
    } else {
      this.#silence.observe();
      if (!seen.open) {
        for (const lock of this.#view.locksOf(seen.identity)) this.#ownership.lockChanged(lock);
      }
    }
    this.#ownership.markHeld();
  }

  #createSession(wake: (callback: () => void) => void): Session {
    const { clock, random, kube, journal, kernel } = this.#ports;
    const settings = this.#settings;
    const config = {
      settings, nodeName: settings.nodeName, namespace: settings.namespace, bootId: kernel.bootId,
    };
    return new Session({ clock, random, kube, journal, wake }, config, {
      facts: () => this.#place.facts(),
      taken: (identity) => this.#view.namesLocks(identity),
      live: () => this.#live(),
      extended: (fence) => this.#extend(fence),
      lost: (reason, identity) => this.#lost(reason, identity),
      leaving: () => this.#pump(),
      dropAll: (done) => this.#dropAll(done),
      relist: () => this.#stream.relist(),
      ended: () => this.#ended(),
    });
  }

  #live(): void {
    this.#chronicle.note('info', 'l2.sessionLive', `session ${this.#session.identity} is open`);
    this.#links.forgetLosses();
    this.#elections.outdate();
    this.#silence.restart();
    this.#ownership.forgetWaits();
    this.#overtime.sessionLive();
    this.#ownership.sendAll({ type: 'SESSION_LIVE' });
    this.#ownership.markAll();
  }

  /** Row 5: one batch; a key whose lock is no longer held is never extended. */
  #extend(fence: Micros): void {
    this.#overtime.counted();
    for (const address of this.#ownership.addresses.values()) {
      const placed = address.answers || address.state === 'programming';
      if (placed && this.#ownership.holds(address.ip)) this.#keys.extend(address.ip, fence);
    }
  }

  #lost(reason: string, identity: string): void {
    this.#chronicle.note('warn', 'l2.sessionLost', `session ${identity} is lost (${reason})`);
    this.#ownership.sendAll({ type: 'SESSION_LOST' });
    this.#ownership.forgetWaits();
    this.#elections.outdate();
  }

  #dropAll(done: () => void): void {
    const { clock } = this.#ports;
    let wait: Micros = 0;
    for (const address of this.#ownership.sorted()) {
      const last = this.#keys.lastExpiry(address.ip);
      address.send({ type: 'SESSION_LOST' });
      if (!this.#keys.remove(address.ip)) wait = Math.max(wait, last - clock.boot());
    }
    clock.after(Math.max(0, wait) + 10_000, () => this.#wake(done));
  }

  #ended(): void {
    const done = this.#stopping;
    if (done === undefined) return;
    this.#stopping = undefined;
    for (const address of this.#ownership.sorted()) {
      address.send({ type: 'SESSION_LOST' });
      this.#keys.remove(address.ip);
      address.stop();
    }
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#stream.stop();
    done();
  }

  #pump(): void {
    if (this.#session.state === 'leaving' && this.#ownership.pumpReleases()) {
      this.#session.allReleased();
    }
  }

  #review(address: Ip): void {
    this.#ownership.mark(address);
    if (this.#session.state === 'leaving') this.#pump();
  }

  #considerNeed(): void {
    if (this.#stopping !== undefined || !this.#locked || !this.#cleared) return;
    if (this.#view.listedAt === undefined || !this.#catalogue.complete) return;
    const node = this.#catalogue.node(this.#settings.nodeName);
    const needed = node !== undefined && this.#catalogue.book.all().some(
      (policy) => policy.matchesNode(node.labels),
    );
    const now = this.#ports.clock.now();
    if (needed) {
      this.#unneededSince = undefined;
      if (!this.#stream.complete) return;
      this.#session.need();
      return;
    }
    this.#unneededSince ??= now;
    if (now >= this.#unneededSince + neededFor) this.#session.notNeeded();
  }
}
