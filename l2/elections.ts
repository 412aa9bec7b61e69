import { familyOf, type Family, type Ip } from '../lb/ip.ts';
import type { Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import {
  elect, isLocal, type Candidate, type Election, type Rule, type SessionFacts,
} from './candidacy.ts';
import type { Catalogue } from './catalogue.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Rank } from './rank.ts';
import type { Contribution } from './selection.ts';
import { sessionFactsOf, type LeaseView } from './view.ts';

const rankStep: Micros = 50_000;
const rankMax = 20;

export interface ElectionParts {
  readonly catalogue: Catalogue;
  readonly view: LeaseView;
  readonly rank: Rank;
  readonly ignoreExcludeLabel: boolean;
  /** Facts of the own session, fresher than its Lease; undefined: none open, or an observer. */
  readonly own: () => SessionFacts | undefined;
  readonly silent: (name: string) => boolean;
}

/** Nodes by class (l2.md 4): those that serve well stand before those that serve if they must. */
interface CandidateClasses {
  readonly sure: readonly string[];
  readonly reluctant: readonly string[];
}

/**
 * Who could announce what, and in which order. Addresses with the same policies share one election
 * where endpoints do not decide, so thousands of Services cost as much as their policies.
 */
export class Elections {
  #parts: ElectionParts;
  #version = 0;
  #seen = -1;
  #catalogueSeen = -1;
  #elections = new Map<string, Election>();
  #ofPolicies = new Map<
    readonly CompiledPolicy[], Readonly<Partial<Record<Family, Election>>>
  >();
  /** Of addresses of Local Services, by the identity of their contributions. */
  #local = new WeakMap<readonly Contribution[], Election>();
  #profiles = new WeakMap<readonly Contribution[], string>();
  #classes = new WeakMap<readonly Candidate[], CandidateClasses>();
  #sessions: ReadonlyMap<string, readonly SessionFacts[]> = new Map();
  #byIdentity = new WeakMap<readonly Candidate[], ReadonlyMap<string, Candidate>>();
  #declined = new Map<Ip, Set<string>>();

  constructor(parts: ElectionParts) {
    this.#parts = parts;
  }

  /** A session, a link or a silence changed: nothing computed before holds. */
  outdate(): void {
    this.#version += 1;
  }

  /** C1 to C7 for an address, shared with others of the same profile; C8 is in `candidates`. */
  of(address: Ip): Election {
    this.#renew();
    const contributions = this.#parts.catalogue.contributions(address);
    const [one, another] = contributions;
    if (one !== undefined && another === undefined && !isLocal(one)) {
      return this.#byPolicies(address, contributions, one.policies);
    }
    if (contributions.some(isLocal)) {
      const known = this.#local.get(contributions);
      if (known !== undefined) return known;
      const election = this.#elect(address, contributions);
      this.#local.set(contributions, election);
      return election;
    }
    const profile = this.#profileOf(address, contributions);
    let election = this.#elections.get(profile);
    if (election === undefined) {
      election = this.#elect(address, contributions);
      this.#elections.set(profile, election);
    }
    return election;
  }

  // One Service, as nearly every address has it: what it is elected by is its policies alone.
  #byPolicies(
    address: Ip, contributions: readonly Contribution[], policies: readonly CompiledPolicy[],
  ): Election {
    const family = familyOf(address);
    const known = this.#ofPolicies.get(policies);
    if (known?.[family] !== undefined) return known[family];
    const election = this.#elect(address, contributions);
    this.#ofPolicies.set(policies, { ...known, [family]: election });
    return election;
  }

  /** Those of the election that did not decline the address (C8). */
  candidates(address: Ip): readonly Candidate[] {
    const { candidates } = this.of(address);
    const declined = this.#declined.get(address);
    return declined === undefined ? candidates : candidates.filter(
      (one) => !declined.has(one.identity),
    );
  }

  /** The candidate of that session; undefined where it is none. */
  candidate(address: Ip, identity: string): Candidate | undefined {
    const { candidates } = this.of(address);
    if (this.#declined.get(address)?.has(identity) === true) return undefined;
    let found = this.#byIdentity.get(candidates);
    if (found === undefined) {
      found = new Map(candidates.map((one) => [one.identity, one]));
      this.#byIdentity.set(candidates, found);
    }
    return found.get(identity);
  }

  /** First failing rule per node that is no candidate, by node name. */
  failures(address: Ip): readonly (readonly [string, Rule])[] {
    const failures = new Map(this.of(address).failures);
    const standing = new Set(this.candidates(address).map((one) => one.node));
    for (const { node } of this.of(address).candidates) {
      if (!standing.has(node)) failures.set(node, 'C8');
    }
    return [...failures].sort(([a], [b]) => compareText(a, b));
  }

  /** Rank by class, then by rendezvous hash; 0 acts first. */
  position(address: Ip, own: Candidate): number {
    const { sure, reluctant } = this.#classesOf(this.candidates(address));
    const { rank } = this.#parts;
    if (!own.reluctant) return rank.position(address, own.node, sure);
    return sure.length + rank.position(address, own.node, reluctant);
  }

  /** E1: how long a candidate of that rank lets better ones go first. */
  delay(address: Ip, own: Candidate): Micros {
    return Math.min(this.position(address, own), rankMax) * rankStep;
  }

  /** E1 for the closing of a session (T3), among all nodes with a live session. */
  closingDelay(identity: string, node: string): Micros {
    this.#renew();
    const nodes = [...this.#sessions.entries()].filter(([, list]) => list.some((one) => one.live));
    const others = nodes.map(([name]) => name);
    return Math.min(this.#parts.rank.position(identity, node, others), rankMax) * rankStep;
  }

  #renew(): void {
    const { catalogue } = this.#parts;
    if (this.#seen === this.#version && this.#catalogueSeen === catalogue.version) return;
    if (this.#seen !== this.#version) this.#readSessions();
    this.#seen = this.#version;
    this.#catalogueSeen = catalogue.version;
    this.#elections.clear();
    this.#ofPolicies.clear();
    this.#local = new WeakMap();
  }

  #elect(ip: Ip, contributions: readonly Contribution[]): Election {
    const { catalogue, ignoreExcludeLabel } = this.#parts;
    return elect({
      ip, contributions, nodes: catalogue.nodes, sessions: this.#sessions,
      locality: (one) => catalogue.locality(one, ip), ignoreExcludeLabel,
    });
  }

  // Addresses whose contributions name the same policies have the same candidates.
  #profileOf(address: Ip, contributions: readonly Contribution[]): string {
    const known = this.#profiles.get(contributions);
    if (known !== undefined) return known;
    const names = contributions.map((one) => one.policies.map((policy) => policy.name).join(','));
    const sorted = [...new Set(names)].sort(compareText);
    const profile = `${familyOf(address)} ${sorted.join(' ')}`;
    this.#profiles.set(contributions, profile);
    return profile;
  }

  #classesOf(candidates: readonly Candidate[]): CandidateClasses {
    let classes = this.#classes.get(candidates);
    if (classes === undefined) {
      const names = (of: boolean): string[] => candidates.filter((one) => one.reluctant === of)
        .map((one) => one.node);
      classes = { sure: names(false), reluctant: names(true) };
      this.#classes.set(candidates, classes);
    }
    return classes;
  }

  #readSessions(): void {
    const { view, own, silent } = this.#parts;
    const mine = own();
    const sessions = new Map<string, SessionFacts[]>();
    this.#declined.clear();
    const add = (facts: SessionFacts): void => {
      const list = sessions.get(facts.node);
      if (list === undefined) sessions.set(facts.node, [facts]);
      else list.push(facts);
      for (const text of facts.declined) {
        // Daemons write canonical addresses; another text equals no address and is inert.
        const address = text as Ip;
        const identities = this.#declined.get(address) ?? new Set();
        this.#declined.set(address, identities.add(facts.identity));
      }
    };
    if (mine !== undefined) add(mine);
    for (const name of [...view.sessions.keys()].sort(compareText)) {
      const seen = view.sessions.get(name);
      if (seen === undefined || seen.node === mine?.node) continue;
      add(sessionFactsOf(seen, !silent(name)));
    }
    this.#sessions = sessions;
  }
}
