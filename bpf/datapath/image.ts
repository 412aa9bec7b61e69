import type { BackendRow } from '../../lb/endpoints.ts';
import { familyOf, ipBytes16, ipv4Number, type Family, type Ip } from '../../lb/ip.ts';
import type { Protocol, ServiceKey } from '../../lb/model.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import type {
  DatapathRecord, ForeignRecord, ServicePortId, ServicePortRecord,
} from '../../lb/serviceport.ts';
import { addrBit, backendFlag, frontKind, memberBit, setFlag } from '../layout.gen.ts';

// A node has ten thousand of each of these, and a typed array of sixteen bytes costs two hundred:
// addresses are kept as texts of the same bytes, which the keys of tables are anyway.

/** A front that a service port asks for; `key` is its `fl_front` key as a text. */
export interface FrontImage {
  readonly key: string;
  /** The key of its address, with which its own begins. */
  readonly address: string;
  readonly port: number;
  readonly proto: number;
  readonly kind: number;
  /** Undefined for a NodePort, which is a front of every NodePort address. */
  readonly ip: Ip | undefined;
}

/** What one address means because of a service port: a bit of `fl_addr`. */
export interface AddressImage {
  /** The `fl_addr` key as a text. */
  readonly key: string;
  readonly ip: Ip;
  readonly bit: number;
  /** From `externalIPs`, which options may refuse. */
  readonly external: boolean;
}

/**
 * The part of a backend that says which one it is: `key` is all of it as a text, its address first.
 */
export interface BackendImage {
  readonly key: string;
  readonly port: number;
  readonly proto: number;
  readonly flags: number;
}

export interface MemberImage {
  readonly backend: BackendImage;
  /** Never zero. */
  readonly bits: number;
}

/** The fields of `fl_set` that follow from a record alone. */
export interface SetFields {
  readonly flags: number;
  readonly localN: number;
  readonly clusterOff: number;
  readonly clusterN: number;
  readonly affinityS: number;
}

/** Whose image it is, and what of the record decides beside what the maps show. */
export interface ImageOwner {
  readonly kind: DatapathRecord['kind'];
  readonly id: ServicePortId;
  readonly service: ServiceKey;
  /** Undefined for a Service of another proxy, as is all that follows. */
  readonly protocol: Protocol | undefined;
  readonly createdAtMs: number;
  readonly vips: ServicePortRecord['vips'];
  readonly ranges: ServicePortRecord['ranges'];
}

/**
 * A record as the maps will show it, without the ids that differ by node. Equal for all nodes that
 * share the record, so it is made once for all of them.
 */
export interface RecordImage extends ImageOwner {
  /** Each key once, by the kind that goes before. */
  readonly fronts: readonly FrontImage[];
  readonly addresses: readonly AddressImage[];
  /** The list first, in canonical order (datapath.md 3, 5), then those that only serve. */
  readonly members: readonly MemberImage[];
  readonly fields: SetFields;
}

export function imageOf(record: DatapathRecord): RecordImage {
  if (record.kind === 'foreign') return foreignImage(record);
  const { kind, id, service, protocol, createdAtMs, vips, ranges } = record;
  const [members, addresses] = [membersOf(record), addressesOf(record)];
  return {
    kind, id, service, protocol, createdAtMs, vips, ranges, members, addresses,
    fronts: frontsOf(record, addresses), fields: fieldsOf(record, members),
  };
}

/** Bytes as a text of equal length, for keys of tables; equal exactly for equal bytes. */
export function bytesText(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, bytes) as string;
}

/** The `fl_addr` key of an address as a text; equal to `bytesText` of its 16 bytes. */
export function addressKey(ip: Ip): string {
  return familyOf(ip) === 'IPv4' ? mappedText(ipv4Number(ip)) : bytesText(ipBytes16(ip));
}

/** The 16 bytes of the address that a key begins with. */
export function addressBytes(key: string, into: Uint8Array = new Uint8Array(16)): Uint8Array {
  for (let index = 0; index < 16; index += 1) into[index] = key.charCodeAt(index);
  return into;
}

/** Writes a text of bytes. */
export function putText(into: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index += 1) into[at + index] = text.charCodeAt(index);
}

/** The `fl_front` key of a port of an address, given by its key; as `encodeFrontKey` writes it. */
export function frontKey(address: string, port: number, proto: number): string {
  return withTail(address, port, proto << 8);
}

/**
 * Sixteen bytes of an address and four more, in one piece: a sum of two texts would keep both, and
 * be put together again for each comparison.
 */
function withTail(address: string, port: number, rest: number): string {
  return String.fromCharCode(
    address.charCodeAt(0), address.charCodeAt(1), address.charCodeAt(2), address.charCodeAt(3),
    address.charCodeAt(4), address.charCodeAt(5), address.charCodeAt(6), address.charCodeAt(7),
    address.charCodeAt(8), address.charCodeAt(9), address.charCodeAt(10), address.charCodeAt(11),
    address.charCodeAt(12), address.charCodeAt(13), address.charCodeAt(14), address.charCodeAt(15),
    port >>> 8, port & 0xff, rest >>> 8, rest & 0xff,
  );
}

