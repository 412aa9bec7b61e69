import { parseIp, type Family } from '../ip.ts';
import type { Service } from '../model.ts';
import { addressOf, type Address } from './address.ts';
import type { IpamSettings } from './settings.ts';

/** More listed addresses than this are not served, so that a status stays bounded. */
export const listedMax = 100;

export type RequestItem =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'bad'; readonly text: string; readonly why: string };

/** What a Service asks for: addresses by name, or one of each wanted family. */
export type Request =
  | {
    readonly kind: 'listed';
    /** In request order, each address once. */
    readonly items: readonly RequestItem[];
    readonly addresses: ReadonlySet<Address>;
    readonly hasBad: boolean;
  }
  | { readonly kind: 'generic'; readonly wanted: readonly Family[] };

/** The request of a Service; `listed` are the texts of its address annotation (lb-ipam.md 5). */
export function readRequest(
  service: Service,
  listed: readonly string[],
  settings: IpamSettings,
): Request {
  const texts = [service.loadBalancerIp?.trim() ?? '', ...listed].filter((text) => text !== '');
  if (texts.length === 0) return { kind: 'generic', wanted: wantedFamilies(service, settings) };
  const items: RequestItem[] = [];
  const addresses = new Set<Address>();
  let surplus = 0;
  for (const text of texts) {
    const ip = parseIp(text);
    if (!ip.ok) {
      const why = ip.error.kind === 'mapped' ? 'is IPv4-mapped' : 'is no address';
      if (items.length < 2 * listedMax) items.push({ kind: 'bad', text: shorten(text), why });
      continue;
    }
    const address = addressOf(ip.value);
    if (addresses.has(address)) continue;
    if (addresses.size >= listedMax) {
      surplus += 1;
      continue;
    }
    addresses.add(address);
    items.push({ kind: 'address', address });
  }
  if (surplus > 0) {
    items.push({ kind: 'bad', text: `${surplus} more`, why: `exceed ${listedMax} addresses` });
  }
  const hasBad = items.some((item) => item.kind === 'bad');
  return { kind: 'listed', items, addresses, hasBad };
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 61)}...` : text;
}

/** The families of a generic request, IPv4 first (lb-ipam.md 5.1). */
export function wantedFamilies(service: Service, settings: IpamSettings): readonly Family[] {
  const enabled = enabledFamilies(settings);
  const listed = service.ipFamilies;
  switch (service.ipFamilyPolicy) {
    case 'RequireDualStack':
      return enabled;
    case 'PreferDualStack':
      return listed.length === 0 ? enabled : enabled.filter((family) => listed.includes(family));
    case 'SingleStack':
    case undefined:
      // The first listed one even if not enabled: waiting is better than the other family.
      return listed.length > 0 ? listed.slice(0, 1) : enabled.slice(0, 1);
  }
}

export function enabledFamilies(settings: IpamSettings): readonly Family[] {
  const families: Family[] = [];
  if (settings.ipv4) families.push('IPv4');
  if (settings.ipv6) families.push('IPv6');
  return families;
}
