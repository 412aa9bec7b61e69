import { sha256 } from '@noble/hashes/sha2.js';
import { familyOf, ipFromBytes, ip, parseIp, type Ip } from '../lb/ip.ts';
import type { Node } from '../lb/model.ts';
import { utf8Of } from '../lb/utf8.ts';

/**
 * The router ID of mode `default`: the Node's first IPv4 InternalIP, else ExternalIP, else the low
 * 32 bits of SHA-256 of its name, where 0 becomes 1 (bgp.md 2.4): no address of a link is both
 * always present and stable.
 */
export function defaultRouterId(nodeName: string, node: Node | undefined): Ip {
  return addressOf(node, 'InternalIP') ?? addressOf(node, 'ExternalIP') ?? hashedId(nodeName);
}

function addressOf(node: Node | undefined, type: string): Ip | undefined {
  for (const one of node?.addresses ?? []) {
    const parsed = parseIp(one.address);
    const usable = one.type === type && parsed.ok && familyOf(parsed.value) === 'IPv4';
    if (usable && parsed.value !== '0.0.0.0') return parsed.value;
  }
  return undefined;
}

function hashedId(nodeName: string): Ip {
  const hash = sha256(Uint8Array.from(utf8Of(nodeName))).slice(28);
  const id = ipFromBytes(hash);
  return id === '0.0.0.0' ? ip('0.0.0.1') : id;
}
