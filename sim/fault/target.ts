import { parseIpUnmapped } from '../../lb/ip.ts';
import { compileSelector } from '../../lb/selector.ts';
import { parseSelectorText } from '../../lb/selector-text.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Reader } from '../scenario/reader.ts';
import { demand } from '../scenario/error.ts';

/** Picks node names when the fault strikes. */
export type NodeTarget = (cluster: Cluster) => readonly string[];

/**
 * Reads `node: NAME`, a list of names, `any`, `all`; `owner-of: ADDRESS`; or `labels: a=b`. An
 * address that nobody owns at that time picks no node. `usual` is meant when nothing is said.
 */
export function readNodeTarget(parameters: Reader, usual?: 'all'): NodeTarget {
  const owned = parameters.text('owner-of');
  const labels = parameters.text('labels');
  const names = parameters.texts('node');
  if (owned !== undefined) return ownerOf(parameters, owned);
  if (labels !== undefined) return labelled(parameters, labels);
  if (names.length === 0 && usual === undefined) {
    parameters.fault('node', 'is required: names, any, all; or owner-of: ADDRESS, labels: a=b');
  }
  return (cluster) => {
    const present = cluster.machines.names();
    if (names.length === 0 || names[0] === 'all') return present;
    if (names[0] === 'any') return [cluster.world.stream('faults').pick(present)];
    for (const name of names) {
      const known = `node ${name} of the scenario exists; there are ${present.join(', ')}`;
      demand(present.includes(name), known);
    }
    return names;
  };
}

function ownerOf(parameters: Reader, text: string): NodeTarget {
  const address = parseIpUnmapped(text);
  if (!address.ok) parameters.fault('owner-of', `${text} is not an address`);
  return (cluster) => (address.ok ? cluster.ownersOf(address.value).slice(0, 1) : []);
}

function labelled(parameters: Reader, text: string): NodeTarget {
  const parsed = parseSelectorText(text);
  const compiled = parsed.ok ? compileSelector(parsed.value) : undefined;
  if (compiled?.ok !== true) parameters.fault('labels', `${text} is no label selector`);
  return (cluster) =>
    cluster
      .nodes()
      .filter((node) => compiled?.ok === true && compiled.value(node.meta.labels))
      .map((node) => node.meta.name);
}

/**
 * Reads `target: agent/NODE | speaker/NODE | controller`, or a node target, which means that node's
 * agent.
 */
export function readProcessTarget(parameters: Reader): NodeTarget {
  const target = parameters.text('target');
  if (target === undefined || target === 'agent') {
    const nodes = readNodeTarget(parameters);
    return (cluster) => nodes(cluster).map((node) => `agent/${node}`);
  }
  if (!/^(?:controller(?:\/.+)?|(?:agent|speaker)\/.+)$/u.test(target)) {
    parameters.fault('target', 'expected agent/NODE, speaker/NODE or controller');
  }
  return () => [target];
}
