import type { Manifests } from '../kube/manifest.ts';
import type { Cluster } from '../sim/cluster/cluster.ts';
import { bootCluster } from '../sim/report/whatif.ts';
import { clusterSpecOf, type ClusterFlags } from './clusterspec.ts';
import type { Console } from './console.ts';
import { readFolder, type FolderFlags } from './folder.ts';
import { faultText } from './finding.ts';

/** A folder and the cluster that it makes, run with seed 0 until it rests (interface.md 6). */
export interface BootedFolder {
  readonly manifests: Manifests;
  readonly cluster: Cluster;
}

/** Reads manifests and boots them; what could not be read or stored is told on stderr. */
export async function bootFolder(
  console: Console,
  flags: FolderFlags & ClusterFlags,
): Promise<BootedFolder> {
  const manifests = await readFolder(console, flags);
  for (const { file, line, column, message } of manifests.faults) {
    console.err(`warning: ${file}:${line}:${column}: ${message}\n`);
  }
  const cluster = bootCluster({
    objects: manifests.objects.map(({ object }) => object),
    cluster: clusterSpecOf(flags),
    network: undefined,
    seed: 0n,
  });
  for (const { object, faults } of cluster.faults) {
    const name = `${object?.kind ?? ''} ${object?.metadata?.name ?? ''}`.trim();
    for (const fault of faults) console.err(`warning: ${name}: ${faultText(fault)}\n`);
  }
  return { manifests, cluster };
}
