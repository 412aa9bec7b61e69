// Written by bpf/build.real.ts from the BTF of bpf/src: change the C, not this file.
/* oxlint-disable max-lines -- one generated page, read by name and never from top to bottom */
import { assert } from '../lb/result.ts';
import {
  be16At, be32At, putBe16, putBe32, putU16, putU32, putU64, u16, u16At, u32, u32At, u64, u64At, u8,
} from './bytes.ts';

/** Names the pin directory: differs whenever a struct or a map definition does. */
export const layoutHash = 'e948f661cbb10c62';

/**
 * The maps of a medium node (datapath.md 7). `key` and `value` name the codec; the key of
 * an array is its index, unsigned 32-bit in host order. Flags are those of BPF_MAP_CREATE.
 */
export const maps = {
  fl_front: {
    type: 'hash', keyBytes: 20, valueBytes: 8, entriesMax: 131072, flags: 1,
    key: 'frontKey', value: 'front',
  },
  fl_svc: {
    type: 'hash', keyBytes: 4, valueBytes: 8, entriesMax: 65536, flags: 1,
    key: 'svcKey', value: 'svc',
  },
  fl_set: {
    type: 'array', keyBytes: 4, valueBytes: 64, entriesMax: 131072, flags: 1024,
    key: undefined, value: 'set',
  },
  fl_lut: {
    type: 'array', keyBytes: 4, valueBytes: 64, entriesMax: 131072, flags: 1024,
    key: undefined, value: 'lut',
  },
  fl_backend: {
    type: 'array', keyBytes: 4, valueBytes: 32, entriesMax: 131072, flags: 1024,
    key: undefined, value: 'backend',
  },
  fl_member: {
    type: 'hash', keyBytes: 8, valueBytes: 4, entriesMax: 262144, flags: 1,
    key: 'memberKey', value: 'member',
  },
  fl_range: {
    type: 'lpm-trie', keyBytes: 24, valueBytes: 4, entriesMax: 65536, flags: 1,
    key: 'rangeKey', value: 'range',
  },
  fl_addr: {
    type: 'hash', keyBytes: 16, valueBytes: 4, entriesMax: 65536, flags: 1,
    key: 'addrKey', value: 'addr',
  },
  fl_net: {
    type: 'lpm-trie', keyBytes: 20, valueBytes: 4, entriesMax: 256, flags: 1,
    key: 'netKey', value: 'net',
  },
  fl_dev: {
    type: 'hash', keyBytes: 4, valueBytes: 48, entriesMax: 4096, flags: 0,
    key: 'devKey', value: 'dev',
  },
  fl_netns: {
    type: 'hash', keyBytes: 8, valueBytes: 40, entriesMax: 16384, flags: 1,
    key: 'netnsKey', value: 'netns',
  },
  fl_ct: {
    type: 'lru-hash', keyBytes: 40, valueBytes: 64, entriesMax: 262144, flags: 0,
    key: 'flowKey', value: 'flow',
  },
  fl_snat: {
    type: 'hash', keyBytes: 40, valueBytes: 64, entriesMax: 131072, flags: 0,
    key: 'flowKey', value: 'flow',
  },
  fl_aff: {
    type: 'lru-hash', keyBytes: 24, valueBytes: 16, entriesMax: 131072, flags: 0,
    key: 'affKey', value: 'aff',
  },
  fl_sk: {
    type: 'lru-hash', keyBytes: 32, valueBytes: 24, entriesMax: 131072, flags: 0,
    key: 'skKey', value: 'sk',
  },
  fl_frag: {
    type: 'lru-hash', keyBytes: 40, valueBytes: 8, entriesMax: 8192, flags: 0,
    key: 'fragKey', value: 'frag',
  },
  fl_l2: {
    type: 'hash', keyBytes: 20, valueBytes: 16, entriesMax: 65536, flags: 1,
    key: 'l2Key', value: 'l2',
  },
  fl_l2_stats: {
    type: 'percpu-hash', keyBytes: 20, valueBytes: 8, entriesMax: 65536, flags: 1,
    key: 'l2Key', value: 'l2Stats',
  },
  fl_events: {
    type: 'ringbuf', keyBytes: 0, valueBytes: 0, entriesMax: 1048576, flags: 0,
    key: undefined, value: undefined,
  },
  fl_stats: {
    type: 'percpu-array', keyBytes: 4, valueBytes: 16, entriesMax: 1024, flags: 0,
    key: undefined, value: 'stats',
  },
  fl_rate: {
    type: 'percpu-array', keyBytes: 4, valueBytes: 16, entriesMax: 1, flags: 0,
    key: undefined, value: 'rate',
  },
  fl_cfg: {
    type: 'array', keyBytes: 4, valueBytes: 80, entriesMax: 1, flags: 0,
    key: undefined, value: 'cfg',
  },
} as const;

/** `enum fl_reason` */
export const reason = {
  none: 0,
  noEndpoint: 1,
  policyEmpty: 2,
  srcRange: 3,
  unknownPort: 4,
  vipPort: 5,
  unallocated: 6,
  externalClusterIp: 7,
  noRow: 8,
  natExhausted: 9,
  frag: 10,
  extHdr: 11,
  malformed: 12,
  stale: 13,
  noBackend: 14,
  fib: 15,
  ttl: 16,
  tooBig: 17,
  mapFull: 18,
  rate: 19,
  sctpPort: 20,
  icmpNoRow: 21,
  echo: 22,
  l2Fence: 23,
} as const;

/** `enum fl_stat` */
export const stat = {
  snatProbes: 62,
  eventsLost: 63,
} as const;

/** `enum fl_hook` */
export const hook = {
  connect: 0,
  sendmsg: 1,
  recvmsg: 2,
  getpeername: 3,
  postBind: 4,
  sockRelease: 5,
  fromPod: 6,
  toPod: 7,
  uplinkIn: 8,
  uplinkOut: 9,
} as const;

/** `enum fl_event_type` */
export const eventType = {
  new: 1,
  drop: 2,
  reject: 3,
  close: 4,
  reselect: 5,
  affinity: 6,
  refresh: 7,
  conflict: 8,
} as const;

/** `enum fl_event_level` */
export const eventLevel = {
  off: 0,
  drops: 1,
  all: 2,
  sampled: 3,
  refresh: 4,
} as const;

/** `enum fl_front_kind` */
export const frontKind = {
  clusterIp: 1,
  vip: 2,
  externalIp: 3,
  nodePort: 4,
} as const;

/** `enum fl_set_flag` */
export const setFlag = {
  usable: 1,
  internalLocal: 2,
  externalLocal: 4,
  affinity: 8,
  maglev: 16,
} as const;

/** `enum fl_backend_flag` */
export const backendFlag = {
  local: 1,
} as const;

/** `enum fl_member_bit` */
export const memberBit = {
  cluster: 1,
  local: 2,
  serving: 4,
} as const;

/** `enum fl_range_bit` */
export const rangeBit = {
  admit: 1,
  self: 2,
} as const;

/** `enum fl_addr_bit` */
export const addrBit = {
  node: 1,
  nodePort: 2,
  vip: 4,
  clusterIp: 8,
  foreign: 16,
} as const;

/** `enum fl_net_bit` */
export const netBit = {
  service: 1,
} as const;

/** `enum fl_netns_flag` */
export const netnsFlag = {
  hooked: 1,
} as const;

/** `enum fl_flow_kind` */
export const flowKind = {
  forward: 0,
  reply: 1,
} as const;

