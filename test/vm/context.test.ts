import test from 'ava';
import { withPoisonedGlobals } from '../../sim/poison.ts';
import { fixture, frame, machineOf, modes, quietHost } from './bed.ts';
import { assemble, objectOf } from './assembler.ts';

const host = {
  ...quietHost, random: () => 0xffffffff, socketCookie: () => 2 ** 40 + 1,
  namespaceCookie: (initial: boolean) => initial ? 1 : 4026,
};

/** `struct bpf_sock_addr` of a socket that connects to 10.200.0.10 at a port. */
function connecting(port: number): Uint8Array {
  const context = new Uint8Array(72);
  const view = new DataView(context.buffer);
  view.setUint32(0, 2, true);
  view.setUint32(4, 0x0ac8000a);
  view.setUint16(24, port);
  return context;
}

for (const mode of modes) {
  test(`${mode}: a socket hook rewrites its target`, (t) => {
    const machine = machineOf(fixture('socket'), { mode }, { host });
    const { result, context, returnCode } = machine.runContext('socket_connect4', connecting(80));
    const view = new DataView(context.buffer);
    t.deepEqual([result, returnCode], [1, 0]);
    t.is(view.getUint32(4), 0x0a400115);
    t.is(view.getUint16(24), 8080);
  });

  test(`${mode}: a socket hook refuses with an errno of its own`, (t) => {
    const machine = machineOf(fixture('socket'), { mode }, { host });
    const { result, returnCode } = machine.runContext('socket_connect4', connecting(1), -1);
    t.deepEqual([result, returnCode], [0, -111]);
  });

  test(`${mode}: a program reads cookies, clocks and chance from the host`, (t) => {
    const machine = machineOf(fixture('socket'), { mode }, { host });
    machine.setClock(5_000_000_123, 6_000_000_456);
    machine.runContext('socket_connect4', connecting(80), -1);
    const seen = new DataView(machine.map('s_seen').lookup(new Uint8Array(4))!.buffer);
    const words = [0, 8, 16, 24, 32, 40].map((at) => seen.getBigUint64(at, true));
    t.deepEqual(words, [
      2n ** 40n + 1n, 4026n, 1n, 5_000_000_123_000n, 6_000_000_456_000n, 5_000_000_123_000n,
    ]);
    t.deepEqual([seen.getUint32(48, true), seen.getInt32(52, true)], [0xffffffff, -1]);
  });
}

test('machines are made and run without any banned global', (t) => {
  const object = fixture('maps');
  t.is(withPoisonedGlobals(() => (
    machineOf(object, { mode: 'checked' }).runPacket('map_operation', { bytes: frame }).verdict
  )), 0);
});

test('a program of 20,000 instructions in one chain of blocks is translated', (t) => {
  const links = Array.from({ length: 5_000 }, (_, at) => (
    `if r2 == ${at} goto l${at}; r0 += 1; r0 ^= r2; l${at}:`
  ));
  const program = assemble(`r2 = *(u32*)(r1 + 48); r0 = 0; ${links.join('; ')}; exit`);
  const results = modes.map((mode) => (
    machineOf(objectOf(program), { mode }).runPacket('main', { bytes: frame }).verdict
  ));
  t.deepEqual(results, [4_999, 4_999, 4_999]);
});

test('an outcome is read before the next run or not at all', (t) => {
  const machine = machineOf(fixture('maps'), { mode: 'fast' });
  const outcome = machine.runPacket('map_operation', { bytes: frame });
  t.is(outcome.bytes.length, frame.length);
  machine.runPacket('map_operation', { bytes: frame });
  t.throws(() => outcome.bytes, { message: /before the next run/ });
});

const unknown = test.macro({
  exec: (t, _: string, act: (machine: ReturnType<typeof machineOf>) => unknown) => {
    t.throws(() => act(machineOf(fixture('maps'), { mode: 'fast' })), { instanceOf: RangeError });
  },
  title: (_, name) => `${name} is refused`,
});
test(unknown, 'an unknown program', (m) => m.runPacket('none', { bytes: frame }));
test(unknown, 'a function that is no program', (m) => m.runPacket('ring', { bytes: frame }));
test(unknown, 'an unknown map', (m) => m.map('none'));
test(unknown, 'a ring in place of a table', (m) => m.map('m_ring'));
test(unknown, 'a table in place of a ring', (m) => m.ring('m_hash'));
test(unknown, 'a limit of an array', (m) => m.setLimit('m_array', 1));
test(unknown, 'a packet that is too long', (m) => m.runPacket('map_operation', { bytes: new Uint8Array(16_065) }));
test(unknown, 'a context that is too long', (m) => m.runContext('map_operation', new Uint8Array(600)));
