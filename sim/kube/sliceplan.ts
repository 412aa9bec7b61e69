import { familyOf, parseIp, type Family, type Ip } from '../../lb/ip.ts';
import type { Labels } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import type { Json, KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { equalJson } from '../api/json.ts';
import type { ActorWrite } from './actor.ts';
import { count, fields, items, labelsOf, text, texts, type Fields } from './fields.ts';
import { podFinished, protocolOf, type PodView } from './pod.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedByValue = 'endpointslice-controller.k8s.io';
/** Values of spec.trafficDistribution that prefer the zone of the client. */
const zoneDistributions: readonly string[] = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const headlessLabel = 'service.kubernetes.io/headless';
/** As kube-controller-manager's --max-endpoints-per-slice. */
const endpointsMax = 100;

/** A Service as its slices depend on it. */
export interface SliceService {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  /** Empty: somebody else writes the slices. */
  readonly selector: Labels;
  readonly families: readonly Family[];
  readonly ports: readonly Fields[];
  readonly publishNotReady: boolean;
  readonly headless: boolean;
  /** `PreferClose`, `PreferSameZone`, `PreferSameNode`, or empty. */
  readonly distribution: string;
}

export interface SliceInputs {
  readonly service: SliceService;
  /** Matching the selector, sorted by key. */
  readonly pods: readonly PodView[];
  readonly zoneOf: (node: string) => string;
  /** Present slices of this Service that this controller manages, sorted by name. */
  readonly slices: readonly KubeObject[];
}

export function sliceService(object: KubeObject): SliceService {
  const spec = fields(object['spec']);
  const metadata = object.metadata ?? {};
  const external = spec['type'] === 'ExternalName';
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    labels: labelsOf(metadata['labels']),
    selector: external ? {} : labelsOf(spec['selector']),
    families: familiesOf(spec),
    ports: items(spec['ports']),
    publishNotReady: spec['publishNotReadyAddresses'] === true,
    headless: spec['clusterIP'] === 'None',
    distribution: text(spec['trafficDistribution']),
  };
}

/** The writes that make the slices say what the pods are: created and changed before removed. */
export function planSlices(inputs: SliceInputs): readonly ActorWrite[] {
  const { service, slices } = inputs;
  const plans = service.families.map((family) => planFamily(inputs, family));
  const strays = slices.filter(
    (slice) => !service.families.some((family) => family === slice['addressType']),
  );
  const writes = [...plans.flat(), ...strays.map(removal)];
  return [
    ...writes.filter((write) => write.verb !== 'remove'),
    ...writes.filter((write) => write.verb === 'remove'),
  ];
}

interface Group {
  readonly ports: readonly Fields[];
  readonly endpoints: Map<string, Fields>;
}

function planFamily(inputs: SliceInputs, family: Family): readonly ActorWrite[] {
  const groups = groupsOf(inputs, family);
  const present = inputs.slices.filter((slice) => slice['addressType'] === family);
  const writes: ActorWrite[] = [];
  const emptied: KubeObject[] = [];
  let kept = 0;
  for (const slice of present) {
    const group = groups.get(signature(items(slice['ports'])));
    const ids = group === undefined ? [] : idsOf(slice).filter((id) => group.endpoints.has(id));
    if (group === undefined || ids.length === 0) {
      emptied.push(slice);
      continue;
    }
    const own = new Map(ids.map((id) => [id, group.endpoints.get(id) ?? {}]));
    for (const id of ids) group.endpoints.delete(id);
    fill(own, group.endpoints);
    writes.push(...changed(inputs.service, slice, { ports: group.ports, endpoints: own }));
    kept += 1;
  }
  const { written, rest } = placeRest({ service: inputs.service, family, groups, emptied });
  writes.push(...written);
  const some = kept + written.length > 0;
  return [...writes, ...(some ? rest.map(removal) : keepOne(inputs.service, family, rest))];
}

interface Leftover {
  readonly service: SliceService;
  readonly family: Family;
  readonly groups: ReadonlyMap<string, Group>;
  readonly emptied: readonly KubeObject[];
}

// New endpoints that fit into no kept slice: emptied slices serve again before new ones are made.
function placeRest(of: Leftover): { written: readonly ActorWrite[]; rest: readonly KubeObject[] } {
  const written: ActorWrite[] = [];
  const rest = [...of.emptied];
  const signatures = [...of.groups.keys()].sort(compareText);
  for (const group of signatures.flatMap((key) => of.groups.get(key) ?? [])) {
    while (group.endpoints.size > 0) {
      const endpoints = new Map<string, Fields>();
      fill(endpoints, group.endpoints);
      const content = { ports: group.ports, endpoints };
      const reused = rest.shift();
      if (reused !== undefined) written.push(...changed(of.service, reused, content));
      else written.push(creation(of.service, of.family, content));
    }
  }
  return { written, rest };
}

// A Service without endpoints keeps one empty slice: so it differs from one never looked at.
function keepOne(
  service: SliceService, family: Family, slices: readonly KubeObject[],
): readonly ActorWrite[] {
  const [first, ...others] = slices;
  if (first === undefined) return [creation(service, family, { ports: [], endpoints: new Map() })];
  return [...changed(service, first, { ports: [], endpoints: new Map() }), ...others.map(removal)];
}