/** `enum fl_flow_bit` */
export const flowBit = {
  answered: 1,
  finClient: 2,
  finEndpoint: 4,
  rstClient: 8,
  rstEndpoint: 16,
  midstream: 32,
  hairpin: 64,
  scopeLocal: 128,
  snat: 256,
  port: 512,
} as const;

/** `enum fl_aff_kind` */
export const affKind = {
  addr: 0,
  cookie: 1,
} as const;

/** `enum fl_sk_kind` */
export const skKind = {
  reverse: 0,
  choice: 1,
} as const;

/** `enum fl_event_flag` */
export const eventFlag = {
  masquerade: 1,
  localScope: 2,
  localEndpoint: 4,
  midstream: 8,
} as const;

/** `enum fl_no_endpoints` */
export const noEndpoints = {
  reject: 0,
  drop: 1,
} as const;

/** `enum fl_midstream` */
export const midstream = {
  drop: 0,
  reset: 1,
  pass: 2,
} as const;

/** `enum fl_call_outcome` */
export const callOutcome = {
  left: 0,
  translated: 1,
  refused: 2,
} as const;

/** `struct fl_front_key`, 20 bytes. */
export interface FrontKey {
  readonly addr: Uint8Array;
  readonly port: number;
  readonly proto: number;
}

export const frontKeyBytes = 20;

/** Writes frontKeyBytes bytes; padding is zeroed. */
export function putFrontKey(into: Uint8Array, at: number, value: FrontKey): void {
  assert(at + 20 <= into.length, 'fl_front_key has room');
  assert(value.addr.length === 16, 'fl_front_key.addr has 16 bytes');
  into.set(value.addr, at + 0);
  putBe16(into, at + 16, u16(value.port, 'fl_front_key.port is u16'));
  into[at + 18] = u8(value.proto, 'fl_front_key.proto is u8');
  into.fill(0, at + 19, at + 20);
}

export function encodeFrontKey(value: FrontKey): Uint8Array {
  const bytes = new Uint8Array(20);
  putFrontKey(bytes, 0, value);
  return bytes;
}

export function decodeFrontKey(bytes: Uint8Array, at = 0): FrontKey {
  assert(at + 20 <= bytes.length, 'fl_front_key is whole');
  return {
    addr: bytes.slice(at + 0, at + 16),
    port: be16At(bytes, at + 16),
    proto: bytes[at + 18] ?? 0,
  };
}

/** `struct fl_front`, 8 bytes. */
export interface Front {
  readonly svcId: number;
  readonly kind: number;
  readonly flags: number;
}

export const frontBytes = 8;

/** Writes frontBytes bytes; padding is zeroed. */
export function putFront(into: Uint8Array, at: number, value: Front): void {
  assert(at + 8 <= into.length, 'fl_front has room');
  putU32(into, at + 0, u32(value.svcId, 'fl_front.svc_id is u32'));
  into[at + 4] = u8(value.kind, 'fl_front.kind is u8');
  into[at + 5] = u8(value.flags, 'fl_front.flags is u8');
  into.fill(0, at + 6, at + 8);
}

export function encodeFront(value: Front): Uint8Array {
  const bytes = new Uint8Array(8);
  putFront(bytes, 0, value);
  return bytes;
}

export function decodeFront(bytes: Uint8Array, at = 0): Front {
  assert(at + 8 <= bytes.length, 'fl_front is whole');
  return {
    svcId: u32At(bytes, at + 0),
    kind: bytes[at + 4] ?? 0,
    flags: bytes[at + 5] ?? 0,
  };
}

/** `struct fl_svc_key`, 4 bytes. */
export interface SvcKey {
  readonly svcId: number;
}

export const svcKeyBytes = 4;

/** Writes svcKeyBytes bytes; padding is zeroed. */
export function putSvcKey(into: Uint8Array, at: number, value: SvcKey): void {
  assert(at + 4 <= into.length, 'fl_svc_key has room');
  putU32(into, at + 0, u32(value.svcId, 'fl_svc_key.svc_id is u32'));
}

export function encodeSvcKey(value: SvcKey): Uint8Array {
  const bytes = new Uint8Array(4);
  putSvcKey(bytes, 0, value);
  return bytes;
}

export function decodeSvcKey(bytes: Uint8Array, at = 0): SvcKey {
  assert(at + 4 <= bytes.length, 'fl_svc_key is whole');
  return {
    svcId: u32At(bytes, at + 0),
  };
}

/** `struct fl_svc`, 8 bytes. */
export interface Svc {
  readonly gen: number;
  readonly setId: number;
}

export const svcBytes = 8;

/** Writes svcBytes bytes; padding is zeroed. */
export function putSvc(into: Uint8Array, at: number, value: Svc): void {
  assert(at + 8 <= into.length, 'fl_svc has room');
  putU32(into, at + 0, u32(value.gen, 'fl_svc.gen is u32'));
  putU32(into, at + 4, u32(value.setId, 'fl_svc.set_id is u32'));
}

export function encodeSvc(value: Svc): Uint8Array {
  const bytes = new Uint8Array(8);
  putSvc(bytes, 0, value);
  return bytes;
}

export function decodeSvc(bytes: Uint8Array, at = 0): Svc {
  assert(at + 8 <= bytes.length, 'fl_svc is whole');
  return {
    gen: u32At(bytes, at + 0),
    setId: u32At(bytes, at + 4),
  };
}

/** `struct fl_set`, 64 bytes. */
export interface Set {
  readonly gen: number;
  readonly svcId: number;
  readonly flags: number;
  readonly listBase: number;
  readonly localN: number;
  readonly clusterOff: number;
  readonly clusterN: number;
  readonly maglevM: number;
  readonly maglevLocal: number;
  readonly maglevCluster: number;
  readonly affinityS: number;
  readonly rangeId: number;
}

export const setBytes = 64;

/** Writes setBytes bytes; padding is zeroed. */
export function putSet(into: Uint8Array, at: number, value: Set): void {
  assert(at + 64 <= into.length, 'fl_set has room');
  putU32(into, at + 0, u32(value.gen, 'fl_set.gen is u32'));
  putU32(into, at + 4, u32(value.svcId, 'fl_set.svc_id is u32'));
  putU32(into, at + 8, u32(value.flags, 'fl_set.flags is u32'));
  putU32(into, at + 12, u32(value.listBase, 'fl_set.list_base is u32'));
  putU32(into, at + 16, u32(value.localN, 'fl_set.local_n is u32'));
  putU32(into, at + 20, u32(value.clusterOff, 'fl_set.cluster_off is u32'));
  putU32(into, at + 24, u32(value.clusterN, 'fl_set.cluster_n is u32'));
  putU32(into, at + 28, u32(value.maglevM, 'fl_set.maglev_m is u32'));
  putU32(into, at + 32, u32(value.maglevLocal, 'fl_set.maglev_local is u32'));
  putU32(into, at + 36, u32(value.maglevCluster, 'fl_set.maglev_cluster is u32'));
  putU32(into, at + 40, u32(value.affinityS, 'fl_set.affinity_s is u32'));
  putU32(into, at + 44, u32(value.rangeId, 'fl_set.range_id is u32'));
  into.fill(0, at + 48, at + 64);
}

export function encodeSet(value: Set): Uint8Array {
  const bytes = new Uint8Array(64);
  putSet(bytes, 0, value);
  return bytes;
}

