import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { EngineFault, type FaultCause } from '../../bpf/vm/fault.ts';
import type { Mode } from '../../bpf/vm/compile.ts';
import { root } from '../tidy/sources.ts';
import { assemble, objectOf } from './assembler.ts';
import { fixture, frame, machineOf, modes } from './bed.ts';

const object = fixture('faults');
const source = readFileSync(join(root, 'test/vm/fixtures/faults.bpf.c'), 'utf8').split('\n');

/** The line after the start of a function that is marked as the one that faults. */
function faultLine(name: string): number {
  const start = source.findIndex((line) => line.includes(` ${name}(`));
  return source.findIndex((line, at) => at > start && line.includes('/* fault */')) + 1;
}

function faultOf(program: string, mode: Mode): EngineFault | undefined {
  const machine = machineOf(object, { mode }, { instructionsMax: 10_000 });
  try {
    machine.runPacket(program, { bytes: frame });
    return undefined;
  } catch (error) {
    if (error instanceof EngineFault) return error;
    throw error;
  }
}

const faults = test.macro({
  exec: (t, program: string, kind: FaultCause['kind'], function_: string = program) => {
    for (const mode of ['checked', 'interpreted'] as const) {
      const fault = faultOf(program, mode);
      t.is(fault?.reason.kind, kind, mode);
      t.is(fault?.site?.program, program, mode);
      t.is(fault?.site?.function, function_, mode);
      t.regex(fault?.site?.place?.file ?? '', /faults\.bpf\.c$/, mode);
      t.is(fault?.site?.place?.line, faultLine(function_), mode);
      t.regex(fault?.message ?? '', /faults\.bpf\.c:\d+$/, mode);
    }
  },
  title: (_, program, kind) => `${program} is reported as ${kind} with file and line`,
});

test(faults, 'behind_packet', 'out-of-bounds');
test(faults, 'null_pointer', 'out-of-bounds');
test(faults, 'freed_value', 'freed');
test(faults, 'submitted_record', 'freed');
test(faults, 'constant_written', 'out-of-bounds');
test(faults, 'endless', 'budget');
test(faults, 'short_key', 'out-of-bounds');
test(faults, 'in_callee', 'out-of-bounds', 'reach');

test('an access behind the whole memory is reported in every mode', (t) => {
  for (const mode of ['fast', 'checked', 'interpreted'] as const) {
    const fault = faultOf('behind_memory', mode);
    t.is(fault?.site?.place?.line, faultLine('behind_memory'), mode);
  }
});

test('calls that never return are reported in every mode', (t) => {
  const program = assemble('call again; exit; again():; call again; exit');
  for (const mode of modes) {
    const machine = machineOf(objectOf(program), { mode });
    const fault = t.throws(() => machine.runPacket('main', { bytes: frame }), {
      instanceOf: EngineFault,
    });
    t.is(fault?.reason.kind, 'stack', mode);
    t.is(fault?.site?.function, 'again', mode);
  }
});

test('a machine works on after a fault', (t) => {
  const machine = machineOf(object, { mode: 'checked' });
  t.throws(() => machine.runPacket('behind_packet', { bytes: frame }), { instanceOf: EngineFault });
  const fault = t.throws(() => machine.runPacket('in_callee', { bytes: frame }), {
    instanceOf: EngineFault,
  });
  t.is(fault?.site?.function, 'reach');
  t.is(machine.map('f_hash').size, 1);
});
