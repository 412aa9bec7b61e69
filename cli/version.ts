import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Session } from './session.ts';

/** `fairlead version`: what runs here. */
export function registerVersion(program: Command, { console }: Session): void {
  program
    .command('version')
    .description('version of this client and of the Node that runs it')
    .option('--client', 'do not ask a cluster')
    .action(() => {
      console.out(`client ${clientVersion()}   node ${process.versions.node}\n`);
    });
}

/** The version that package.json states. */
export function clientVersion(): string {
  const file = join(import.meta.dirname, '..', 'package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown };
  return typeof version === 'string' ? version : '0.0.0';
}
