import { Option, type Command } from 'commander';
import type { ClusterFlags } from './clusterspec.ts';
import { exitCodes } from './exit.ts';
import type { FolderFlags } from './folder.ts';
import { serviceNamed, withNamespace, type NamespaceFlags } from './namespace.ts';
import { absent, paintOf, printDocument, type Format } from './output.ts';
import type { Session } from './session.ts';

interface ExplainFlags extends FolderFlags, NamespaceFlags, ClusterFlags {
  readonly all?: boolean;
  readonly output: Format;
}

/** `fairlead service explain`: the first broken link between a Service and its clients. */
export function registerService(program: Command, session: Session): void {
  const service = program
    .command('service')
    .alias('svc')
    .description('Services: why one works or does not');
  const explain = withNamespace(service.command('explain'))
    .description('walk the chain from allocation to datapath, to the first broken link')
    .argument('<name>', 'NAME, NS/NAME or svc/NAME')
    .requiredOption('-f, --filename <path...>', 'file, folder, or - for stdin')
    .option('-R, --recursive', 'folders below as well')
    .option('--all', 'walk on after a broken link')
    .option('--nodes <n>', 'nodes to assume where the folder has none', '3')
    .option('--set <key=value...>', 'a setting, as in fairlead-config')
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(['table', 'json', 'yaml']).default('table').env('FAIRLEAD_OUTPUT'));
  explain.action(async (name: string, flags: ExplainFlags) => {
    const { console } = session;
    const { readFolder } = await import('./folder.ts');
    const { modelOf } = await import('./foldermodel.ts');
    const { clusterSpecOf } = await import('./clusterspec.ts');
    const { explainRun } = await import('./explainrun.ts');
    const { chainHolds, explanationText, stopAtFirstFault } = await import('./explanation.ts');
    const { bootCluster } = await import('../sim/report/whatif.ts');
    const manifests = await readFolder(console, flags);
    const objects = manifests.objects.map(({ object }) => object);
    const cluster = clusterSpecOf(flags);
    const key = serviceNamed(name, flags);
    const whole = explainRun(bootCluster({ objects, cluster, network: undefined, seed: 0n }), key);
    if (whole === undefined) {
      const model = modelOf(manifests);
      const { nearestNames } = await import('./nearest.ts');
      const known = model.services.map(({ value }) => value.key);
      const sameName = known.filter((other) => other.endsWith(`/${key.split('/')[1]}`));
      throw absent(`Service ${key}`, [...new Set([...sameName, ...nearestNames(key, known)])]);
    }
    const explanation = flags.all === true
      ? whole
      : { ...whole, steps: stopAtFirstFault(whole.steps) };
    if (flags.output === 'json' || flags.output === 'yaml') {
      await printDocument(console, flags.output, {
        kind: 'ServiceExplanation',
        source: 'manifests',
        items: [explanation],
        warnings: [],
      });
    } else {
      console.out(explanationText(explanation, paintOf(console, explain)));
    }
    session.exitCode = chainHolds(explanation) ? exitCodes.ok : exitCodes.notWell;
  });
}
