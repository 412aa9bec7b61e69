import type { KubePort } from '../kube/port.ts';
import type { Ip } from '../lb/ip.ts';
import type { Clock, EventSink, Journal, KernelPort, LinkPort, Random } from '../lb/ports.ts';
import { Bursts } from './burst.ts';
import { Catalogue, type L2Tables } from './catalogue.ts';
import { Chronicle } from './chronicle.ts';
import { Claims } from './claims.ts';
import { Duties } from './duties.ts';
import { Elections } from './elections.ts';
import { ResponderKeys } from './keys.ts';
import { l2Label } from './lease.ts';
import type { LeaseReader } from './leasereader.ts';
import { Links, type Link } from './links.ts';
import { LockStore } from './lockstore.ts';
import { Overtime } from './overtime.ts';
import { Ownership } from './ownership.ts';
import { Place, type FrontPort } from './place.ts';
import type { Rank } from './rank.ts';
import type { Selections } from './selections.ts';
import { Session } from './session.ts';
import type { SessionHooks } from './sessionparts.ts';
import type { L2Settings } from './settings.ts';
import { LeaseStream } from './stream.ts';
import { Upkeep } from './upkeep.ts';
import { LeaseView, type ViewListener } from './view.ts';
import { SilenceWatch } from './watchers.ts';

export interface AnnouncerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly kube: KubePort;
  readonly kernel: KernelPort;
  readonly link: LinkPort;
  readonly journal: Journal;
  readonly events: EventSink;
  readonly leases: LeaseReader;
  readonly rank: Rank;
  readonly selections: Selections;
  /** Undefined where something else forwards the traffic: then C9 asks nothing of it. */
  readonly datapath: FrontPort | undefined;
}

export type AnnouncerSettings = L2Settings & {
  readonly nodeName: string;
  readonly namespace: string;
};

/** What the parts ask of the announcer around them. */
export interface AssemblyHooks {
  /** Enters the process: everything that comes from outside passes here. */
  readonly wake: (callback: () => void) => void;
  readonly view: ViewListener;
  readonly session: Omit<SessionHooks, 'facts' | 'taken' | 'relist'>;
  readonly review: (address: Ip) => void;
  readonly looked: () => void;
}

/** The parts of one node's announcer, each made once and connected to those it asks. */
export class Assembly {
  readonly catalogue: Catalogue;
  readonly view: LeaseView;
  readonly stream: LeaseStream;
  readonly links: Links;
  readonly keys: ResponderKeys;
  readonly chronicle: Chronicle;
  readonly place: Place;
  readonly session: Session;
  readonly elections: Elections;
  readonly silence: SilenceWatch;
  readonly bursts: Bursts;
  readonly duties: Duties;
  readonly ownership: Ownership;
  readonly claims: Claims;
  readonly overtime: Overtime;
  readonly upkeep: Upkeep;
  #ports: AnnouncerPorts;
  #settings: AnnouncerSettings;
  #hooks: AssemblyHooks;

  constructor(
    ports: AnnouncerPorts,
    tables: L2Tables,
    of: { readonly settings: AnnouncerSettings; readonly hooks: AssemblyHooks },
  ) {
    const { settings, hooks } = of;
    this.#ports = ports;
    this.#settings = settings;
    this.#hooks = hooks;
    this.catalogue = new Catalogue(tables, ports.selections);
    this.view = new LeaseView(ports.leases, () => ports.clock.now(), hooks.view);
    this.stream = this.#createStream();
    this.links = new Links(ports, settings.devices);
    this.keys = new ResponderKeys(ports.kernel);
    this.chronicle = new Chronicle(ports, this.catalogue, settings.nodeName);
    this.place = this.#createPlace();
    this.session = this.#createSession();
    this.elections = this.#createElections();
    const { clock, kube, journal } = ports;
    const store = new LockStore(
      { clock, kube, journal, wake: hooks.wake }, settings.namespace, settings.duration,
    );
    this.silence = this.#createSilence(store);
    this.bursts = this.#createBursts();
    this.duties = this.#createDuties(store);
    this.ownership = this.#createOwnership();
    this.claims = this.#createClaims();
    this.overtime = new Overtime({
      clock, wake: hooks.wake, settings, keys: this.keys, duties: this.duties,
      ownership: this.ownership, session: () => this.session, chronicle: this.chronicle,
    });
    this.upkeep = this.#createUpkeep();
  }