export function decodeSet(bytes: Uint8Array, at = 0): Set {
  assert(at + 64 <= bytes.length, 'fl_set is whole');
  return {
    gen: u32At(bytes, at + 0),
    svcId: u32At(bytes, at + 4),
    flags: u32At(bytes, at + 8),
    listBase: u32At(bytes, at + 12),
    localN: u32At(bytes, at + 16),
    clusterOff: u32At(bytes, at + 20),
    clusterN: u32At(bytes, at + 24),
    maglevM: u32At(bytes, at + 28),
    maglevLocal: u32At(bytes, at + 32),
    maglevCluster: u32At(bytes, at + 36),
    affinityS: u32At(bytes, at + 40),
    rangeId: u32At(bytes, at + 44),
  };
}

/** `struct fl_lut`, 64 bytes. */
export interface Lut {
  readonly backend: ArrayLike<number>;
}

export const lutBytes = 64;

/** Writes lutBytes bytes; padding is zeroed. */
export function putLut(into: Uint8Array, at: number, value: Lut): void {
  assert(at + 64 <= into.length, 'fl_lut has room');
  assert(value.backend.length === 16, 'fl_lut.backend has 16 words');
  for (let index = 0; index < 16; index += 1) {
    putU32(into, at + 0 + index * 4, u32(value.backend[index] ?? 0, 'fl_lut.backend is u32'));
  }
}

export function encodeLut(value: Lut): Uint8Array {
  const bytes = new Uint8Array(64);
  putLut(bytes, 0, value);
  return bytes;
}

export function decodeLut(bytes: Uint8Array, at = 0): Lut {
  assert(at + 64 <= bytes.length, 'fl_lut is whole');
  return {
    backend: Array.from({ length: 16 }, (_, index) => u32At(bytes, at + 0 + index * 4)),
  };
}

/** `struct fl_backend`, 32 bytes. */
export interface Backend {
  readonly addr: Uint8Array;
  readonly port: number;
  readonly proto: number;
  readonly flags: number;
  readonly gen: number;
  readonly ifindex: number;
}

export const backendBytes = 32;

/** Writes backendBytes bytes; padding is zeroed. */
export function putBackend(into: Uint8Array, at: number, value: Backend): void {
  assert(at + 32 <= into.length, 'fl_backend has room');
  assert(value.addr.length === 16, 'fl_backend.addr has 16 bytes');
  into.set(value.addr, at + 0);
  putBe16(into, at + 16, u16(value.port, 'fl_backend.port is u16'));
  into[at + 18] = u8(value.proto, 'fl_backend.proto is u8');
  into[at + 19] = u8(value.flags, 'fl_backend.flags is u8');
  putU32(into, at + 20, u32(value.gen, 'fl_backend.gen is u32'));
  putU32(into, at + 24, u32(value.ifindex, 'fl_backend.ifindex is u32'));
  into.fill(0, at + 28, at + 32);
}

export function encodeBackend(value: Backend): Uint8Array {
  const bytes = new Uint8Array(32);
  putBackend(bytes, 0, value);
  return bytes;
}

export function decodeBackend(bytes: Uint8Array, at = 0): Backend {
  assert(at + 32 <= bytes.length, 'fl_backend is whole');
  return {
    addr: bytes.slice(at + 0, at + 16),
    port: be16At(bytes, at + 16),
    proto: bytes[at + 18] ?? 0,
    flags: bytes[at + 19] ?? 0,
    gen: u32At(bytes, at + 20),
    ifindex: u32At(bytes, at + 24),
  };
}

/** `struct fl_member_key`, 8 bytes. */
export interface MemberKey {
  readonly svcId: number;
  readonly backendId: number;
}

export const memberKeyBytes = 8;

/** Writes memberKeyBytes bytes; padding is zeroed. */
export function putMemberKey(into: Uint8Array, at: number, value: MemberKey): void {
  assert(at + 8 <= into.length, 'fl_member_key has room');
  putU32(into, at + 0, u32(value.svcId, 'fl_member_key.svc_id is u32'));
  putU32(into, at + 4, u32(value.backendId, 'fl_member_key.backend_id is u32'));
}

export function encodeMemberKey(value: MemberKey): Uint8Array {
  const bytes = new Uint8Array(8);
  putMemberKey(bytes, 0, value);
  return bytes;
}

export function decodeMemberKey(bytes: Uint8Array, at = 0): MemberKey {
  assert(at + 8 <= bytes.length, 'fl_member_key is whole');
  return {
    svcId: u32At(bytes, at + 0),
    backendId: u32At(bytes, at + 4),
  };
}

/** `struct fl_member`, 4 bytes. */
export interface Member {
  readonly bits: number;
}

export const memberBytes = 4;

/** Writes memberBytes bytes; padding is zeroed. */
export function putMember(into: Uint8Array, at: number, value: Member): void {
  assert(at + 4 <= into.length, 'fl_member has room');
  putU32(into, at + 0, u32(value.bits, 'fl_member.bits is u32'));
}

export function encodeMember(value: Member): Uint8Array {
  const bytes = new Uint8Array(4);
  putMember(bytes, 0, value);
  return bytes;
}

export function decodeMember(bytes: Uint8Array, at = 0): Member {
  assert(at + 4 <= bytes.length, 'fl_member is whole');
  return {
    bits: u32At(bytes, at + 0),
  };
}

/** `struct fl_range_key`, 24 bytes. */
export interface RangeKey {
  readonly prefixlen: number;
  readonly rangeId: number;
  readonly addr: Uint8Array;
}

export const rangeKeyBytes = 24;

/** Writes rangeKeyBytes bytes; padding is zeroed. */
export function putRangeKey(into: Uint8Array, at: number, value: RangeKey): void {
  assert(at + 24 <= into.length, 'fl_range_key has room');
  putU32(into, at + 0, u32(value.prefixlen, 'fl_range_key.prefixlen is u32'));
  putU32(into, at + 4, u32(value.rangeId, 'fl_range_key.range_id is u32'));
  assert(value.addr.length === 16, 'fl_range_key.addr has 16 bytes');
  into.set(value.addr, at + 8);
}

export function encodeRangeKey(value: RangeKey): Uint8Array {
  const bytes = new Uint8Array(24);
  putRangeKey(bytes, 0, value);
  return bytes;
}

export function decodeRangeKey(bytes: Uint8Array, at = 0): RangeKey {
  assert(at + 24 <= bytes.length, 'fl_range_key is whole');
  return {
    prefixlen: u32At(bytes, at + 0),
    rangeId: u32At(bytes, at + 4),
    addr: bytes.slice(at + 8, at + 24),
  };
}

/** `struct fl_range`, 4 bytes. */
export interface Range {
  readonly bits: number;
}

export const rangeBytes = 4;

/** Writes rangeBytes bytes; padding is zeroed. */
export function putRange(into: Uint8Array, at: number, value: Range): void {
  assert(at + 4 <= into.length, 'fl_range has room');
  putU32(into, at + 0, u32(value.bits, 'fl_range.bits is u32'));
}

export function encodeRange(value: Range): Uint8Array {
  const bytes = new Uint8Array(4);
  putRange(bytes, 0, value);
  return bytes;
}

export function decodeRange(bytes: Uint8Array, at = 0): Range {
  assert(at + 4 <= bytes.length, 'fl_range is whole');
  return {
    bits: u32At(bytes, at + 0),
  };
}

/** `struct fl_addr_key`, 16 bytes. */
export interface AddrKey {
  readonly addr: Uint8Array;
}

export const addrKeyBytes = 16;

