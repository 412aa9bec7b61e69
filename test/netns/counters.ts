import { join } from 'node:path';
import { KernelMap } from '../../bpf/kernelmap.real.ts';
import { decodeStats, hook, reason } from '../../bpf/layout.gen.ts';
import { pinKind, type Addon, type MapHandle } from '../../bpf/native.real.ts';
import { isRefused } from '../../bpf/refusal.real.ts';

/** Packets that a node's programs have counted, by reason, over all hooks. */
export function countOf(addon: Addon, pins: string, name: keyof typeof reason): bigint {
  const opened = addon.openPinned(pinKind.map, join(pins, 'fl_stats'));
  if (isRefused(opened)) throw new Error(`fl_stats of ${pins} opens: ${opened}`);
  const map = new KernelMap(addon, opened as MapHandle);
  try {
    let packets = 0n;
    for (const number of Object.values(hook)) {
      const value = map.lookup(new Uint8Array(Uint32Array.of(number * 64 + reason[name]).buffer));
      if (value !== undefined) packets += decodeStats(value).packets;
    }
    return packets;
  } finally {
    map.close();
  }
}
