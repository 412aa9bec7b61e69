import { ip, ipFromBytes, type Family, type Ip, type Prefix } from '../../../lb/ip.ts';
import type { LargeCommunity } from '../../../bgp/port.ts';
import type { Heard, HeardRoute } from '../../contract/speaker.ts';

// BGP messages as a router in a test reads and writes them. It shares no code with the simulated
// routers, so that the two judge each other through the real speaker.

const marker = Buffer.alloc(16, 0xff);
export const headerLength = 19;
export const messageType = { open: 1, update: 2, notification: 3, keepalive: 4 } as const;
const asTrans = 23_456;

export function message(type: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt16BE(headerLength + body.length);
  head[2] = type;
  return Buffer.concat([marker, head, body]);
}

export interface OpenOffer {
  readonly asn: number;
  readonly routerId: Ip;
  readonly hold: number;
  /** RFC 4724 restart time; undefined: not offered. */
  readonly restart?: number;
  /** RFC 8950; offered unless false. */
  readonly extendedNextHop?: boolean;
}

/** Both unicast families, four-byte AS numbers and, if asked for, graceful restart. */
export function openMessage(
  { asn, routerId, hold, restart, extendedNextHop = true }: OpenOffer,
): Buffer {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(asn);
  const capabilities = [
    [1, 0, 1, 0, 1], [1, 0, 2, 0, 1], [65, ...four],
    ...(extendedNextHop ? [[5, 0, 1, 0, 1, 0, 2]] : []),
    ...(restart === undefined ? [] : [[
      64, 0x40 | (restart >> 8), restart & 255, 0, 1, 1, 0x80, 0, 2, 1, 0x80,
    ]]),
  ].flatMap(([code = 0, ...value]) => [code, value.length, ...value]);
  const body = Buffer.alloc(10);
  body[0] = 4;
  body.writeUInt16BE(asn > 65_535 ? asTrans : asn, 1);
  body.writeUInt16BE(hold, 3);
  body.set(routerId.split('.').map(Number), 5);
  body[9] = capabilities.length + 2;
  return message(messageType.open, Buffer.concat([
    body, Buffer.from([2, capabilities.length, ...capabilities]),
  ]));
}

/** What an OPEN offers (RFC 4271 4.2, RFC 5492). */
export function readOpen(body: Buffer): Extract<Heard, { kind: 'open' }> {
  let asn = body.readUInt16BE(1);
  const families: Family[] = [];
  let [restartTime, restarting, notificationRestart]: [number | undefined, boolean, boolean] = [
    undefined, false, false,
  ];
  for (const [code, value] of capabilitiesOf(body.subarray(10))) {
    if (code === 1 && value[3] === 1) families.push(value.readUInt16BE(0) === 1 ? 'IPv4' : 'IPv6');
    if (code === 65) asn = value.readUInt32BE(0);
    if (code === 64) {
      const flags = value[0]! >> 4;
      restartTime = value.readUInt16BE(0) & 0xfff;
      [restarting, notificationRestart] = [(flags & 8) !== 0, (flags & 4) !== 0];
    }
  }
  return {
    kind: 'open', asn, hold: body.readUInt16BE(3), routerId: ipFromBytes(body.subarray(5, 9)),
    families, restarting, notificationRestart,
    ...(restartTime === undefined ? {} : { restartTime }),
  };
}

function capabilitiesOf(parameters: Buffer): [number, Buffer][] {
  const found: [number, Buffer][] = [];
  for (let at = 0; at < parameters.length; at += 2 + parameters[at + 1]!) {
    const end = at + 2 + parameters[at + 1]!;
    if (parameters[at] !== 2) continue;
    for (let of = at + 2; of < end; of += 2 + parameters[of + 1]!) {
      found.push([parameters[of]!, parameters.subarray(of + 2, of + 2 + parameters[of + 1]!)]);
    }
  }
  return found;
}

