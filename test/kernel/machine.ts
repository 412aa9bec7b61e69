import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { loadAddon, type Addon } from '../../bpf/native.real.ts';
import { isRefused } from '../../bpf/refusal.real.ts';

/** The addon, or why this machine cannot run a test of the kernel. */
export type Machine = { readonly addon: Addon } | { readonly missing: string };

/** Looks once whether eBPF can be used here. */
export function machine(): Machine {
  const loaded = loadAddon();
  if (!loaded.ok) return { missing: loaded.error.text };
  if (process.getuid?.() !== 0) return { missing: 'tests of the kernel need root' };
  const map = loaded.value.mapCreate(1, 'probe', 4, 4, 1, 0);
  if (isRefused(map)) return { missing: `bpf(2) is refused with errno ${-map}` };
  loaded.value.close(map as never);
  if (!existsSync('/sys/kernel/btf/vmlinux')) return { missing: 'the kernel has no BTF' };
  return { addon: loaded.value };
}

/**
 * The addon for a test file whose tests are skipped where the machine cannot run them, which is
 * said once. With CI set nothing is skipped: what is missing fails the file.
 */
export function kernelTests(): { readonly addon: Addon; readonly skip: boolean } {
  const found = machine();
  if ('addon' in found) return { addon: found.addon, skip: false };
  if (process.env['CI'] !== undefined) throw new Error(found.missing);
  process.stderr.write(`tests of the kernel are skipped: ${found.missing}\n`);
  return { addon: undefined as unknown as Addon, skip: true };
}

/** Runs a command of the machine and gives its output; throws with what it said when it fails. */
export function run(command: string): string {
  const [program = '', ...words] = command.split(' ');
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
