import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, type CompileOptions, type Mode } from '../../bpf/vm/compile.ts';
import { Machine, type MachineOptions } from '../../bpf/vm/machine.ts';
import { loadObject, type BpfObject } from '../../bpf/vm/object.ts';
import type { HostCalls } from '../../bpf/vm/runtime.ts';
import { root } from '../tidy/sources.ts';
import { assemble, objectOf } from './assembler.ts';

export const modes: readonly Mode[] = ['interpreted', 'checked', 'fast'];

/** A world in which nothing is routed and every draw is the same. */
export const quietHost: HostCalls = {
  random: () => 4, socketCookie: () => 0, namespaceCookie: () => 1, routeLookup: () => 4,
  mtu: (ifindex) => ifindex <= 1 ? 1500 : undefined,
};

export function fixture(name: string): BpfObject {
  return loadObject(readFileSync(join(root, 'test/vm/fixtures', `${name}.bpf.o`)));
}

export function machineOf(
  object: BpfObject, options: CompileOptions, more: Partial<MachineOptions> = {},
): Machine {
  return new Machine(compile(object, options), { host: quietHost, seed: 1, ...more });
}

/** r9 is the context throughout; the result, 64 bits of r0, goes into two words of `cb`. */
const prologue = 'r9 = r1; r1 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0; r6 = 0; r7 = 0; r8 = 0; r0 = 0';
const epilogue = 'out: *(u32*)(r9 + 48) = r0; r0 >>= 32; *(u32*)(r9 + 52) = r0; r0 = 0; exit';

/** A program around a body that leaves its result in r0 and may go to `out`. */
export function bodyProgram(body: string, functions = ''): ReturnType<typeof assemble> {
  return assemble(`${prologue}; ${body}; ${epilogue.replace('out:', 'out:;')}; ${functions}`);
}

/** r0 of the body as one mode computes it. */
export function resultOf(program: ReturnType<typeof assemble>, mode: Mode): bigint {
  const { context } = machineOf(objectOf(program), { mode }).runPacket('main', { bytes: frame });
  return resultIn(context);
}

export function resultIn(context: Uint8Array): bigint {
  return new DataView(context.buffer, context.byteOffset).getBigUint64(48, true);
}

/** The shortest thing that the kernel takes for a packet in a test run. */
export const frame: Uint8Array = Uint8Array.from({ length: 64 }, (_, at) => at === 12 ? 8 : 0);
