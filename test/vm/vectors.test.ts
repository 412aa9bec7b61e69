import test from 'ava';
import { engineExecutor } from './executors.ts';
import { answers, goldenOf, suites } from './golden.ts';

for (const suite of suites) {
  for (const mode of ['checked', 'fast', 'interpreted'] as const) {
    test(`${suite.name}, ${mode}: every case is answered as the kernel answered it`, (t) => {
      const golden = goldenOf(suite);
      const now = answers(suite, engineExecutor(suite.name, mode));
      t.deepEqual(now.dumps, golden.dumps);
      // The first case that differs says more than two long texts.
      const digits = Array.from(now.digests);
      const at = digits.findIndex((digit, index) => digit !== golden.digests[index]);
      t.is(at, -1, `case ${Math.floor(at / 8) + 1}`);
      t.is(now.digests.length, golden.digests.length);
    });
  }
}
