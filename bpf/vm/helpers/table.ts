import { checksumHelpers } from './checksum.ts';
import type { HelperCall } from './call.ts';
import { mapHelpers } from './maps.ts';
import { worldHelpers } from './route.ts';
import { packetHelpers } from './skb.ts';

/** Helpers that call the host, by number (datapath.md 18, "Engine"). */
export const helpers: ReadonlyMap<number, HelperCall> = new Map([
  ...mapHelpers, ...checksumHelpers, ...packetHelpers, ...worldHelpers,
]);

/** Helpers that code does itself: clocks are cells, the CPU is always 0, calls stay inside. */
export const intrinsic = {
  monotonic: 5, cpu: 8, tailCall: 12, boot: 125, coarse: 160, loop: 181,
} as const;

/** Rounds that bpf_loop refuses to exceed (BPF_MAX_LOOPS of include/linux/bpf.h). */
export const loopRoundsMax = 1 << 23;

/** Tail calls that one run may make (MAX_TAIL_CALL_CNT since Linux 5.17). */
export const tailCallsMax = 33;