/** Writes addrKeyBytes bytes; padding is zeroed. */
export function putAddrKey(into: Uint8Array, at: number, value: AddrKey): void {
  assert(at + 16 <= into.length, 'fl_addr_key has room');
  assert(value.addr.length === 16, 'fl_addr_key.addr has 16 bytes');
  into.set(value.addr, at + 0);
}

export function encodeAddrKey(value: AddrKey): Uint8Array {
  const bytes = new Uint8Array(16);
  putAddrKey(bytes, 0, value);
  return bytes;
}

export function decodeAddrKey(bytes: Uint8Array, at = 0): AddrKey {
  assert(at + 16 <= bytes.length, 'fl_addr_key is whole');
  return {
    addr: bytes.slice(at + 0, at + 16),
  };
}

/** `struct fl_addr`, 4 bytes. */
export interface Addr {
  readonly bits: number;
}

export const addrBytes = 4;

/** Writes addrBytes bytes; padding is zeroed. */
export function putAddr(into: Uint8Array, at: number, value: Addr): void {
  assert(at + 4 <= into.length, 'fl_addr has room');
  putU32(into, at + 0, u32(value.bits, 'fl_addr.bits is u32'));
}

export function encodeAddr(value: Addr): Uint8Array {
  const bytes = new Uint8Array(4);
  putAddr(bytes, 0, value);
  return bytes;
}

export function decodeAddr(bytes: Uint8Array, at = 0): Addr {
  assert(at + 4 <= bytes.length, 'fl_addr is whole');
  return {
    bits: u32At(bytes, at + 0),
  };
}

/** `struct fl_net_key`, 20 bytes. */
export interface NetKey {
  readonly prefixlen: number;
  readonly addr: Uint8Array;
}

export const netKeyBytes = 20;

/** Writes netKeyBytes bytes; padding is zeroed. */
export function putNetKey(into: Uint8Array, at: number, value: NetKey): void {
  assert(at + 20 <= into.length, 'fl_net_key has room');
  putU32(into, at + 0, u32(value.prefixlen, 'fl_net_key.prefixlen is u32'));
  assert(value.addr.length === 16, 'fl_net_key.addr has 16 bytes');
  into.set(value.addr, at + 4);
}

export function encodeNetKey(value: NetKey): Uint8Array {
  const bytes = new Uint8Array(20);
  putNetKey(bytes, 0, value);
  return bytes;
}

export function decodeNetKey(bytes: Uint8Array, at = 0): NetKey {
  assert(at + 20 <= bytes.length, 'fl_net_key is whole');
  return {
    prefixlen: u32At(bytes, at + 0),
    addr: bytes.slice(at + 4, at + 20),
  };
}

/** `struct fl_net`, 4 bytes. */
export interface Net {
  readonly bits: number;
}

export const netBytes = 4;

/** Writes netBytes bytes; padding is zeroed. */
export function putNet(into: Uint8Array, at: number, value: Net): void {
  assert(at + 4 <= into.length, 'fl_net has room');
  putU32(into, at + 0, u32(value.bits, 'fl_net.bits is u32'));
}

export function encodeNet(value: Net): Uint8Array {
  const bytes = new Uint8Array(4);
  putNet(bytes, 0, value);
  return bytes;
}

export function decodeNet(bytes: Uint8Array, at = 0): Net {
  assert(at + 4 <= bytes.length, 'fl_net is whole');
  return {
    bits: u32At(bytes, at + 0),
  };
}

/** `struct fl_dev_key`, 4 bytes. */
export interface DevKey {
  readonly ifindex: number;
}

export const devKeyBytes = 4;

/** Writes devKeyBytes bytes; padding is zeroed. */
export function putDevKey(into: Uint8Array, at: number, value: DevKey): void {
  assert(at + 4 <= into.length, 'fl_dev_key has room');
  putU32(into, at + 0, u32(value.ifindex, 'fl_dev_key.ifindex is u32'));
}

export function encodeDevKey(value: DevKey): Uint8Array {
  const bytes = new Uint8Array(4);
  putDevKey(bytes, 0, value);
  return bytes;
}

export function decodeDevKey(bytes: Uint8Array, at = 0): DevKey {
  assert(at + 4 <= bytes.length, 'fl_dev_key is whole');
  return {
    ifindex: u32At(bytes, at + 0),
  };
}

/** `struct fl_dev`, 48 bytes. */
export interface Dev {
  readonly mac: Uint8Array;
  readonly headerLen: number;
  readonly mtu: number;
  readonly source4: Uint8Array;
  readonly source6: Uint8Array;
}

export const devBytes = 48;

/** Writes devBytes bytes; padding is zeroed. */
export function putDev(into: Uint8Array, at: number, value: Dev): void {
  assert(at + 48 <= into.length, 'fl_dev has room');
  assert(value.mac.length === 6, 'fl_dev.mac has 6 bytes');
  into.set(value.mac, at + 0);
  into[at + 6] = u8(value.headerLen, 'fl_dev.header_len is u8');
  into.fill(0, at + 7, at + 8);
  putU32(into, at + 8, u32(value.mtu, 'fl_dev.mtu is u32'));
  into.fill(0, at + 12, at + 16);
  assert(value.source4.length === 16, 'fl_dev.source4 has 16 bytes');
  into.set(value.source4, at + 16);
  assert(value.source6.length === 16, 'fl_dev.source6 has 16 bytes');
  into.set(value.source6, at + 32);
}

export function encodeDev(value: Dev): Uint8Array {
  const bytes = new Uint8Array(48);
  putDev(bytes, 0, value);
  return bytes;
}

export function decodeDev(bytes: Uint8Array, at = 0): Dev {
  assert(at + 48 <= bytes.length, 'fl_dev is whole');
  return {
    mac: bytes.slice(at + 0, at + 6),
    headerLen: bytes[at + 6] ?? 0,
    mtu: u32At(bytes, at + 8),
    source4: bytes.slice(at + 16, at + 32),
    source6: bytes.slice(at + 32, at + 48),
  };
}

/** `struct fl_netns_key`, 8 bytes. */
export interface NetnsKey {
  readonly cookie: bigint;
}

export const netnsKeyBytes = 8;

/** Writes netnsKeyBytes bytes; padding is zeroed. */
export function putNetnsKey(into: Uint8Array, at: number, value: NetnsKey): void {
  assert(at + 8 <= into.length, 'fl_netns_key has room');
  putU64(into, at + 0, u64(value.cookie, 'fl_netns_key.cookie is u64'));
}

export function encodeNetnsKey(value: NetnsKey): Uint8Array {
  const bytes = new Uint8Array(8);
  putNetnsKey(bytes, 0, value);
  return bytes;
}

export function decodeNetnsKey(bytes: Uint8Array, at = 0): NetnsKey {
  assert(at + 8 <= bytes.length, 'fl_netns_key is whole');
  return {
    cookie: u64At(bytes, at + 0),
  };
}

/** `struct fl_netns`, 40 bytes. */
export interface Netns {
  readonly addr4: Uint8Array;
  readonly addr6: Uint8Array;
  readonly ifindex: number;
  readonly flags: number;
}

export const netnsBytes = 40;

/** Writes netnsBytes bytes; padding is zeroed. */
export function putNetns(into: Uint8Array, at: number, value: Netns): void {
  assert(at + 40 <= into.length, 'fl_netns has room');
  assert(value.addr4.length === 16, 'fl_netns.addr4 has 16 bytes');
  into.set(value.addr4, at + 0);
  assert(value.addr6.length === 16, 'fl_netns.addr6 has 16 bytes');
  into.set(value.addr6, at + 16);
  putU32(into, at + 32, u32(value.ifindex, 'fl_netns.ifindex is u32'));
  putU32(into, at + 36, u32(value.flags, 'fl_netns.flags is u32'));
}

