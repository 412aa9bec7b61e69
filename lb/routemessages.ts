import { ipBytes, ipFromBytes, parsePrefix, type Ip, type Prefix } from './ip.ts';
import { attributesOf, messageType, type NetlinkMessage } from './netlink.ts';

/** Marks routes as ours, so that a later life finds them (`rtm_protocol`; nobody else has 102). */
const protocol = 102;
const mainTable = 254;
const blackhole = 6;
/** Behind every other route of the same prefix, which somebody set on purpose. */
const metric = 0x7fff_ffff;
const families = { IPv4: 2, IPv6: 10 } as const;

/** RTM_NEWROUTE or RTM_DELROUTE of a black hole of ours, to be acknowledged (rtnetlink(7)). */
export function blackholeRequest(
  verb: 'add' | 'remove', prefix: Prefix, sequence: number,
): Uint8Array {
  const parsed = parsePrefix(prefix);
  if (!parsed.ok) return new Uint8Array(0);
  const { family, prefixBits } = parsed.value;
  const target = ipBytes(prefix.slice(0, prefix.indexOf('/')) as Ip);
  const bytes = new Uint8Array(16 + 12 + 4 + target.length + 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, verb === 'add' ? 24 : 25, true);
  // NLM_F_REQUEST, NLM_F_ACK; to add also NLM_F_CREATE and NLM_F_EXCL.
  view.setUint16(6, verb === 'add' ? 0x605 : 0x5, true);
  view.setUint32(8, sequence, true);
  bytes.set([families[family], prefixBits, 0, 0, mainTable, protocol, 0, blackhole], 16);
  // RTA_DST, RTA_PRIORITY.
  view.setUint16(28, 4 + target.length, true);
  view.setUint16(30, 1, true);
  bytes.set(target, 32);
  const after = 32 + target.length;
  view.setUint16(after, 8, true);
  view.setUint16(after + 2, 6, true);
  view.setUint32(after + 4, metric, true);
  return bytes;
}

/** The negative errno of an acknowledgement, 0 for success; undefined where there is none. */
export function acknowledged(messages: readonly NetlinkMessage[]): number | undefined {
  const body = messages.find(({ type }) => type === messageType.error)?.body;
  if (body === undefined || body.length < 4) return undefined;
  return new DataView(body.buffer, body.byteOffset, body.length).getInt32(0, true);
}

/** Our black holes among the routes of a dump. */
export function blackholesOf(messages: readonly NetlinkMessage[]): Prefix[] {
  return messages.flatMap(({ type, body }) => {
    const ours = type === messageType.route && body.length >= 12 && body[4] === mainTable
      && body[5] === protocol && body[7] === blackhole;
    const bytes = body[0] === families.IPv4 ? 4 : 16;
    const target = attributesOf(body.subarray(12)).get(1) ?? new Uint8Array(bytes);
    if (!ours || target.length !== bytes) return [];
    return [`${ipFromBytes(target)}/${body[1] ?? 0}` as Prefix];
  });
}
