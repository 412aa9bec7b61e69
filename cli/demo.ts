import { Option, type Command } from 'commander';
import { join } from 'node:path';
import { usageError } from './exit.ts';
import { paintOf } from './output.ts';
import { withFailures, type WhatIfFlags } from './whatif.ts';
import type { Session } from './session.ts';

export type DemoFlags = Omit<WhatIfFlags, 'filename'> & {
  readonly filename?: readonly string[];
  readonly bgp?: boolean;
};

const examples = join(import.meta.dirname, '..', 'kind', 'examples');
/** The homelab, and one Service that has to wait for an address. */
const ownFolder = [join(examples, 'homelab'), join(examples, 'pending.yaml')];
/** Two racks that tell their routers. */
const rackFolder = [join(examples, 'bgp-rack')];

/**
 * `npm start`: boots a folder, shows it, breaks it, and says what happened and what to try next.
 */
export function registerDemo(program: Command, session: Session): void {
  const command = withFailures(
    program
      .command('demo')
      .description(
        "boot the example homelab (or -f DIR), cut a node's power, and show what clients see",
      )
      .option(
        '-f, --filename <path...>',
        'file, folder, or - for stdin; the homelab example unless given',
      ),
  )
    .option('--bgp', 'the example racks, whose nodes tell routers; one of these loses power')
    .addOption(new Option('--seed <n>', 'placement').default('0'));
  command.action(async (flags: DemoFlags) => {
    const { console } = session;
    if (flags.anySingleFailure === true)
      throw usageError('the demo shows one failure; for all of them use fairlead sim what-if');
    const { readObjects } = await import('./scenariofile.ts');
    const { showDemo } = await import('./demostory.ts');
    const own = flags.bgp === true ? rackFolder : ownFolder;
    const objects = await readObjects(console, flags.filename ?? own);
    const example = flags.bgp === true
      ? 'kind/examples/bgp-rack'
      : 'kind/examples/homelab, with one more Service';
    const shown = flags.filename?.join(' ') ?? example;
    showDemo(console, { objects, shown, flags, paint: paintOf(console, command) });
  });
}
