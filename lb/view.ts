import type { NodeFacts } from './datapathoptions.ts';
import type { Ip } from './ip.ts';
import { maglevTable } from './maglev.ts';
import type { Protocol, ServiceKey } from './model.ts';
import type { Scope } from './policy.ts';
import { PrefixSet } from './prefixset.ts';
import type { BackendRow } from './endpoints.ts';
import type { DatapathRecord, ServicePortId, ServicePortRecord } from './serviceport.ts';
import { SourceRanges } from './sourceranges.ts';
import { compareText } from './table.ts';

export type FrontKind = 'clusterIp' | 'vip' | 'externalIp' | 'nodePort';

/** A service port as packets meet it: its record with what lookups need made ready once. */
export interface ServicePortView {
  readonly record: ServicePortRecord;
  readonly clusterCandidates: readonly BackendRow[];
  readonly localCandidates: readonly BackendRow[];
  readonly ranges: SourceRanges;
  /** Index into a scope's candidates per slot; built at the first use. */
  maglev(scope: Scope): MaglevSlots;
}

export interface MaglevSlots {
  readonly slots: Uint32Array;
  /** Of the flow hash. */
  readonly seed: number;
}

/** One service port's claim to a front. */
export interface FrontClaim {
  readonly kind: FrontKind;
  readonly servicePort: ServicePortView;
}

/** What a node knows about one address. */
export interface AddressFacts {
  readonly clusterIp: boolean;
  readonly foreign: boolean;
  readonly vip: boolean;
  readonly externalIp: boolean;
}

/** All that `decide` may look at: the state of one node at one moment, and nothing of its past. */
export interface NodeView {
  readonly facts: NodeFacts;
  /** Who answers for (address, protocol, port), NodePorts apart; the first of the claims. */
  front(target: Ip, protocol: Protocol, port: number): FrontClaim | undefined;
  nodePort(target: Ip, protocol: Protocol, port: number): FrontClaim | undefined;
  isNodeAddress(address: Ip): boolean;
  isNodePortAddress(address: Ip): boolean;
  address(address: Ip): AddressFacts | undefined;
  inServiceRange(address: Ip): boolean;
}

/** A service port that asked for a front which an older one holds (datapath.md 3, step 2). */
export interface FrontConflict {
  readonly front: string;
  readonly winner: ServiceKey;
  readonly loser: ServiceKey;
}

const kindRank = {
  clusterIp: 0, vip: 1, externalIp: 2, nodePort: 3,
} as const satisfies Record<FrontKind, number>;
const protocolRank = { TCP: 0, UDP: 1, SCTP: 2 } as const satisfies Record<Protocol, number>;
const noConflicts: readonly FrontConflict[] = [];

/** Counts of how many service ports give an address each of its meanings. */
interface AddressCounts {
  clusterIp: number;
  foreign: number;
  vip: number;
  externalIp: number;
}

/**
 * The view of one node as an index that is changed record by record. Order of changes never
 * matters: the claims of a front are kept in their order of precedence.
 */
export class ViewIndex implements NodeView {
  #facts: NodeFacts;
  #records = new Map<ServicePortId, DatapathRecord>();
  #fronts = new Map<Ip, Map<number, FrontClaim[]>>();
  #nodePorts = new Map<number, FrontClaim[]>();
  #addresses = new Map<Ip, AddressCounts>();
  #nodeAddresses = new Set<Ip>();
  #nodePortAddresses = new Set<Ip>();
  #nodeOwned = new Set<Ip>();
  #serviceRanges = new PrefixSet();

  constructor(facts: NodeFacts) {
    this.#facts = facts;
    this.#adoptFacts(facts);
  }

  get facts(): NodeFacts {
    return this.#facts;
  }

  get size(): number {
    return this.#records.size;
  }

  record(id: ServicePortId): DatapathRecord | undefined {
    return this.#records.get(id);
  }

