// Run with --expose-gc: batches over buffers that nobody holds on to, handles that are dropped, and
// the garbage collector in between. Prints how many descriptors were left and what was read back.
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import type { MapHandle } from '../../bpf/native.real.ts';
import { KernelMap } from '../../bpf/kernelmap.real.ts';
import { machine } from './machine.ts';

const found = machine();
if (!('addon' in found)) throw new Error(found.missing);
const { addon } = found;
const collect = (): void => (globalThis as unknown as { gc: () => void }).gc();
const descriptors = (): number => readdirSync('/proc/self/fd').length;

function keysFrom(start: number, count: number): Uint8Array {
  const keys = new Uint32Array(count).map((_, index) => start + index);
  return new Uint8Array(keys.buffer);
}

async function settled(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    collect();
    await turn();
  }
}

const before = descriptors();
const map = new KernelMap(addon, addon.mapCreate(1, 't', 4, 8, 20_000, 0) as MapHandle);
for (let start = 0; start < 20_000; start += 500) {
  const values = new Uint8Array(500 * 8).fill(start / 500);
  map.updateMany({ count: 500, keys: keysFrom(start, 500), values }, 'any');
  collect();
}
const entries = map.dump();
const right = entries.filter(({ key, value }) => {
  const number = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
  return value.every((byte) => byte === (Math.floor(number / 500) & 255));
}).length;
map.close();

// Dropped without a word: the finalizer is the net.
for (let count = 0; count < 200; count += 1) {
  addon.mapCreate(2, 't', 4, 8, 4, 1 << 10);
  const mapped = addon.mapCreate(2, 't', 4, 8, 4, 1 << 10) as MapHandle;
  new Uint8Array(addon.mapCells(mapped) as ArrayBuffer).fill(1);
  addon.netlinkOpen(0);
}
const dropped = descriptors() - before;
await settled();
const left = descriptors() - before;

// A watched socket that is dropped is closed too, and nothing calls back into what is gone.
let heard = 0;
for (let count = 0; count < 50; count += 1) {
  const socket = addon.netlinkOpen(1);
  addon.watch(socket as never, () => { heard += 1; });
}
await settled();
process.stdout.write(`${JSON.stringify({
  entries: entries.length, right, dropped, left, watched: descriptors() - before, heard,
})}\n`);
// The end of the environment finds an open watch.
const last = addon.netlinkOpen(1);
addon.watch(last as never, () => undefined);
process.exitCode = 0;
setImmediate(() => process.exit());
