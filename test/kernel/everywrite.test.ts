import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import anyTest from 'ava';
import { ipFromBytes } from '../../lb/ip.ts';
import { MapRig, packetOf } from '../datapath/maprig.ts';
import { frame } from '../vectors/packet.ts';
import { kernelTests } from './machine.ts';
import { Place } from './place.ts';
import { Rig } from './rig.ts';
import { states, type State } from './states.ts';

// The engine's own test of this stops after every write (test/datapath/everywrite.test.ts); here
// processes die, maps are the kernel's, and some of the writes are enough.

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

const stopsMax = 6;
const fronts = ['CIP:80', 'VIP:80', 'EIP:80', 'node:30080', '198.51.100.11:80'];
const tries = 24;

/** The programs of the object over maps that are pinned in a folder. */
class Pinned {
  readonly folder: string;
  readonly rig: Rig;
  #port = 10_000;

  constructor(folder: string) {
    this.folder = folder;
    this.rig = new Rig(addon, 'bpf/fairlead.bpf.o', { pins: folder });
  }

  /** A new process takes the maps over and wants this; what it found is settled afterwards. */
  adopt({ services, slices }: State): void {
    const datapath = new MapRig({ more: { kernel: this.rig.kernel } });
    datapath.load(services, slices).start().run(130);
  }

  /** What becomes of new flows of a pod to each front. */
  outcomes(): Set<string> {
    const seen = new Set<string>();
    for (const front of fronts) {
      for (let count = 0; count < tries; count += 1) seen.add(`${front} ${this.#try(front)}`);
    }
    return seen;
  }

  #try(front: string): string {
    const { source, target, targetPort } = packetOf(`P → ${front}`);
    this.#port += 1;
    const body = { kind: 'tcp', ports: [this.#port, targetPort], flags: 'S' } as const;
    const packet = frame({ source, target, body });
    const { verdict, packet: became } = this.rig.run('fl_from_pod', { packet });
    if (verdict !== -1) return `verdict ${verdict}`;
    return `to ${ipFromBytes(became.subarray(30, 34))}`;
  }

  /**
   * Has another process write, killed after `stop` writes; gives how many there were when it was
   * not. Rows that an earlier one left in place need not be written again.
   */
  write(name: string, stop?: number): number | 'killed' {
    const words = [join(import.meta.dirname, 'writer.ts'), this.folder, name];
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath, [...words, ...(stop === undefined ? [] : [String(stop)])],
      { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGTERM' },
    );
    if (status === 0) return Number(stdout);
    if (stop !== undefined && signal === 'SIGKILL') return 'killed';
    throw new Error(`the writer ended by ${signal ?? status}: ${stderr}`);
  }
}

/** Some of the numbers from 1 to `last`, both among them. */
function sampled(last: number): readonly number[] {
  const steps = Math.min(stopsMax, last) - 1;
  return Array.from(
    { length: steps + 1 }, (_, step) => 1 + Math.round((step * (last - 1)) / steps),
  );
}

const usual = states['the usual']!;
for (const [name, state] of Object.entries(states)) {
  if (state === usual) continue;
  test(`${name}: a writer killed after any write leaves the old state or the new one`, async (t) => {
    await Place.with((place) => {
      const pinned = new Pinned(place.bpffs());
      place.later(() => pinned.rig.close());
      pinned.adopt(usual);
      const old = pinned.outcomes();
      const last = Number(pinned.write(name));
      const legal = old.union(pinned.outcomes());
      t.true(last >= stopsMax, `${last} writes`);
      t.true(legal.size > old.size, 'the states differ');
      let killed = 0;
      for (const stop of sampled(last)) {
        pinned.adopt(usual);
        t.deepEqual([...pinned.outcomes().difference(old)], [], `before write ${stop}`);
        if (pinned.write(name, stop) === 'killed') killed += 1;
        const during = pinned.outcomes();
        t.deepEqual([...during.difference(legal)], [], `after write ${stop} of ${last}`);
        t.true(during.size >= fronts.length);
      }
      t.true(killed >= stopsMax / 2, `${killed} writers were killed`);
    });
  });
}
