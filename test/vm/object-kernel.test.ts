import anyTest from 'ava';
import * as layout from '../../bpf/layout.gen.ts';
import { configure, KernelRun, put, skip } from '../bpf/kernel-run.ts';
import { run as command } from '../kernel/machine.ts';
import { at, bytes } from '../vectors/fixture.ts';
import { compileObject, ObjectRun } from './object-run.ts';
import { callStep, packetStep, programs, site } from './traffic.ts';

const test = skip ? anyTest.skip : anyTest.serial;
// The engine has one CPU; statistics and buckets of the kernel would spread over several.
if (!skip) command(`taskset -pc 0 ${process.pid}`);

const compared = ['fl_ct', 'fl_snat', 'fl_aff', 'fl_frag', 'fl_stats', 'fl_rate'];
// engine.md 5: in every run; a soak shows more.
const packetCount = process.env['SOAK_SEEDS'] === undefined ? 10_000 : 100_000;

test(`kernel and engine agree on ${packetCount} random packets of each program and on all rows`, (t) => {
  for (const [index, program] of programs.entries()) {
    const kernel = new KernelRun();
    const devices = { uplink: kernel.ifindex('uplink'), pod: kernel.ifindex('pod') };
    const vector = site(index % 2 === 0);
    const rig = kernel.begin(vector);
    const engine = new ObjectRun(compileObject({ mode: 'checked' }), devices);
    engine.begin(vector);
    try {
      for (let seed = 1; seed <= packetCount; seed += 1) {
        const step = packetStep(seed, program);
        const truth = shown(kernel.step(rig, vector, { ...step, verdict: 'next' }));
        const answer = shown(engine.step(vector, step));
        if (truth.join() === answer.join()) continue;
        t.deepEqual(answer, truth, `${program}, packet ${seed}`);
      }
      for (const map of compared) {
        const rows = engine.dump(map).map(({ key, value }) => `${hex(key)} ${hex(value)}`);
        t.deepEqual(rows.toSorted(), rig.dump(map), `${program} ${map}`);
      }
    } finally {
      kernel.close();
    }
  }
});

test(`kernel and engine agree on ${packetCount} random socket calls and on all rows`, (t) => {
  const kernel = new KernelRun();
  const vector = site(false);
  const rig = kernel.begin(vector, 'bpf/socket-test.bpf.o');
  const engine = new ObjectRun(compileObject({ mode: 'checked' }, {}, 'sockets'), {
    uplink: kernel.ifindex('uplink'), pod: kernel.ifindex('pod'),
  });
  engine.begin(vector);
  const key = layout.encodeNetnsKey({ cookie: 2n });
  const value = layout.encodeNetns({
    addr4: bytes(at.p), addr6: bytes('::'), ifindex: 7, flags: layout.netnsFlag.hooked,
  });
  engine.write({ map: 'fl_netns', key, value });
  put(rig, 'fl_netns', [[key, value]]);
  try {
    for (let seed = 1; seed <= packetCount; seed += 1) {
      const step = callStep(seed);
      configure(rig, vector, step);
      const packet = Uint8Array.from([...new Uint8Array(14), ...step.record]);
      const truth = rig.run('fl_socket_test', { packet }).packet.subarray(14);
      t.is(hex(engine.call(vector, step)), hex(truth), `call ${seed}`);
    }
    for (const map of ['fl_sk', 'fl_aff', 'fl_stats']) {
      const rows = engine.dump(map).map((row) => `${hex(row.key)} ${hex(row.value)}`);
      t.deepEqual(rows.toSorted(), rig.dump(map), map);
    }
  } finally {
    kernel.close();
  }
});

interface Shown {
  readonly verdict: string;
  readonly packet: Uint8Array;
  readonly events: readonly string[];
}

function shown({ verdict, packet, events }: Shown): string[] {
  return [verdict, hex(packet), ...events];
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
