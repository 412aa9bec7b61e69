import { defaultCluster } from '../sim/scenario/parse.ts';
import type { ClusterSpec } from '../sim/scenario/spec.ts';
import { usageError } from './exit.ts';
import { wholeNumber } from './simrun.ts';

export interface ClusterFlags {
  /** Nodes to assume where the manifests have none. */
  readonly nodes: string;
  /** Settings as `key=value`. */
  readonly set?: readonly string[];
}

/** The cluster that a command assumes around a folder. */
export function clusterSpecOf(flags: ClusterFlags): ClusterSpec {
  const count = wholeNumber('--nodes', flags.nodes);
  if (count < 1 || count > 1000) throw usageError('--nodes takes 1 to 1000');
  const settings = Object.fromEntries((flags.set ?? []).map((text): [string, unknown] => {
    const equals = text.indexOf('=');
    if (equals < 1) throw usageError(`--set takes KEY=VALUE, not '${text}'`);
    const value = text.slice(equals + 1);
    return [text.slice(0, equals), value === 'true' ? true : value === 'false' ? false : value];
  }));
  const nodes = Array.from({ length: count }, (_, index) => ({
    name: `node-${index + 1}`, labels: {}, controlPlane: false,
  }));
  return { ...defaultCluster(), nodes, settings };
}
