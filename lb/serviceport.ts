import type { Algorithm } from './datapathoptions.ts';
import {
  backendSet, byName, joinEndpoints, type BackendRow, type EndpointCopy,
} from './endpoints.ts';
import { familyOf, type Family, type Ip, type Prefix } from './ip.ts';
import type { EndpointSlice, Protocol, Service, ServiceKey, ServicePort } from './model.ts';
import type { Brand } from './result.ts';
import { effectiveRanges } from './sourceranges.ts';
import { parseSpeltIp } from './spelling.ts';
import type { Place } from './topology.ts';

/** `namespace/name:port/protocol/family`: the identity of a service port (datapath.md 10). */
export type ServicePortId = Brand<string, 'ServicePortId'>;

/** One port of one Service in one family, as the datapath of one node needs it. */
export interface ServicePortRecord {
  readonly kind: 'service-port';
  readonly id: ServicePortId;
  readonly service: ServiceKey;
  readonly portName: string;
  readonly family: Family;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0: no NodePort front. */
  readonly nodePort: number;
  readonly clusterIps: readonly Ip[];
  readonly vips: readonly Ip[];
  readonly externalIps: readonly Ip[];
  /**
   * Milliseconds since the Unix epoch; of two that claim one front the older wins. 0: unknown,
   * last.
   */
  readonly createdAtMs: number;
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  /** Seconds, 0: no affinity. */
  readonly affinitySeconds: number;
  /** Who may reach the VIPs; empty: everybody. */
  readonly ranges: readonly Prefix[];
  readonly algorithm: Algorithm;
  /** Local-only, both, cluster-only, then those that are not selectable now. */
  readonly backends: readonly BackendRow[];
  readonly usable: boolean;
}

/** ClusterIPs of a Service that another proxy serves: known, and left alone (datapath.md C2). */
export interface ForeignRecord {
  readonly kind: 'foreign';
  readonly id: ServicePortId;
  readonly service: ServiceKey;
  readonly clusterIps: readonly Ip[];
}

export type DatapathRecord = ServicePortRecord | ForeignRecord;

/** Where the derivation happens and what the cluster defaults to. */
export interface DeriveContext {
  readonly place: Place;
  readonly algorithm: Algorithm;
  readonly memo: DerivationMemo;
}

/** What all nodes of a cluster have in common of one Service. */
interface SharedService {
  readonly algorithm: Algorithm;
  readonly slices: readonly EndpointSlice[];
  readonly ports: readonly SharedPort[];
  readonly foreign: readonly ForeignRecord[];
  /**
   * Records by what distinguishes a node: most nodes run none of the endpoints and share one. Made
   * when first asked for.
   */
  byPlace?: Map<string, readonly DatapathRecord[]>;
  /** Made when first asked for. */
  hints?: PlaceHints;
}

/** What in the endpoints of a Service can tell one node from another. */
interface PlaceHints {
  readonly names: ReadonlySet<string>;
  readonly zoned: boolean;
}

interface SharedPort {
  /** Without backends yet: the fields are there, so that the record of a node is a plain copy. */
  readonly record: ServicePortRecord;
  readonly copies: readonly EndpointCopy[];
}

const proxyNameLabel = 'service.kubernetes.io/service-proxy-name';
const headlessLabel = 'service.kubernetes.io/headless';
const algorithmAnnotation = 'fairlead.dev/lb-algorithm';
const variantsMax = 4;
const allFamilies = ['IPv4', 'IPv6'] as const;
const none: readonly Ip[] = [];

/** How many nodes use one memo: the agent of one node asks for nothing twice. */
export type MemoNodes = 'one' | 'several';

/**
 * Derivations of one world, by identity of the objects they were made of, so that a hundred
 * simulated nodes derive a Service once. A memo never changes an answer, only its price. That of
 * one node keeps nothing: kilobytes for each Service would wait for a question that nobody asks.
 */
export class DerivationMemo {
  readonly nodes: MemoNodes;
  #shared = new WeakMap<Service, SharedService[]>();

  constructor(nodes: MemoNodes = 'several') {
    this.nodes = nodes;
  }

  /** The node-independent part; `slices` in any order, each time the same objects for a hit. */
  shared(service: Service, slices: readonly EndpointSlice[], algorithm: Algorithm): SharedService {
    if (this.nodes === 'one') return shareService(service, slices, algorithm);
    const known = this.#shared.get(service) ?? [];
    const hit = known.find(
      (variant) => variant.algorithm === algorithm && sameObjects(variant.slices, slices),
    );
    if (hit !== undefined) return hit;
    const made = shareService(service, slices, algorithm);
    this.#shared.set(service, [made, ...known.slice(0, variantsMax - 1)]);
    return made;
  }
}

/**
 * The service ports of one Service for one node, ordered by family and port; a foreign record where
 * another proxy owns it; nothing for Services without fronts (datapath.md C1, C2). `slices` are the
 * Service's own. Equal inputs give the identical array for all nodes that cannot tell the
 * difference.
 */
export function deriveServicePorts(
  service: Service, slices: readonly EndpointSlice[], context: DeriveContext,
): readonly DatapathRecord[] {
  const sorted = byName(slices);
  const shared = context.memo.shared(service, sorted, context.algorithm);
  if (context.memo.nodes === 'one') return recordsAt(context.place, shared);
  const signature = placeSignature(shared, context.place);
  const byPlace = shared.byPlace ??= new Map();
  const known = byPlace.get(signature);
  if (known !== undefined) return known;
  const records = recordsAt(context.place, shared);
  byPlace.set(signature, records);
  return records;
}

