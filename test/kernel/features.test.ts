import { release } from 'node:os';
import anyTest from 'ava';
import { features, missingText } from '../../bpf/features.ts';
import { probeFeatures } from '../../bpf/features.real.ts';
import { kernelTests } from './machine.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

/** Linux 6.18 as 6018. */
function version(text: string): number {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return major * 1_000 + minor;
}

test('every feature is found on a kernel that is younger than it', (t) => {
  const found = probeFeatures(addon);
  for (const { name, since } of features) {
    if (version(release()) >= version(since)) t.true(found.has(name), name);
  }
});

test('a helper that no kernel has is refused otherwise than one with wrong arguments', (t) => {
  const program = (helper: number): Uint8Array => {
    const zeroed = [1, 2, 3, 4].map((register) => `b70${register}000000000000`).join('');
    const code = Buffer.from(`${zeroed}85000000000000009500000000000000`, 'hex');
    code.writeUInt32LE(helper, 36);
    return code;
  };
  t.is(addon.programLoad(3, 0, program(9_999)), -22 as never);
  t.is(addon.programLoad(3, 0, program(181)), -13 as never);
});

anyTest('what is missing is one line: what, what it means, what brings it', (t) => {
  const line = missingText(features.find(({ name }) => name === 'set-retval')!);
  t.is(line, 'bpf_set_retval missing: refused connections show EPERM; Linux 5.18 or newer shows '
    + 'ECONNREFUSED');
  for (const feature of features) t.notRegex(missingText(feature), /\n|undefined/);
});
