import {
  serviceKey, type Endpoint, type EndpointPort, type EndpointSlice, type Lease, type Node,
  type NodeAddress, type ServiceCidr, type Taint,
} from '../lb/model.ts';
import { parsePrefix, type Prefix } from '../lb/ip.ts';
import { ok } from '../lb/result.ts';
import { readConditions, readObject, required, type Decoded } from './decode-meta.ts';
import { portBounds, protocols } from './decode-service.ts';
import type { KubeObject } from './port.ts';
import type { Reader } from './reader.ts';

const addressTypes = ['IPv4', 'IPv6', 'FQDN'] as const;
const serviceNameLabel = 'kubernetes.io/service-name';
const counts = { min: 0, max: 2_147_483_647 };

/**
 * A discovery.k8s.io/v1 EndpointSlice. An unreadable address type reads as FQDN, which nobody
 * uses.
 */
export function decodeSlice(object: KubeObject): Decoded<EndpointSlice> {
  const parts = readObject(object, 'namespaced');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const owner = Object.hasOwn(meta.labels, serviceNameLabel) ? meta.labels[serviceNameLabel] : '';
  const addressType = required(root, 'addressType', root.choice('addressType', addressTypes));
  return ok({
    kind: 'EndpointSlice',
    meta,
    service: owner === undefined || owner === '' ? undefined : serviceKey(meta.namespace, owner),
    addressType: addressType ?? 'FQDN',
    endpoints: root.items('endpoints', readEndpoint),
    ports: root.items('ports', readEndpointPort),
    faults,
  });
}

/** A networking.k8s.io/v1 ServiceCIDR; its ranges are in force as long as the object is there. */
export function decodeServiceCidr(object: KubeObject): Decoded<ServiceCidr> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const cidrs: Prefix[] = [];
  for (const [index, text] of (root.child('spec')?.texts('cidrs') ?? []).entries()) {
    const parsed = parsePrefix(text);
    if (parsed.ok) cidrs.push(parsed.value.prefix);
    else faults.push({ path: `spec.cidrs[${index}]`, message: `'${text}' is no prefix` });
  }
  return ok({ kind: 'ServiceCIDR', meta, cidrs, faults });
}

function readEndpoint(item: Reader): Endpoint {
  const conditions = item.child('conditions');
  const hints = item.child('hints');
  const name = (hint: Reader): string | undefined => required(hint, 'name', hint.text('name'));
  return {
    addresses: item.texts('addresses'),
    ready: conditions?.flag('ready'),
    serving: conditions?.flag('serving'),
    terminating: conditions?.flag('terminating'),
    nodeName: item.text('nodeName'),
    zone: item.text('zone'),
    hintZones: hints?.items('forZones', name) ?? [],
    hintNodes: hints?.items('forNodes', name) ?? [],
  };
}

function readEndpointPort(item: Reader): EndpointPort | undefined {
  const port = item.integer('port', portBounds);
  const protocol = item.choice('protocol', protocols);
  const name = item.text('name') ?? '';
  // An unset number means every port; an unreadable one means nothing.
  if (port === undefined && item.raw('port') !== undefined) return undefined;
  if (protocol === undefined && item.raw('protocol') !== undefined) return undefined;
  return { name, protocol: protocol ?? 'TCP', port };
}

/** A core/v1 Node. */
export function decodeNode(object: KubeObject): Decoded<Node> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  const status = root.child('status');
  return ok({
    kind: 'Node',
    meta,
    podCidrs: spec === undefined ? [] : readPodCidrs(spec),
    unschedulable: spec?.flag('unschedulable') ?? false,
    taints: spec?.items('taints', readTaint) ?? [],
    addresses: status?.items('addresses', readNodeAddress) ?? [],
    conditions: readConditions(status),
    faults,
  });
}

function readPodCidrs(spec: Reader): readonly string[] {
  const list = spec.texts('podCIDRs');
  if (list.length > 0) return list;
  const single = spec.text('podCIDR');
  return single === undefined || single === '' ? [] : [single];
}

function readTaint(item: Reader): Taint | undefined {
  const key = required(item, 'key', item.text('key'));
  if (key === undefined) return undefined;
  return { key, value: item.text('value') ?? '', effect: item.text('effect') ?? '' };
}

function readNodeAddress(item: Reader): NodeAddress | undefined {
  const type = required(item, 'type', item.text('type'));
  const address = required(item, 'address', item.text('address'));
  return type === undefined || address === undefined ? undefined : { type, address };
}

/** A coordination.k8s.io/v1 Lease. */
export function decodeLease(object: KubeObject): Decoded<Lease> {
  const parts = readObject(object, 'namespaced');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  return ok({
    kind: 'Lease',
    meta,
    holderIdentity: spec?.text('holderIdentity') ?? '',
    leaseDurationSeconds: spec?.integer('leaseDurationSeconds', counts),
    leaseTransitions: spec?.integer('leaseTransitions', counts) ?? 0,
    acquireTime: spec?.text('acquireTime'),
    renewTime: spec?.text('renewTime'),
    faults,
  });
}