function mappedText(number: number): string {
  return String.fromCharCode(
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
    number >>> 24, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff,
  );
}

/**
 * The address of NodePort rows. Each family has its own, because one NodePort of a dual-stack
 * Service leads to two service ports: the unspecified address in the form of its family.
 */
function nodePortAddress(family: Family): string {
  return family === 'IPv4' ? mappedText(0) : '\0'.repeat(16);
}

function foreignImage({ kind, id, service, clusterIps }: ForeignRecord): RecordImage {
  const addresses = clusterIps.map((ip) => addressOf(ip, addrBit.foreign));
  const fields = { flags: 0, localN: 0, clusterOff: 0, clusterN: 0, affinityS: 0 };
  return {
    kind, id, service, protocol: undefined, createdAtMs: 0, vips: [], ranges: [], members: [],
    fronts: [], addresses, fields,
  };
}

// The addresses are in the order of their kinds, and one that has two of them counts as the first.
function frontsOf(
  record: ServicePortRecord, addresses: readonly AddressImage[],
): readonly FrontImage[] {
  const { port, nodePort, family } = record;
  const proto = protocolNumbers[record.protocol];
  const first = addresses.length < 2 ? addresses : addresses.filter(
    ({ key }, at) => addresses.findIndex((other) => other.key === key) === at,
  );
  const fronts = first.map((of): FrontImage => ({
    key: frontKey(of.key, port, proto), address: of.key, port, proto, kind: kindOf(of), ip: of.ip,
  }));
  if (nodePort === 0) return fronts;
  const address = nodePortAddress(family);
  const key = frontKey(address, nodePort, proto);
  return [
    ...fronts, { key, address, port: nodePort, proto, kind: frontKind.nodePort, ip: undefined },
  ];
}

function kindOf({ bit, external }: AddressImage): number {
  if (bit === addrBit.clusterIp) return frontKind.clusterIp;
  return external ? frontKind.externalIp : frontKind.vip;
}

// A list that grew by pushing keeps room for a dozen more.
function exact<T>(list: readonly T[]): readonly T[] {
  return list.slice();
}

function addressesOf(record: ServicePortRecord): readonly AddressImage[] {
  const { clusterIps, vips, externalIps } = record;
  const inside = clusterIps.map((ip) => addressOf(ip, addrBit.clusterIp));
  if (vips.length === 0 && externalIps.length === 0) return inside;
  return exact([
    ...inside,
    ...vips.map((ip) => addressOf(ip, addrBit.vip)),
    ...externalIps.map((ip) => ({ ...addressOf(ip, addrBit.vip), external: true })),
  ]);
}

function addressOf(ip: Ip, bit: number): AddressImage {
  return { key: addressKey(ip), ip, bit, external: false };
}

function membersOf(record: ServicePortRecord): readonly MemberImage[] {
  const proto = protocolNumbers[record.protocol];
  const members = record.backends.map((row): MemberImage => {
    const { ip, port, local } = row;
    const flags = local ? backendFlag.local : 0;
    const key = backendKey(addressKey(ip), { port, proto, flags });
    return { backend: { key, port, proto, flags }, bits: bitsOf(row) };
  });
  return members.every(({ bits }) => bits !== 0)
    ? members : exact(members.filter(({ bits }) => bits !== 0));
}

function bitsOf({ cluster, near, serving }: BackendRow): number {
  return (cluster ? memberBit.cluster : 0) | (near ? memberBit.local : 0)
    | (serving ? memberBit.serving : 0);
}

/** The key of a backend by what it is: its address, given by its key, port, protocol, locality. */
export function backendKey(
  address: string, { port, proto, flags }: Omit<BackendImage, 'key'>,
): string {
  return withTail(address, port, (proto << 8) | flags);
}

function fieldsOf(record: ServicePortRecord, members: readonly MemberImage[]): SetFields {
  let [near, cluster, both] = [0, 0, 0];
  for (const { bits } of members) {
    if ((bits & memberBit.local) !== 0) near += 1;
    if ((bits & memberBit.cluster) !== 0) cluster += 1;
    if ((bits & selectable) === selectable) both += 1;
  }
  return {
    flags: (record.usable ? setFlag.usable : 0)
      | (record.internalLocal ? setFlag.internalLocal : 0)
      | (record.externalLocal ? setFlag.externalLocal : 0)
      | (record.affinitySeconds > 0 ? setFlag.affinity : 0)
      | (record.algorithm === 'maglev' ? setFlag.maglev : 0),
    localN: near,
    clusterOff: near - both,
    clusterN: cluster,
    affinityS: record.affinitySeconds,
  };
}

/** Bits of a member that is in the list. */
export const selectable = memberBit.cluster | memberBit.local;
