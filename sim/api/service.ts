import type { Family } from '../../lb/ip.ts';
import { familyOf, parseIp } from '../../lb/ip.ts';
import type { Fault } from '../../lb/model.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Prng } from '../prng.ts';
import type { ServiceAllocation } from './allocation.ts';
import { equalJson, listOf, objectOf, textOf, type JsonObject } from './json.ts';
import { serviceFaults } from './service-rules.ts';
import { keyOfObject } from './store.ts';

/** Fields of a Service while a write is planned. */
type Draft = Record<string, unknown>;

/** Where addresses and ports come from, and the chance that chooses among them. */
export interface ServicePlace {
  readonly allocation: ServiceAllocation;
  readonly stream: Prng;
}

/**
 * The Service as it is stored: defaults, values carried over from `before`, fields that its type
 * does not allow dropped, addresses and ports allocated (A16). Faults refuse the whole write.
 */
export function settleService(
  before: KubeObject | undefined, after: KubeObject, place: ServicePlace,
): Result<KubeObject, readonly Fault[]> {
  const old = objectOf(before?.['spec']);
  const spec: Draft = { ...objectOf(after['spec']) };
  spec['type'] ??= 'ClusterIP';
  if (old !== undefined) {
    carryAllocated(old, spec);
    dropByType(old, spec);
  }
  fillDefaults(spec);
  const faults = serviceFaults(spec, old);
  if (faults.length > 0) return err(faults);
  const key = keyOfObject(after);
  // A stored Service may shrink to one family; a new one that names two means them.
  const contradiction = old === undefined ? familyFaults(spec) : [];
  const refused = contradiction.length > 0
    ? contradiction
    : [...settleAddresses(spec, key, place), ...settlePorts(spec, key, place)];
  if (refused.length > 0) return err(refused);
  return ok(withoutForeignStatus({ ...after, spec: compact(spec) }));
}

/** True for types that have cluster IPs, node ports, a load balancer. */
function hasClusterIp(spec: JsonObject): boolean {
  return spec['type'] !== 'ExternalName';
}

function hasNodePorts(spec: JsonObject): boolean {
  return spec['type'] === 'NodePort' || isLoadBalancer(spec);
}

function isLoadBalancer(spec: JsonObject): boolean {
  return spec['type'] === 'LoadBalancer';
}

function hasHealthPort(spec: JsonObject): boolean {
  return isLoadBalancer(spec) && spec['externalTrafficPolicy'] === 'Local';
}

function isHeadless(spec: JsonObject): boolean {
  return spec['clusterIP'] === 'None' || listOf(spec['clusterIPs'])[0] === 'None';
}

function portsOf(spec: JsonObject): readonly JsonObject[] {
  return listOf(spec['ports']).map((port) => objectOf(port) ?? {});
}

// A writer that leaves out what was allocated for it means to keep it.
function carryAllocated(old: JsonObject, spec: Draft): void {
  if (hasClusterIp(old) && hasClusterIp(spec)) {
    if (spec['clusterIP'] === undefined && spec['clusterIPs'] === undefined) {
      spec['clusterIP'] = old['clusterIP'];
      spec['clusterIPs'] = old['clusterIPs'];
    }
    if (spec['clusterIP'] === old['clusterIP'] && spec['clusterIPs'] === undefined) {
      spec['clusterIPs'] = old['clusterIPs'];
    }
    if (spec['ipFamilyPolicy'] === undefined && spec['ipFamilies'] === undefined) {
      spec['ipFamilyPolicy'] = old['ipFamilyPolicy'];
      spec['ipFamilies'] = old['ipFamilies'];
    }
  }
  if (hasNodePorts(old) && hasNodePorts(spec)) carryNodePorts(old, spec);
  if (hasHealthPort(old) && hasHealthPort(spec)) {
    spec['healthCheckNodePort'] ??= old['healthCheckNodePort'];
  }
}

// Ports are matched by name: the writer may have changed every other property of one.
function carryNodePorts(old: JsonObject, spec: Draft): void {
  const used = new Set(portsOf(spec).map((port) => port['nodePort']));
  spec['ports'] = portsOf(spec).map((port) => {
    if (typeof port['nodePort'] === 'number' && port['nodePort'] > 0) return port;
    const same = portsOf(old).find(
      (candidate) => (candidate['name'] ?? '') === (port['name'] ?? ''),
    );
    const nodePort = same?.['nodePort'];
    if (nodePort === undefined || used.has(nodePort)) return port;
    used.add(nodePort);
    return { ...port, nodePort };
  });
}

