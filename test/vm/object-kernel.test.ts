import anyTest from 'ava';
import { KernelRun, skip } from '../bpf/kernel-run.ts';
import { run as command } from '../kernel/machine.ts';
import { compileObject, ObjectRun } from './object-run.ts';
import { packetStep, programs, site } from './traffic.ts';

const test = skip ? anyTest.skip : anyTest.serial;
// The engine has one CPU; statistics and buckets of the kernel would spread over several.
if (!skip) command(`taskset -pc 0 ${process.pid}`);

const compared = ['fl_ct', 'fl_snat', 'fl_aff', 'fl_frag', 'fl_stats', 'fl_rate'];
const packetCount = 10_000;

test('kernel and engine agree on 10,000 random packets of each program and on all rows', (t) => {
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

interface Shown {
  readonly verdict: string;
  readonly packet: Uint8Array;
  readonly events: readonly string[];
}

function shown({ verdict, packet, events }: Shown): string[] {
  return [verdict, hex(packet), ...events];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
