import { conditionOf, mergeConditions, type WantedCondition } from '../lb/conditions.ts';
import type { Ip } from '../lb/ip.ts';
import type { Service, ServiceKey } from '../lb/model.ts';
import type { Clock, Micros } from '../lb/ports.ts';
import type { StatusPort } from '../lb/status.ts';
import { compareText, type Cursor, type Table } from '../lb/table.ts';
import { publishedAddresses } from './selection.ts';
import { formatTime } from '../lb/time.ts';

/**
 * How one address stands: who answers for it, or the code of the first broken link (interface.md
 * 6).
 */
export type Announcement =
  | {
    readonly kind: 'announced'; readonly by: 'L2' | 'BGP' | 'Both';
    readonly nodes: readonly string[];
  }
  | { readonly kind: 'silent'; readonly code: SilenceCode; readonly text: string };

/** What else announces addresses, so that a condition tells all of it. */
export interface OtherAnnouncers {
  /** What may be announced otherwise since the last call. */
  changes(): { readonly all: boolean; readonly services: ReadonlySet<ServiceKey> };
  nodesOf(service: Service, ip: Ip): readonly string[];
}

/** What L2 does with an address, and the nodes that announce it over BGP besides. Pure. */
export function withBgp(l2: Announcement, nodes: readonly string[]): Announcement {
  if (nodes.length === 0) return l2;
  if (l2.kind === 'silent') return { kind: 'announced', by: 'BGP', nodes };
  const both = [...new Set([...l2.nodes, ...nodes])].sort(compareText);
  return { kind: 'announced', by: 'Both', nodes: both };
}

export type SilenceCode =
  'NoPolicy' | 'L2AddressRefused' | 'L2NoCandidate' | 'NoHolder' | 'SessionStale';

/** One address of one Service. */
export interface ServiceAnnouncement {
  readonly key: ServiceKey;
  readonly ip: Ip;
  readonly announced: boolean;
}

/** How an address of a Service stands now. */
export type AnnouncementOf = (ip: Ip, service: Service) => Announcement;

export const announcedType = 'fairlead.dev/Announced';

/** A take-over is under way for this long before the silence is told. */
const patience: Micros = 2_000_000;

/**
 * The condition that a Service's addresses ask for: True when each is announced, else False with
 * the code of the first that is not; undefined for a Service without addresses. Pure.
 */
export function announcedCondition(
  service: Service,
  state: AnnouncementOf,
): WantedCondition | undefined {
  const addresses = [...new Set(publishedAddresses(service).map((one) => one.ip))];
  if (addresses.length === 0) return undefined;
  const states = addresses.map((ip) => ({ ip, now: state(ip, service) }));
  const silent = states.flatMap(({ now }) => (now.kind === 'silent' ? [now] : []))[0];
  const parts = states.map(({ ip, now }) =>
    now.kind === 'announced' ? `${ip} by ${nodesText(now.nodes)}` : `${ip}: ${now.text}`,
  );
  const ways = new Set(states.flatMap(({ now }) => (now.kind === 'announced' ? [now.by] : [])));
  const [way = 'L2'] = ways;
  return {
    type: announcedType,
    status: silent === undefined ? 'True' : 'False',
    reason: silent?.code ?? (ways.size > 1 ? 'Both' : way),
    message: parts.join('; '),
    observedGeneration: service.meta.generation,
  };
}

const nodesShown = 5;

function nodesText(nodes: readonly string[]): string {
  const shown = nodes.slice(0, nodesShown).join(', ');
  return nodes.length > nodesShown ? `${shown} and ${nodes.length - nodesShown} more` : shown;
}

export interface ServiceStatusPorts {
  readonly clock: Clock;
  readonly status: StatusPort;
}

/**
 * Keeps the condition `fairlead.dev/Announced` of Services whose addresses are ours. It writes on
 * change only, one attempt at a time per Service, and tells a silence once it lasted 2 s.
 */
