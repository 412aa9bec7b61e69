import test from 'ava';
import { modes } from './bed.ts';
import { cases, words } from './calls.ts';

for (const [program, cb] of cases) {
  test(`${program} with ${cb.join()} gives the same in every mode`, (t) => {
    const [first, ...others] = modes.map((mode) => words(mode, program, cb));
    for (const other of others) t.deepEqual(other, first);
  });
}

test('bpf_loop counts its rounds and refuses flags', (t) => {
  for (const mode of modes) {
    const [verdict, rounds] = words(mode, 'call_loop', [10, 3]);
    t.is(verdict! | 0, -22);
    t.is(rounds, 4);
    t.is(words(mode, 'call_loop', [(1 << 23) + 1, 0])[1]! | 0, -7);
  }
});

test('a run makes 33 tail calls and no more', (t) => {
  for (const mode of modes) t.deepEqual(words(mode, 'call_tail', [0]), [2, 34, 77, 0], mode);
});

test('a tail call goes on in the other program and never comes back', (t) => {
  for (const mode of modes) t.deepEqual(words(mode, 'call_tail', [1]), [0, 1, 0, 2], mode);
});

test('a tail call into an empty or absent slot goes on behind it', (t) => {
  for (const slot of [2, 4, 0xffffffff]) {
    for (const mode of modes) t.deepEqual(words(mode, 'call_tail', [slot]), [2, 1, 77, 0], mode);
  }
});
