import { Option, type Command } from 'commander';
import { withConfig, sourcesOf, type ConfigFlags } from './daemon/configflags.ts';
import { usageError } from './exit.ts';
import type { Session } from './session.ts';

/** Steps of taking fairlead off a cluster, in order. */
export const removalSteps = ['workloads', 'nodes', 'rest'] as const;

export type RemovalStep = (typeof removalSteps)[number];

interface UninstallFlags extends ConfigFlags {
  readonly print?: boolean;
  readonly step?: RemovalStep;
  readonly image?: string;
  readonly crds?: boolean;
  readonly node?: boolean;
  readonly force?: boolean;
  readonly stay?: boolean;
  readonly kubeProxyRules?: boolean;
}

/** `fairlead uninstall --print` for the cluster, `fairlead uninstall --node` for this machine. */
export function registerUninstall(program: Command, session: Session): void {
  withConfig(program.command('uninstall'))
    .description('objects to delete, in order; or, with --node, all of fairlead in this kernel')
    .option('--print', 'print the objects of a step, or how to go through the steps')
    .addOption(new Option('--step <step>', 'workloads and rest are deleted, nodes is applied')
      .choices(removalSteps))
    .option('--image <reference>', 'image that cleans the nodes, where it is not the usual one')
    .option('--crds', 'the definitions of the eight kinds too, and with them every object of them')
    .option('--node', 'clean this node: links, pins, sysctls, sockets and its Leases')
    .option('--force', 'also while the agent runs')
    .option('--stay', 'then wait for a signal, so that a rollout can be seen')
    .option('--kube-proxy-rules', 'what kube-proxy left in iptables, nftables and IPVS too')
    .action(async (flags: UninstallFlags) => {
      if (flags.print === true && flags.node !== true) return print(session, flags);
      if (flags.node !== true || flags.print === true) {
        throw usageError('uninstall needs --print for the cluster or --node for this machine');
      }
      const { cleanNode } = await import('./cleannode.ts');
      return cleanNode(session, flags, sourcesOf(session, flags));
    });
}

async function print({ console }: Session, flags: UninstallFlags): Promise<void> {
  if (flags.step === undefined) {
    console.out(walkthrough(flags.crds === true ? ' --crds' : ''));
    return;
  }
  const { removalObjects } = await import('./manifests/removal.ts');
  const { yamlOf } = await import('./manifests/files.ts');
  const { step, image, crds = false } = flags;
  const objects = removalObjects(step, { image, crds });
  if (!objects.ok) throw usageError(objects.error);
  console.out(objects.value.map(yamlOf).join('---\n'));
}

function walkthrough(crds: string): string {
  const step = (name: RemovalStep, then: string): string => (
    `fairlead uninstall --print --step ${name}${name === 'rest' ? crds : ''} | kubectl ${then}\n`
  );
  return step('workloads', 'delete --ignore-not-found -f -')
    + step('nodes', 'apply --server-side -f -')
    + 'kubectl rollout status -n fairlead-system daemonset/fairlead-cleaner\n'
    + step('rest', 'delete --ignore-not-found -f -');
}