export function encodeNetns(value: Netns): Uint8Array {
  const bytes = new Uint8Array(40);
  putNetns(bytes, 0, value);
  return bytes;
}

export function decodeNetns(bytes: Uint8Array, at = 0): Netns {
  assert(at + 40 <= bytes.length, 'fl_netns is whole');
  return {
    addr4: bytes.slice(at + 0, at + 16),
    addr6: bytes.slice(at + 16, at + 32),
    ifindex: u32At(bytes, at + 32),
    flags: u32At(bytes, at + 36),
  };
}

/** `struct fl_flow_key`, 40 bytes. */
export interface FlowKey {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly proto: number;
  readonly kind: number;
}

export const flowKeyBytes = 40;

/** Writes flowKeyBytes bytes; padding is zeroed. */
export function putFlowKey(into: Uint8Array, at: number, value: FlowKey): void {
  assert(at + 40 <= into.length, 'fl_flow_key has room');
  assert(value.source.length === 16, 'fl_flow_key.source has 16 bytes');
  into.set(value.source, at + 0);
  assert(value.target.length === 16, 'fl_flow_key.target has 16 bytes');
  into.set(value.target, at + 16);
  putBe16(into, at + 32, u16(value.sourcePort, 'fl_flow_key.source_port is u16'));
  putBe16(into, at + 34, u16(value.targetPort, 'fl_flow_key.target_port is u16'));
  into[at + 36] = u8(value.proto, 'fl_flow_key.proto is u8');
  into[at + 37] = u8(value.kind, 'fl_flow_key.kind is u8');
  into.fill(0, at + 38, at + 40);
}

export function encodeFlowKey(value: FlowKey): Uint8Array {
  const bytes = new Uint8Array(40);
  putFlowKey(bytes, 0, value);
  return bytes;
}

export function decodeFlowKey(bytes: Uint8Array, at = 0): FlowKey {
  assert(at + 40 <= bytes.length, 'fl_flow_key is whole');
  return {
    source: bytes.slice(at + 0, at + 16),
    target: bytes.slice(at + 16, at + 32),
    sourcePort: be16At(bytes, at + 32),
    targetPort: be16At(bytes, at + 34),
    proto: bytes[at + 36] ?? 0,
    kind: bytes[at + 37] ?? 0,
  };
}

/** `struct fl_flow`, 64 bytes. */
export interface Flow {
  readonly peer: Uint8Array;
  readonly nat: Uint8Array;
  readonly peerPort: number;
  readonly natPort: number;
  readonly svcId: number;
  readonly backendId: number;
  readonly gen: number;
  readonly lastS: number;
  readonly createdS: number;
  readonly closedS: number;
  readonly state: number;
}

export const flowBytes = 64;

/** Writes flowBytes bytes; padding is zeroed. */
export function putFlow(into: Uint8Array, at: number, value: Flow): void {
  assert(at + 64 <= into.length, 'fl_flow has room');
  assert(value.peer.length === 16, 'fl_flow.peer has 16 bytes');
  into.set(value.peer, at + 0);
  assert(value.nat.length === 16, 'fl_flow.nat has 16 bytes');
  into.set(value.nat, at + 16);
  putBe16(into, at + 32, u16(value.peerPort, 'fl_flow.peer_port is u16'));
  putBe16(into, at + 34, u16(value.natPort, 'fl_flow.nat_port is u16'));
  putU32(into, at + 36, u32(value.svcId, 'fl_flow.svc_id is u32'));
  putU32(into, at + 40, u32(value.backendId, 'fl_flow.backend_id is u32'));
  putU32(into, at + 44, u32(value.gen, 'fl_flow.gen is u32'));
  putU32(into, at + 48, u32(value.lastS, 'fl_flow.last_s is u32'));
  putU32(into, at + 52, u32(value.createdS, 'fl_flow.created_s is u32'));
  putU32(into, at + 56, u32(value.closedS, 'fl_flow.closed_s is u32'));
  putU32(into, at + 60, u32(value.state, 'fl_flow.state is u32'));
}

export function encodeFlow(value: Flow): Uint8Array {
  const bytes = new Uint8Array(64);
  putFlow(bytes, 0, value);
  return bytes;
}

export function decodeFlow(bytes: Uint8Array, at = 0): Flow {
  assert(at + 64 <= bytes.length, 'fl_flow is whole');
  return {
    peer: bytes.slice(at + 0, at + 16),
    nat: bytes.slice(at + 16, at + 32),
    peerPort: be16At(bytes, at + 32),
    natPort: be16At(bytes, at + 34),
    svcId: u32At(bytes, at + 36),
    backendId: u32At(bytes, at + 40),
    gen: u32At(bytes, at + 44),
    lastS: u32At(bytes, at + 48),
    createdS: u32At(bytes, at + 52),
    closedS: u32At(bytes, at + 56),
    state: u32At(bytes, at + 60),
  };
}

/** `struct fl_aff_key`, 24 bytes. */
export interface AffKey {
  readonly client: Uint8Array;
  readonly svcId: number;
  readonly kind: number;
}

export const affKeyBytes = 24;

/** Writes affKeyBytes bytes; padding is zeroed. */
export function putAffKey(into: Uint8Array, at: number, value: AffKey): void {
  assert(at + 24 <= into.length, 'fl_aff_key has room');
  assert(value.client.length === 16, 'fl_aff_key.client has 16 bytes');
  into.set(value.client, at + 0);
  putU32(into, at + 16, u32(value.svcId, 'fl_aff_key.svc_id is u32'));
  putU32(into, at + 20, u32(value.kind, 'fl_aff_key.kind is u32'));
}

export function encodeAffKey(value: AffKey): Uint8Array {
  const bytes = new Uint8Array(24);
  putAffKey(bytes, 0, value);
  return bytes;
}

export function decodeAffKey(bytes: Uint8Array, at = 0): AffKey {
  assert(at + 24 <= bytes.length, 'fl_aff_key is whole');
  return {
    client: bytes.slice(at + 0, at + 16),
    svcId: u32At(bytes, at + 16),
    kind: u32At(bytes, at + 20),
  };
}

/** `struct fl_aff`, 16 bytes. */
export interface Aff {
  readonly lastNs: bigint;
  readonly backendId: number;
}

export const affBytes = 16;

/** Writes affBytes bytes; padding is zeroed. */
export function putAff(into: Uint8Array, at: number, value: Aff): void {
  assert(at + 16 <= into.length, 'fl_aff has room');
  putU64(into, at + 0, u64(value.lastNs, 'fl_aff.last_ns is u64'));
  putU32(into, at + 8, u32(value.backendId, 'fl_aff.backend_id is u32'));
  into.fill(0, at + 12, at + 16);
}

export function encodeAff(value: Aff): Uint8Array {
  const bytes = new Uint8Array(16);
  putAff(bytes, 0, value);
  return bytes;
}

export function decodeAff(bytes: Uint8Array, at = 0): Aff {
  assert(at + 16 <= bytes.length, 'fl_aff is whole');
  return {
    lastNs: u64At(bytes, at + 0),
    backendId: u32At(bytes, at + 8),
  };
}

