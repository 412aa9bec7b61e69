import { serviceKey, type IngressEntry, type Service, type ServicePort } from '../lb/model.ts';
import { ok } from '../lb/result.ts';
import { readConditions, readObject, required, type Decoded } from './decode-meta.ts';
import type { KubeObject } from './port.ts';
import { excerpt, type Reader } from './reader.ts';

const types = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
const policies = ['Cluster', 'Local'] as const;
const families = ['IPv4', 'IPv6'] as const;
const familyPolicies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;
const affinities = ['None', 'ClientIP'] as const;
const ipModes = ['VIP', 'Proxy'] as const;
const affinitySecondsDefault = 10_800;

/** The transport protocols of Service and slice ports, as the API spells them. */
export const protocols = ['TCP', 'UDP', 'SCTP'] as const;
export const portBounds = { min: 1, max: 65_535 };
const nodePortBounds = { min: 0, max: 65_535 };

/** A core/v1 Service, with the defaults of the API where a field is unset or unreadable. */
export function decodeService(object: KubeObject): Decoded<Service> {
  const parts = readObject(object, 'namespaced');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  const status = root.child('status');
  return ok({
    kind: 'Service',
    meta,
    key: serviceKey(meta.namespace, meta.name),
    type: spec?.choice('type', types) ?? 'ClusterIP',
    clusterIps: readClusterIps(spec),
    ports: spec?.items('ports', readPort) ?? [],
    selector: spec?.labels('selector') ?? {},
    externalIps: spec?.texts('externalIPs') ?? [],
    loadBalancerIp: filled(spec?.text('loadBalancerIP')),
    loadBalancerClass: filled(spec?.text('loadBalancerClass')),
    ipFamilies: spec === undefined ? [] : readFamilies(spec),
    ipFamilyPolicy: spec?.choice('ipFamilyPolicy', familyPolicies),
    externalTrafficPolicy: spec?.choice('externalTrafficPolicy', policies) ?? 'Cluster',
    internalTrafficPolicy: spec?.choice('internalTrafficPolicy', policies) ?? 'Cluster',
    affinitySeconds: spec === undefined ? undefined : readAffinity(spec),
    sourceRanges: spec === undefined ? [] : readSourceRanges(spec),
    healthCheckNodePort: spec?.integer('healthCheckNodePort', nodePortBounds) ?? 0,
    ingress: status?.child('loadBalancer')?.items('ingress', readIngress) ?? [],
    conditions: readConditions(status),
    faults,
  });
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

// `clusterIPs` is what the API keeps; objects older than it carry the single field only.
function readClusterIps(spec: Reader | undefined): readonly string[] {
  if (spec === undefined) return [];
  const list = spec.texts('clusterIPs').filter((text) => text !== '');
  if (list.length > 0) return list;
  const single = filled(spec.text('clusterIP'));
  return single === undefined ? [] : [single];
}

function readFamilies(spec: Reader): readonly (typeof families)[number][] {
  const read: (typeof families)[number][] = [];
  for (const [index, text] of spec.texts('ipFamilies').entries()) {
    const family = families.find((known) => known === text);
    if (family !== undefined) read.push(family);
    else spec.refuse(`ipFamilies[${index}]`, `expected one of IPv4, IPv6, got ${excerpt(text)}`);
  }
  return read;
}

/** A port without a readable number or protocol can have no front, so it is left out. */
function readPort(item: Reader): ServicePort | undefined {
  const port = required(item, 'port', item.integer('port', portBounds));
  const protocol = item.choice('protocol', protocols);
  const nodePort = item.integer('nodePort', nodePortBounds) ?? 0;
  const name = readPortName(item);
  if (port === undefined) return undefined;
  if (protocol === undefined && item.raw('protocol') !== undefined) return undefined;
  return { name, protocol: protocol ?? 'TCP', port, nodePort };
}

/** RFC 1123, as the API has it: the name is part of the identity of a service port. */
const portNameSyntax = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/u;

function readPortName(item: Reader): string {
  const name = item.text('name') ?? '';
  if (name === '' || portNameSyntax.test(name)) return name;
  item.refuse('name', `expected a DNS label, got ${excerpt(name)}`);
  return '';
}

function readAffinity(spec: Reader): number | undefined {
  if (spec.choice('sessionAffinity', affinities) !== 'ClientIP') return undefined;
  const settings = spec.child('sessionAffinityConfig')?.child('clientIP');
  return settings?.integer('timeoutSeconds', { min: 1, max: 86_400 }) ?? affinitySecondsDefault;
}

// An unreadable range stays as a text that parses as no range: left out, it would open the Service.
function readSourceRanges(spec: Reader): readonly string[] {
  const texts = spec.texts('loadBalancerSourceRanges');
  const stored = spec.raw('loadBalancerSourceRanges');
  if (stored === undefined) return texts;
  if (!Array.isArray(stored)) return [excerpt(stored)];
  return stored.map((range) => (typeof range === 'string' ? range : excerpt(range)));
}

function readIngress(item: Reader): IngressEntry {
  return {
    ip: item.text('ip'),
    hostname: item.text('hostname'),
    ipMode: item.choice('ipMode', ipModes),
    ports: item.raw('ports'),
  };
}
