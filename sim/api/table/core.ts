import { compareText } from '../../../lb/table.ts';
import type { KubeObject } from '../../../kube/port.ts';
import { listOf, objectOf, textOf, type JsonObject } from '../json.ts';
import { ageOf } from './age.ts';
import {
  ageColumn, at, count, countAt, entriesAt, labelsText, nameColumn, none, text, textAt, wide,
  type Column,
} from './column.ts';
import { podReady, podRestarts, podStatus } from './pod.ts';

/** Columns of the core group, by kind (k8s.io/kubernetes/pkg/printers, as of 1.32). */
export const coreColumns: Readonly<Record<string, readonly Column[]>> = {
  Service: [
    nameColumn,
    text('Type', (object) => textAt(object, ['spec', 'type'], '')),
    text('Cluster-IP', (object) => textOf(listOf(at(object, 'spec', 'clusterIPs'))[0]) ?? none),
    text('External-IP', externalIps),
    text('Port(s)', portsText),
    ageColumn,
    wide(text('Selector', (object) => labelsText(at(object, 'spec', 'selector')))),
  ],
  Endpoints: [nameColumn, text('Endpoints', endpointsText), ageColumn],
  Node: [
    nameColumn,
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    ageColumn,
    text('Version', (object) => textAt(object, [...nodeInfo, 'kubeletVersion'], '')),
    wide(text('Internal-IP', (object) => nodeAddress(object, 'InternalIP'))),
    wide(text('External-IP', (object) => nodeAddress(object, 'ExternalIP'))),
    wide(text('OS-Image', (object) => nodeFact(object, 'osImage'))),
    wide(text('Kernel-Version', (object) => nodeFact(object, 'kernelVersion'))),
    wide(text('Container-Runtime', (object) => nodeFact(object, 'containerRuntimeVersion'))),
  ],
  Pod: [
    nameColumn,
    text('Ready', podReady),
    text('Status', podStatus),
    { name: 'Restarts', type: 'string', priority: 0, cell: podRestarts },
    ageColumn,
    wide(text('IP', (object) => textAt(entriesAt(object, 'status', 'podIPs')[0], ['ip'], none))),
    wide(text('Node', (object) => textAt(object, ['spec', 'nodeName'], none))),
    wide(text('Nominated Node', (object) => textAt(object, ['status', 'nominatedNodeName'], none))),
    wide(text('Readiness Gates', readinessGates)),
  ],
  Namespace: [
    nameColumn, text('Status', (object) => textAt(object, ['status', 'phase'], '')), ageColumn,
  ],
  ConfigMap: [nameColumn, count('Data', entryCount), ageColumn],
  Secret: [
    nameColumn, text('Type', (object) => textAt(object, ['type'], '')), count('Data', entryCount),
    ageColumn,
  ],
  ServiceAccount: [
    nameColumn, count('Secrets', (object) => listOf(object['secrets']).length), ageColumn,
  ],
  Event: [
    { name: 'Last Seen', type: 'string', priority: 0, cell: lastSeen },
    text('Type', (object) => textAt(object, ['type'], '')),
    text('Reason', (object) => textAt(object, ['reason'], '')),
    text('Object', involved),
    wide(text('Subobject', (object) => textAt(object, ['involvedObject', 'fieldPath'], ''))),
    wide(text('Source', eventSource)),
    text('Message', (object) => textAt(object, ['message'], '').trim()),
    wide({ name: 'First Seen', type: 'string', priority: 0, cell: firstSeen }),
    wide(count('Count', eventCount)),
    wide(nameColumn),
  ],
};

