import anyTest from 'ava';
import { kernelTests } from './machine.ts';
import { Place } from './place.ts';
import { Rig } from './rig.ts';
import { Wire } from './wire.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const frame = Buffer.from('02000000000a02000000000c88b5'.padEnd(120, '5'), 'hex');

/** The fixture with the device that `t_redirect` sends to. */
function redirecting(place: Place, ifindex: number): Rig {
  const constants = new Map([['t_verdict', Uint8Array.of(ifindex, 0, 0, 0)]]);
  const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o', { constants });
  place.later(() => rig.close());
  return rig;
}

for (const device of ['eth0', 'pod0', 'pod1']) {
  test(`a packet that is redirected to ${device} comes out there, byte for byte`, async (t) => {
    await Place.with(async (place) => {
      const wire = new Wire(addon, place, ['pod0', 'pod1']);
      const rig = redirecting(place, wire.ifindex.get(device)!);
      wire.attach(rig.object.programs.get('t_redirect')!, 'eth0');
      const left = await wire.send('eth0', frame);
      t.deepEqual(left.map((one) => one.device), [device]);
      t.deepEqual(Buffer.from(left[0]!.frame), frame);
    });
  });
}

test('a packet that is passed on to a node without addresses goes nowhere', async (t) => {
  await Place.with(async (place) => {
    const wire = new Wire(addon, place);
    const rig = redirecting(place, 0);
    wire.attach(rig.object.programs.get('t_count')!, 'eth0');
    t.deepEqual(await wire.send('eth0', frame), []);
    t.is(rig.map('t_stats').lookup(new Uint8Array(4))![0], 1);
  });
});