  #linksFor = (address: Ip): readonly Link[] => this.place.linksFor(address);

  #createStream(): LeaseStream {
    const { namespace } = this.#settings;
    const { wake } = this.#hooks;
    return new LeaseStream(this.#ports, { namespace, labelSelector: l2Label, wake }, {
      list: (items) => this.view.list(items),
      changed: (object) => this.view.changed(object),
      gone: (object) => this.view.gone(object),
    });
  }

  #createPlace(): Place {
    const { clock, datapath } = this.#ports;
    return new Place({
      clock, wake: this.#hooks.wake, settings: this.#settings, datapath,
      catalogue: this.catalogue, links: this.links, session: () => this.session,
      ownership: () => this.ownership, duties: () => this.duties, claims: () => this.claims,
      elections: () => this.elections,
    });
  }

  #createSession(): Session {
    const { clock, random, kube, journal, kernel } = this.#ports;
    const { nodeName, namespace } = this.#settings;
    const config = { settings: this.#settings, nodeName, namespace, bootId: kernel.bootId };
    return new Session({ clock, random, kube, journal, wake: this.#hooks.wake }, config, {
      ...this.#hooks.session,
      facts: () => this.place.facts(),
      taken: (identity) => this.view.namesLocks(identity),
      relist: () => this.stream.relist(),
    });
  }

  #createElections(): Elections {
    return new Elections({
      catalogue: this.catalogue, view: this.view, rank: this.#ports.rank,
      ignoreExcludeLabel: this.#settings.ignoreExcludeLabel,
      own: () => this.place.ownFacts(), silent: (name) => this.silence.isSilent(name),
    });
  }

  #createSilence(store: LockStore): SilenceWatch {
    return new SilenceWatch({
      clock: this.#ports.clock, wake: this.#hooks.wake, view: this.view, store,
      node: this.#settings.nodeName, session: () => this.session,
      elections: () => this.elections,
    });
  }

  #createBursts(): Bursts {
    const { clock } = this.#ports;
    return new Bursts(this.#ports, {
      wake: this.#hooks.wake,
      link: (address, name) => this.place.announceable(address, name),
      done: (address) => this.ownership.addresses.get(address)?.send({ type: 'BURST' }),
      sent: (address) => {
        const known = this.ownership.addresses.get(address);
        if (known !== undefined) known.lastSentAt = clock.now();
      },
    });
  }

  #createDuties(store: LockStore): Duties {
    const { clock, link } = this.#ports;
    const { nodeName, reannounceInterval } = this.#settings;
    return new Duties({
      clock, link, view: this.view, store, keys: this.keys, bursts: this.bursts,
      chronicle: this.chronicle, session: () => this.session, nodeName, reannounceInterval,
      linksFor: this.#linksFor, review: this.#hooks.review,
    });
  }

  #createOwnership(): Ownership {
    const { clock, kernel } = this.#ports;
    return new Ownership({
      clock, wake: this.#hooks.wake, catalogue: this.catalogue, view: this.view,
      leases: this.#ports.leases, elections: this.elections, silence: this.silence,
      session: () => this.session,
      settings: this.#settings, bootId: kernel.bootId, duties: () => this.duties,
      linksFor: this.#linksFor, servable: (address) => this.place.servable(address),
      looked: this.#hooks.looked,
    });
  }

  #createClaims(): Claims {
    const { clock, kube } = this.#ports;
    return new Claims({
      clock, kube, wake: this.#hooks.wake, namespace: this.#settings.namespace,
      links: this.links, view: this.view, bursts: this.bursts, chronicle: this.chronicle,
      session: () => this.session,
      address: (address) => this.ownership.addresses.get(address),
      occupied: (ipv4) => this.ownership.occupied(ipv4),
      linksChanged: () => this.place.refreshLinks(), changed: () => this.session.publish(),
      relist: () => this.stream.relist(),
    });
  }

  #createUpkeep(): Upkeep {
    const { clock, kernel } = this.#ports;
    return new Upkeep({
      clock, settings: this.#settings, kernel, catalogue: this.catalogue, view: this.view,
      keys: this.keys, chronicle: this.chronicle, elections: this.elections,
      silence: this.silence, ownership: this.ownership, duties: this.duties,
      claims: this.claims, session: this.session,
      serves: (address) => this.place.servable(address) && this.#linksFor(address).length > 0,
      refreshLinks: () => this.place.refreshLinks(),
    });
  }
}
