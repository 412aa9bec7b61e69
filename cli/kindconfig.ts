import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { parsePrefix } from '../lb/ip.ts';
import type { Fault } from '../lb/model.ts';
import { Reader } from '../sim/scenario/reader.ts';
import { defaultCluster } from '../sim/scenario/parse.ts';
import type { ClusterSpec, NodeSpec } from '../sim/scenario/spec.ts';
import { CommandEnd, exitCodes, usageError } from './exit.ts';

/** Of `networking` what only the real cluster needs: ports of the host, and what kind installs. */
const ignored = [
  'ipFamily', 'apiServerAddress', 'apiServerPort', 'disableDefaultCNI', 'kubeProxyMode',
  'dnsSearch',
];

/**
 * A kind cluster file (`kind.x-k8s.io/v1alpha4`) as a simulated cluster: number, roles and labels
 * of nodes, their names as kind gives them, the minor version of the node image, and subnets.
 */
export function readKindConfig(file: string): ClusterSpec {
  const faults: Fault[] = [];
  const cluster = clusterOf(new Reader(documentOf(file), '', faults));
  if (faults.length === 0) return cluster;
  throw usageError(faults.map(({ path, message }) => `${file}: ${path}: ${message}`).join('\n'));
}

function documentOf(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandEnd(exitCodes.usage, `${file}: ${why}`);
  }
}

function clusterOf(top: Reader): ClusterSpec {
  if (top.text('kind') !== 'Cluster') top.fault('kind', 'expected Cluster');
  if (top.text('apiVersion') !== 'kind.x-k8s.io/v1alpha4') {
    top.fault('apiVersion', 'expected kind.x-k8s.io/v1alpha4');
  }
  const name = top.text('name') ?? 'kind';
  const nodes = top.has('nodes')
    ? top.readers('nodes').map(readNode)
    : [{ role: 'control-plane', labels: {}, minor: undefined }];
  const counts = new Map<string, number>();
  const named = nodes.map(({ role, labels }): NodeSpec => {
    const count = (counts.get(role) ?? 0) + 1;
    counts.set(role, count);
    const suffix = count === 1 ? '' : String(count);
    return { name: `${name}-${role}${suffix}`, labels, controlPlane: role === 'control-plane' };
  });
  const networking = top.child('networking');
  for (const field of ignored) networking.raw(field);
  const podCidrs = subnets(networking, 'podSubnet');
  const serviceCidrs = subnets(networking, 'serviceSubnet');
  networking.finish();
  const usual = defaultCluster();
  return {
    ...usual,
    kubernetes: nodes.find(({ minor }) => minor !== undefined)?.minor ?? usual.kubernetes,
    nodes: named,
    ...(podCidrs.length > 0 && { podCidrs }),
    ...(serviceCidrs.length > 0 && { serviceCidrs }),
  };
}

interface KindNode {
  readonly role: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly minor: string | undefined;
}

function readNode(node: Reader): KindNode {
  const role = node.oneOf('role', ['control-plane', 'worker']) ?? 'control-plane';
  const labels = node.child('labels');
  const [, minor] = /:v(1\.\d{2})\./u.exec(node.text('image') ?? '') ?? [];
  return {
    role,
    labels: Object.fromEntries(labels.names().map((key) => [key, labels.text(key) ?? ''])),
    minor,
  };
}

function subnets(networking: Reader, field: string): string[] {
  const prefixes = (networking.text(field) ?? '').split(',').filter((each) => each !== '');
  for (const prefix of prefixes) {
    if (!parsePrefix(prefix).ok) networking.fault(field, `${prefix} is no prefix`);
  }
  return prefixes;
}
