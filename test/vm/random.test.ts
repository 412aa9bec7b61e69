import test from 'ava';
import fc from 'fast-check';
import { bodyProgram, modes, resultOf } from './bed.ts';
import { body } from './random.ts';

test('interpreter, checked and fast translation agree on random programs', (t) => {
  fc.assert(fc.property(body, (text) => {
    const program = bodyProgram(text);
    const [interpreted, ...translated] = modes.map((mode) => resultOf(program, mode));
    for (const result of translated) t.is(result, interpreted!, text);
  }), { numRuns: 400 });
});
