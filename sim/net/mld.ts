import type { Ip } from '../../lb/ip.ts';
import { groupMac } from '../../l2/frames.ts';
import { linkLocalOf, readIp, readMac, writeIp, writeMac } from './address.ts';
import { transportChecksum, type TransportSpan } from './checksum.ts';

/** What a host says about a multicast group: it listens, or it is done (MLDv1, RFC 2710). */
export interface MldFrame {
  readonly kind: 'report' | 'done';
  readonly ethSource: string;
  readonly group: Ip;
}

const length = 86;
// Ethernet 14, IPv6 40, hop-by-hop 8 with Router Alert, ICMPv6 24.
const span: TransportSpan = {
  addresses: 22, addressLength: 16, from: 62, to: length, protocolNumber: 58,
};

export function encodeMld(frame: MldFrame): Uint8Array {
  const bytes = new Uint8Array(length);
  writeMac(bytes, 0, groupMac(frame.group));
  writeMac(bytes, 6, frame.ethSource);
  bytes.set([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 0, 1], 12);
  writeIp(bytes, 22, linkLocalOf(frame.ethSource));
  writeIp(bytes, 38, frame.group);
  bytes.set([58, 0, 5, 2, 0, 0, 1, 0], 54);
  bytes[62] = frame.kind === 'report' ? 131 : 132;
  writeIp(bytes, 70, frame.group);
  new DataView(bytes.buffer).setUint16(64, transportChecksum(bytes, span));
  return bytes;
}

/** Undefined for anything but an MLDv1 Report or Done behind a hop-by-hop header. */
export function decodeMld(bytes: Uint8Array): MldFrame | undefined {
  if (bytes.length < length || bytes[20] !== 0 || bytes[54] !== 58) return undefined;
  const type = bytes[62];
  if ((type !== 131 && type !== 132) || transportChecksum(bytes, span) !== 0) return undefined;
  const kind = type === 131 ? 'report' : 'done';
  return { kind, ethSource: readMac(bytes, 6), group: readIp(bytes, 70, 16) };
}
