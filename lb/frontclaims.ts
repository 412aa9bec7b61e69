import type { WantedCondition } from './conditions.ts';
import type { Ip } from './ip.ts';
import type { ServiceKey } from './model.ts';
import type { DatapathRecord, ServicePortRecord } from './serviceport.ts';
import { compareText } from './table.ts';
import { compareClaims, type FrontConflict, type FrontKind } from './view.ts';

/** One service port's wish to have a front. */
interface Claim {
  readonly kind: FrontKind;
  readonly record: ServicePortRecord;
}

/**
 * Who asks for which front in the whole cluster, whatever node a packet meets: the fronts that
 * several Services ask for are known at once (datapath.md 3, step 2).
 */
export class FrontClaims {
  #honours: (ip: Ip) => boolean;
  #claims = new Map<string, Claim[]>();
  #contested = new Set<string>();
  #records = new Map<ServiceKey, readonly DatapathRecord[]>();

  /** `honours`: whether an ExternalIP is served (option `externalIPs`). */
  constructor(honours: (ip: Ip) => boolean) {
    this.#honours = honours;
  }

  /**
   * Replaces the service ports of a Service; gives all Services whose conflicts may differ by that.
   */
  set(service: ServiceKey, records: readonly DatapathRecord[]): ReadonlySet<ServiceKey> {
    const concerned = new Set<ServiceKey>([service]);
    for (const record of this.#records.get(service) ?? []) {
      for (const [front] of this.#frontsOf(record)) this.#drop(front, service, concerned);
    }
    if (records.length === 0) this.#records.delete(service);
    else this.#records.set(service, records);
    for (const record of records) {
      for (const [front, claim] of this.#frontsOf(record)) this.#add(front, claim, concerned);
    }
    return concerned;
  }

  /** Fronts that a Service asks for and another one has, in order of front. */
  lostBy(service: ServiceKey): readonly FrontConflict[] {
    const lost: FrontConflict[] = [];
    for (const record of this.#records.get(service) ?? []) {
      for (const [front] of this.#frontsOf(record)) {
        if (!this.#contested.has(front)) continue;
        const winner = this.#claims.get(front)?.[0]?.record.service;
        if (winner === undefined || winner === service) continue;
        const [place = ''] = front.split(' ');
        if (!lost.some((other) => other.front === place && other.winner === winner)) {
          lost.push({ front: place, winner, loser: service });
        }
      }
    }
    return lost.sort((left, right) => compareText(left.front, right.front));
  }

  #add(front: string, claim: Claim, concerned: Set<ServiceKey>): void {
    const claims = this.#claims.get(front) ?? [];
    for (const { record } of claims) concerned.add(record.service);
    this.#claims.set(front, [...claims, claim].sort(compareClaims));
    if (claims.length > 0) this.#contested.add(front);
  }

  #drop(front: string, service: ServiceKey, concerned: Set<ServiceKey>): void {
    const rest = (this.#claims.get(front) ?? []).filter(({ record }) => record.service !== service);
    for (const { record } of rest) concerned.add(record.service);
    if (rest.length < 2) this.#contested.delete(front);
    if (rest.length > 0) this.#claims.set(front, rest);
    else this.#claims.delete(front);
  }

  // `place family`: each family has its own NodePort of a Service.
  #frontsOf(record: DatapathRecord): (readonly [string, Claim])[] {
    if (record.kind === 'foreign') return [];
    const { clusterIps, vips, externalIps, port, nodePort, protocol, family } = record;
    const front = (ip: string, number: number, kind: FrontKind): readonly [string, Claim] => (
      [`${ip}:${number}/${protocol} ${family}`, { kind, record }]
    );
    return [
      ...clusterIps.map((ip) => front(ip, port, 'clusterIp')),
      ...vips.map((ip) => front(ip, port, 'vip')),
      ...externalIps.filter(this.#honours).map((ip) => front(ip, port, 'externalIp')),
      ...(nodePort === 0 ? [] : [front('node', nodePort, 'nodePort')]),
    ];
  }
}

export const frontConflictType = 'fairlead.dev/FrontConflict';

/**
 * The condition on a Service that lost fronts to others (datapath.md 3, step 2), which names them
 * all; undefined when there are none.
 */
export function frontConflictCondition(
  conflicts: readonly FrontConflict[], generation: number | undefined,
): WantedCondition | undefined {
  if (conflicts.length === 0) return undefined;
  const lost = conflicts.map(({ front, winner }) => `${front} belongs to Service ${winner}`);
  return {
    type: frontConflictType, status: 'True', reason: 'FrontTaken',
    message: `${lost.join('; ')}. Give this Service another address or port.`,
    observedGeneration: generation,
  };
}
