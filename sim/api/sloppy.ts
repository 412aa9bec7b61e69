import { parseIpUnmapped, parsePrefix, type Ip } from '../../lb/ip.ts';

const decimalOctets = /^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$/u;

/**
 * An address as the older fields of the API take it: octets may have leading zeros, which count as
 * decimal, and IPv4-mapped IPv6 is IPv4. Undefined where even the API server refuses.
 */
export function sloppyIp(text: unknown): Ip | undefined {
  if (typeof text !== 'string') return undefined;
  const plain = decimalOctets.test(text) ? text.split('.').map(Number).join('.') : text;
  const parsed = parseIpUnmapped(plain);
  return parsed.ok ? parsed.value : undefined;
}

/** A prefix as `loadBalancerSourceRanges` takes it, with spaces around. */
export function isSloppyPrefix(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  const [address = '', length = ''] = text.trim().split('/');
  const ip = sloppyIp(address);
  return ip !== undefined && parsePrefix(`${ip}/${length}`).ok;
}

// Link-local unicast and multicast, loopback and unspecified: the registry's "special" addresses.
const special4 = /^(?:0\.0\.0\.0|127\..*|169\.254\..*|224\.0\.0\..*)$/u;
const special6 = /^(?:::|::1|fe[89ab][0-9a-f]:.*|ff02:.*)$/u;

/** Why an address cannot be an external IP of a Service, if it cannot. */
export function specialIp(ip: Ip): string | undefined {
  const special = special4.test(ip) || special6.test(ip);
  return special ? 'may not be unspecified, loopback, or link-local' : undefined;
}
