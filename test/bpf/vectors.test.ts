import anyTest from 'ava';
import { flowVectors } from '../vectors/flows.ts';
import { podVectors } from '../vectors/pod.ts';
import { refusalVectors } from '../vectors/refusal.ts';
import { oddVectors } from '../vectors/six.ts';
import { uplinkVectors } from '../vectors/uplink.ts';
import type { Vector } from '../vectors/vector.ts';
import { flowRows, KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const vectors: readonly Vector[] = [
  ...uplinkVectors, ...flowVectors, ...podVectors, ...refusalVectors, ...oddVectors,
];

for (const vector of vectors) {
  test(`in the kernel: ${vector.name}`, (t) => {
    const rig = kernel!.begin(vector);
    for (const [index, step] of vector.steps.entries()) {
      const name = `step ${index}`;
      const ran = kernel!.step(rig, vector, step);
      t.is(ran.verdict, step.verdict, name);
      const bytes = step.bytes ?? (step.verdict === 'redirect' ? ran.packet : step.packet);
      t.is(hex(ran.packet), hex(bytes), name);
      if (step.reason !== undefined) {
        t.deepEqual(ran.events.map((event) => event.split(' ')[1]), [step.reason], name);
      }
      if (step.events !== undefined) t.deepEqual(ran.events, step.events, name);
      if (step.left !== undefined) t.deepEqual(flowRows(rig), step.left, name);
    }
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').replace(/(.{32})/g, '$1 ');
}