/** `struct fl_sk_key`, 32 bytes. */
export interface SkKey {
  readonly cookie: bigint;
  readonly addr: Uint8Array;
  readonly port: number;
  readonly proto: number;
  readonly kind: number;
}

export const skKeyBytes = 32;

/** Writes skKeyBytes bytes; padding is zeroed. */
export function putSkKey(into: Uint8Array, at: number, value: SkKey): void {
  assert(at + 32 <= into.length, 'fl_sk_key has room');
  putU64(into, at + 0, u64(value.cookie, 'fl_sk_key.cookie is u64'));
  assert(value.addr.length === 16, 'fl_sk_key.addr has 16 bytes');
  into.set(value.addr, at + 8);
  putBe16(into, at + 24, u16(value.port, 'fl_sk_key.port is u16'));
  into[at + 26] = u8(value.proto, 'fl_sk_key.proto is u8');
  into[at + 27] = u8(value.kind, 'fl_sk_key.kind is u8');
  into.fill(0, at + 28, at + 32);
}

export function encodeSkKey(value: SkKey): Uint8Array {
  const bytes = new Uint8Array(32);
  putSkKey(bytes, 0, value);
  return bytes;
}

export function decodeSkKey(bytes: Uint8Array, at = 0): SkKey {
  assert(at + 32 <= bytes.length, 'fl_sk_key is whole');
  return {
    cookie: u64At(bytes, at + 0),
    addr: bytes.slice(at + 8, at + 24),
    port: be16At(bytes, at + 24),
    proto: bytes[at + 26] ?? 0,
    kind: bytes[at + 27] ?? 0,
  };
}

/** `struct fl_sk`, 24 bytes. */
export interface Sk {
  readonly addr: Uint8Array;
  readonly port: number;
  readonly backendId: number;
}

export const skBytes = 24;

/** Writes skBytes bytes; padding is zeroed. */
export function putSk(into: Uint8Array, at: number, value: Sk): void {
  assert(at + 24 <= into.length, 'fl_sk has room');
  assert(value.addr.length === 16, 'fl_sk.addr has 16 bytes');
  into.set(value.addr, at + 0);
  putBe16(into, at + 16, u16(value.port, 'fl_sk.port is u16'));
  into.fill(0, at + 18, at + 20);
  putU32(into, at + 20, u32(value.backendId, 'fl_sk.backend_id is u32'));
}

export function encodeSk(value: Sk): Uint8Array {
  const bytes = new Uint8Array(24);
  putSk(bytes, 0, value);
  return bytes;
}

export function decodeSk(bytes: Uint8Array, at = 0): Sk {
  assert(at + 24 <= bytes.length, 'fl_sk is whole');
  return {
    addr: bytes.slice(at + 0, at + 16),
    port: be16At(bytes, at + 16),
    backendId: u32At(bytes, at + 20),
  };
}

/** `struct fl_frag_key`, 40 bytes. */
export interface FragKey {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly id: number;
  readonly proto: number;
}

export const fragKeyBytes = 40;

/** Writes fragKeyBytes bytes; padding is zeroed. */
export function putFragKey(into: Uint8Array, at: number, value: FragKey): void {
  assert(at + 40 <= into.length, 'fl_frag_key has room');
  assert(value.source.length === 16, 'fl_frag_key.source has 16 bytes');
  into.set(value.source, at + 0);
  assert(value.target.length === 16, 'fl_frag_key.target has 16 bytes');
  into.set(value.target, at + 16);
  putBe32(into, at + 32, u32(value.id, 'fl_frag_key.id is u32'));
  into[at + 36] = u8(value.proto, 'fl_frag_key.proto is u8');
  into.fill(0, at + 37, at + 40);
}

export function encodeFragKey(value: FragKey): Uint8Array {
  const bytes = new Uint8Array(40);
  putFragKey(bytes, 0, value);
  return bytes;
}

export function decodeFragKey(bytes: Uint8Array, at = 0): FragKey {
  assert(at + 40 <= bytes.length, 'fl_frag_key is whole');
  return {
    source: bytes.slice(at + 0, at + 16),
    target: bytes.slice(at + 16, at + 32),
    id: be32At(bytes, at + 32),
    proto: bytes[at + 36] ?? 0,
  };
}

/** `struct fl_frag`, 8 bytes. */
export interface Frag {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly lastS: number;
}

export const fragBytes = 8;

/** Writes fragBytes bytes; padding is zeroed. */
export function putFrag(into: Uint8Array, at: number, value: Frag): void {
  assert(at + 8 <= into.length, 'fl_frag has room');
  putBe16(into, at + 0, u16(value.sourcePort, 'fl_frag.source_port is u16'));
  putBe16(into, at + 2, u16(value.targetPort, 'fl_frag.target_port is u16'));
  putU32(into, at + 4, u32(value.lastS, 'fl_frag.last_s is u32'));
}

export function encodeFrag(value: Frag): Uint8Array {
  const bytes = new Uint8Array(8);
  putFrag(bytes, 0, value);
  return bytes;
}

export function decodeFrag(bytes: Uint8Array, at = 0): Frag {
  assert(at + 8 <= bytes.length, 'fl_frag is whole');
  return {
    sourcePort: be16At(bytes, at + 0),
    targetPort: be16At(bytes, at + 2),
    lastS: u32At(bytes, at + 4),
  };
}

/** `struct fl_l2_key`, 20 bytes. */
export interface L2Key {
  readonly ifindex: number;
  readonly addr: Uint8Array;
}

export const l2KeyBytes = 20;

/** Writes l2KeyBytes bytes; padding is zeroed. */
export function putL2Key(into: Uint8Array, at: number, value: L2Key): void {
  assert(at + 20 <= into.length, 'fl_l2_key has room');
  putU32(into, at + 0, u32(value.ifindex, 'fl_l2_key.ifindex is u32'));
  assert(value.addr.length === 16, 'fl_l2_key.addr has 16 bytes');
  into.set(value.addr, at + 4);
}

export function encodeL2Key(value: L2Key): Uint8Array {
  const bytes = new Uint8Array(20);
  putL2Key(bytes, 0, value);
  return bytes;
}

export function decodeL2Key(bytes: Uint8Array, at = 0): L2Key {
  assert(at + 20 <= bytes.length, 'fl_l2_key is whole');
  return {
    ifindex: u32At(bytes, at + 0),
    addr: bytes.slice(at + 4, at + 20),
  };
}

/** `struct fl_l2`, 16 bytes. */
export interface L2 {
  readonly expiryNs: bigint;
  readonly mac: Uint8Array;
}

export const l2Bytes = 16;

/** Writes l2Bytes bytes; padding is zeroed. */
export function putL2(into: Uint8Array, at: number, value: L2): void {
  assert(at + 16 <= into.length, 'fl_l2 has room');
  putU64(into, at + 0, u64(value.expiryNs, 'fl_l2.expiry_ns is u64'));
  assert(value.mac.length === 6, 'fl_l2.mac has 6 bytes');
  into.set(value.mac, at + 8);
  into.fill(0, at + 14, at + 16);
}

export function encodeL2(value: L2): Uint8Array {
  const bytes = new Uint8Array(16);
  putL2(bytes, 0, value);
  return bytes;
}

export function decodeL2(bytes: Uint8Array, at = 0): L2 {
  assert(at + 16 <= bytes.length, 'fl_l2 is whole');
  return {
    expiryNs: u64At(bytes, at + 0),
    mac: bytes.slice(at + 8, at + 14),
  };
}

