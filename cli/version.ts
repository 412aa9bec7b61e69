import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Session } from './session.ts';

/** `fairlead version`: what runs here. */
export function registerVersion(program: Command, { console }: Session): void {
  program
    .command('version')
    .description('versions of this client, its addon and programs, and of the Node that runs it')
    .option('--client', 'do not ask a cluster')
    .action(async () => {
      const { builtAddon } = await import('../bpf/addon/build.real.ts');
      const facts = [
        `client ${clientVersion()}`, `addon ${builtAddon() ?? 'absent'}`, `ebpf ${objectDigest()}`,
        `node ${process.versions.node}`,
      ];
      console.out(`${facts.join('   ')}\n`);
    });
}

/** The first eight digits of the SHA-256 of the programs that the kernel loads. */
function objectDigest(): string {
  const file = join(import.meta.dirname, '..', 'bpf', 'fairlead.bpf.o');
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 8);
}

/** The version that package.json states. */
export function clientVersion(): string {
  const file = join(import.meta.dirname, '..', 'package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown };
  return typeof version === 'string' ? version : '0.0.0';
}
