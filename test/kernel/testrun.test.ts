import anyTest from 'ava';
import { kernelTests } from './machine.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const probe = 'test/kernel/fixtures/probe.bpf.o';
const word = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);
const packet = new Uint8Array(64).fill(1);

function withRig(body: (rig: Rig) => void, constants?: ReadonlyMap<string, Uint8Array>): void {
  const rig = new Rig(addon, probe, constants === undefined ? {} : { constants });
  try {
    body(rig);
  } finally {
    rig.close();
  }
}

test('a run answers with the verdict, the packet and the context as the program left them', (t) => {
  withRig((rig) => {
    const outcome = rig.run('t_answer', { packet, skb: { ifindex: 1, mark: 9 } });
    t.like(outcome, { verdict: 7, mark: 1 });
    t.deepEqual([...outcome.packet.subarray(0, 2)], [7, 1]);
    t.is(outcome.packet.length, 64);
  });
});

test('a constant is what was set before the load; the others keep what the file says', (t) => {
  withRig((rig) => {
    t.is(rig.run('t_answer', { packet }).verdict, 2);
  }, new Map([['t_verdict', word(2)]]));
});

test('a redirect is a verdict, and TC_ACT_UNSPEC is -1', (t) => {
  withRig((rig) => {
    t.is(rig.run('t_redirect', { packet }).verdict, 7);
    t.is(rig.run('t_count', { packet, repeat: 1000 }).verdict, -1);
    const cell = rig.map('t_stats').lookup(word(0))!;
    t.is(new DataView(cell.buffer).getUint32(0, true), 1000);
  });
});

const refused = anyTest.macro({
  exec: (t, _: string, args: () => readonly unknown[], code: number) => {
    t.is((addon.programRun as (...all: readonly unknown[]) => unknown)(...args()), code);
  },
  title: (_, name, __, code) => `a run with ${name} is refused with ${code}`,
});
test(refused, 'no handle', () => [{}, packet, undefined, undefined, undefined, 1], -22);
test(refused, 'a number for a handle', () => [3, packet, undefined, undefined, undefined, 1], -22);
test(refused, 'nothing at all', () => [], -22);

test('a program that the verifier refuses comes back with what the verifier said', (t) => {
  const file = Buffer.from('not an object');
  t.regex(String(addon.objectOpen(file)), /^-\d+$/);
  t.throws(() => new Rig(addon, probe, { constants: new Map([['t_none', word(1)]]) }), {
    message: /set constant t_none/,
  });
  t.throws(() => new Rig(addon, probe, { constants: new Map([['t_word', word(1)]]) }), {
    message: /set constant t_word/,
  });
});