/** `struct fl_l2_stats`, 8 bytes. */
export interface L2Stats {
  readonly answers: bigint;
}

export const l2StatsBytes = 8;

/** Writes l2StatsBytes bytes; padding is zeroed. */
export function putL2Stats(into: Uint8Array, at: number, value: L2Stats): void {
  assert(at + 8 <= into.length, 'fl_l2_stats has room');
  putU64(into, at + 0, u64(value.answers, 'fl_l2_stats.answers is u64'));
}

export function encodeL2Stats(value: L2Stats): Uint8Array {
  const bytes = new Uint8Array(8);
  putL2Stats(bytes, 0, value);
  return bytes;
}

export function decodeL2Stats(bytes: Uint8Array, at = 0): L2Stats {
  assert(at + 8 <= bytes.length, 'fl_l2_stats is whole');
  return {
    answers: u64At(bytes, at + 0),
  };
}

/** `struct fl_stats`, 16 bytes. */
export interface Stats {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export const statsBytes = 16;

/** Writes statsBytes bytes; padding is zeroed. */
export function putStats(into: Uint8Array, at: number, value: Stats): void {
  assert(at + 16 <= into.length, 'fl_stats has room');
  putU64(into, at + 0, u64(value.packets, 'fl_stats.packets is u64'));
  putU64(into, at + 8, u64(value.bytes, 'fl_stats.bytes is u64'));
}

export function encodeStats(value: Stats): Uint8Array {
  const bytes = new Uint8Array(16);
  putStats(bytes, 0, value);
  return bytes;
}

export function decodeStats(bytes: Uint8Array, at = 0): Stats {
  assert(at + 16 <= bytes.length, 'fl_stats is whole');
  return {
    packets: u64At(bytes, at + 0),
    bytes: u64At(bytes, at + 8),
  };
}

/** `struct fl_rate`, 16 bytes. */
export interface Rate {
  readonly credit: bigint;
  readonly lastNs: bigint;
}

export const rateBytes = 16;

/** Writes rateBytes bytes; padding is zeroed. */
export function putRate(into: Uint8Array, at: number, value: Rate): void {
  assert(at + 16 <= into.length, 'fl_rate has room');
  putU64(into, at + 0, u64(value.credit, 'fl_rate.credit is u64'));
  putU64(into, at + 8, u64(value.lastNs, 'fl_rate.last_ns is u64'));
}

export function encodeRate(value: Rate): Uint8Array {
  const bytes = new Uint8Array(16);
  putRate(bytes, 0, value);
  return bytes;
}

export function decodeRate(bytes: Uint8Array, at = 0): Rate {
  assert(at + 16 <= bytes.length, 'fl_rate is whole');
  return {
    credit: u64At(bytes, at + 0),
    lastNs: u64At(bytes, at + 8),
  };
}

/** `struct fl_cfg`, 80 bytes. */
export interface Cfg {
  readonly eventLevel: number;
  readonly eventSample: number;
  readonly refusalRate: number;
  readonly refusalBurst: number;
  readonly nodeCookie: bigint;
  readonly testNowNs: bigint;
  readonly testBootNs: bigint;
  readonly testDraws: bigint;
  readonly node4: Uint8Array;
  readonly node6: Uint8Array;
}

export const cfgBytes = 80;

/** Writes cfgBytes bytes; padding is zeroed. */
export function putCfg(into: Uint8Array, at: number, value: Cfg): void {
  assert(at + 80 <= into.length, 'fl_cfg has room');
  putU32(into, at + 0, u32(value.eventLevel, 'fl_cfg.event_level is u32'));
  putU32(into, at + 4, u32(value.eventSample, 'fl_cfg.event_sample is u32'));
  putU32(into, at + 8, u32(value.refusalRate, 'fl_cfg.refusal_rate is u32'));
  putU32(into, at + 12, u32(value.refusalBurst, 'fl_cfg.refusal_burst is u32'));
  putU64(into, at + 16, u64(value.nodeCookie, 'fl_cfg.node_cookie is u64'));
  putU64(into, at + 24, u64(value.testNowNs, 'fl_cfg.test_now_ns is u64'));
  putU64(into, at + 32, u64(value.testBootNs, 'fl_cfg.test_boot_ns is u64'));
  putU64(into, at + 40, u64(value.testDraws, 'fl_cfg.test_draws is u64'));
  assert(value.node4.length === 16, 'fl_cfg.node4 has 16 bytes');
  into.set(value.node4, at + 48);
  assert(value.node6.length === 16, 'fl_cfg.node6 has 16 bytes');
  into.set(value.node6, at + 64);
}

export function encodeCfg(value: Cfg): Uint8Array {
  const bytes = new Uint8Array(80);
  putCfg(bytes, 0, value);
  return bytes;
}

export function decodeCfg(bytes: Uint8Array, at = 0): Cfg {
  assert(at + 80 <= bytes.length, 'fl_cfg is whole');
  return {
    eventLevel: u32At(bytes, at + 0),
    eventSample: u32At(bytes, at + 4),
    refusalRate: u32At(bytes, at + 8),
    refusalBurst: u32At(bytes, at + 12),
    nodeCookie: u64At(bytes, at + 16),
    testNowNs: u64At(bytes, at + 24),
    testBootNs: u64At(bytes, at + 32),
    testDraws: u64At(bytes, at + 40),
    node4: bytes.slice(at + 48, at + 64),
    node6: bytes.slice(at + 64, at + 80),
  };
}

/** `struct fl_options`, 76 bytes. */
export interface Options {
  readonly test: number;
  readonly ethernet: number;
  readonly hashSeed: number;
  readonly snatPortLo: number;
  readonly snatPortHi: number;
  readonly nodePortLo: number;
  readonly nodePortHi: number;
  readonly socketFull: number;
  readonly bindProtection: number;
  readonly externalClusterIp: number;
  readonly vipGuard: number;
  readonly vipEcho: number;
  readonly noEndpoints: number;
  readonly midstream: number;
  readonly hasSetRetval: number;
  readonly hasLoop: number;
  readonly hasCoarseClock: number;
  readonly hasCheckMtu: number;
  readonly hasCsumIpv6: number;
}

export const optionsBytes = 76;

/** Writes optionsBytes bytes; padding is zeroed. */
export function putOptions(into: Uint8Array, at: number, value: Options): void {
  assert(at + 76 <= into.length, 'fl_options has room');
  putU32(into, at + 0, u32(value.test, 'fl_options.test is u32'));
  putU32(into, at + 4, u32(value.ethernet, 'fl_options.ethernet is u32'));
  putU32(into, at + 8, u32(value.hashSeed, 'fl_options.hash_seed is u32'));
  putU32(into, at + 12, u32(value.snatPortLo, 'fl_options.snat_port_lo is u32'));
  putU32(into, at + 16, u32(value.snatPortHi, 'fl_options.snat_port_hi is u32'));
  putU32(into, at + 20, u32(value.nodePortLo, 'fl_options.node_port_lo is u32'));
  putU32(into, at + 24, u32(value.nodePortHi, 'fl_options.node_port_hi is u32'));
  putU32(into, at + 28, u32(value.socketFull, 'fl_options.socket_full is u32'));
  putU32(into, at + 32, u32(value.bindProtection, 'fl_options.bind_protection is u32'));
  putU32(into, at + 36, u32(value.externalClusterIp, 'fl_options.external_cluster_ip is u32'));
  putU32(into, at + 40, u32(value.vipGuard, 'fl_options.vip_guard is u32'));
  putU32(into, at + 44, u32(value.vipEcho, 'fl_options.vip_echo is u32'));
  putU32(into, at + 48, u32(value.noEndpoints, 'fl_options.no_endpoints is u32'));
  putU32(into, at + 52, u32(value.midstream, 'fl_options.midstream is u32'));
  putU32(into, at + 56, u32(value.hasSetRetval, 'fl_options.has_set_retval is u32'));
  putU32(into, at + 60, u32(value.hasLoop, 'fl_options.has_loop is u32'));
  putU32(into, at + 64, u32(value.hasCoarseClock, 'fl_options.has_coarse_clock is u32'));
  putU32(into, at + 68, u32(value.hasCheckMtu, 'fl_options.has_check_mtu is u32'));
  putU32(into, at + 72, u32(value.hasCsumIpv6, 'fl_options.has_csum_ipv6 is u32'));
}

export function encodeOptions(value: Options): Uint8Array {
  const bytes = new Uint8Array(76);
  putOptions(bytes, 0, value);
  return bytes;
}

export function decodeOptions(bytes: Uint8Array, at = 0): Options {
  assert(at + 76 <= bytes.length, 'fl_options is whole');
  return {
    test: u32At(bytes, at + 0),
    ethernet: u32At(bytes, at + 4),
    hashSeed: u32At(bytes, at + 8),
    snatPortLo: u32At(bytes, at + 12),
    snatPortHi: u32At(bytes, at + 16),
    nodePortLo: u32At(bytes, at + 20),
    nodePortHi: u32At(bytes, at + 24),
    socketFull: u32At(bytes, at + 28),
    bindProtection: u32At(bytes, at + 32),
    externalClusterIp: u32At(bytes, at + 36),
    vipGuard: u32At(bytes, at + 40),
    vipEcho: u32At(bytes, at + 44),
    noEndpoints: u32At(bytes, at + 48),
    midstream: u32At(bytes, at + 52),
    hasSetRetval: u32At(bytes, at + 56),
    hasLoop: u32At(bytes, at + 60),
    hasCoarseClock: u32At(bytes, at + 64),
    hasCheckMtu: u32At(bytes, at + 68),
    hasCsumIpv6: u32At(bytes, at + 72),
  };
}

/** `struct fl_event`, 80 bytes. */
export interface Event {
  readonly timeNs: bigint;
  readonly type: number;
  readonly reason: number;
  readonly hook: number;
  readonly proto: number;
  readonly svcId: number;
  readonly client: Uint8Array;
  readonly front: Uint8Array;
  readonly endpoint: Uint8Array;
  readonly clientPort: number;
  readonly frontPort: number;
  readonly endpointPort: number;
  readonly flags: number;
  readonly ifindex: number;
}

export const eventBytes = 80;

/** Writes eventBytes bytes; padding is zeroed. */
export function putEvent(into: Uint8Array, at: number, value: Event): void {
  assert(at + 80 <= into.length, 'fl_event has room');
  putU64(into, at + 0, u64(value.timeNs, 'fl_event.time_ns is u64'));
  into[at + 8] = u8(value.type, 'fl_event.type is u8');
  into[at + 9] = u8(value.reason, 'fl_event.reason is u8');
  into[at + 10] = u8(value.hook, 'fl_event.hook is u8');
  into[at + 11] = u8(value.proto, 'fl_event.proto is u8');
  putU32(into, at + 12, u32(value.svcId, 'fl_event.svc_id is u32'));
  assert(value.client.length === 16, 'fl_event.client has 16 bytes');
  into.set(value.client, at + 16);
  assert(value.front.length === 16, 'fl_event.front has 16 bytes');
  into.set(value.front, at + 32);
  assert(value.endpoint.length === 16, 'fl_event.endpoint has 16 bytes');
  into.set(value.endpoint, at + 48);
  putBe16(into, at + 64, u16(value.clientPort, 'fl_event.client_port is u16'));
  putBe16(into, at + 66, u16(value.frontPort, 'fl_event.front_port is u16'));
  putBe16(into, at + 68, u16(value.endpointPort, 'fl_event.endpoint_port is u16'));
  putU16(into, at + 70, u16(value.flags, 'fl_event.flags is u16'));
  putU32(into, at + 72, u32(value.ifindex, 'fl_event.ifindex is u32'));
  into.fill(0, at + 76, at + 80);
}

export function encodeEvent(value: Event): Uint8Array {
  const bytes = new Uint8Array(80);
  putEvent(bytes, 0, value);
  return bytes;
}

export function decodeEvent(bytes: Uint8Array, at = 0): Event {
  assert(at + 80 <= bytes.length, 'fl_event is whole');
  return {
    timeNs: u64At(bytes, at + 0),
    type: bytes[at + 8] ?? 0,
    reason: bytes[at + 9] ?? 0,
    hook: bytes[at + 10] ?? 0,
    proto: bytes[at + 11] ?? 0,
    svcId: u32At(bytes, at + 12),
    client: bytes.slice(at + 16, at + 32),
    front: bytes.slice(at + 32, at + 48),
    endpoint: bytes.slice(at + 48, at + 64),
    clientPort: be16At(bytes, at + 64),
    frontPort: be16At(bytes, at + 66),
    endpointPort: be16At(bytes, at + 68),
    flags: u16At(bytes, at + 70),
    ifindex: u32At(bytes, at + 72),
  };
}

/** `struct fl_call`, 56 bytes. */
export interface Call {
  readonly target: Uint8Array;
  readonly source: Uint8Array;
  readonly cookie: bigint;
  readonly netns: bigint;
  readonly targetPort: number;
  readonly proto: number;
  readonly hook: number;
  readonly family: number;
  readonly outcome: number;
}

export const callBytes = 56;

/** Writes callBytes bytes; padding is zeroed. */
export function putCall(into: Uint8Array, at: number, value: Call): void {
  assert(at + 56 <= into.length, 'fl_call has room');
  assert(value.target.length === 16, 'fl_call.target has 16 bytes');
  into.set(value.target, at + 0);
  assert(value.source.length === 16, 'fl_call.source has 16 bytes');
  into.set(value.source, at + 16);
  putU64(into, at + 32, u64(value.cookie, 'fl_call.cookie is u64'));
  putU64(into, at + 40, u64(value.netns, 'fl_call.netns is u64'));
  putBe16(into, at + 48, u16(value.targetPort, 'fl_call.target_port is u16'));
  into[at + 50] = u8(value.proto, 'fl_call.proto is u8');
  into[at + 51] = u8(value.hook, 'fl_call.hook is u8');
  into[at + 52] = u8(value.family, 'fl_call.family is u8');
  into[at + 53] = u8(value.outcome, 'fl_call.outcome is u8');
  into.fill(0, at + 54, at + 56);
}

export function encodeCall(value: Call): Uint8Array {
  const bytes = new Uint8Array(56);
  putCall(bytes, 0, value);
  return bytes;
}

export function decodeCall(bytes: Uint8Array, at = 0): Call {
  assert(at + 56 <= bytes.length, 'fl_call is whole');
  return {
    target: bytes.slice(at + 0, at + 16),
    source: bytes.slice(at + 16, at + 32),
    cookie: u64At(bytes, at + 32),
    netns: u64At(bytes, at + 40),
    targetPort: be16At(bytes, at + 48),
    proto: bytes[at + 50] ?? 0,
    hook: bytes[at + 51] ?? 0,
    family: bytes[at + 52] ?? 0,
    outcome: bytes[at + 53] ?? 0,
  };
}
