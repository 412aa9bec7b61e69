import type { Command } from 'commander';
import { exitCodes, usageError } from './exit.ts';
import { withManifests } from './flags.ts';
import type { FolderFlags } from './folder.ts';
import type { Session } from './session.ts';

/** `fairlead bgp convert -f DIR`: legacy peering policies as the kinds of today. */
export function registerBgpConvert(bgp: Command, session: Session): void {
  withManifests(bgp.command('convert'))
    .description('CiliumBGPPeeringPolicies as v2 manifests; what has no equivalent goes to stderr')
    .action((flags: FolderFlags) => convert(session, flags));
}

async function convert(session: Session, flags: FolderFlags): Promise<void> {
  const { console } = session;
  const { convertedManifests } = await import('../bgp/convert.ts');
  const { createDecoder } = await import('../kube/decode.ts');
  const { readFolder } = await import('./folder.ts');
  const { modelOf } = await import('./foldermodel.ts');
  const { stringify } = await import('yaml');
  const model = modelOf(await readFolder(console, flags));
  const decoder = createDecoder();
  const policies = model.all.filter(({ object }) => object.kind === 'CiliumBGPPeeringPolicy');
  if (policies.length === 0) {
    throw usageError(`no CiliumBGPPeeringPolicy in ${flags.filename.join(', ')}`);
  }
  const nodes = model.nodes.map(({ value }) => value);
  const documents: string[] = [];
  for (const { file, object } of policies) {
    const decoded = decoder.bgpPeeringPolicy(object);
    if (!decoded.ok) {
      for (const { path, message } of decoded.error) {
        console.err(`error: ${file}: ${path}: ${message}\n`);
      }
      session.exitCode = exitCodes.notWell;
      continue;
    }
    const { manifests, warnings } = convertedManifests(decoded.value, nodes);
    for (const warning of warnings) console.err(`warning: ${warning}\n`);
    documents.push(...manifests.map((manifest) => stringify(manifest)));
  }
  console.out(documents.join('---\n'));
}