function fill(own: Map<string, Fields>, waiting: Map<string, Fields>): void {
  for (const [id, endpoint] of [...waiting].sort((left, right) => compareText(left[0], right[0]))) {
    if (own.size >= endpointsMax) return;
    own.set(id, endpoint);
    waiting.delete(id);
  }
}

function groupsOf(inputs: SliceInputs, family: Family): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const pod of inputs.pods) {
    const ip = pod.ips.find((address) => familyOf(address) === family);
    if (ip === undefined || podFinished(pod)) continue;
    const ports = podPorts(inputs.service, pod);
    const key = signature(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map<string, Fields>() };
    groups.set(key, group);
    group.endpoints.set(`${pod.key}/${pod.uid}/${ip}`, endpoint(inputs, pod, ip));
  }
  return groups;
}

function podPorts(service: SliceService, pod: PodView): readonly Fields[] {
  return service.ports.flatMap((entry) => {
    const protocol = protocolOf(entry['protocol']);
    const target = entry['targetPort'];
    const named = typeof target === 'string' && target !== ''
      ? pod.spec.ports.find((port) => port.name === target && port.protocol === protocol)?.port ?? 0
      : count(target, 0) === 0 ? count(entry['port'], 0) : count(target, 0);
    if (named === 0) return [];
    const appProtocol = text(entry['appProtocol']);
    const port = { name: text(entry['name']), protocol, port: named };
    return [{ ...port, ...(appProtocol !== '' && { appProtocol }) }];
  });
}

function endpoint(inputs: SliceInputs, pod: PodView, ip: Ip): Fields {
  const { service } = inputs;
  const ready = service.publishNotReady || (pod.ready && !pod.deleting);
  const { nodeName, hostname, subdomain } = pod.spec;
  const zone = nodeName === '' ? '' : inputs.zoneOf(nodeName);
  const hints = ready ? hintsOf(service.distribution, nodeName, zone) : undefined;
  return {
    addresses: [ip],
    conditions: { ready, serving: pod.ready, terminating: pod.deleting },
    targetRef: { kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid },
    ...(nodeName !== '' && { nodeName }),
    ...(zone !== '' && { zone }),
    ...(hints !== undefined && { hints }),
    ...(hostname !== '' && subdomain === service.name && { hostname }),
  };
}

/** KEP-3015, KEP-4444: the zone stands beside the node hint, for proxies that know only zones. */
function hintsOf(distribution: string, node: string, zone: string): Fields | undefined {
  const byNode = distribution === 'PreferSameNode' && node !== '';
  const byZone = zone !== '' && zoneDistributions.includes(distribution);
  if (!byNode && !byZone) return undefined;
  return {
    ...(byZone && { forZones: [{ name: zone }] }), ...(byNode && { forNodes: [{ name: node }] }),
  };
}

function changed(
  service: SliceService, slice: KubeObject, content: Group,
): readonly ActorWrite[] {
  const endpoints = listed(content.endpoints);
  const labels = sliceLabels(service);
  const same = equalJson(slice['endpoints'] ?? [], endpoints)
    && equalJson(slice['ports'] ?? [], content.ports)
    && equalJson(slice.metadata?.['labels'], labels);
  if (same) return [];
  const metadata = { ...slice.metadata, labels };
  const body = { ...slice, metadata, endpoints, ports: content.ports };
  return [{ verb: 'replace', resource: resources.endpointSlices, body }];
}

function creation(service: SliceService, family: Family, content: Group): ActorWrite {
  const owner = {
    apiVersion: 'v1', kind: 'Service', name: service.name, uid: service.uid,
    controller: true, blockOwnerDeletion: true,
  };
  const body: KubeObject = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: service.namespace,
      generateName: `${service.name}-`,
      labels: sliceLabels(service),
      ownerReferences: [owner],
    },
    addressType: family,
    endpoints: listed(content.endpoints),
    ports: content.ports,
  };
  return { verb: 'create', resource: resources.endpointSlices, body };
}

function removal(slice: KubeObject): ActorWrite {
  return { verb: 'remove', resource: resources.endpointSlices, object: slice };
}

function sliceLabels(service: SliceService): { readonly [key: string]: Json } {
  return {
    ...service.labels,
    [serviceNameLabel]: service.name,
    [managedByLabel]: managedByValue,
    ...(service.headless && { [headlessLabel]: '' }),
  };
}

function listed(endpoints: ReadonlyMap<string, Fields>): readonly Fields[] {
  const sorted = [...endpoints].sort((left, right) => compareText(left[0], right[0]));
  return sorted.map((entry) => entry[1]);
}

function idsOf(slice: KubeObject): readonly string[] {
  return items(slice['endpoints']).map((entry) => {
    const target = fields(entry['targetRef']);
    const key = `${text(target['namespace'])}/${text(target['name'])}`;
    return `${key}/${text(target['uid'])}/${texts(entry['addresses'])[0] ?? ''}`;
  });
}

function signature(ports: readonly Fields[]): string {
  return ports.map((port) =>
    [port['name'], port['protocol'], String(count(port['port'], 0)), port['appProtocol']]
      .map(text).join('/')).sort(compareText).join();
}

function familiesOf(spec: Fields): readonly Family[] {
  const stated = texts(spec['ipFamilies']).filter((entry) => entry === 'IPv4' || entry === 'IPv6');
  if (stated.length > 0) return stated;
  const first = parseIp(text(spec['clusterIP']));
  return [first.ok ? familyOf(first.value) : 'IPv4'];
}