function recordsAt(place: Place, { foreign, ports }: SharedService): readonly DatapathRecord[] {
  if (foreign.length > 0) return foreign;
  return ports.map(({ record, copies }) => {
    const { backends, usable } = backendSet(copies, place);
    return { ...record, backends, usable };
  });
}

function sameObjects(left: readonly EndpointSlice[], right: readonly EndpointSlice[]): boolean {
  return left.length === right.length && left.every((slice, index) => slice === right[index]);
}

function shareService(
  service: Service, slices: readonly EndpointSlice[], algorithm: Algorithm,
): SharedService {
  const base = { algorithm, slices };
  const addresses = service.type === 'ExternalName' ? [] : readAddresses(service.clusterIps);
  if (addresses.length === 0) return { ...base, ports: [], foreign: [] };
  if (isForeign(service.meta.labels)) {
    const id = `${service.key}:foreign` as ServicePortId;
    const foreign = [{ kind: 'foreign', id, service: service.key, clusterIps: addresses }] as const;
    return { ...base, ports: [], foreign };
  }
  const foreign = slices.some((slice) => isForeign(slice.meta.labels));
  const own = foreign ? slices.filter((slice) => !isForeign(slice.meta.labels)) : slices;
  const ports: SharedPort[] = [];
  for (const family of allFamilies) {
    if (!addresses.some((of) => familyOf(of) === family)) continue;
    for (const port of service.ports) {
      const record = recordOf({ service, port, family, clusterIps: addresses, algorithm });
      ports.push({ record, copies: joinEndpoints(own, port, family) });
    }
  }
  return { ...base, ports, foreign: [] };
}

/** Another proxy serves a Service, or a slice is none of a proxied one (datapath.md C2). */
export function isForeign(labels: Readonly<Record<string, string>>): boolean {
  return proxyNameLabel in labels || headlessLabel in labels;
}

interface PortFacts {
  readonly service: Service;
  readonly port: ServicePort;
  readonly family: Family;
  readonly clusterIps: readonly Ip[];
  readonly algorithm: Algorithm;
}

function recordOf(
  { service, port, family, clusterIps, algorithm }: PortFacts,
): SharedPort['record'] {
  const annotated = service.meta.annotations[algorithmAnnotation];
  return {
    kind: 'service-port',
    // Joined, not added: a sum of texts keeps its parts for good.
    id: [service.key, ':', port.name, '/', port.protocol, '/', family].join('') as ServicePortId,
    service: service.key,
    portName: port.name,
    family,
    protocol: port.protocol,
    port: port.port,
    nodePort: port.nodePort,
    clusterIps: ofFamily(clusterIps, family),
    vips: ofFamily(readAddresses(vipTexts(service)), family),
    externalIps: ofFamily(readAddresses(service.externalIps), family),
    createdAtMs: service.meta.createdAtMs ?? 0,
    internalLocal: service.internalTrafficPolicy === 'Local',
    externalLocal: service.externalTrafficPolicy === 'Local',
    affinitySeconds: service.affinitySeconds ?? 0,
    ranges: effectiveRanges(service.sourceRanges, family),
    algorithm: annotated === 'maglev' || annotated === 'random' ? annotated : algorithm,
    backends: [],
    usable: false,
  };
}

// `Proxy` entries and hostnames lead elsewhere and are no fronts here (datapath.md C7).
function vipTexts(service: Service): readonly string[] {
  if (service.type !== 'LoadBalancer') return none;
  const texts: string[] = [];
  for (const entry of service.ingress) {
    if (entry.ip !== undefined && entry.ipMode !== 'Proxy') texts.push(entry.ip);
  }
  return texts;
}

function readAddresses(texts: readonly string[]): readonly Ip[] {
  if (texts.length === 0) return none;
  // Nearly always one that is right: a list that grows by pushing keeps room for sixteen.
  const read = texts.map((text) => {
    const parsed = parseSpeltIp(text);
    return parsed.ok ? parsed.value : undefined;
  });
  const right = (address: Ip | undefined): address is Ip => address !== undefined;
  return read.every(right) ? read : read.filter(right);
}

// The list itself where nothing falls out.
function ofFamily(addresses: readonly Ip[], family: Family): readonly Ip[] {
  const fits = (address: Ip): boolean => familyOf(address) === family;
  return addresses.every(fits) ? addresses : addresses.filter(fits);
}

// Two places with one signature get equal records: a name counts only where an endpoint names it.
function placeSignature(shared: SharedService, place: Place): string {
  const { names, zoned } = shared.hints ??= hintsOf(shared.ports);
  const named = names.has(place.nodeName);
  return named || zoned ? `${named ? place.nodeName : ''}|${zoned ? (place.zone ?? '') : ''}` : '|';
}

function hintsOf(ports: readonly SharedPort[]): PlaceHints {
  const copies = ports.flatMap((port) => port.copies);
  const names = copies.flatMap(({ nodeName, hintNodes }) => (
    nodeName === undefined ? hintNodes : [nodeName, ...hintNodes]
  ));
  return { names: new Set(names), zoned: copies.some(({ hintZones }) => hintZones.length > 0) };
}
