import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObjectHandle } from '../../../bpf/native.real.ts';
import { isRefused } from '../../../bpf/refusal.real.ts';
import { machine, type Machine } from '../../kernel/machine.ts';
import { root } from '../../tidy/sources.ts';
import { toolPath } from './tools.ts';

let found: Machine | undefined;

/** The machine's eBPF, looked up once: the addon is compiled on the way. */
export function kernelMachine(): Machine {
  found ??= machine();
  return found;
}

/** Why a figure that needs the kernel and `tools` cannot be taken here; undefined: it can. */
export function missingFor(...tools: readonly string[]): string | undefined {
  const machineFound = kernelMachine();
  if ('missing' in machineFound) return machineFound.missing;
  const tool = tools.find((name) => toolPath(name) === undefined);
  return tool === undefined ? undefined : `${tool} is not installed`;
}

let programs: ReadonlySet<string> | undefined;

/** Names of the programs of the shipped object. */
export function objectPrograms(): ReadonlySet<string> {
  if (programs !== undefined) return programs;
  const machineFound = kernelMachine();
  if ('missing' in machineFound) return new Set();
  const { addon } = machineFound;
  const object = addon.objectOpen(readFileSync(join(root, 'bpf/fairlead.bpf.o')));
  if (isRefused(object)) throw new Error(`the object does not open: errno ${-object}`);
  programs = new Set(addon.objectPrograms(object as ObjectHandle).map(({ name }) => name));
  addon.close(object as ObjectHandle);
  return programs;
}

/** Why figures about `names` cannot be taken; undefined: the object has them all. */
export function missingPrograms(names: readonly string[]): string | undefined {
  const name = names.find((program) => !objectPrograms().has(program));
  return name === undefined ? undefined : `the object has no ${name}`;
}
