import type { KubePort } from '../kube/port.ts';
import type { Ip, PrefixParts } from '../lb/ip.ts';
import type {
  BlackholePort, Clock, EventSink, Journal, LinkPort, Micros, Random, Timer,
} from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { Blackholes } from './blackholes.ts';
import { Catalogue, type BgpTables } from './catalogue.ts';
import { desiredInstances, type DesiredInputs, type DesiredInstance } from './desired.ts';
import { Chronicle } from './chronicle.ts';
import { explainRoute, type RouteDecision } from './explain.ts';
import { InstanceSession } from './instance.ts';
import {
  nodeConfigTruths, passwordPatience, sessionNotices, statusInstances, type InstanceView,
} from './nodestatus.ts';
import { NodeStatusWriter } from './nodestatuswriter.ts';
import type { SessionReport, SpeakerEvent, Speakers, StopMode } from './port.ts';
import { Secrets } from './secrets.ts';
import type { BgpSettings } from './settings.ts';

/** What of the data path decides whether a Service is announced (bgp.md 3, rule 2). */
export interface FrontPort {
  ready(): boolean;
  hasFront(ip: Ip): boolean;
  onChange(listener: (change: { all: boolean; ips: ReadonlySet<Ip> }) => void): void;
}

export interface AdvertiserPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly kube: KubePort;
  readonly events: EventSink;
  readonly link: Pick<LinkPort, 'links' | 'routes' | 'onLinks'>;
  readonly speakers: Speakers;
  /** Absent: aggregates are announced without. */
  readonly blackholes?: BlackholePort;
  /** Undefined: something else serves Services, and the gate is open. */
  readonly datapath: FrontPort | undefined;
}

export interface AdvertiserSettings extends BgpSettings {
  readonly nodeName: string;
}

/** What announces this node's routes. */
export interface Advertiser {
  start(): void;
  /** Inputs may have changed; its tables say so themselves, later than others may want. */
  look(): void;
  /** Leaves every speaker: `withdraw` drains, `keep` says nothing to anybody. */
  stop(mode: StopMode, done: () => void): void;
  /** What it waits for, one sentence each. */
  pending(): readonly string[];
  /** Every instance that is configured, with what its speaker says, by name. */
  views(): readonly InstanceView[];
  /** Instances that run, by name. */
  readonly instances: readonly InstanceSession[];
  /** Why each peer is told the target or not; undefined before the listings are complete. */
  explain(target: PrefixParts): readonly RouteDecision[] | undefined;
}

/** Changes that come sooner than this after a plan form the next one. */
const coalesceFor: Micros = 20_000;

/**
 * Tells the speakers of a node what its watches, data path and links ask for. Nothing is told
 * before every listing is complete and the data path serves, so that a half-loaded cache never
 * withdraws what an adopted speaker announces; withdraws are told at once, the rest in plans
 * (bgp.md 3).
 */
export function createAdvertiser(
  ports: AdvertiserPorts, tables: BgpTables, settings: AdvertiserSettings,
): Advertiser {
  return new NodeAdvertiser(ports, tables, settings);
}

class NodeAdvertiser implements Advertiser {
  #ports: AdvertiserPorts;
  #catalogue: Catalogue;
  #secrets: Secrets;
  #chronicle: Chronicle;
  #blackholes: Blackholes | undefined;
  #status: NodeStatusWriter | undefined;
  #patience: Timer | undefined;
  #sessions = new Map<string, InstanceSession>();
  #closing = new Set<string>();
  /** Instances whose speaker went away since it was last live. */
  #lost = new Set<string>();
  #desired: readonly DesiredInstance[] = [];
  #state: 'idle' | 'waiting' | 'running' | 'stopped' = 'idle';
  #look: Timer | undefined;
  #plan: Timer | undefined;
  #plannedAt: Micros | undefined;
  /** Something changed since the last plan; and whether it may be a loss. */
  #dirty = false;
  #urgent = false;

