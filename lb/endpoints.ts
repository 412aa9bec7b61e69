import { compareIp, familyOf, type Family, type Ip } from './ip.ts';
import type { Endpoint, EndpointSlice, ServicePort } from './model.ts';
import { parseSpeltIp } from './spelling.ts';
import { compareText } from './table.ts';
import { topologyFilter, type Place } from './topology.ts';

/** One copy of an endpoint as a slice lists it, its conditions judged; equal for every node. */
export interface EndpointCopy {
  readonly ip: Ip;
  readonly port: number;
  readonly ready: boolean;
  readonly serving: boolean;
  /** Serving and terminating: used when nothing is ready. */
  readonly draining: boolean;
  readonly nodeName: string | undefined;
  readonly hintZones: readonly string[];
  readonly hintNodes: readonly string[];
}

/** One endpoint of a service port as one node sees it (the `fl_backend` and `fl_member` facts). */
export interface BackendRow {
  readonly ip: Ip;
  readonly port: number;
  /** Runs on this node. */
  readonly local: boolean;
  /** Selectable for scope `cluster`. */
  readonly cluster: boolean;
  /** Selectable for scope `local`. */
  readonly near: boolean;
  readonly serving: boolean;
}

/** The endpoints of one service port, selectable ones first and local first among them. */
export interface BackendSet {
  readonly backends: readonly BackendRow[];
  /** A usable endpoint exists anywhere, so an empty scope is a drop and no refusal. */
  readonly usable: boolean;
}

/**
 * Joins slices to one Service port by port name and protocol, never by number (datapath.md C14).
 * `slices` are all of the Service's; foreign families and FQDN slices fall out here.
 * Copies of one ip:port stand together, in slice order, so that history decides nothing.
 */
export function joinEndpoints(
  slices: readonly EndpointSlice[], port: ServicePort, family: Family,
): readonly EndpointCopy[] {
  const copies: EndpointCopy[] = [];
  for (const slice of byName(slices)) {
    if (slice.addressType !== family) continue;
    for (const number of matchingPorts(slice, port)) {
      for (const endpoint of slice.endpoints) {
        const copy = copyOf(endpoint, number, family);
        if (copy !== undefined) copies.push(copy);
      }
    }
  }
  return sorted(copies, (left, right) => compareIp(left.ip, right.ip) || left.port - right.port);
}

/** Slices in order of their names; most Services have one, and a list of one is sorted. */
export function byName(slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  if (slices.length < 2) return slices;
  return [...slices].sort((left, right) => compareText(left.meta.name, right.meta.name));
}

// Most lists come in order, and finding that out allocates nothing.
function sorted<T>(list: T[], compare: (left: T, right: T) => number): T[] {
  for (let at = 1; at < list.length; at += 1) {
    const [left, right] = [list[at - 1], list[at]];
    if (left !== undefined && right !== undefined && compare(left, right) > 0) {
      return list.sort(compare);
    }
  }
  return list;
}

function matchingPorts(slice: EndpointSlice, port: ServicePort): number[] {
  const numbers: number[] = [];
  for (const listed of slice.ports) {
    if (listed.name !== port.name || listed.protocol !== port.protocol) continue;
    if (listed.port !== undefined) numbers.push(listed.port);
  }
  return numbers;
}

// Absent conditions: ready and serving are true, terminating is false (datapath.md 5). `ready` is
// tested first, because publishNotReadyAddresses sets ready and terminating together.
function copyOf(endpoint: Endpoint, port: number, family: Family): EndpointCopy | undefined {
  const parsed = parseSpeltIp(endpoint.addresses[0] ?? '');
  if (!parsed.ok || familyOf(parsed.value) !== family) return undefined;
  const ready = endpoint.ready ?? true;
  const servingNow = endpoint.serving ?? true;
  const { nodeName, hintZones, hintNodes } = endpoint;
  const draining = !ready && servingNow && (endpoint.terminating ?? false);
  return {
    ip: parsed.value, port, ready, serving: ready || servingNow, draining, nodeName, hintZones,
    hintNodes,
  };
}

/** What `place` may select among the copies (datapath.md 5): each set falls back on its own. */
export function backendSet(copies: readonly EndpointCopy[], place: Place): BackendSet {
  const merged = mergeCopies(copies, place.nodeName);
  const here = (copy: EndpointCopy): boolean => copy.nodeName === place.nodeName;
  const readyHere = merged.some((copy) => copy.ready && here(copy));
  const ready = merged.filter((copy) => copy.ready);
  const filtered = topologyFilter(ready, place);
  const kept = filtered === ready ? undefined : new Set(filtered);
  const backends = merged.map((copy): BackendRow => {
    const local = here(copy);
    const cluster = ready.length > 0 ? copy.ready && kept?.has(copy) !== false : copy.draining;
    const near = local && (readyHere ? copy.ready : copy.draining);
    return { ip: copy.ip, port: copy.port, local, cluster, near, serving: copy.serving };
  });
  // A stable sort: inside a group the order by address and port stands.
  const usable = ready.length > 0 || merged.some((copy) => copy.draining);
  return { backends: sorted(backends, (left, right) => groupOf(left) - groupOf(right)), usable };
}

function groupOf(row: { readonly near: boolean; readonly cluster: boolean }): number {
  if (row.near) return row.cluster ? 1 : 0;
  return row.cluster ? 2 : 3;
}

function sameEndpoint(left: EndpointCopy | undefined, right: EndpointCopy): boolean {
  return left?.ip === right.ip && left.port === right.port;
}

function mergeCopies(
  copies: readonly EndpointCopy[], nodeName: string,
): readonly EndpointCopy[] {
  if (!copies.some((copy, at) => at > 0 && sameEndpoint(copies[at - 1], copy))) return copies;
  const merged: EndpointCopy[] = [];
  for (const copy of copies) {
    const last = merged.at(-1);
    const again = sameEndpoint(last, copy);
    const nearer = again && last?.nodeName !== nodeName && copy.nodeName === nodeName;
    if (nearer) merged.pop();
    if (!again || nearer) merged.push(copy);
  }
  return merged;
}