function externalIps(service: KubeObject): string {
  const spec = objectOf(service['spec']) ?? {};
  const fixed = listOf(spec['externalIPs']).map(String);
  switch (spec['type']) {
    case 'ExternalName': return textAt(spec, ['externalName'], '');
    case 'LoadBalancer': {
      const given = entriesAt(service, 'status', 'loadBalancer', 'ingress').flatMap(
        ({ ip, hostname }) => textOf(ip) ?? textOf(hostname) ?? [],
      );
      const all = [...[...new Set(given)].sort(compareText), ...fixed];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default: return fixed.length === 0 ? none : fixed.join(',');
  }
}

function portsText(service: KubeObject): string {
  const ports = entriesAt(service, 'spec', 'ports').map(({ port, nodePort, protocol }) => {
    const outer = typeof nodePort === 'number' && nodePort > 0 ? `:${nodePort}` : '';
    return `${Number(port)}${outer}/${textOf(protocol) ?? 'TCP'}`;
  });
  return ports.length === 0 ? none : ports.join(',');
}

/** Addresses that are shown before the rest is counted. */
const endpointsMax = 3;

function endpointsText(endpoints: KubeObject): string {
  const all = entriesAt(endpoints, 'subsets').flatMap((subset) =>
    entriesAt(subset, 'ports').flatMap(({ port }) =>
      entriesAt(subset, 'addresses').map(({ ip }) => `${String(ip)}:${String(port)}`)));
  const shown = all.slice(0, endpointsMax).join(',');
  if (all.length === 0) return none;
  return all.length > endpointsMax ? `${shown} + ${all.length - endpointsMax} more...` : shown;
}

function nodeStatus(node: KubeObject): string {
  const ready = entriesAt(node, 'status', 'conditions').find(({ type }) => type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return at(node, 'spec', 'unschedulable') === true ? `${word},SchedulingDisabled` : word;
}

const rolePrefix = 'node-role.kubernetes.io/';

function nodeRoles(node: KubeObject): string {
  const labels = objectOf(at(node, 'metadata', 'labels')) ?? {};
  const roles = Object.keys(labels).flatMap((key) => {
    if (key.startsWith(rolePrefix)) return key.slice(rolePrefix.length);
    return key === 'kubernetes.io/role' ? textOf(labels[key]) ?? [] : [];
  });
  const sorted = [...new Set(roles.filter((role) => role !== ''))].sort(compareText);
  return sorted.length === 0 ? none : sorted.join(',');
}

const nodeInfo: readonly string[] = ['status', 'nodeInfo'];

function nodeFact(node: KubeObject, name: string): string {
  return textAt(node, [...nodeInfo, name], '<unknown>');
}

function nodeAddress(node: KubeObject, type: string): string {
  const addresses = entriesAt(node, 'status', 'addresses');
  return textAt(addresses.find((entry) => entry['type'] === type), ['address'], none);
}

function readinessGates(pod: KubeObject): string {
  const gates = entriesAt(pod, 'spec', 'readinessGates');
  if (gates.length === 0) return none;
  const conditions = entriesAt(pod, 'status', 'conditions');
  const passed = gates.filter(({ conditionType }) =>
    conditions.some(({ type, status }) => type === conditionType && status === 'True'));
  return `${passed.length}/${gates.length}`;
}

function entryCount(object: KubeObject): number {
  return ['data', 'binaryData'].reduce(
    (sum, field) => sum + Object.keys(objectOf(object[field]) ?? {}).length, 0,
  );
}

function involved(event: KubeObject): string {
  const { kind, name } = objectOf(event['involvedObject']) ?? {};
  const subject = (textOf(kind) ?? '').toLowerCase();
  return textOf(name) === undefined ? subject : `${subject}/${String(name)}`;
}

function eventSource(event: KubeObject): string {
  const component = textAt(event, ['source', 'component'], '')
    || textAt(event, ['reportingComponent'], '');
  const host = textAt(event, ['source', 'host'], '');
  return host === '' ? component : `${component}, ${host}`;
}

function eventCount(event: KubeObject): number {
  const series = objectOf(event['series']);
  return series === undefined ? countAt(event, 'count') || 1 : countAt(series, 'count');
}

function firstSeen(event: KubeObject, wall: number): string {
  return ageOf(firstTime(event), wall);
}

function lastSeen(event: KubeObject, wall: number): string {
  const series = objectOf(event['series']);
  const last: JsonObject = { at: at(series, 'lastObservedTime') ?? event['lastTimestamp'] };
  return ageOf(last['at'] ?? firstTime(event), wall);
}

function firstTime(event: KubeObject): unknown {
  return event['firstTimestamp'] ?? event['eventTime'];
}
