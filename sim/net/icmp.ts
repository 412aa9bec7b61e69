import { familyOf, type Ip } from '../../lb/ip.ts';
import { assert, err, ok, type Result } from '../../lb/result.ts';
import { readIp, writeIp } from './address.ts';
import { foldChecksum, protocolNumberOf, sumWords, type TransportSpan } from './checksum.ts';
import type { PacketFault } from './codec.ts';
import {
  noPayload, type IcmpMessage, type Packet, type PacketTuple, type UnreachableCause,
} from './packet.ts';

interface TypeCode {
  readonly type: number;
  readonly code: number;
}

const unreachableCodes: Record<UnreachableCause, { readonly v4: number; readonly v6: number }> = {
  network: { v4: 0, v6: 0 },
  host: { v4: 1, v6: 3 },
  port: { v4: 3, v6: 4 },
  prohibited: { v4: 13, v6: 1 },
};
const causes: readonly UnreachableCause[] = ['network', 'host', 'port', 'prohibited'];

/** Writes type, code, rest of header and body at `from`; the checksum is the caller's. */
export function encodeIcmp(bytes: Uint8Array, packet: Packet, from: number): void {
  const { icmp } = packet;
  assert(icmp !== undefined, 'an ICMP packet has a message');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = familyOf(packet.target) === 'IPv6';
  const { type, code } = typeCodeOf(icmp, wide);
  bytes[from] = type;
  bytes[from + 1] = code;
  if (!('quoted' in icmp)) {
    view.setUint16(from + 4, icmp.id);
    view.setUint16(from + 6, icmp.sequence);
    bytes.set(packet.payload, from + 8);
    return;
  }
  // RFC 1191 uses the low half of the word, RFC 4443 all of it; both are one 32-bit store here.
  if (icmp.kind === 'too-big') view.setUint32(from + 4, icmp.mtuBytes);
  writeQuoted(bytes, from + 8, icmp.quoted);
}

function typeCodeOf(icmp: IcmpMessage, wide: boolean): TypeCode {
  switch (icmp.kind) {
    case 'echo-request': return { type: wide ? 128 : 8, code: 0 };
    case 'echo-reply': return { type: wide ? 129 : 0, code: 0 };
    case 'time-exceeded': return { type: wide ? 3 : 11, code: 0 };
    case 'too-big': return wide ? { type: 2, code: 0 } : { type: 3, code: 4 };
    case 'unreachable': {
      const codes = unreachableCodes[icmp.cause];
      return wide ? { type: 1, code: codes.v6 } : { type: 3, code: codes.v4 };
    }
  }
}

/** The IP header and the first eight bytes of the packet that an error is about. */
function writeQuoted(bytes: Uint8Array, at: number, quoted: PacketTuple): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const family = familyOf(quoted.target);
  const protocol = protocolNumberOf(quoted.protocol, family);
  const transport = at + (family === 'IPv4' ? 20 : 40);
  if (family === 'IPv4') {
    bytes[at] = 0x45;
    view.setUint16(at + 2, 28);
    bytes[at + 8] = 64;
    bytes[at + 9] = protocol;
    writeIp(bytes, at + 12, quoted.source);
    writeIp(bytes, at + 16, quoted.target);
    view.setUint16(at + 10, foldChecksum(sumWords(0, bytes, { from: at, to: at + 20 })));
  } else {
    bytes[at] = 0x60;
    view.setUint16(at + 4, 8);
    bytes[at + 6] = protocol;
    bytes[at + 7] = 64;
    writeIp(bytes, at + 8, quoted.source);
    writeIp(bytes, at + 24, quoted.target);
  }
  view.setUint16(transport, quoted.sourcePort);
  view.setUint16(transport + 2, quoted.targetPort);
}

/** The message at `span`, whose checksum was verified. Neighbour discovery is not ICMP here. */
export function decodeIcmp(
  bytes: Uint8Array, head: { source: Ip; target: Ip; ttl: number }, span: TransportSpan,
): Result<Packet, PacketFault> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = span.addressLength === 16;
  const found = { type: bytes[span.from] ?? 0, code: bytes[span.from + 1] ?? 0 };
  const kind = kindOf(found, wide);
  if (kind === undefined) return err('unsupported');
  const base = { ...head, protocol: 'ICMP' as const, sourcePort: 0, targetPort: 0 };
  if (kind === 'echo-request' || kind === 'echo-reply') {
    const icmp = {
      kind, id: view.getUint16(span.from + 4), sequence: view.getUint16(span.from + 6),
    };
    return ok({ ...base, icmp, payload: bytes.slice(span.from + 8, span.to) });
  }
  const quoted = readQuoted(bytes, span.from + 8, span);
  if (quoted === undefined) return err('malformed');
  const answer = (icmp: IcmpMessage): Result<Packet, PacketFault> =>
    ok({ ...base, icmp, payload: noPayload });
  if (kind === 'time-exceeded') return answer({ kind, quoted });
  if (kind === 'too-big') return answer({ kind, mtuBytes: view.getUint32(span.from + 4), quoted });
  const cause = causes.find((name) => unreachableCodes[name][wide ? 'v6' : 'v4'] === found.code);
  return cause === undefined ? err('unsupported') : answer({ kind, cause, quoted });
}

function kindOf({ type, code }: TypeCode, wide: boolean): IcmpMessage['kind'] | undefined {
  if (type === (wide ? 128 : 8)) return 'echo-request';
  if (type === (wide ? 129 : 0)) return 'echo-reply';
  if (type === (wide ? 3 : 11)) return 'time-exceeded';
  if (wide ? type === 2 : type === 3 && code === 4) return 'too-big';
  return type === (wide ? 1 : 3) ? 'unreachable' : undefined;
}

function readQuoted(bytes: Uint8Array, at: number, span: TransportSpan): PacketTuple | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = span.addressLength === 16;
  const header = wide ? 40 : ((bytes[at] ?? 0) & 0x0f) * 4;
  const transport = at + header;
  if (header < 20 || transport + 8 > span.to) return undefined;
  const number = bytes[at + (wide ? 6 : 9)] ?? 0;
  const protocol = number === 6 ? 'TCP' : number === 17 ? 'UDP' : 'ICMP';
  const ports = protocol !== 'ICMP';
  const addresses = at + (wide ? 8 : 12);
  return {
    source: readIp(bytes, addresses, span.addressLength),
    target: readIp(bytes, addresses + span.addressLength, span.addressLength),
    protocol,
    sourcePort: ports ? view.getUint16(transport) : 0,
    targetPort: ports ? view.getUint16(transport + 2) : 0,
  };
}