  /** Records in order of identity. */
  records(): DatapathRecord[] {
    return [...this.#records.values()].sort((left, right) => compareText(left.id, right.id));
  }

  /** Replaces what is known of the node; every service port is indexed anew under it. */
  setFacts(facts: NodeFacts): void {
    const records = this.records();
    for (const record of records) this.remove(record.id);
    this.#adoptFacts(facts);
    for (const record of records) this.set(record);
  }

  set(record: DatapathRecord): void {
    this.remove(record.id);
    this.#records.set(record.id, record);
    this.#countAddresses(record, 1);
    if (record.kind === 'foreign') return;
    const view = this.#viewOf(record);
    for (const claim of this.#claimsOf(view)) {
      insertClaim(this.#frontClaims(claim.address, record), claim);
    }
    if (record.nodePort !== 0) {
      const place = placeOf(record.protocol, record.nodePort);
      const claims = this.#nodePorts.get(familyPlace(record, place)) ?? [];
      insertClaim(claims, { kind: 'nodePort', servicePort: view });
      this.#nodePorts.set(familyPlace(record, place), claims);
    }
  }

  remove(id: ServicePortId): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#records.delete(id);
    this.#countAddresses(record, -1);
    if (record.kind === 'foreign') return;
    for (const address of frontAddresses(record)) this.#dropClaims(address, record);
    if (record.nodePort === 0) return;
    const place = familyPlace(record, placeOf(record.protocol, record.nodePort));
    const rest = (this.#nodePorts.get(place) ?? []).filter(
      (claim) => claim.servicePort.record.id !== id,
    );
    if (rest.length > 0) this.#nodePorts.set(place, rest);
    else this.#nodePorts.delete(place);
  }

  front(target: Ip, protocol: Protocol, port: number): FrontClaim | undefined {
    return this.#fronts.get(target)?.get(placeOf(protocol, port))?.[0];
  }

  nodePort(target: Ip, protocol: Protocol, port: number): FrontClaim | undefined {
    const place = placeOf(protocol, port);
    return this.#nodePorts.get(target.includes(':') ? place + ipv6Span : place)?.[0];
  }

  isNodeAddress(address: Ip): boolean {
    return this.#nodeAddresses.has(address);
  }

  isNodePortAddress(address: Ip): boolean {
    return this.#nodePortAddresses.has(address);
  }

  address(address: Ip): AddressFacts | undefined {
    const counts = this.#addresses.get(address);
    if (counts === undefined) return undefined;
    const { clusterIp, foreign, vip, externalIp } = counts;
    return {
      clusterIp: clusterIp > 0, foreign: foreign > 0, vip: vip > 0, externalIp: externalIp > 0,
    };
  }

  inServiceRange(address: Ip): boolean {
    return this.#serviceRanges.contains(address);
  }

  /** Losers of fronts that several service ports claim, in order of front. */
  conflicts(): readonly FrontConflict[] {
    const found: FrontConflict[] = [];
    for (const [address, ports] of this.#fronts) {
      for (const claims of ports.values()) found.push(...conflictsOf(claims, `${address}`));
    }
    for (const claims of this.#nodePorts.values()) found.push(...conflictsOf(claims, 'node'));
    return found.sort(
      (left, right) => compareText(left.front + left.loser, right.front + right.loser),
    );
  }

  #adoptFacts(facts: NodeFacts): void {
    this.#facts = facts;
    this.#nodeAddresses = new Set(facts.addresses);
    this.#nodePortAddresses = new Set(facts.nodePortAddresses);
    this.#nodeOwned = new Set(facts.nodeOwned);
    this.#serviceRanges = new PrefixSet(facts.options.serviceRanges);
  }

  #viewOf(record: ServicePortRecord): ServicePortView {
    const clusterCandidates = record.backends.filter((backend) => backend.cluster);
    const localCandidates = record.backends.filter((backend) => backend.near);
    const { maglevTableSize: size, hashSeed: seed } = this.#facts.options;
    const built: { [scope in Scope]?: MaglevSlots } = {};
    return {
      record, clusterCandidates, localCandidates,
      ranges: new SourceRanges(record.ranges, this.#facts.addresses),
      maglev(scope) {
        const candidates = scope === 'local' ? localCandidates : clusterCandidates;
        const { protocol } = record;
        return (
          built[scope] ??= { slots: maglevTable(candidates, { size, seed, protocol }), seed }
        );
      },
    };
  }

  #claimsOf(servicePort: ServicePortView): (FrontClaim & { readonly address: Ip })[] {
    const { clusterIps, vips } = servicePort.record;
    const externalIps = this.#honoured(servicePort.record.externalIps);
    return [
      ...clusterIps.map((address) => ({ address, kind: 'clusterIp' as const, servicePort })),
      ...vips.map((address) => ({ address, kind: 'vip' as const, servicePort })),
      ...externalIps.map((address) => ({ address, kind: 'externalIp' as const, servicePort })),
    ];
  }

