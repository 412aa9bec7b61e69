import { ipBytes16, type Ip } from '../../lb/ip.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import type { DatapathRecord, ForeignRecord, ServicePortRecord } from '../../lb/serviceport.ts';
import type { FrontKind } from '../../lb/view.ts';
import {
  addrBit, backendFlag, encodeFrontKey, frontKind, memberBit, setFlag,
} from '../layout.gen.ts';

/** A front that a service port asks for; `key` is its `fl_front` key as a text. */
export interface FrontImage {
  readonly key: string;
  readonly addr: Uint8Array;
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
  readonly addr: Uint8Array;
  readonly ip: Ip;
  readonly bit: number;
  /** From `externalIPs`, which options may refuse. */
  readonly external: boolean;
}

/** The part of a backend that says which one it is: `key` is all of it as a text. */
export interface BackendImage {
  readonly key: string;
  readonly addr: Uint8Array;
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

/**
 * A record as the maps will show it, without the ids that differ by node. Equal for all nodes that
 * share the record, so it is made once for all of them.
 */
export interface RecordImage {
  readonly record: DatapathRecord;
  /** Each key once, by the kind that goes before. */
  readonly fronts: readonly FrontImage[];
  readonly addresses: readonly AddressImage[];
  /** The list first, in canonical order (datapath.md 3, 5), then those that only serve. */
  readonly members: readonly MemberImage[];
  readonly fields: SetFields;
}

export function imageOf(record: DatapathRecord): RecordImage {
  if (record.kind === 'foreign') return foreignImage(record);
  const members = membersOf(record);
  return {
    record, members, fronts: frontsOf(record), addresses: addressesOf(record),
    fields: fieldsOf(record, members),
  };
}

/** Bytes as a text of equal length, for keys of tables; equal exactly for equal bytes. */
export function bytesText(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, bytes) as string;
}

/**
 * The address of NodePort rows. Each family has its own, because one NodePort of a dual-stack
 * Service leads to two service ports: the unspecified address in the form of its family.
 */
export function nodePortAddress(record: ServicePortRecord): Uint8Array {
  const addr = new Uint8Array(16);
  if (record.family === 'IPv4') addr.fill(0xff, 10, 12);
  return addr;
}

function foreignImage(record: ForeignRecord): RecordImage {
  const addresses = record.clusterIps.map((ip) => addressOf(ip, addrBit.foreign));
  const fields = { flags: 0, localN: 0, clusterOff: 0, clusterN: 0, affinityS: 0 };
  return { record, fronts: [], addresses, members: [], fields };
}

function frontsOf(record: ServicePortRecord): readonly FrontImage[] {
  const fronts: FrontImage[] = [];
  const proto = protocolNumbers[record.protocol];
  const add = (ips: readonly Ip[], kind: FrontKind): void => {
    for (const ip of ips) {
      const front = { addr: ipBytes16(ip), port: record.port, proto };
      const key = bytesText(encodeFrontKey(front));
      if (fronts.some((other) => other.key === key)) continue;
      fronts.push({ ...front, key, kind: frontKind[kind], ip });
    }
  };
  add(record.clusterIps, 'clusterIp');
  add(record.vips, 'vip');
  add(record.externalIps, 'externalIp');
  if (record.nodePort !== 0) {
    const front = { addr: nodePortAddress(record), port: record.nodePort, proto };
    const key = bytesText(encodeFrontKey(front));
    fronts.push({ ...front, key, kind: frontKind.nodePort, ip: undefined });
  }
  return fronts;
}

function addressesOf(record: ServicePortRecord): readonly AddressImage[] {
  return [
    ...record.clusterIps.map((ip) => addressOf(ip, addrBit.clusterIp)),
    ...record.vips.map((ip) => addressOf(ip, addrBit.vip)),
    ...record.externalIps.map((ip) => ({ ...addressOf(ip, addrBit.vip), external: true })),
  ];
}

function addressOf(ip: Ip, bit: number): AddressImage {
  const addr = ipBytes16(ip);
  return { key: bytesText(addr), addr, ip, bit, external: false };
}

function membersOf(record: ServicePortRecord): readonly MemberImage[] {
  const members: MemberImage[] = [];
  const proto = protocolNumbers[record.protocol];
  for (const { ip, port, local, cluster, near, serving } of record.backends) {
    const bits = (cluster ? memberBit.cluster : 0) | (near ? memberBit.local : 0)
      | (serving ? memberBit.serving : 0);
    if (bits === 0) continue;
    const backend = { addr: ipBytes16(ip), port, proto, flags: local ? backendFlag.local : 0 };
    members.push({ backend: { ...backend, key: backendKey(backend) }, bits });
  }
  return members;
}

/** The key of a backend by what it is: address, port, protocol and locality. */
export function backendKey(backend: Omit<BackendImage, 'key'>): string {
  const { addr, port, proto, flags } = backend;
  return bytesText(addr) + String.fromCharCode(port, proto, flags);
}

function fieldsOf(record: ServicePortRecord, members: readonly MemberImage[]): SetFields {
  const near = members.filter(({ bits }) => (bits & memberBit.local) !== 0).length;
  const cluster = members.filter(({ bits }) => (bits & memberBit.cluster) !== 0).length;
  const both = members.filter(({ bits }) => (bits & selectable) === selectable).length;
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
