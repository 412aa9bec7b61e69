import anyTest from 'ava';
import { uplinkVectors } from '../vectors/uplink.ts';
import type { Vector } from '../vectors/vector.ts';
import { flowRows, KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const vectors: readonly Vector[] = [...uplinkVectors];

for (const vector of vectors) {
  test(`in the kernel: ${vector.name}`, (t) => {
    const rig = kernel!.begin(vector);
    for (const [index, step] of vector.steps.entries()) {
      const name = `step ${index}`;
      const ran = kernel!.step(rig, vector, step);
      t.is(ran.verdict, step.verdict, name);
      t.is(hex(ran.packet), hex(step.bytes ?? step.packet), name);
      if (step.events !== undefined) t.deepEqual(ran.events, step.events, name);
      if (step.left !== undefined) t.deepEqual(flowRows(rig), step.left, name);
    }
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').replace(/(.{32})/g, '$1 ');
}
