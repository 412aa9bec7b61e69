import { ipFromBytes, type Ip } from '../lb/ip.ts';
import { putU16, putU32, u16At, u32At } from './bytes.ts';

// rtnetlink(7), as far as a node must be read: <linux/netlink.h>, <linux/rtnetlink.h>,
// <linux/if_link.h>, <linux/if_addr.h>, <linux/net_namespace.h>.

/** One interface of a namespace, as RTM_NEWLINK tells it. */
export interface LinkMessage {
  readonly ifindex: number;
  readonly name: string;
  /** `veth`, `bridge`, `vxlan`; empty for hardware. */
  readonly kind: string;
  /** Six bytes as `02:00:00:00:00:0a`; undefined for a device without Ethernet header. */
  readonly mac: string | undefined;
  readonly mtu: number;
  readonly up: boolean;
  readonly loopback: boolean;
  /** ifindex of the bond or bridge that it is a port of; 0 for none. */
  readonly master: number;
  /** ifindex of what it hangs on, or of a veth's peer; 0 for none. */
  readonly lower: number;
  /** Number that this namespace has for the one of `lower`; undefined: it is the same one. */
  readonly lowerNamespace: number | undefined;
}

export interface AddressMessage {
  readonly ifindex: number;
  readonly address: Ip;
}

/** An rtnetlink message: its type, its fixed part and attributes after it. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

export const messageType = {
  error: 2, done: 3, newLink: 16, newAddress: 20, newRoute: 24, newNamespaceId: 88,
} as const;

/** Bit of `flags`: the tables changed during the dump, which is to be made again. */
export const dumpInterrupted = 0x10;

/** What to ask for: all links, addresses or routes of the socket's namespace. */
export const dumps = {
  links: dumpRequest(18, 16), addresses: dumpRequest(22, 8), routes: dumpRequest(26, 12),
} as const;

/** Asks for the number that the socket's namespace has for the one behind a descriptor. */
export function namespaceIdRequest(fd: number): Uint8Array {
  const bytes = request({ type: 90, flags: 1, bodySize: 12 });
  putU16(bytes, 20, 8);
  putU16(bytes, 22, attribute.namespaceFd);
  putU32(bytes, 24, fd);
  return bytes;
}

/** The messages of one datagram; what is cut off at its end is left out. */
export function netlinkMessages(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + 16 <= datagram.length;) {
    const size = u32At(datagram, at);
    if (size < 16 || at + size > datagram.length) break;
    const body = datagram.slice(at + 16, at + size);
    messages.push({ type: u16At(datagram, at + 4), flags: u16At(datagram, at + 6), body });
    at += aligned(size);
  }
  return messages;
}

/** errno of an error message, positive; 0 for an acknowledgement. */
export function errorOf({ body }: NetlinkMessage): number {
  return -(u32At(body, 0) | 0);
}

export function linkOf({ body }: NetlinkMessage): LinkMessage {
  const attributes = attributesOf(body, 16);
  const arpType = u16At(body, 2);
  const flags = u32At(body, 8);
  const address = attributes.get(attribute.linkAddress);
  const nested = attributesOf(attributes.get(attribute.linkInfo) ?? none, 0);
  const namespace = attributes.get(attribute.linkNamespace);
  return {
    ifindex: u32At(body, 4),
    name: textOf(attributes.get(attribute.linkName)),
    kind: textOf(nested.get(attribute.infoKind)),
    mac: arpType === arpEthernet && address !== undefined ? macOf(address) : undefined,
    mtu: word(attributes.get(attribute.linkMtu)),
    up: (flags & flagUp) !== 0,
    loopback: (flags & flagLoopback) !== 0,
    master: word(attributes.get(attribute.linkMaster)),
    lower: word(attributes.get(attribute.linkLower)),
    lowerNamespace: namespace === undefined ? undefined : word(namespace),
  };
}

/** Undefined for an address of another family than IP. */
export function addressOf({ body }: NetlinkMessage): AddressMessage | undefined {
  const attributes = attributesOf(body, 8);
  // On a point-to-point device IFA_ADDRESS is the other end.
  const bytes = attributes.get(attribute.addressLocal) ?? attributes.get(attribute.address);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  return { ifindex: u32At(body, 4), address: ipFromBytes(bytes) };
}

/** Devices of a default route of the main table; none for any other route. */
export function defaultRouteDevices({ body }: NetlinkMessage): readonly number[] {
  const prefixBits = body[1] ?? 0;
  const kind = body[7] ?? 0;
  const attributes = attributesOf(body, 12);
  const table = word(attributes.get(attribute.routeTable)) || (body[4] ?? 0);
  if (prefixBits !== 0 || kind !== routeUnicast || table !== tableMain) return [];
  const single = word(attributes.get(attribute.routeDevice));
  return [
    ...(single === 0 ? [] : [single]),
    ...hopDevices(attributes.get(attribute.routeHops) ?? none),
  ];
}

/** Undefined where the two namespaces do not know each other. */
export function namespaceIdOf({ body }: NetlinkMessage): number | undefined {
  const id = attributesOf(body, 4).get(attribute.namespaceId);
  const number = id === undefined ? -1 : word(id) | 0;
  return number < 0 ? undefined : number;
}

const attribute = {
  linkAddress: 1, linkName: 3, linkMtu: 4, linkLower: 5, linkMaster: 10, linkInfo: 18,
  linkNamespace: 37, infoKind: 1, address: 1, addressLocal: 2,
  routeDevice: 4, routeHops: 9, routeTable: 15, namespaceId: 1, namespaceFd: 3,
} as const;

const arpEthernet = 1;
const flagUp = 1;
const flagLoopback = 8;
const routeUnicast = 1;
const tableMain = 254;
const none: Uint8Array = new Uint8Array(0);

function dumpRequest(type: number, bodySize: number): Uint8Array {
  return request({ type, flags: 0x301, bodySize });
}

interface Request {
  readonly type: number;
  readonly flags: number;
  readonly bodySize: number;
}

function request({ type, flags, bodySize }: Request): Uint8Array {
  const bytes = new Uint8Array(16 + bodySize);
  putU32(bytes, 0, bytes.length);
  putU16(bytes, 4, type);
  putU16(bytes, 6, flags);
  return bytes;
}

function aligned(size: number): number {
  return (size + 3) & ~3;
}

function attributesOf(bytes: Uint8Array, from: number): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = from; at + 4 <= bytes.length;) {
    const size = u16At(bytes, at);
    if (size < 4 || at + size > bytes.length) break;
    // The two highest bits say "nested" and "network order".
    found.set(u16At(bytes, at + 2) & 0x3fff, bytes.slice(at + 4, at + size));
    at += aligned(size);
  }
  return found;
}

/** struct rtnexthop: length, flags, weight, device. */
function hopDevices(bytes: Uint8Array): number[] {
  const devices: number[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const size = u16At(bytes, at);
    if (size < 8) break;
    devices.push(u32At(bytes, at + 4));
    at += aligned(size);
  }
  return devices;
}

function word(bytes: Uint8Array | undefined): number {
  return bytes === undefined || bytes.length < 4 ? 0 : u32At(bytes, 0);
}

function textOf(bytes: Uint8Array | undefined): string {
  const letters = [...(bytes ?? none)].filter((byte) => byte !== 0);
  return String.fromCharCode(...letters);
}

function macOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