/** What an UPDATE says, a prefix at a time, withdraws first (RFC 4271 4.3, RFC 4760). */
export function readUpdate(body: Buffer): Heard[] {
  const withdrawnEnd = 2 + body.readUInt16BE(0);
  const attributesEnd = withdrawnEnd + 2 + body.readUInt16BE(withdrawnEnd);
  const gone = prefixes(body.subarray(2, withdrawnEnd), 'IPv4');
  const attributes = readAttributes(body.subarray(withdrawnEnd + 2, attributesEnd));
  const { route, reach, unreach } = attributes;
  const here = prefixes(body.subarray(attributesEnd), 'IPv4');
  const heard: Heard[] = [...gone, ...unreach?.prefixes ?? []].map(
    (prefix) => ({ kind: 'withdraw', prefix }),
  );
  for (const prefix of here) heard.push({ kind: 'announce', prefix, route });
  for (const prefix of reach?.prefixes ?? []) {
    heard.push({ kind: 'announce', prefix, route: { ...route, nextHop: reach!.nextHop } });
  }
  if (heard.length > 0) return heard;
  return [{ kind: 'end-of-rib', family: unreach?.family ?? 'IPv4' }];
}

interface Attributes {
  route: HeardRoute;
  reach?: { nextHop: Ip; prefixes: Prefix[] };
  unreach?: { family: Family; prefixes: Prefix[] };
}

const origins = ['igp', 'egp', 'incomplete'] as const;

function readAttributes(bytes: Buffer): Attributes {
  const found: Attributes = { route: {
    nextHop: ip('0.0.0.0'), origin: 'igp', asPath: [], communities: [], large: [],
  } };
  for (let at = 0; at < bytes.length;) {
    const extended = (bytes[at]! & 0x10) !== 0;
    const start = at + (extended ? 4 : 3);
    const length = extended ? bytes.readUInt16BE(at + 2) : bytes[at + 2]!;
    take(found, bytes[at + 1]!, bytes.subarray(start, start + length));
    at = start + length;
  }
  return found;
}

function take(found: Attributes, code: number, value: Buffer): void {
  const { route } = found;
  const numbers = (from = 0): number[] => Array.from(
    { length: (value.length - from) >> 2 }, (_, index) => value.readUInt32BE(from + 4 * index),
  );
  if (code === 1) found.route = { ...route, origin: origins[value[0]!]! };
  if (code === 2) found.route = { ...route, asPath: value.length === 0 ? [] : numbers(2) };
  if (code === 3) found.route = { ...route, nextHop: ipFromBytes(value) };
  if (code === 5) found.route = { ...route, localPref: value.readUInt32BE(0) };
  if (code === 8) found.route = { ...route, communities: numbers() };
  if (code === 32) {
    const all = numbers();
    const large = Array.from({ length: all.length / 3 }, (_, index): LargeCommunity => (
      [all[3 * index]!, all[3 * index + 1]!, all[3 * index + 2]!]
    ));
    found.route = { ...route, large };
  }
  if (code === 14) {
    const length = value[3]!;
    const family = value.readUInt16BE(0) === 1 ? 'IPv4' : 'IPv6';
    found.reach = {
      nextHop: ipFromBytes(value.subarray(4, 4 + Math.min(length, 16))),
      prefixes: prefixes(value.subarray(5 + length), family),
    };
  }
  if (code === 15) {
    const family = value.readUInt16BE(0) === 1 ? 'IPv4' : 'IPv6';
    found.unreach = { family, prefixes: prefixes(value.subarray(3), family) };
  }
}

function prefixes(bytes: Buffer, family: Family): Prefix[] {
  const found: Prefix[] = [];
  for (let at = 0; at < bytes.length;) {
    const bits = bytes[at]!;
    const length = (bits + 7) >> 3;
    const address = Buffer.alloc(family === 'IPv4' ? 4 : 16);
    bytes.copy(address, 0, at + 1, at + 1 + length);
    found.push(`${ipFromBytes(address)}/${bits}` as Prefix);
    at += 1 + length;
  }
  return found;
}
