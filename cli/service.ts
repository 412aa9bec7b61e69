import { Option, type Command } from 'commander';
import type { ClusterFlags } from './clusterspec.ts';
import { exitCodes } from './exit.ts';
import type { ServiceExplanation } from './explanation.ts';
import { withLive, type LiveFlags } from './cluster.ts';
import { withCluster, withManifestsOrLive } from './flags.ts';
import type { FolderModel } from './foldermodel.ts';
import { serviceNamed, withNamespace, type NamespaceFlags } from './namespace.ts';
import { absent, paintOf, printDocument, type Format } from './output.ts';
import { registerServiceList } from './servicelist.ts';
import type { Session } from './session.ts';

interface ExplainFlags extends LiveFlags, NamespaceFlags, ClusterFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly all?: boolean;
  readonly output: Format;
}

/** `fairlead service explain`: the first broken link between a Service and its clients. */
export function registerService(program: Command, session: Session): void {
  const service = program
    .command('service')
    .alias('svc')
    .description('Services: their frontends, and why one works or does not');
  registerServiceList(service, session);
  const explain = withLive(withCluster(withManifestsOrLive(
    withNamespace(service.command('explain')),
  )))
    .description('walk the chain from allocation to datapath, to the first broken link')
    .argument('<name>', 'NAME, NS/NAME or svc/NAME')
    .option('--all', 'walk on after a broken link')
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(['table', 'json', 'yaml']).default('table').env('FAIRLEAD_OUTPUT'));
  explain.action(async (name: string, flags: ExplainFlags) => {
    const { console } = session;
    const { chainHolds, explanationText, stopAtFirstFault } = await import('./explanation.ts');
    const whole = await explanationOf(session, name, flags);
    const explanation = flags.all === true
      ? whole
      : { ...whole, steps: stopAtFirstFault(whole.steps) };
    if (flags.output === 'json' || flags.output === 'yaml') {
      await printDocument(console, flags.output, {
        kind: 'ServiceExplanation',
        source: explanation.source,
        items: [explanation],
        warnings: [],
      });
    } else {
      console.out(explanationText(explanation, paintOf(console, explain)));
    }
    session.exitCode = chainHolds(explanation) ? exitCodes.ok : exitCodes.notWell;
  });
}

async function explanationOf(
  { console }: Session, name: string, flags: ExplainFlags,
): Promise<ServiceExplanation> {
  const { filename } = flags;
  if (filename !== undefined) {
    const { bootFolder } = await import('./bootfolder.ts');
    const { modelOf } = await import('./foldermodel.ts');
    const { explainRun } = await import('./explainrun.ts');
    const { manifests, cluster } = await bootFolder(console, { ...flags, filename });
    const key = serviceNamed(name, flags);
    return explainRun(cluster, key) ?? await noService(key, modelOf(manifests));
  }
  const { onCluster } = await import('./cluster.ts');
  return onCluster(console, flags, async (cluster) => {
    const { liveModel } = await import('./livemodel.ts');
    const { explainLive } = await import('./explainlive.ts');
    const live = await liveModel(cluster, 'all');
    for (const warning of live.warnings) console.err(`warning: ${warning}\n`);
    const { namespace = cluster.namespace } = flags;
    const key = serviceNamed(name, { namespace });
    return explainLive(live, key) ?? await noService(key, live.model);
  });
}

async function noService(key: string, model: FolderModel): Promise<never> {
  const { nearestNames } = await import('./nearest.ts');
  const known = model.services.map(({ value }) => value.key);
  const sameName = known.filter((other) => other.endsWith(`/${key.split('/')[1]}`));
  throw absent(`Service ${key}`, [...new Set([...sameName, ...nearestNames(key, known)])]);
}
