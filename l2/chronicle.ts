import type { Ip } from '../lb/ip.ts';
import type { EventSink, Journal, JournalEntry, Micros, ObjectEvent } from '../lb/ports.ts';
import type { Catalogue } from './catalogue.ts';
import { policySubjects, serviceSubjects, type Subject } from './subjects.ts';

const causes: Readonly<Record<string, string>> = {
  T1: 'release', T2: 'crash', T3: 'crash', T4: 're-take', T5: 'new', T6: 'crash', T7: 're-take',
};

/** Says what happened to an address, to people by Events and to logs and oracles by the journal. */
export class Chronicle {
  #ports: { readonly events: EventSink; readonly journal: Journal };
  #catalogue: Catalogue;
  #node: string;

  constructor(
    ports: { readonly events: EventSink; readonly journal: Journal },
    catalogue: Catalogue,
    node: string,
  ) {
    this.#ports = ports;
    this.#catalogue = catalogue;
    this.#node = node;
  }

  /** `took`: from when the lock was seen takeable until its key was verified. */
  announced(
    address: Ip,
    of: { readonly rule: string; readonly links: readonly string[]; readonly took: Micros },
  ): void {
    const cause = causes[of.rule] ?? 'new';
    const text = `node ${this.#node} answers for ${address} on ${of.links.join(', ')}`
      + ` (${cause}, ${Math.round(of.took / 1000)} ms)`;
    this.#note('info', 'l2.announced', { object: address, text });
    this.count('l2_transitions_total', { cause });
    this.measure('l2_takeover_seconds', of.took / 1_000_000, { cause });
    this.event(address, { type: 'Normal', reason: 'L2Announced', message: text });
  }

  failover(address: Ip, former: string): void {
    const text = `node ${this.#node} took ${address} over from ${former}`;
    this.#note('info', 'l2.failover', { object: address, text });
  }

  released(address: Ip, why: string | undefined): void {
    const text = `node ${this.#node} released ${address}${why === undefined ? '' : `: ${why}`}`;
    this.#note('info', 'l2.released', { object: address, text });
    this.event(address, { type: 'Normal', reason: 'L2Released', message: text });
  }

  lost(address: Ip, cause: 'lost' | 'fenced' | 'denied'): void {
    const fenced = cause === 'fenced';
    const text = fenced
      ? `node ${this.#node} stopped answering for ${address}: its session is lost`
      : `node ${this.#node} stopped answering for ${address}: its lock is no longer this session's`;
    this.#note('warn', 'l2.lost', { object: address, text });
    this.event(address, { type: 'Warning', reason: fenced ? 'L2Fenced' : 'L2Lost', message: text });
  }

  programFailed(address: Ip): void {
    const text = `node ${this.#node} could not program ${address} three times; it declines it`
      + ' for 30 s. Look at the fill of map fl_l2';
    this.#note('error', 'l2.programFailed', { object: address, text });
    this.event(address, { type: 'Warning', reason: 'L2ProgramFailed', message: text });
  }

  conflict(
    address: Ip,
    macs: { readonly own: string; readonly foreign: string; readonly known: boolean },
  ): void {
    this.count('l2_conflicts_total', { ip: address, known: String(macs.known) });
    const text = `${macs.foreign} claims ${address}, which node ${this.#node} (${macs.own}) answers`
      + ' for; find the host that has it configured';
    this.#note('warn', 'l2.conflictSeen', { object: address, text });
    this.#alarm(address, 'L2Conflict', text);
  }

  duplicateSegment(address: Ip, links: { readonly silent: string; readonly kept: string }): void {
    const text = `links ${links.silent} and ${links.kept} of node ${this.#node} are one segment;`
      + ` only ${links.kept} answers`;
    this.#note('warn', 'l2.duplicateSegment', { object: address, text });
    this.#alarm(address, 'L2DuplicateSegment', text);
  }

  healed(address: Ip, text: string): void {
    this.count('l2_defences_total', { ip: address });
    this.#note('info', 'l2.announcedAfterHeal', { object: address, text });
  }

  mismatch(address: string, text: string): void {
    this.count('l2_map_mismatch_total');
    this.#note('warn', 'l2.mapMismatch', { object: address, text });
  }

  /** About the node as a whole. */
  note(level: JournalEntry['level'], code: string, text: string): void {
    this.#ports.journal.note({ level, component: 'l2', code, object: this.#node, text });
  }

  /** One more of a counter (l2.md 14). */
  count(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.measure(name, 1, labels);
  }

  measure(name: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    this.#ports.journal.measure?.({ name, value, labels });
  }

  /** One Event on each Service that contributes the address. */
  event(address: Ip, event: Omit<ObjectEvent, 'object'>): void {
    this.#emit(serviceSubjects(this.#catalogue.contributions(address)), event);
  }

  /** A Warning that also concerns the policies by which this node announces the address. */
  #alarm(address: Ip, reason: string, message: string): void {
    const event = { type: 'Warning', reason, message } as const;
    this.event(address, event);
    const labels = this.#catalogue.node(this.#node)?.labels;
    if (labels === undefined) return;
    const policies = this.#catalogue.contributions(address).flatMap(
      (one) => one.policies.filter((policy) => policy.matchesNode(labels)),
    );
    this.#emit(policySubjects(policies), event);
  }

  #emit(subjects: readonly Subject[], event: Omit<ObjectEvent, 'object'>): void {
    for (const object of subjects) this.#ports.events.emit({ object, ...event });
  }

  #note(
    level: JournalEntry['level'],
    code: string,
    of: { readonly object: string; readonly text: string },
  ): void {
    this.#ports.journal.note({ level, component: 'l2', code, ...of });
  }
}
