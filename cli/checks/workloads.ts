import { Reader } from '../../kube/reader.ts';
import type { Labels, Service } from '../../lb/model.ts';
import { findingAt, type Finding } from '../finding.ts';
import type { FolderModel, Row } from '../foldermodel.ts';
import type { ManifestObject } from '../../kube/manifest.ts';

interface Workload {
  readonly namespace: string;
  readonly labels: Labels;
  readonly ports: readonly (string | undefined)[];
}

const withTemplates: ReadonlySet<string> = new Set([
  'Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet', 'ReplicationController', 'Job',
]);

/**
 * Services whose selector or port name finds nothing among the pods that the folder would make.
 * Says nothing where the folder has no workloads, or where the Service has slices of its own.
 */
export function workloadFindings(model: FolderModel): Finding[] {
  const look = lookIn(model);
  return model.services.flatMap(look);
}

/** The same for one Service. */
export function serviceBackendFindings(model: FolderModel, row: Row<Service>): Finding[] {
  return lookIn(model)(row);
}

function lookIn(model: FolderModel): (row: Row<Service>) => Finding[] {
  const workloads = model.all.flatMap(workloadOf);
  const sliced = new Set(model.slices.map(({ value }) => value.service));
  return (row) => {
    const { selector, key, type } = row.value;
    const selecting = Object.keys(selector).length > 0 && type !== 'ExternalName';
    const judged = selecting && workloads.length > 0 && !sliced.has(key);
    return judged ? serviceFindings(row, workloads) : [];
  };
}

function serviceFindings(row: Row<Service>, workloads: readonly Workload[]): Finding[] {
  const { value: service, place } = row;
  const pods = workloads.filter(({ namespace, labels }) =>
    namespace === service.meta.namespace &&
    Object.entries(service.selector).every(([key, value]) => labels[key] === value));
  if (pods.length === 0) {
    return [findingAt(place, {
      severity: 'warning',
      code: 'NoEndpointSlice',
      path: 'spec.selector',
      message: 'selects no pod of a workload of the folder',
    })];
  }
  return targetNames(place).flatMap(({ name, path }) => {
    if (pods.some(({ ports }) => ports.includes(name))) return [];
    const message = `no selected container has a port named ${name}`;
    return [findingAt(place, { severity: 'warning', code: 'PortNameMismatch', path, message })];
  });
}

function targetNames({
  object,
}: ManifestObject): { readonly name: string; readonly path: string }[] {
  const spec = Reader.of(object, [])?.child('spec');
  const targets = spec?.items('ports', (port) => ({ target: port.raw('targetPort') })) ?? [];
  return targets.flatMap(({ target }, index) =>
    typeof target === 'string' && !/^[0-9]+$/u.test(target)
      ? [{ name: target, path: `spec.ports[${index}].targetPort` }]
      : []);
}

function workloadOf({ object }: ManifestObject): Workload[] {
  const root = Reader.of(object, []);
  const pod = object.kind === 'Pod' ? root
    : withTemplates.has(object.kind ?? '') ? root?.child('spec')?.child('template') : undefined;
  if (pod === undefined) return [];
  const containers = pod.child('spec')?.items('containers', (container) =>
    container.items('ports', (port) => ({ name: port.text('name') }))) ?? [];
  return [{
    namespace: object.metadata?.namespace ?? 'default',
    labels: pod.child('metadata')?.labels('labels') ?? {},
    ports: containers.flat().map(({ name }) => name),
  }];
}
