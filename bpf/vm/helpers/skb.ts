import { errno } from '../errno.ts';
import type { Span } from '../memory.ts';
import { skbBytesMax } from '../packet.ts';
import type { Runtime } from '../runtime.ts';
import { signed, unsigned, type HelperCall } from './call.ts';
import { adjustRoom } from './room.ts';

const offsetMax = 0x7fffffff;

const loadBytes: HelperCall = {
  name: 'skb_load_bytes', takes: ['unused', 'word', 'word', 'word'], gives: 'status',
  call({ memory, packet }, words) {
    const offset = unsigned(words, 0);
    const target = { address: unsigned(words, 1), length: unsigned(words, 2) };
    memory.checkWrite(target);
    if (offset > offsetMax || !packet.contains(offset, target.length)) {
      memory.bytes.fill(0, target.address, target.address + target.length);
      return -errno.EFAULT;
    }
    memory.copy(target.address, { address: packet.data + offset, length: target.length });
    return 0;
  },
};

const storeFlag = { recomputeChecksum: 1, invalidateHash: 2 } as const;

function store(
  { memory, packet }: Runtime, source: Span,
  to: { readonly offset: number; readonly flags: number },
): number {
  const { offset, flags } = to;
  memory.checkRead(source);
  if ((flags & ~3) !== 0) return -errno.EINVAL;
  if (offset > offsetMax || !packet.contains(offset, source.length)) return -errno.EFAULT;
  memory.copy(packet.data + offset, source);
  if ((flags & storeFlag.invalidateHash) !== 0) packet.forgetHash();
  return 0;
}

const storeBytes: HelperCall = {
  name: 'skb_store_bytes', takes: ['unused', 'word', 'word', 'word', 'flags'], gives: 'status',
  call(runtime, words) {
    const source = { address: unsigned(words, 1), length: unsigned(words, 2) };
    return store(runtime, source, { offset: unsigned(words, 0), flags: signed(words, 3) });
  },
  // oxlint-disable-next-line max-params -- the words of a call cross as they are
  direct: (runtime) => (offset, address, length, flags) => store(
    runtime, { address: address >>> 0, length: length >>> 0 }, { offset: offset >>> 0, flags },
  ),
};

// Packets are in one piece here: pulling changes nothing and fails for what is not there.
const pullData: HelperCall = {
  name: 'skb_pull_data', takes: ['unused', 'word'], gives: 'status',
  call: ({ packet }, words) => packet.contains(0, unsigned(words, 0)) ? 0 : -errno.ENOMEM,
};

const changeTail: HelperCall = {
  name: 'skb_change_tail', takes: ['unused', 'word', 'flags'], gives: 'status',
  call({ packet }, words) {
    const length = unsigned(words, 0);
    const lengthMin = Math.max(0, packet.networkOffset);
    if (signed(words, 1) !== 0 || length > skbBytesMax || length < lengthMin) return -errno.EINVAL;
    if (packet.encapsulated) return -errno.ENOTSUPP;
    packet.resize(length);
    return 0;
  },
};

const changeHead: HelperCall = {
  name: 'skb_change_head', takes: ['unused', 'word', 'flags'], gives: 'status',
  call({ packet }, words) {
    const count = signed(words, 0);
    const fits = count >= 0 && packet.length + count <= skbBytesMax;
    if (signed(words, 1) !== 0 || !fits) return -errno.EINVAL;
    packet.insert(0, count);
    packet.networkOffset += count;
    return 0;
  },
};

const adjust: HelperCall = {
  name: 'skb_adjust_room', takes: ['unused', 'word', 'word', 'wide'], gives: 'status',
  call: ({ packet }, words) => adjustRoom(packet, {
    difference: signed(words, 0), mode: unsigned(words, 1),
    flags: unsigned(words, 2), upperFlags: unsigned(words, 3),
  }),
};

const adjustHead: HelperCall = {
  name: 'xdp_adjust_head', takes: ['unused', 'word'], gives: 'status',
  call: ({ packet }, words) => packet.moveStart(signed(words, 0)) ? 0 : -errno.EINVAL,
};

const adjustTail: HelperCall = {
  name: 'xdp_adjust_tail', takes: ['unused', 'word'], gives: 'status',
  call: ({ packet }, words) => packet.moveEnd(signed(words, 0)) ? 0 : -errno.EINVAL,
};

export const packetHelpers: ReadonlyMap<number, HelperCall> = new Map([
  [9, storeBytes], [26, loadBytes], [38, changeTail], [39, pullData], [43, changeHead],
  [44, adjustHead], [50, adjust], [65, adjustTail],
]);
