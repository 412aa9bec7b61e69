import anyTest from 'ava';
import fc from 'fast-check';
import type { ProgramHandle } from '../../bpf/native.real.ts';
import { isRefused } from '../../bpf/refusal.real.ts';
import { kernelTests } from '../kernel/machine.ts';
import { Rig } from '../kernel/rig.ts';
import { bodyProgram, frame, resultIn, resultOf } from './bed.ts';
import { cases, contextOf, words, wordsIn } from './calls.ts';
import { engineExecutor, kernelExecutor } from './executors.ts';
import { body } from './random.ts';
import { hostile, rows, unlikeKernel } from './rows.ts';
import { digest, helperCase, mapCase, tableMaps } from './vectors.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const schedClassifier = 3;

/** r0 of the body as the kernel computes it. */
function kernelResult(program: ReturnType<typeof bodyProgram>): bigint {
  const handle = addon.programLoad(schedClassifier, 0, program.code);
  if (isRefused(handle)) throw new Error(`the kernel refuses a program with ${handle}`);
  try {
    const context = new Uint8Array(192);
    const ran = addon.programRun(
      handle as ProgramHandle, frame, new Uint8Array(256), new Uint8Array(192), context, 1,
    );
    if (isRefused(ran)) throw new Error(`the run is refused with ${ran as number}`);
    return resultIn(context);
  } finally {
    addon.close(handle as ProgramHandle);
  }
}

test('the kernel gives every row of the conformance table its result', (t) => {
  for (const [text, r0, functions] of Object.values(rows).flat()) {
    t.notThrows(() => t.is(kernelResult(bodyProgram(text, functions)), BigInt(r0), text), text);
  }
});

const operators = [
  '+=', '-=', '*=', '/=', '%=', 's/=', 's%=', '|=', '&=', '^=', '<<=', '>>=', 's>>=',
];

for (const kind of ['r', 'w']) {
  test(`kernel and engine agree on every operator of ${kind} over hostile operands`, (t) => {
    for (const operator of operators) {
      // One program for all pairs: each result is mixed into r8.
      const lines = hostile.flatMap((left) => hostile.flatMap((right) => [
        `r0 = ${left} ll`, `r1 = ${right} ll`, `${kind}0 ${operator} ${kind}1`, 'r8 *= 31', 'r8 ^= r0',
      ]));
      const program = bodyProgram(`${lines.join('; ')}; r0 = r8`);
      const truth = kernelResult(program);
      t.is(resultOf(program, 'fast'), truth, `${operator} translated`);
      t.is(resultOf(program, 'interpreted'), truth, `${operator} interpreted`);
    }
  });
}

test('a kernel that errs keeps the upper half of r0, or it errs no longer', (t) => {
  for (const [text, r0] of unlikeKernel) {
    const result = kernelResult(bodyProgram(text));
    t.is(result & 0xffff_ffffn, BigInt(r0), text);
    if (result !== BigInt(r0)) t.is(result, 0xdead_beef_cafe_baben, text);
  }
});

// Without what some kernels get wrong (unlikeKernel); our object has no cmpxchg at all.
test('kernel and engine agree on random programs', (t) => {
  const right = body.filter((text) => !text.includes('cmpxchg *(u32'));
  fc.assert(fc.property(right, (text) => {
    const program = bodyProgram(text);
    t.is(resultOf(program, 'checked'), kernelResult(program), text);
  }), { numRuns: 400 });
});

test('calls and loops give what they give in the kernel', (t) => {
  const rig = new Rig(addon, 'test/vm/fixtures/calls.bpf.o');
  for (const [program, cb] of cases) {
    const context = new Uint8Array(192);
    const handle = rig.object.programs.get(program)!;
    const numbers = addon.programRun(handle, frame, new Uint8Array(256), contextOf(cb), context, 1);
    const [verdict = 0] = numbers as number[];
    t.deepEqual([verdict >>> 0, ...wordsIn(context)], words('checked', program, cb));
  }
  rig.close();
});

test('helpers: engine and kernel agree on 10,000 more cases', (t) => {
  const kernel = kernelExecutor(addon, 'helpers');
  const engine = engineExecutor('helpers', 'checked');
  for (let seed = 3_001; seed <= 13_000; seed += 1) {
    const truth = helperCase(kernel, seed);
    const answer = helperCase(engine, seed);
    if (digest(truth) !== digest(answer)) t.deepEqual(answer, truth, `case ${seed}`);
  }
  kernel.close();
  t.pass();
});

test('maps: engine and kernel agree on 10,000 more operations and on the rows at the end', (t) => {
  const kernel = kernelExecutor(addon, 'maps');
  const engine = engineExecutor('maps', 'checked');
  for (let seed = 3_001; seed <= 13_000; seed += 1) {
    const truth = mapCase(kernel, seed);
    const answer = mapCase(engine, seed);
    if (digest(truth) !== digest(answer)) t.deepEqual(answer, truth, `case ${seed}`);
  }
  for (const map of tableMaps) t.deepEqual(engine.dump(map), kernel.dump(map), map);
  kernel.close();
});
