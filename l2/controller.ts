import type { LeaseReader } from './leasereader.ts';
import type { KubePort } from '../kube/port.ts';
import type { Ip } from '../lb/ip.ts';
import type { Clock, EventSink, Journal, Micros, Timer } from '../lb/ports.ts';
import type { StatusPort } from '../lb/status.ts';
import { compareText } from '../lb/table.ts';
import type { Rule } from './candidacy.ts';
import { Catalogue, type CatalogueChange, type L2Tables } from './catalogue.ts';
import { Elections } from './elections.ts';
import { lockName, nodeOf, sessionName } from './lease.ts';
import { PolicyDigest } from './policydigest.ts';
import { PolicyStatus, type Ailments, type PolicyConditionType } from './policystatus.ts';
import { createRank } from './rank.ts';
import { Selections } from './selections.ts';
import { LeaseStream } from './stream.ts';
import {
  ServiceStatus, withBgp, type Announcement, type OtherAnnouncers, type ServiceAnnouncement,
} from './servicestatus.ts';
import { serviceSubjects } from './subjects.ts';
import { Sweep } from './sweep.ts';
import { LeaseView } from './view.ts';

export interface L2ControllerPorts {
  readonly clock: Clock;
  readonly kube: KubePort;
  readonly status: StatusPort;
  readonly events: EventSink;
  readonly journal: Journal;
  readonly leases: LeaseReader;
  /** Absent: nothing else announces. */
  readonly others?: OtherAnnouncers;
}

export interface L2ControllerSettings {
  readonly namespace: string;
  /** Names this replica in what it closes. */
  readonly identity: string;
  readonly ignoreExcludeLabel?: boolean;
}

export interface L2Controller {
  start(): void;
  stop(): void;
  pending(): readonly string[];
  /** How each address of the Services stands whose addresses are ours. */
  announcements(): readonly ServiceAnnouncement[];
}

/** What is told of one address. */
interface Telling {
  readonly code: string;
  readonly reason: string;
  readonly message: string;
}

const lookEvery: Micros = 1_000_000;
/** An address without candidate for this long is worth telling of. */
const patience: Micros = 2_000_000;
const namedMax = 5;

/** The cluster-wide part of L2: conditions of policies, events about addresses, and rule L5. */
export function createL2Controller(
  ports: L2ControllerPorts, tables: L2Tables, settings: L2ControllerSettings,
): L2Controller {
  return new PolicyController(ports, tables, settings);
}

class PolicyController implements L2Controller {
  #ports: L2ControllerPorts;
  #tables: L2Tables;
  #catalogue: Catalogue;
  #view: LeaseView;
  #stream: LeaseStream;
  #elections: Elections;
  #status: PolicyStatus;
  #services: ServiceStatus;
  #sweep: Sweep;
  #timer: Timer | undefined;
  #running = false;
  #silent = new Set<string>();
  /** Since when each address has had no candidate, and whether that was told. */
  #without = new Map<Ip, { since: Micros; told: boolean }>();
  /** Addresses whose unknown locality was told. */
  #unlocated = new Set<Ip>();
  #refused = new Set<string>();
  #digest: PolicyDigest;
  #policiesSeen = -1;
  /** A lock changed hands, or a session came or went, since the Services were last judged. */
  #locksChanged = true;
  /** Something changed since the policies were last judged. */
  #stale = true;

