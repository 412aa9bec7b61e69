import { parseIpUnmapped, type Ip } from '../lb/ip.ts';
import type { Labels, Service } from '../lb/model.ts';
import type { CompiledPolicy } from './policy.ts';

/** Which of a policy's booleans admits an address. */
export type AddressKind = 'external' | 'load-balancer';

export interface Published {
  readonly ip: Ip;
  readonly kind: AddressKind;
}

/** One Service that wants an address announced, with the policies that say so, by name. */
export interface Contribution {
  readonly service: Service;
  readonly policies: readonly CompiledPolicy[];
  /** Why the address may not be announced by anybody (P6). */
  readonly refused?: string | undefined;
}

/** The class that a Service must have, or none at all (P2). */
export const l2Class = 'io.cilium/l2-announcer';

/** P1: the addresses that a Service publishes, canonical, each kind's once. Pure. */
export function publishedAddresses(service: Service): Published[] {
  const published: Published[] = [];
  const add = (text: string, kind: AddressKind): void => {
    const parsed = parseIpUnmapped(text);
    if (!parsed.ok) return;
    const address = parsed.value;
    if (!published.some((one) => one.ip === address && one.kind === kind)) {
      published.push({ ip: address, kind });
    }
  };
  for (const text of service.externalIps) add(text, 'external');
  for (const entry of service.ingress) {
    // The datapath does not serve an entry of mode Proxy, so nobody may attract its traffic.
    if (entry.ip !== undefined && entry.ipMode !== 'Proxy') add(entry.ip, 'load-balancer');
  }
  return published;
}

/** P2 to P4 for one Service: which policies want which of its addresses. Pure. */
export function contributionsOf(
  service: Service, policies: readonly CompiledPolicy[],
): Map<Ip, CompiledPolicy[]> {
  const wanted = new Map<Ip, CompiledPolicy[]>();
  const { loadBalancerClass } = service;
  if (loadBalancerClass !== undefined && loadBalancerClass !== l2Class) return wanted;
  const published = publishedAddresses(service);
  if (published.length === 0) return wanted;
  const labels = selectorLabels(service);
  for (const policy of policies) {
    if (!policy.matchesService(labels)) continue;
    for (const { ip, kind } of published) {
      if (kind === 'external' ? !policy.externalIps : !policy.loadBalancerIps) continue;
      const list = wanted.get(ip) ?? [];
      if (!list.includes(policy)) list.push(policy);
      wanted.set(ip, list);
    }
  }
  return wanted;
}

/** P3: the two names override user labels of the same key. */
export function selectorLabels(service: Service): Labels {
  return {
    ...service.meta.labels,
    'io.kubernetes.service.namespace': service.meta.namespace,
    'io.kubernetes.service.name': service.meta.name,
  };
}

/** P6: why an address may not be announced whatever the policies say; undefined: it may. */
export function refusalOf(
  address: Ip, isNodeAddress: (address: Ip) => boolean,
): string | undefined {
  const inherent = inherentRefusal(address);
  if (inherent !== undefined) return inherent;
  if (isNodeAddress(address)) {
    return 'it is the address of a Node, whose kernel already answers for it';
  }
  return undefined;
}

/** The part of P6 that the address alone decides. */
export function inherentRefusal(address: Ip): string | undefined {
  if (address === '0.0.0.0' || address === '::') return 'it is the unspecified address';
  if (address.startsWith('127.') || address === '::1') return 'it is a loopback address';
  if (address === '255.255.255.255') return 'it is the broadcast address';
  if (/^(?:22[4-9]|23[0-9])\./u.test(address) || /^ff[0-9a-f]{2}:/u.test(address)) {
    return 'it is a multicast address';
  }
  if (/^fe[89ab][0-9a-f]:/u.test(address)) {
    return 'it is link-local, which means something on one link only';
  }
  return undefined;
}