export class ServiceStatus {
  #ports: ServiceStatusPorts;
  #services: Table<Service>;
  #state: AnnouncementOf;
  #cursor: Cursor<Service>;
  #due = new Set<ServiceKey>();
  #silentSince = new Map<ServiceKey, Micros>();
  #inFlight = new Set<ServiceKey>();

  constructor(
    ports: ServiceStatusPorts,
    services: Table<Service>,
    state: AnnouncementOf,
  ) {
    this.#ports = ports;
    this.#services = services;
    this.#state = state;
    this.#cursor = services.cursor();
  }

  /** Of every Service that is told about, in no order. */
  announcements(): ServiceAnnouncement[] {
    return [...this.#services.unordered()].filter(isOurs).flatMap((service) => (
      [...new Set(publishedAddresses(service).map(({ ip }) => ip))].map((ip) => (
        { key: service.key, ip, announced: this.#state(ip, service).kind === 'announced' }
      ))
    ));
  }

  get writing(): number {
    return this.#inFlight.size;
  }

  /** Something about these Services' addresses may have changed. */
  touch(keys: Iterable<ServiceKey>): void {
    for (const key of keys) this.#due.add(key);
  }

  touchAll(): void {
    for (const service of this.#services.unordered()) this.#due.add(service.key);
  }

  /** Judges what changed since the last call and writes what differs. */
  run(): void {
    for (const { key, value } of this.#cursor.take()) {
      // The key of a Service's row is its ServiceKey.
      this.#due.add(key as ServiceKey);
      if (value === undefined) this.#silentSince.delete(key as ServiceKey);
    }
    if (this.#due.size === 0) return;
    const keys = [...this.#due].sort(compareText);
    this.#due.clear();
    for (const key of keys) this.#judge(key);
  }

  #judge(key: ServiceKey): void {
    const service = this.#services.get(key);
    if (service === undefined || service.meta.deleting) return;
    if (this.#inFlight.has(key)) {
      this.#due.add(key);
      return;
    }
    const ours = isOurs(service);
    const stored = conditionOf(service.conditions, announcedType);
    if (!ours && stored === undefined) return;
    const wanted = ours ? announcedCondition(service, this.#state) : undefined;
    if (wanted?.status === 'False' && stored?.reason !== wanted.reason && !this.#patient(key)) {
      return;
    }
    if (wanted?.status !== 'False') this.#silentSince.delete(key);
    this.#write(service, wanted === undefined ? [] : [wanted]);
  }

  // True once the silence has lasted long enough; until then the Service is looked at again.
  #patient(key: ServiceKey): boolean {
    const now = this.#ports.clock.now();
    const since = this.#silentSince.get(key) ?? now;
    this.#silentSince.set(key, since);
    if (now >= since + patience) return true;
    this.#due.add(key);
    return false;
  }

  #write(service: Service, wanted: readonly WantedCondition[]): void {
    const at = formatTime(this.#ports.clock.wall());
    const merged = mergeConditions(service.conditions, wanted, { owned: [announcedType], at });
    if (!merged.changed) return;
    const { key } = service;
    const { uid, resourceVersion } = service.meta;
    this.#inFlight.add(key);
    this.#ports.status.writeService(
      {
        key,
        uid,
        resourceVersion,
        conditions: merged.conditions,
      },
      (result) => {
        this.#inFlight.delete(key);
        // The newer object arrives by the table; other failures are tried again at the next look.
        if (!result.ok && result.error.kind !== 'invalid' && result.error.kind !== 'gone') {
          this.#due.add(key);
        }
      },
    );
  }
}

/**
 * Only Services whose addresses come from us are told about: others have controllers of their own.
 */
function isOurs(service: Service): boolean {
  const record = conditionOf(service.conditions, 'fairlead.dev/IPAMAllocation');
  return service.type === 'LoadBalancer' && record?.status === 'True';
}
