import { ipFromBytes, type Ip, type Prefix } from './ip.ts';
import type { LinkFacts, RouteFacts } from './ports.ts';

/**
 * Messages of rtnetlink(7) as far as the facts of interfaces need them. Words are in the order of
 * the machine, which is little-endian wherever this runs.
 */

/** Multicast groups that tell of interfaces, addresses and routes, as bits. */
export const linkGroups = 0x1 | 0x10 | 0x100 | 0x40 | 0x400;

/** One message of a datagram: its type, and what follows the header. */
export interface NetlinkMessage {
  readonly type: number;
  /** NLM_F_*; bit 0x10 says that a dump was disturbed and is to be asked for again. */
  readonly flags: number;
  readonly body: Uint8Array;
}

export const messageType = {
  error: 2, done: 3, link: 16, getLink: 18, address: 20, getAddress: 22, route: 24, getRoute: 26,
  namespaceId: 88, getNamespaceId: 90,
} as const;
export const dumpDisturbed = 0x10;

const headerBytes = 16;
const noNamespaceId = 0xffff_ffff;

/** A request for everything of one kind: `getLink`, `getAddress` or `getRoute`. */
export function dumpRequest(type: number, sequence: number): Uint8Array {
  const size: Readonly<Record<number, number>> = {
    [messageType.getLink]: 16, [messageType.getAddress]: 8, [messageType.getRoute]: 12,
  };
  const bytes = new Uint8Array(headerBytes + (size[type] ?? 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  // NLM_F_REQUEST, NLM_F_DUMP.
  view.setUint16(6, 0x301, true);
  view.setUint32(8, sequence, true);
  return bytes;
}

/** Asks for the number that the socket's namespace has for the one behind an open descriptor. */
export function namespaceIdRequest(descriptor: number): Uint8Array {
  const bytes = new Uint8Array(headerBytes + 4 + 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, messageType.getNamespaceId, true);
  // NLM_F_REQUEST.
  view.setUint16(6, 1, true);
  // NETNSA_FD.
  view.setUint16(headerBytes + 4, 8, true);
  view.setUint16(headerBytes + 6, 3, true);
  view.setUint32(headerBytes + 8, descriptor, true);
  return bytes;
}

/** The answer to it; undefined: no device of one leads to the other. */
export function namespaceIdOf(messages: readonly NetlinkMessage[]): number | undefined {
  const answer = messages.find(({ type }) => type === messageType.namespaceId);
  const id = wordOf(attributesOf(answer?.body.subarray(4) ?? empty).get(1));
  return id === noNamespaceId ? undefined : id;
}

/** The messages of one datagram, in order; what is cut off is left out. */
export function messagesOf(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(datagram);
  let at = 0;
  while (at + headerBytes <= datagram.length) {
    const size = view.getUint32(at, true);
    if (size < headerBytes || at + size > datagram.length) break;
    messages.push({
      type: view.getUint16(at + 4, true), flags: view.getUint16(at + 6, true),
      body: datagram.subarray(at + headerBytes, at + size),
    });
    at += aligned(size);
  }
  return messages;
}

/** An interface with more of what netlink tells than an announcement needs. */
export interface DeviceFacts extends LinkFacts {
  /** `veth`, `bridge`, `vxlan` …; undefined for a plain device. */
  readonly kind: string | undefined;
  /** True with six-byte addresses and Ethernet headers. */
  readonly ethernet: boolean;
  readonly mtu: number;
  /** Of the bridge, bond or VRF that the device belongs to. */
  readonly master: number | undefined;
  /** Of the other end of a veth, in its own namespace; of the device below a VLAN. */
  readonly peer: number | undefined;
  /** Id of the peer's namespace; undefined: the same as this one's. */
  readonly peerNetns: number | undefined;
}

/** Interfaces by their number from the messages of three dumps, in any order. */
export function devicesOf(messages: readonly NetlinkMessage[]): DeviceFacts[] {
  const addresses = new Map<number, Ip[]>();
  const defaults = new Set<number>();
  for (const { type, body } of messages) {
    if (type === messageType.address) noteAddress(body, addresses);
    else if (type === messageType.route) noteDefault(body, defaults);
  }
  return messages
    .filter(({ type, body }) => type === messageType.link && body.length >= linkBytes)
    .map(({ body }) => deviceOf(body, { addresses, defaults }))
    .toSorted((left, right) => left.ifindex - right.ifindex);
}

const linkBytes = 16;
const ethernetType = 1;
const flag = { up: 0x1, loopback: 0x8, noArp: 0x80, lowerUp: 0x1_0000 } as const;
// Members of a VRF are used themselves; ports of these only through their master.
const slaveKinds: ReadonlySet<string> = new Set(['bond', 'bridge', 'team', 'openvswitch']);

function deviceOf(
  body: Uint8Array,
  of: { readonly addresses: ReadonlyMap<number, Ip[]>; readonly defaults: ReadonlySet<number> },
): DeviceFacts {
  const view = viewOf(body);
  const [type, ifindex, flags] = [
    view.getUint16(2, true), view.getInt32(4, true), view.getUint32(8, true),
  ];
  const attributes = attributesOf(body.subarray(linkBytes));
  const information = attributesOf(attributes.get(18) ?? empty);
  const hardware = attributes.get(1) ?? empty;
  const ethernet = type === ethernetType && hardware.length === 6;
  const slaveKind = textOf(information.get(4));
  return {
    name: textOf(attributes.get(3)) ?? '', ifindex,
    mac: ethernet ? macOf(hardware) : '00:00:00:00:00:00',
    adminUp: (flags & flag.up) !== 0,
    carrier: (flags & flag.lowerUp) !== 0,
    loopback: (flags & flag.loopback) !== 0,
    noArp: (flags & flag.noArp) !== 0,
    enslaved: slaveKind !== undefined && slaveKinds.has(slaveKind),
    addresses: of.addresses.get(ifindex) ?? [],
    defaultRoute: of.defaults.has(ifindex),
    kind: textOf(information.get(1)), ethernet, mtu: wordOf(attributes.get(4)) ?? 0,
    master: wordOf(attributes.get(10)), peer: wordOf(attributes.get(5)),
    peerNetns: wordOf(attributes.get(37)),
  };
}

function noteAddress(body: Uint8Array, addresses: Map<number, Ip[]>): void {
  if (body.length < 8) return;
  const ifindex = viewOf(body).getUint32(4, true);
  const attributes = attributesOf(body.subarray(8));
  // On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL is ours.
  const bytes = attributes.get(2) ?? attributes.get(1);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return;
  const known = addresses.get(ifindex);
  if (known === undefined) addresses.set(ifindex, [ipFromBytes(bytes)]);
  else known.push(ipFromBytes(bytes));
}

const mainTable = 254;
const unicast = 1;

/** A default route of the main table makes its device, or each of its devices, an uplink. */
function noteDefault(body: Uint8Array, defaults: Set<number>): void {
  if (body.length < 12 || body[1] !== 0 || body[7] !== unicast) return;
  const attributes = attributesOf(body.subarray(12));
  if ((wordOf(attributes.get(15)) ?? body[4]) !== mainTable) return;
  const ifindex = wordOf(attributes.get(4));
  if (ifindex !== undefined) defaults.add(ifindex);
  for (const { oif } of nextHops(attributes.get(9) ?? empty)) defaults.add(oif);
}

/** Unicast routes of the main table, one for each of their next hops. */
export function routesOf(messages: readonly NetlinkMessage[]): RouteFacts[] {
  return messages.flatMap(({ type, body }) => (type === messageType.route ? hopsOf(body) : []));
}

const families: ReadonlyMap<number, { readonly bytes: number }> = new Map([
  [2, { bytes: 4 }], [10, { bytes: 16 }],
]);

function hopsOf(body: Uint8Array): RouteFacts[] {
  const family = families.get(body[0] ?? 0);
  if (family === undefined || body.length < 12 || body[7] !== unicast) return [];
  const attributes = attributesOf(body.subarray(12));
  if ((wordOf(attributes.get(15)) ?? body[4]) !== mainTable) return [];
  const target = attributes.get(1) ?? new Uint8Array(family.bytes);
  if (target.length !== family.bytes) return [];
  // The kernel keeps destinations without host bits, so this is canonical.
  const prefix = `${ipFromBytes(target)}/${body[1] ?? 0}` as Prefix;
  const metric = wordOf(attributes.get(6)) ?? 0;
  const gatewayOf = (bytes: Uint8Array | undefined): Ip | undefined =>
    bytes?.length === family.bytes ? ipFromBytes(bytes) : undefined;
  const hops: RouteFacts[] = [];
  const ifindex = wordOf(attributes.get(4));
  if (ifindex !== undefined) {
    hops.push({ prefix, gateway: gatewayOf(attributes.get(5)), ifindex, metric });
  }
  for (const { oif, rest } of nextHops(attributes.get(9) ?? empty)) {
    const gateway = gatewayOf(attributesOf(rest).get(5));
    hops.push({ prefix, gateway, ifindex: oif, metric });
  }
  return hops;
}

/** The `struct rtnexthop`s of RTA_MULTIPATH, each with its own attributes. */
function nextHops(bytes: Uint8Array): { readonly oif: number; readonly rest: Uint8Array }[] {
  const found: { oif: number; rest: Uint8Array }[] = [];
  const view = viewOf(bytes);
  let at = 0;
  while (at + 8 <= bytes.length) {
    const size = Math.max(8, view.getUint16(at, true));
    found.push({ oif: view.getInt32(at + 4, true), rest: bytes.subarray(at + 8, at + size) });
    at += aligned(size);
  }
  return found;
}

/** Attributes by their type without the flags in its two highest bits; the last of a type wins. */
export function attributesOf(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  let at = 0;
  while (at + 4 <= bytes.length) {
    const size = view.getUint16(at, true);
    if (size < 4 || at + size > bytes.length) break;
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + size));
    at += aligned(size);
  }
  return attributes;
}

const empty = new Uint8Array(0);

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function aligned(size: number): number {
  return Math.ceil(size / 4) * 4;
}

function wordOf(bytes: Uint8Array | undefined): number | undefined {
  return bytes === undefined || bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, true);
}

/** Text up to its zero. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}

function macOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
