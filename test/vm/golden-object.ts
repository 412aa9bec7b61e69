// What a kernel made of random packets with the object that is committed. Recorded anew, as root,
// after each change of the object: `node test/vm/golden-object.ts`.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../kernel/machine.ts';
import { root } from '../tidy/sources.ts';
import { packetStep, programs, site } from './traffic.ts';
import { digest } from './vectors.ts';

/** What any executor says of one packet. */
export interface Shown {
  readonly verdict: string;
  readonly packet: Uint8Array;
  readonly events: readonly string[];
}

export interface GoldenObject {
  /** SHA-256 of the object's file. */
  readonly object: string;
  /** Eight digits for each packet, by program. */
  readonly programs: Readonly<Record<string, string>>;
}

const packetCount = 1_500;
const path = join(import.meta.dirname, 'fixtures', 'object.golden.json');

export function objectDigest(): string {
  return createHash('sha256').update(readFileSync(join(root, 'bpf/fairlead.bpf.o'))).digest('hex');
}

export function goldenObject(): GoldenObject {
  return JSON.parse(readFileSync(path, 'utf8')) as GoldenObject;
}

type Vector = ReturnType<typeof site>;
type Step = ReturnType<typeof packetStep>;

/** The digits of one executor, which `begin` makes anew for each program. */
export function objectDigits(
  begin: (vector: Vector) => (step: Step) => Shown,
): Readonly<Record<string, string>> {
  return Object.fromEntries(programs.map((program, index) => {
    const step = begin(site(index % 2 === 0));
    const digits = Array.from({ length: packetCount }, (_, seed) => {
      const { verdict, packet, events } = step(packetStep(seed + 1, program));
      return digest({ verdict: 0, packet, rows: [verdict, ...events] });
    });
    return [program, digits.join('')];
  }));
}

if (import.meta.main) {
  const { KernelRun } = await import('../bpf/kernel-run.ts');
  // The bucket of refusals is one for each CPU.
  run(`taskset -pc 0 ${process.pid}`);
  let kernel: InstanceType<typeof KernelRun> | undefined;
  try {
    const digits = objectDigits((vector) => {
      // The names of a process's namespaces are its own once.
      kernel?.close();
      const now = new KernelRun();
      kernel = now;
      const rig = now.begin(vector);
      return (step) => now.step(rig, vector, { ...step, verdict: 'next' });
    });
    const golden: GoldenObject = { object: objectDigest(), programs: digits };
    writeFileSync(path, `${JSON.stringify(golden)}\n`);
  } finally {
    kernel?.close();
  }
}
