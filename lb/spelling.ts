import {
  parseIpUnmapped, parsePrefix, type AddressError, type Ip, type PrefixParts,
} from './ip.ts';
import type { Result } from './result.ts';

const leadingZero = /(?:^|\.)0[0-9]/u;
const oddDotted = /^[0-9]+(?:\.[0-9]+){3}(?=$|\/)/u;

/**
 * The one reader of addresses that users or old API servers spelt: octets with leading zeros are
 * decimal, so `172.30.0.041` is .41, never .33 (datapath.md C12). All else as `parseIpUnmapped`.
 */
export function parseSpeltIp(text: string): Result<Ip, AddressError> {
  return parseIpUnmapped(decimal(text));
}

/** A trimmed prefix with the same reading of octets; host bits are cleared. */
export function parseSpeltPrefix(text: string): Result<PrefixParts, AddressError> {
  return parsePrefix(decimal(text.trim()));
}

function decimal(text: string): string {
  if (!leadingZero.test(text) || !oddDotted.test(text)) return text;
  return text.replace(/(^|\.)0+(?=[0-9])/gu, '$1');
}
