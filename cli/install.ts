import { Option, type Command } from 'commander';
import { usageError } from './exit.ts';
import { repeated } from './flags.ts';
import type { Session } from './session.ts';

/** What can be installed; each but `base` is an overlay of it. */
export const profiles = [
  'base', 'kind', 'l2', 'bgp', 'monitoring', 'strict', 'legacy', 'hardened',
] as const;

export type Profile = (typeof profiles)[number];

interface InstallFlags {
  readonly print?: boolean;
  readonly profile: Profile;
  readonly set?: readonly string[];
}

/**
 * `fairlead install --print`: manifests for `kubectl apply --server-side -f -`. Applying stays with
 * kubectl and GitOps, which own permissions and drift (interface.md 4.10).
 */
export function registerInstall(program: Command, session: Session): void {
  program.command('install')
    .description('manifests to pipe to kubectl apply --server-side -f -')
    .option('--print', 'print them; nothing else is done here')
    .addOption(new Option('--profile <name>', 'which overlay').choices(profiles)
      .default('base').env('FAIRLEAD_PROFILE'))
    .option(
      '--set <key=value>', 'image, bgp.secrets, or a setting of fairlead-config; repeatable',
      repeated,
    )
    .action(async (flags: InstallFlags) => {
      if (flags.print !== true) {
        throw usageError('install needs --print; pipe it to kubectl apply --server-side -f -');
      }
      const { parseChoice } = await import('./manifests/choices.ts');
      const { profileObjects } = await import('./manifests/profile.ts');
      const { yamlOf } = await import('./manifests/files.ts');
      const choices = (flags.set ?? []).map((text) => {
        const choice = parseChoice(text);
        if (!choice.ok) throw usageError(choice.error);
        return choice.value;
      });
      const objects = profileObjects(flags.profile, choices);
      if (!objects.ok) throw usageError(objects.error);
      session.console.out(objects.value.map(yamlOf).join('---\n'));
    });
}