// What the old type had and the new one cannot have goes, unless the writer changed it: then it is
// a mistake that validation names.
function dropByType(old: JsonObject, spec: Draft): void {
  const dropSame = (...fields: readonly string[]): void => {
    for (const field of fields) if (equalJson(old[field], spec[field])) delete spec[field];
  };
  if (hasClusterIp(old) && !hasClusterIp(spec)) {
    dropSame('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy');
  }
  if (hasNodePorts(old) && !hasNodePorts(spec)) {
    spec['ports'] = portsOf(spec).map((port) => {
      const known = portsOf(old).some((candidate) => candidate['nodePort'] === port['nodePort']);
      return known ? without(port, 'nodePort') : port;
    });
    dropSame('externalTrafficPolicy');
  }
  if (hasHealthPort(old) && !hasHealthPort(spec)) dropSame('healthCheckNodePort');
  if (isLoadBalancer(old) && !isLoadBalancer(spec)) {
    dropSame('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  }
}

function without(object: JsonObject, key: string): JsonObject {
  const rest = { ...object };
  delete rest[key];
  return rest;
}

function fillDefaults(spec: Draft): void {
  spec['sessionAffinity'] ??= 'None';
  if (spec['sessionAffinity'] === 'ClientIP') {
    const affinity = objectOf(objectOf(spec['sessionAffinityConfig'])?.['clientIP']);
    const timeoutSeconds = affinity?.['timeoutSeconds'] ?? 10_800;
    spec['sessionAffinityConfig'] = { clientIP: { timeoutSeconds } };
  }
  if (Array.isArray(spec['ports'])) {
    spec['ports'] = portsOf(spec).map((port) => ({
      ...port, protocol: port['protocol'] ?? 'TCP', targetPort: port['targetPort'] ?? port['port'],
    }));
  }
  if (hasClusterIp(spec)) spec['internalTrafficPolicy'] ??= 'Cluster';
  const external = hasNodePorts(spec) || listOf(spec['externalIPs']).length > 0;
  if (external) spec['externalTrafficPolicy'] ??= 'Cluster';
  if (isLoadBalancer(spec)) spec['allocateLoadBalancerNodePorts'] ??= true;
  if (
    spec['clusterIP'] !== undefined
    && spec['clusterIPs'] === undefined
    && spec['clusterIP'] !== ''
  ) {
    spec['clusterIPs'] = [spec['clusterIP']];
  }
  if (spec['clusterIP'] === undefined || spec['clusterIP'] === '') {
    spec['clusterIP'] = listOf(spec['clusterIPs'])[0];
  }
}

function familyFaults(spec: JsonObject): Fault[] {
  if (spec['ipFamilyPolicy'] !== 'SingleStack') return [];
  return ['ipFamilies', 'clusterIPs'].flatMap((field) => {
    if (listOf(spec[field]).length < 2) return [];
    const message = 'Invalid value: a SingleStack Service holds at most 1 value';
    return [{ path: `spec.${field}`, message }];
  });
}

function settleAddresses(spec: Draft, key: string, place: ServicePlace): Fault[] {
  if (!hasClusterIp(spec)) return [];
  const families = wantedFamilies(spec, place.allocation.families);
  if (!families.ok) return [families.error];
  spec['ipFamilies'] = families.value;
  if (isHeadless(spec)) {
    spec['clusterIP'] = 'None';
    spec['clusterIPs'] = ['None'];
    return [];
  }
  const given = listOf(spec['clusterIPs']).filter(
    (entry): entry is string => typeof entry === 'string' && entry !== '',
  );
  const ips: string[] = [];
  for (const [index, family] of families.value.entries()) {
    const path = `spec.clusterIPs[${index}]`;
    const wanted = given[index];
    if (wanted !== undefined) {
      const parsed = parseIp(wanted);
      const strange = parsed.ok && familyOf(parsed.value) !== family;
      const why = strange ? `expected an ${family} value` : place.allocation.refuseIp(wanted, key);
      if (why !== undefined) return [{ path, message: `Invalid value: "${wanted}": ${why}` }];
    }
    const chosen = wanted ?? place.allocation.chooseIp(family, place.stream);
    if (chosen === undefined) {
      return [{ path, message: 'Internal error: failed to allocate a serviceIP: range is full' }];
    }
    ips.push(chosen);
  }
  spec['clusterIPs'] = ips;
  spec['clusterIP'] = ips[0];
  return [];
}

/** Families by policy, request and what the cluster has; settles `ipFamilyPolicy` too. */
function wantedFamilies(spec: Draft, cluster: readonly Family[]): Result<readonly Family[], Fault> {
  const primary = cluster[0] ?? 'IPv4';
  const asked = listOf(spec['ipFamilies']).filter(
    (family): family is Family => family === 'IPv4' || family === 'IPv6',
  );
  const given = listOf(spec['clusterIPs'])
    .map((text) => parseIp(textOf(text) ?? ''))
    .flatMap((parsed) => (parsed.ok ? [familyOf(parsed.value)] : []));
  const requested = asked.length >= given.length ? asked : given;
  const freeHeadless = isHeadless(spec) && objectOf(spec['selector']) === undefined;
  spec['ipFamilyPolicy'] ??= requested.length > 1
    || (freeHeadless && requested.length === 0) ? 'RequireDualStack' : 'SingleStack';
  for (const [index, family] of requested.entries()) {
    if (cluster.includes(family) || freeHeadless) continue;
    return err({
      path: `spec.ipFamilies[${index}]`,
      message: `Invalid value: "${family}": not configured on this cluster`,
    });
  }
  const first = requested[0] ?? primary;
  const policy = spec['ipFamilyPolicy'];
  if (policy === 'SingleStack') return ok([first]);
  const other: Family = first === 'IPv4' ? 'IPv6' : 'IPv4';
  if (cluster.includes(other) || freeHeadless) return ok([first, other]);
  if (policy === 'PreferDualStack') return ok([first]);
  const message = 'Invalid value: this cluster is not configured for dual-stack services';
  return err({ path: 'spec.ipFamilyPolicy', message });
}

function settlePorts(spec: Draft, key: string, place: ServicePlace): Fault[] {
  if (hasHealthPort(spec)) {
    const wanted = spec['healthCheckNodePort'];
    if (typeof wanted === 'number' && wanted > 0) {
      const why = place.allocation.refusePort(wanted, key);
      if (why !== undefined) {
        return [{ path: 'spec.healthCheckNodePort', message: `Invalid value: ${wanted}: ${why}` }];
      }
    } else {
      spec['healthCheckNodePort'] = place.allocation.choosePort(
        place.stream, portsOf(spec).map(nodePortOf),
      );
    }
  }
  if (!hasNodePorts(spec)) return [];
  const allocate = !isLoadBalancer(spec) || spec['allocateLoadBalancerNodePorts'] !== false;
  const taken = [
    ...portsOf(spec).map(nodePortOf), nodePortOf({ nodePort: spec['healthCheckNodePort'] }),
  ];
  const faults: Fault[] = [];
  // One number serves TCP and UDP of the same Service port.
  const shared = new Map<unknown, number>();
  spec['ports'] = portsOf(spec).map((port, index) => {
    const path = `spec.ports[${index}].nodePort`;
    const wanted = nodePortOf(port);
    if (wanted > 0) {
      const why = place.allocation.refusePort(wanted, key);
      if (why !== undefined) faults.push({ path, message: `Invalid value: ${wanted}: ${why}` });
      shared.set(port['port'], wanted);
      return port;
    }
    if (!allocate) return port;
    const nodePort = shared.get(port['port']) ?? place.allocation.choosePort(place.stream, taken);
    if (nodePort === undefined) {
      faults.push({
        path, message: 'Internal error: failed to allocate a nodePort: range is full',
      });
      return port;
    }
    shared.set(port['port'], nodePort);
    taken.push(nodePort);
    return { ...port, nodePort };
  });
  return faults;
}

function nodePortOf(port: JsonObject): number {
  return typeof port['nodePort'] === 'number' ? port['nodePort'] : 0;
}

function compact(spec: Draft): JsonObject {
  for (const key of Object.keys(spec)) {
    const value = spec[key];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) delete spec[key];
  }
  return spec;
}

/** Any write to a Service of another type wipes the load-balancer status (kubernetes#119700). */
function withoutForeignStatus(service: KubeObject): KubeObject {
  const status = objectOf(service['status']);
  if (objectOf(service['spec'])?.['type'] === 'LoadBalancer' || status === undefined) {
    return service;
  }
  return { ...service, status: { ...status, loadBalancer: {} } };
}

/** Status as stored: empty lists left out, `ipMode` defaulted beside each address. */
export function settleServiceStatus(service: KubeObject): KubeObject {
  const status = objectOf(service['status']) ?? {};
  const balancer = objectOf(status['loadBalancer']) ?? {};
  const ingress = listOf(balancer['ingress']).map((entry) => {
    const fields = objectOf(entry) ?? {};
    return fields['ip'] === undefined
      || fields['ipMode'] !== undefined ? fields : { ...fields, ipMode: 'VIP' };
  });
  const conditions = listOf(status['conditions']);
  const { conditions: _conditions, ...rest } = status;
  const settled = {
    ...rest,
    ...(conditions.length > 0 && { conditions }),
    loadBalancer: ingress.length > 0 ? { ...balancer, ingress } : without(balancer, 'ingress'),
  };
  return { ...service, status: settled };
}
