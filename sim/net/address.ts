import { familyOf, ipBytes, ipFromBytes, ipv4At, type Ip } from '../../lb/ip.ts';

const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'));

/** Six bytes at `offset` as `02:00:00:00:00:0a`. */
export function readMac(bytes: Uint8Array, offset: number): string {
  const pair = (index: number): string => hexPairs[bytes[offset + index] ?? 0] ?? '00';
  return `${pair(0)}:${pair(1)}:${pair(2)}:${pair(3)}:${pair(4)}:${pair(5)}`;
}

/** Writes six bytes of a MAC text at `offset`. */
export function writeMac(bytes: Uint8Array, offset: number, mac: string): void {
  for (let index = 0; index < 6; index += 1) {
    bytes[offset + index] = (hexDigit(mac, 3 * index) << 4) | hexDigit(mac, 3 * index + 1);
  }
}

function hexDigit(text: string, index: number): number {
  const code = text.charCodeAt(index) | 0x20;
  return code >= 0x61 ? code - 0x57 : code & 0x0f;
}

/** True for broadcast and group addresses: the lowest bit of the first byte (IEEE 802). */
export function isGroupMac(mac: string): boolean {
  return (hexDigit(mac, 1) & 1) === 1;
}

/** Writes an address of either family at `offset`; IPv4 without the cost of a parser. */
export function writeIp(bytes: Uint8Array, offset: number, address: Ip): void {
  if (familyOf(address) === 'IPv6') {
    bytes.set(ipBytes(address), offset);
    return;
  }
  let at = offset;
  let octet = 0;
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === 0x2e) {
      bytes[at] = octet;
      at += 1;
      octet = 0;
    } else {
      octet = octet * 10 + code - 0x30;
    }
  }
  bytes[at] = octet;
}

/** Reads 4 or 16 bytes at `offset`. */
export function readIp(bytes: Uint8Array, offset: number, length: 4 | 16): Ip {
  if (length === 4) return ipv4At(bytes, offset);
  return ipFromBytes(bytes.subarray(offset, offset + length));
}

/** The IPv6 link-local address that SLAAC derives from a MAC (RFC 4291 appendix A). */
export function linkLocalOf(mac: string): Ip {
  const bytes = new Uint8Array(16);
  const hardware = new Uint8Array(6);
  writeMac(hardware, 0, mac);
  bytes[0] = 0xfe;
  bytes[1] = 0x80;
  bytes.set(hardware.subarray(0, 3), 8);
  bytes[8] = (bytes[8] ?? 0) ^ 0x02;
  bytes[11] = 0xff;
  bytes[12] = 0xfe;
  bytes.set(hardware.subarray(3), 13);
  return ipFromBytes(bytes);
}

/** True for fe80::/10. */
export function isLinkLocal(address: Ip): boolean {
  return /^fe[89ab]/u.test(address);
}

/** True for 224.0.0.0/4 and ff00::/8. */
export function isMulticast(address: Ip): boolean {
  if (address.startsWith('ff')) return true;
  return /^2(?:2[4-9]|3[0-9])\./u.test(address);
}
