import type { PacketTuple } from '../net/packet.ts';

/** Which fields of a flow choose its path. */
export type HashFields = '3-tuple' | '5-tuple';

/** An unsigned 32-bit hash of a flow; every packet of one direction has the same. */
export function flowHash(fields: HashFields, packet: PacketTuple, seed: number): number {
  let hash = mix(seed, packet.protocol);
  hash = mix(hash, packet.source);
  hash = mix(hash, packet.target);
  if (fields === '5-tuple') hash = spread(hash ^ (packet.sourcePort << 16) ^ packet.targetPort);
  return spread(hash) >>> 0;
}

// FNV-1a.
function mix(start: number, text: string): number {
  let hash = start ^ 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  return hash;
}

// The finalizer of MurmurHash3, so that neighbouring ports land far apart.
function spread(word: number): number {
  let hash = word ^ (word >>> 16);
  hash = Math.imul(hash, 0x85eb_ca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