  constructor(ports: L2ControllerPorts, tables: L2Tables, settings: L2ControllerSettings) {
    this.#ports = ports;
    this.#tables = tables;
    this.#catalogue = new Catalogue(tables, new Selections());
    const outdate = (): void => {
      this.#stale = true;
      this.#locksChanged = true;
      this.#elections.outdate();
    };
    this.#view = new LeaseView(ports.leases, () => ports.clock.now(), {
      lockChanged: () => { this.#locksChanged = true; },
      sessionChanged: outdate,
      delivered: (name) => {
        if (this.#silent.delete(name)) outdate();
      },
      listed: outdate,
    });
    // Without a selector, so that a Lease that lost its label is still seen.
    this.#stream = new LeaseStream(ports, { namespace: settings.namespace, wake: (run) => run() }, {
      list: (items) => this.#view.list(items),
      changed: (object) => this.#view.changed(object),
      gone: (object) => this.#view.gone(object),
    });
    this.#elections = new Elections({
      catalogue: this.#catalogue, view: this.#view, rank: createRank(),
      ignoreExcludeLabel: settings.ignoreExcludeLabel ?? false,
      own: () => undefined, silent: (name) => this.#silent.has(name),
    });
    this.#digest = new PolicyDigest(ports.events);
    this.#status = new PolicyStatus(ports, tables.policies);
    this.#services = new ServiceStatus(
      ports, tables.services, (address, service) => withBgp(
        this.#announcement(address), ports.others?.nodesOf(service, address) ?? [],
      ),
    );
    this.#sweep = new Sweep({
      clock: ports.clock, kube: ports.kube, namespace: settings.namespace,
      identity: settings.identity,
      view: this.#view, wanted: (address) => this.#catalogue.wanted(address),
    });
  }

  start(): void {
    this.#running = true;
    this.#stream.start();
    this.#again();
  }

  stop(): void {
    this.#running = false;
    this.#stream.stop();
    this.#timer?.cancel();
  }

  pending(): readonly string[] {
    if (!this.#running) return [];
    const sentences: string[] = [];
    if (!this.#stream.complete) sentences.push('the L2 controller waits for the list of Leases');
    if (this.#services.writing > 0) sentences.push('announcements of Services are being told');
    if (this.#status.writing > 0) sentences.push('conditions of L2 policies are being written');
    return sentences;
  }

  announcements(): readonly ServiceAnnouncement[] {
    return this.#services.announcements();
  }

  #again(): void {
    this.#timer = this.#ports.clock.after(lookEvery, () => {
      if (!this.#running) return;
      this.#look();
      this.#again();
    });
  }

  #look(): void {
    const change = this.#catalogue.refresh();
    const { revision } = this.#tables.policies;
    if (change.all || change.ips.size > 0 || revision !== this.#policiesSeen) this.#stale = true;
    if (this.#status.takeRetry()) this.#stale = true;
    this.#policiesSeen = revision;
    if (!this.#stream.complete || !this.#catalogue.complete) return;
    this.#noteSilence();
    this.#sweep.run();
    this.#tellServices(change);
    if (!this.#stale && !this.#waitEnds()) return;
    this.#stale = false;
    this.#judge();
  }

  #tellServices(change: CatalogueChange): void {
    const others = this.#ports.others?.changes();
    if (change.all || this.#locksChanged || others?.all === true) this.#services.touchAll();
    if (others !== undefined) this.#services.touch(others.services);
    this.#locksChanged = false;
    for (const address of change.ips) {
      this.#services.touch(
        this.#catalogue.contributions(address).map(({ service }) => service.key),
      );
    }
    this.#services.run();
  }

  /** Who answers for an address as the locks tell it, or the first broken link. */
  #announcement(address: Ip): Announcement {
    const refusal = this.#catalogue.refusal(address);
    if (refusal !== undefined) return { kind: 'silent', code: 'L2AddressRefused', text: refusal };
    if (!this.#catalogue.wanted(address)) {
      return { kind: 'silent', code: 'NoPolicy', text: 'no announcement policy selects it' };
    }
    const lock = this.#view.locks.get(lockName(address));
    const identity = lock?.reading.owner;
    const session = identity === undefined ? undefined : this.#view.sessions.get(
      sessionName(identity),
    );
    if (session?.open === true && !this.#silent.has(session.name)) {
      return { kind: 'announced', by: 'L2', nodes: [nodeOf(session.identity)] };
    }
    if (this.#elections.candidates(address).length === 0) {
      return {
        kind: 'silent',
        code: 'L2NoCandidate',
        text: `no node can announce it: ${failureText(this.#elections.failures(address))}`,
      };
    }
    return identity === undefined
      ? { kind: 'silent', code: 'NoHolder', text: 'no node holds its lock' }
      : {
        kind: 'silent',
        code: 'SessionStale',
        text: `the session of ${nodeOf(identity)}, which holds its lock, is silent`,
      };
  }

  #noteSilence(): void {
    const now = this.#ports.clock.now();
    const from = this.#view.listedAt ?? now;
    for (const [name, seen] of this.#view.sessions) {
      if (!seen.open || this.#silent.has(name) || now < this.#view.silentAt(seen, from)) continue;
      this.#silent.add(name);
      this.#stale = true;
      this.#elections.outdate();
    }
  }

  #waitEnds(): boolean {
    const now = this.#ports.clock.now();
    for (const { since, told } of this.#without.values()) {
      if (!told && now >= since + patience) return true;
    }
    return false;
  }

  #judge(): void {
    const ailing = new Map<string, Map<PolicyConditionType, string>>();
    const ail = (policy: string, type: PolicyConditionType, message: string): void => {
      const found = ailing.get(policy) ?? new Map<PolicyConditionType, string>();
      ailing.set(policy, found);
      if (!found.has(type)) found.set(type, message);
    };
    const addresses = [...this.#catalogue.ips()].sort(compareText);
    for (const address of [...this.#without.keys()]) {
      if (!this.#catalogue.wanted(address)) this.#without.delete(address);
    }
    for (const address of [...this.#unlocated]) {
      if (!this.#catalogue.wanted(address)) this.#unlocated.delete(address);
    }
    for (const address of addresses) this.#judgeAddress(address, ail);
    this.#digest.flush();
    this.#judgeNotices(ail);
    for (const policy of this.#tables.policies.values()) {
      const { name } = policy.meta;
      for (const [type, message] of this.#catalogue.book.faults(name)) ail(name, type, message);
      const { externalIps, loadBalancerIps } = this.#catalogue.book.get(name) ?? policy;
      if (!externalIps && !loadBalancerIps) {
        ail(
          name,
          'fairlead.dev/inert',
          'neither externalIPs nor loadBalancerIPs is true, so nothing is announced',
        );
      }
      const ailments: Ailments = ailing.get(name) ?? new Map();
      this.#status.write(policy, ailments);
    }
  }

  #judgeAddress(
    address: Ip, ail: (policy: string, type: PolicyConditionType, message: string) => void,
  ): void {
    const refusal = this.#catalogue.refusal(address);
    if (refusal !== undefined) return this.#refuse(address, refusal);
    const contributions = this.#catalogue.contributions(address);
    const names = [
      ...new Set(contributions.flatMap((one) => one.policies.map((policy) => policy.name))),
    ];
    const election = this.#elections.of(address);
    const nowhere = `no endpoint behind ${address} names its node`;
    for (const name of names) {
      if (election.excludeIgnored) {
        ail(
          name,
          'fairlead.dev/exclude-label-ignored',
          `every candidate of ${address} carries the exclude label`,
        );
      }
      if (election.localityUnknown) ail(name, 'fairlead.dev/endpoint-locality-unknown', nowhere);
    }
    this.#tellLocality(address, election.localityUnknown ? nowhere : undefined);
    if (this.#elections.candidates(address).length > 0) {
      this.#without.delete(address);
      return;
    }
    const now = this.#ports.clock.now();
    const without = this.#without.get(address) ?? { since: now, told: false };
    this.#without.set(address, without);
    if (now < without.since + patience) return;
    const failing = failureText(this.#elections.failures(address));
    const text = `no node can announce ${address}: ${failing}`;
    for (const name of names) ail(name, 'fairlead.dev/no-candidate', text);
    if (without.told) return;
    without.told = true;
    this.#tell(address, { code: 'l2.noCandidate', reason: 'L2NoCandidate', message: text });
  }

  /** C6b: told when it begins, again only after it has ended. */
  #tellLocality(address: Ip, message: string | undefined): void {
    if (message === undefined) {
      this.#unlocated.delete(address);
    } else if (!this.#unlocated.has(address)) {
      this.#unlocated.add(address);
      this.#tell(address, { code: 'l2.localityUnknown', reason: 'L2LocalityUnknown', message });
    }
  }

  #judgeNotices(ail: (policy: string, type: PolicyConditionType, message: string) => void): void {
    for (const name of [...this.#view.sessions.keys()].sort(compareText)) {
      const seen = this.#view.sessions.get(name);
      const node = seen === undefined ? undefined : this.#catalogue.node(seen.node);
      if (seen?.open !== true || node === undefined || this.#silent.has(name)) continue;
      const policies = this.#catalogue.book.all().filter(
        (policy) => policy.matchesNode(node.labels),
      );
      for (const { kind, subject, by } of seen.state?.notices ?? []) {
        for (const policy of policies) {
          if (kind === 'responder-degraded') {
            ail(
              policy.name,
              'fairlead.dev/responder-degraded',
              `node ${node.name} answers without eBPF`,
            );
          } else if (kind === 'duplicate-segment') {
            const text = `links ${subject} and ${by} of node ${node.name} are one segment`;
            ail(policy.name, 'fairlead.dev/duplicate-segment', text);
          } else if (this.#contributes(policy.name, subject)) {
            ail(
              policy.name,
              'fairlead.dev/address-conflict',
              `${by} claims ${subject}, seen by node ${node.name}`,
            );
          }
        }
      }
    }
  }

  #contributes(policy: string, subject: string): boolean {
    // A daemon tells canonical addresses; any other text matches no contribution.
    return this.#catalogue.contributions(subject as Ip)
      .some((one) => one.policies.some((other) => other.name === policy));
  }

  #refuse(address: Ip, reason: string): void {
    for (const one of this.#catalogue.contributions(address)) {
      const key = `${one.service.meta.uid} ${address} ${reason}`;
      if (this.#refused.has(key)) continue;
      this.#refused.add(key);
      for (const object of serviceSubjects([one])) {
        this.#ports.events.emit({
          object, type: 'Warning', reason: 'L2AddressRefused',
          message: `${address} is not announced: ${reason}`,
        });
      }
    }
  }

  /** A note, an Event on the Services of an address, and a word for its policies' Event. */
  #tell(address: Ip, of: Telling): void {
    const { code, reason, message } = of;
    this.#ports.journal.note({
      level: 'warn', component: 'l2', code, object: address, text: message,
    });
    const contributions = this.#catalogue.contributions(address);
    for (const object of serviceSubjects(contributions)) {
      this.#ports.events.emit({ object, type: 'Warning', reason, message });
    }
    this.#digest.add(contributions.flatMap((one) => one.policies), reason, message);
  }
}

function failureText(failures: readonly (readonly [string, Rule])[]): string {
  if (failures.length === 0) return 'there is no Node';
  const first = failures.slice(0, namedMax);
  const named = first.map(([node, rule]) => `${node} fails ${rule}`).join(', ');
  return failures.length > namedMax ? `${named}, and ${failures.length - namedMax} more` : named;
}
