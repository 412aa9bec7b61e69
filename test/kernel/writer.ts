// Brings pinned maps from the usual state to another one, row by row, and kills itself after a
// number of writes: the parent looks at what is left. Without the number it says how many there
// are.
import { join } from 'node:path';
// By import: a running world takes the global away.
import { argv, kill, pid, stdout } from 'node:process';
import { KernelMap } from '../../bpf/kernelmap.real.ts';
import { realKernel } from '../../bpf/kernel.real.ts';
import { maps as declared } from '../../bpf/layout.gen.ts';
import { pinKind, type MapHandle } from '../../bpf/native.real.ts';
import { isRefused } from '../../bpf/refusal.real.ts';
import { takeKeys, writeRows } from '../../sim/node/batches.ts';
import { MapRig } from '../datapath/maprig.ts';
import { machine } from './machine.ts';
import { states } from './states.ts';

const [, , folder = '', name = '', stopText] = argv;
const stop = stopText === undefined ? Infinity : Number(stopText);
const found = machine();
if (!('addon' in found)) throw new Error(found.missing);
const { addon } = found;
const opened = Object.keys(declared).filter((map) => map !== 'fl_events').map((map) => {
  const handle = addon.openPinned(pinKind.map, join(folder, map));
  if (isRefused(handle)) throw new Error(`${map} is not pinned: errno ${-handle}`);
  return [map, new KernelMap(addon, handle as MapHandle)] as const;
});
const port = realKernel(addon, new Map(opened));

let writes = 0;
let counting = false;
function written<T extends { readonly ok: boolean }>(result: T): T {
  if (!result.ok || !counting) return result;
  writes += 1;
  if (writes === stop) kill(pid, 'SIGKILL');
  return result;
}

const update: typeof port.update = (map, entry, flag) => written(port.update(map, entry, flag));
const remove: typeof port.remove = (map, key) => written(port.remove(map, key));
const rig = new MapRig({ more: { kernel: {
  ...port, update, remove,
  updateMany: (map, rows, flag) => writeRows(rows, (entry) => update(map, entry, flag)),
  removeMany: (map, keys) => takeKeys(keys, (key) => remove(map, key)),
} } });
const [usual, wanted] = [states['the usual'], states[name]];
if (usual === undefined || wanted === undefined) throw new Error(`there is no state "${name}"`);
rig.load(usual.services, usual.slices).start().run();
counting = true;
rig.setServices(wanted.services);
rig.setSlices(wanted.slices);
// Beyond every quarantine.
rig.run(130);
stdout.write(`${writes}\n`);