  // CVE-2020-8554: an externalIP may be anybody's address, so two options bound what is honoured.
  #honoured(addresses: readonly Ip[]): readonly Ip[] {
    const option = this.#facts.options.externalIps;
    if (option === 'off') return [];
    return option === 'honour' ? addresses : addresses.filter(
      (address) => this.#nodeOwned.has(address),
    );
  }

  #frontClaims(address: Ip, record: ServicePortRecord): FrontClaim[] {
    const ports = this.#fronts.get(address) ?? new Map<number, FrontClaim[]>();
    this.#fronts.set(address, ports);
    const place = placeOf(record.protocol, record.port);
    const claims = ports.get(place) ?? [];
    ports.set(place, claims);
    return claims;
  }

  #dropClaims(address: Ip, record: ServicePortRecord): void {
    const ports = this.#fronts.get(address);
    const place = placeOf(record.protocol, record.port);
    const rest = ports?.get(place)?.filter((claim) => claim.servicePort.record.id !== record.id);
    if (ports === undefined || rest === undefined) return;
    if (rest.length > 0) ports.set(place, rest);
    else ports.delete(place);
    if (ports.size === 0) this.#fronts.delete(address);
  }

  #countAddresses(record: DatapathRecord, by: 1 | -1): void {
    const count = (address: Ip, kind: keyof AddressCounts): void => {
      const counts = this.#addresses.get(address) ?? {
        clusterIp: 0, foreign: 0, vip: 0, externalIp: 0,
      };
      counts[kind] += by;
      this.#addresses.set(address, counts);
      if (counts.clusterIp + counts.foreign + counts.vip + counts.externalIp === 0) {
        this.#addresses.delete(address);
      }
    };
    for (const address of record.clusterIps) {
      count(address, record.kind === 'foreign' ? 'foreign' : 'clusterIp');
    }
    if (record.kind === 'foreign') return;
    for (const address of record.vips) count(address, 'vip');
    for (const address of this.#honoured(record.externalIps)) count(address, 'externalIp');
  }
}

/** More than any (protocol, port). */
const ipv6Span = 16_777_216;

// One number per (protocol, port): packets look up without building a text.
function placeOf(protocol: Protocol, port: number): number {
  return protocolRank[protocol] * 65_536 + port;
}

function familyPlace(record: ServicePortRecord, place: number): number {
  return record.family === 'IPv6' ? place + ipv6Span : place;
}

function frontAddresses(record: ServicePortRecord): Ip[] {
  return [...new Set([...record.clusterIps, ...record.vips, ...record.externalIps])];
}

function insertClaim(claims: FrontClaim[], claim: FrontClaim): void {
  claims.push(claim);
  claims.sort((left, right) => compareClaims(rankOf(left), rankOf(right)));
}

/** What decides between two claims to one front. */
export interface ClaimRank {
  readonly kind: FrontKind;
  readonly record: Pick<ServicePortRecord, 'createdAtMs' | 'service' | 'id'>;
}

function rankOf({ kind, servicePort: { record } }: FrontClaim): ClaimRank {
  return { kind, record };
}

/** Kind decides, then age, then namespace/name; an unknown age is the youngest. */
export function compareClaims(left: ClaimRank, right: ClaimRank): number {
  if (left.kind !== right.kind) return kindRank[left.kind] - kindRank[right.kind];
  const { record: a } = left;
  const { record: b } = right;
  if (a.createdAtMs !== b.createdAtMs) return ageOf(a) - ageOf(b);
  return compareText(a.service, b.service) || compareText(a.id, b.id);
}

function ageOf(record: ClaimRank['record']): number {
  return record.createdAtMs === 0 ? Infinity : record.createdAtMs;
}

function conflictsOf(claims: readonly FrontClaim[], place: string): readonly FrontConflict[] {
  const winner = claims[0]?.servicePort.record;
  if (winner === undefined || claims.length === 1) return noConflicts;
  const port = claims[0]?.kind === 'nodePort' ? winner.nodePort : winner.port;
  const front = `${place}:${port}/${winner.protocol}`;
  return claims.slice(1).filter((claim) => claim.servicePort.record.service !== winner.service)
    .map((claim) => ({ front, winner: winner.service, loser: claim.servicePort.record.service }));
}
