import type { Mode } from '../../bpf/vm/compile.ts';
import type { Addon } from '../../bpf/native.real.ts';
import { run } from '../kernel/machine.ts';
import { Rig } from '../kernel/rig.ts';
import { fixture, machineOf, quietHost } from './bed.ts';
import type { DumpingExecutor } from './vectors.ts';

/** A machine of the engine; its only device is the loopback of a test run, with its MTU. */
export function engineExecutor(name: string, mode: Mode): DumpingExecutor {
  const host = { ...quietHost, mtu: () => 65_536 };
  const machine = machineOf(fixture(name), { mode }, { host });
  return {
    update: (map, key, value) => void machine.map(map).update({ key, value }, 'any'),
    lookup: (map, key) => machine.map(map).lookup(key),
    run: (program, bytes) => {
      const { verdict, bytes: packet } = machine.runPacket(program, { bytes });
      return { verdict, packet };
    },
    dump: (map) => machine.map(map).dump().map(rowOf).toSorted(),
  };
}

/** The kernel of this machine with the same object in it; `close` it. */
export function kernelExecutor(
  addon: Addon, name: string,
): DumpingExecutor & { close(): void } {
  // The engine has one CPU: on two, a program would meet two values of a per-CPU element.
  run(`taskset -pc 0 ${process.pid}`);
  const rig = new Rig(addon, `test/vm/fixtures/${name}.bpf.o`);
  return {
    update: (map, key, value) => void rig.map(map).update({ key, value }, 'any'),
    lookup: (map, key) => rig.map(map).lookup(key),
    run: (program, bytes) => {
      const handle = rig.object.programs.get(program)!;
      const out = new Uint8Array(0x8000);
      const numbers = addon.programRun(handle, bytes, out, undefined, undefined, 1);
      if (typeof numbers === 'number') throw new Error(`${program} is refused with ${numbers}`);
      const [verdict = 0, , size = 0] = numbers;
      return { verdict: verdict >>> 0, packet: out.slice(0, size) };
    },
    dump: (map) => rig.map(map).dump().map(rowOf).toSorted(),
    close: () => rig.close(),
  };
}

function rowOf({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): string {
  return `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`;
}