  constructor(ports: AdvertiserPorts, tables: BgpTables, settings: AdvertiserSettings) {
    this.#ports = ports;
    this.#catalogue = new Catalogue(tables, settings.nodeName, settings);
    this.#secrets = new Secrets(ports, settings.secretsNamespace, () => this.#changed(true));
    this.#chronicle = new Chronicle(ports, () => this.#catalogue.nodeConfig);
    const { blackholes } = ports;
    this.#blackholes = blackholes && new Blackholes({ ...ports, blackholes });
    this.#status = settings.statusReport ? new NodeStatusWriter(ports, {
      config: () => this.#catalogue.nodeConfig,
      instances: () => statusInstances(this.views()),
      truths: () => nodeConfigTruths(this.views()),
    }) : undefined;
    for (const table of Object.values(tables)) table.onChange(() => this.look());
    ports.link.onLinks(() => this.#changed(true));
    ports.datapath?.onChange(({ all, ips }) => this.#frontsChanged(all, ips));
  }

  get instances(): readonly InstanceSession[] {
    return [...this.#sessions.values()].sort((left, right) => compareText(left.name, right.name));
  }

  start(): void {
    this.#state = 'waiting';
    this.#changed(true);
  }

  stop(mode: StopMode, done: () => void): void {
    this.#state = 'stopped';
    for (const timer of [this.#look, this.#plan, this.#patience]) timer?.cancel();
    this.#secrets.stop();
    this.#status?.stop();
    this.#blackholes?.stop();
    if (mode === 'withdraw') this.#chronicle.drain(false);
    const ended = (): void => {
      if (mode === 'withdraw') {
        this.#chronicle.drain(true);
        this.#blackholes?.clear();
      }
      done();
    };
    const sessions = this.instances;
    this.#sessions.clear();
    let left = sessions.length;
    if (left === 0) return ended();
    for (const session of sessions) {
      session.stop(mode, () => {
        left -= 1;
        if (left === 0) ended();
      });
    }
  }

  pending(): readonly string[] {
    if (this.#state === 'idle' || this.#state === 'stopped') return [];
    const waits = this.#state === 'waiting' ? ['bgp waits for listings and the data path'] : [];
    const plans = this.#look === undefined && this.#plan === undefined ? [] : ['bgp plans'];
    const closing = [...this.#closing].map((name) => `bgp ${name}: closes`);
    return [
      ...waits, ...plans, ...closing, ...this.instances.flatMap((session) => session.pending()),
      ...(this.#status?.pending() ?? []),
    ];
  }

  explain(target: PrefixParts): readonly RouteDecision[] | undefined {
    if (this.#state !== 'running') return undefined;
    return explainRoute(this.#inputs(), target, (instance, peer) =>
      this.#sessions.get(instance)?.routesOf(peer) ?? []);
  }

  views(): readonly InstanceView[] {
    const now = this.#ports.clock.now();
    const endsWithAgent = this.#ports.speakers.endsWithAgent ?? false;
    return this.#desired.map((desired): InstanceView => {
      const running = this.#sessions.get(desired.name);
      const session: InstanceView['session'] = (peer) => running?.session(peer);
      return {
        desired, session, speaker: running?.speaker, failed: running?.failed,
        notices: sessionNotices(desired, session, {
          now, endsWithAgent, downSince: (peer) => running?.downSince(peer),
        }),
      };
    });
  }

  #frontsChanged(all: boolean, ips: ReadonlySet<Ip>): void {
    const { datapath } = this.#ports;
    const gained = !all && [...ips].every((ip) => datapath?.hasFront(ip) === true);
    this.#changed(!gained);
  }

  #changed(urgent: boolean): void {
    this.#dirty = true;
    if (urgent) this.#urgent = true;
    this.look();
  }

  /** At the end of this turn, so that what comes and goes within it is no change. */
  look(): void {
    if (this.#state !== 'waiting' && this.#state !== 'running') return;
    this.#look ??= this.#ports.clock.after(0, () => {
      this.#look = undefined;
      this.#takeStock();
    });
  }

  #takeStock(): void {
    const change = this.#catalogue.take();
    if (change.any) this.#dirty = true;
    if (change.any && !change.additive) this.#urgent = true;
    if (!this.#open() || !this.#dirty) return;
    this.#secrets.want(this.#catalogue.secrets());
    const now = this.#ports.clock.now();
    const due = (this.#plannedAt ?? now - coalesceFor) + coalesceFor;
    // A peer whose Secret has not been answered for yet would be taken for one without.
    const known = this.#secrets.complete;
    if (known && due <= now) return this.#planAll();
    if (this.#urgent) {
      this.#urgent = false;
      for (const desired of this.#derive()) this.#sessions.get(desired.name)?.withdraw(desired);
    }
    if (!known) return;
    this.#plan ??= this.#ports.clock.after(Math.max(0, due - now), () => {
      this.#plan = undefined;
      this.look();
    });
  }

  /** The gate of bgp.md 3: closed until everything is known, never closed again. */
  #open(): boolean {
    if (this.#state === 'running') return true;
    if (!this.#catalogue.complete) return false;
    this.#secrets.want(this.#catalogue.secrets());
    if (!this.#secrets.complete || this.#ports.datapath?.ready() === false) return false;
    this.#state = 'running';
    return true;
  }

  #planAll(): void {
    const startedAt = this.#ports.clock.now();
    this.#plan?.cancel();
    this.#plan = undefined;
    this.#plannedAt = startedAt;
    this.#dirty = false;
    this.#urgent = false;
    this.#desired = this.#derive();
    const wanted = this.#desired.filter(({ global }) => global !== undefined);
    for (const session of this.instances) {
      if (!wanted.some(({ name }) => name === session.name)) this.#close(session);
    }
    this.#blackholes?.cover(wanted.flatMap(({ aggregates }) => aggregates));
    for (const desired of wanted) this.#session(desired.name)?.apply(desired);
    this.#blackholes?.trim();
    this.#chronicle.skips(this.#desired.flatMap(({ name, skipped }) =>
      skipped.map((peer) => ({ ...peer, instance: name }))));
    this.#statusChanged();
  }

  /** Now, and once more when a password has to be suspected. */
  #statusChanged(): void {
    this.#status?.changed();
    const secret = this.#desired.some(({ peers }) =>
      peers.some(({ peer }) => peer.password !== undefined));
    if (!secret) return;
    this.#patience?.cancel();
    this.#patience = this.#ports.clock.after(passwordPatience, () => this.#status?.changed());
  }

  #heard(
    session: InstanceSession, event: SpeakerEvent, before: SessionReport | undefined,
  ): void {
    const { name } = session;
    if (event.kind === 'session') {
      const [was, is] = [before?.state === 'established', event.session.state === 'established'];
      if (is && !was) this.#chronicle.established(name, event.session);
      if (was && !is) this.#chronicle.down(name, event.session);
    } else if (event.kind === 'lost') {
      this.#lost.add(name);
    } else if (event.kind === 'live' && this.#lost.delete(name)) {
      this.#chronicle.speakerBack(name);
      const labels = { instance: name };
      this.#ports.journal.measure?.({ name: 'bgp_speaker_restarts_total', value: 1, labels });
    }
    this.#statusChanged();
  }

  /** Undefined while the last life of that instance still ends. */
  #session(name: string): InstanceSession | undefined {
    const known = this.#sessions.get(name);
    if (known !== undefined || this.#closing.has(name)) return known;
    const { clock, random, journal, speakers } = this.#ports;
    const session: InstanceSession = new InstanceSession({
      name, clock, random, journal, port: speakers.open(name),
      told: (event, before) => this.#heard(session, event, before),
      wake: () => this.#changed(false),
    });
    this.#sessions.set(name, session);
    return session;
  }

  #close(session: InstanceSession): void {
    this.#sessions.delete(session.name);
    this.#closing.add(session.name);
    session.stop('withdraw', () => {
      this.#closing.delete(session.name);
      this.#changed(false);
    });
  }

  #derive(): readonly DesiredInstance[] {
    return desiredInstances(this.#inputs());
  }

  #inputs(): DesiredInputs {
    const { link, datapath } = this.#ports;
    const serves = datapath?.ready() ?? true;
    return this.#catalogue.inputs({
      links: () => link.links(), routes: () => link.routes(),
      programmed: (ip) => datapath === undefined || (serves && datapath.hasFront(ip)),
      password: (secret) => this.#secrets.password(secret),
    });
  }
}
