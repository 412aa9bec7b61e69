import type { PacketProtocol } from './packet.ts';

/**
 * Adds 16-bit words of `bytes[from, to)` to a running sum; an odd last byte is padded (RFC 1071).
 */
export function sumWords(
  sum: number, bytes: Uint8Array, range: { from: number; to: number },
): number {
  let total = sum;
  let index = range.from;
  for (; index + 1 < range.to; index += 2) {
    total += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  if (index < range.to) total += (bytes[index] ?? 0) << 8;
  return total;
}

/** Folds a sum to 16 bits and complements it: the Internet checksum. */
export function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return ~folded & 0xffff;
}

/** Where the parts that a transport checksum covers lie in a frame. */
export interface TransportSpan {
  /** Offset of the source address; the target follows it. */
  readonly addresses: number;
  readonly addressLength: 4 | 16;
  readonly from: number;
  readonly to: number;
  readonly protocolNumber: number;
}

/**
 * Checksum of TCP, UDP, ICMP or ICMPv6 over `span`, with the pseudo-header where the protocol has
 * one. Over bytes whose checksum field is right the result is 0. RFC 9293, 768, 792, 4443.
 */
export function transportChecksum(bytes: Uint8Array, span: TransportSpan): number {
  let sum = 0;
  if (span.protocolNumber !== 1) {
    const to = span.addresses + 2 * span.addressLength;
    sum = sumWords(0, bytes, { from: span.addresses, to });
    sum += span.protocolNumber + (span.to - span.from);
  }
  return foldChecksum(sumWords(sum, bytes, { from: span.from, to: span.to }));
}

/** IP protocol number of a packet's protocol in its family. */
export function protocolNumberOf(protocol: PacketProtocol, family: 'IPv4' | 'IPv6'): number {
  if (protocol === 'TCP') return 6;
  if (protocol === 'UDP') return 17;
  return family === 'IPv4' ? 1 : 58;
}
