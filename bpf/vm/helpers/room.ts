import { errno } from '../errno.ts';
import { skbBytesMax, type PacketBuffer } from '../packet.ts';

/** `BPF_F_ADJ_ROOM_*` (include/uapi/linux/bpf.h). */
const flag = {
  fixedGso: 1, encapIpv4: 2, encapIpv6: 4, encapGre: 8, encapUdp: 16, keepChecksum: 32,
  encapEthernet: 64, decapIpv4: 128, decapIpv6: 256,
} as const;
const encap = flag.encapIpv4 | flag.encapIpv6;
const tunnel = flag.encapGre | flag.encapUdp;
const decap = flag.decapIpv4 | flag.decapIpv6;
const known = 0x1ff;

const etherType = { ipv4: 0x0800, ipv6: 0x86dd } as const;
const headerBytes: ReadonlyMap<number, number> = new Map([
  [etherType.ipv4, 20], [etherType.ipv6, 40],
]);
const mode = { network: 0, link: 1 } as const;
const differenceMax = 0xfff;

export interface RoomRequest {
  /** Bytes that come behind the header, negative for bytes that go. */
  readonly difference: number;
  readonly mode: number;
  readonly flags: number;
  /** Upper half of the flags: its highest byte is the length of an inner link header. */
  readonly upperFlags: number;
}

/** bpf_skb_adjust_room for a linear packet without segmentation (net/core/filter.c, Linux 6.18). */
export function adjustRoom(packet: PacketBuffer, request: RoomRequest): number {
  const { difference, flags, upperFlags } = request;
  const count = Math.abs(difference);
  if ((flags & ~known) !== 0 || (upperFlags & 0x00ffffff) !== 0) return -errno.EINVAL;
  if (count > differenceMax) return -errno.EFAULT;
  const header = headerBytes.get(packet.protocol);
  if (header === undefined) return -errno.ENOTSUPP;
  if (request.mode !== mode.network && request.mode !== mode.link) return -errno.ENOTSUPP;
  const behind = packet.networkOffset + (request.mode === mode.network ? header : 0);
  return difference < 0
    ? shrink(packet, request, { behind, count, header })
    : grow(packet, request, { behind, count });
}

interface Extent {
  readonly behind: number;
  readonly count: number;
}

interface Shrinkage extends Extent {
  /** Bytes of the network header that must stay. */
  readonly header: number;
}

function shrink(packet: PacketBuffer, request: RoomRequest, extent: Shrinkage): number {
  const { flags, upperFlags } = request;
  const { behind, count } = extent;
  if ((flags & decap) === decap) return -errno.EINVAL;
  const target = decapsulated(flags);
  const lengthMin = headerBytes.get(target ?? 0) ?? extent.header;
  const current = packet.length - packet.networkOffset;
  if (count >= current || current - count < lengthMin) return -errno.ENOTSUPP;
  const isEncap = (flags & (encap | tunnel | flag.encapEthernet)) !== 0 || upperFlags !== 0;
  if (isEncap) return -errno.EINVAL;
  if (!packet.contains(0, behind + count)) return -errno.ENOMEM;
  packet.cut(behind, count);
  if (target !== undefined) packet.protocol = target;
  return 0;
}

function decapsulated(flags: number): number | undefined {
  if ((flags & flag.decapIpv4) !== 0) return etherType.ipv4;
  return (flags & flag.decapIpv6) === 0 ? undefined : etherType.ipv6;
}

function grow(packet: PacketBuffer, request: RoomRequest, { behind, count }: Extent): number {
  const { flags } = request;
  if ((flags & decap) !== 0) return -errno.EINVAL;
  if (packet.length + count > skbBytesMax) return -errno.ENOTSUPP;
  const refused = (flags & encap) === 0 ? 0 : encapRefusal(packet, request, count);
  if (refused !== 0) return refused;
  packet.insert(behind, count);
  if ((flags & encap) !== 0) {
    packet.encapsulated = true;
    packet.protocol = (flags & flag.encapIpv4) === 0 ? etherType.ipv6 : etherType.ipv4;
  }
  return 0;
}

function encapRefusal(packet: PacketBuffer, request: RoomRequest, count: number): number {
  const { flags, upperFlags } = request;
  const innerBytes = upperFlags >>> 24;
  if ((flags & encap) === encap || (flags & tunnel) === tunnel) return -errno.EINVAL;
  if (packet.encapsulated) return -errno.EALREADY;
  if (innerBytes > count) return -errno.EINVAL;
  return (flags & flag.encapEthernet) !== 0 && innerBytes < 14 ? -errno.EINVAL : 0;
}
