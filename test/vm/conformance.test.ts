import test from 'ava';
import { bodyProgram, modes, resultOf } from './bed.ts';
import { rows, unlikeKernel } from './rows.ts';

const computes = test.macro({
  exec: (t, body: string, r0: string, functions?: string) => {
    const program = bodyProgram(body, functions);
    for (const mode of modes) t.is(resultOf(program, mode), BigInt(r0), mode);
  },
  title: (_, body, r0) => `${body} leaves ${r0}`,
});

for (const [body, r0] of unlikeKernel) test(computes, body, r0);
for (const group of Object.values(rows)) {
  for (const row of group) test(computes, ...row);
}
