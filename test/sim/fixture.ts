import { checkedPrograms } from '../vm/checked.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../kube/port.ts';
import { Cluster, type ClusterInput } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';

/** Objects of a YAML file, by a path from the root of the repository. */
export function manifestsOf(...files: readonly string[]): KubeObject[] {
  return files.flatMap((file) => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8');
    return parseAllDocuments(text).map((document): KubeObject => document.toJS());
  });
}

/** The cluster of the scenario files, converged. */
export function convergedCluster(
  objects: readonly KubeObject[], more: Partial<ClusterInput> = {},
): Cluster {
  const cluster = new Cluster({
    seed: 1n,
    cluster: defaultCluster(),
    network: undefined,
    objects,
    traffic: [],
    freeze: true,
    programs: checkedPrograms,
    ...more,
  });
  cluster.start();
  cluster.world.run(20_000_000);
  return cluster;
}
