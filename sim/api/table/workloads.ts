import type { KubeObject } from '../../../kube/port.ts';
import {
  ageColumn, at, count, countAt, createdColumn, entriesAt, labelsText, nameColumn, none,
  selectorText, text, textAt, wide, type Column,
} from './column.ts';

const images: readonly Column[] = [
  wide(text('Containers', (object) => containersText(object, 'name'))),
  wide(text('Images', (object) => containersText(object, 'image'))),
];
const selector = wide(text('Selector', (object) => selectorText(at(object, 'spec', 'selector'))));

/** Columns of the other built-in groups, by kind (k8s.io/kubernetes/pkg/printers, as of 1.32). */
export const groupColumns: Readonly<Record<string, readonly Column[]>> = {
  Deployment: [
    nameColumn,
    text('Ready', (object) =>
      `${countAt(object, 'status', 'readyReplicas')}/${countAt(object, 'spec', 'replicas')}`),
    count('Up-to-date', (object) => countAt(object, 'status', 'updatedReplicas')),
    count('Available', (object) => countAt(object, 'status', 'availableReplicas')),
    ageColumn, ...images, selector,
  ],
  ReplicaSet: [
    nameColumn,
    count('Desired', (object) => countAt(object, 'spec', 'replicas')),
    count('Current', (object) => countAt(object, 'status', 'replicas')),
    count('Ready', (object) => countAt(object, 'status', 'readyReplicas')),
    ageColumn, ...images, selector,
  ],
  DaemonSet: [
    nameColumn,
    count('Desired', (object) => countAt(object, 'status', 'desiredNumberScheduled')),
    count('Current', (object) => countAt(object, 'status', 'currentNumberScheduled')),
    count('Ready', (object) => countAt(object, 'status', 'numberReady')),
    count('Up-to-date', (object) => countAt(object, 'status', 'updatedNumberScheduled')),
    count('Available', (object) => countAt(object, 'status', 'numberAvailable')),
    text('Node Selector', (object) =>
      labelsText(at(object, 'spec', 'template', 'spec', 'nodeSelector'))),
    ageColumn, ...images, selector,
  ],
  StatefulSet: [
    nameColumn,
    text('Ready', (object) =>
      `${countAt(object, 'status', 'readyReplicas')}/${countAt(object, 'spec', 'replicas')}`),
    ageColumn, ...images,
  ],
  EndpointSlice: [
    nameColumn,
    text('AddressType', (object) => textAt(object, ['addressType'], '')),
    text('Ports', (object) => shortList(entriesAt(object, 'ports').map(({ port, name }) =>
      (typeof port === 'number' ? String(port) : typeof name === 'string' ? name : '*')))),
    text('Endpoints', (object) => shortList(entriesAt(object, 'endpoints').flatMap((endpoint) => {
      const { addresses } = endpoint;
      return Array.isArray(addresses) ? addresses.map(String) : [];
    }))),
    ageColumn,
  ],
  Lease: [
    nameColumn,
    text('Holder', (object) => textAt(object, ['spec', 'holderIdentity'], '')),
    ageColumn,
  ],
  PodDisruptionBudget: [
    nameColumn,
    text('Min Available', (object) => bound(object, 'minAvailable')),
    text('Max Unavailable', (object) => bound(object, 'maxUnavailable')),
    count('Allowed Disruptions', (object) => countAt(object, 'status', 'disruptionsAllowed')),
    ageColumn,
  ],
  RoleBinding: [nameColumn, text('Role', roleText), ageColumn],
  ClusterRoleBinding: [nameColumn, text('Role', roleText), ageColumn],
  Role: [nameColumn, createdColumn],
  ClusterRole: [nameColumn, createdColumn],
  CustomResourceDefinition: [nameColumn, createdColumn],
};

function containersText(object: KubeObject, field: 'name' | 'image'): string {
  return entriesAt(object, 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, [field], ''))
    .join(',');
}

/** Entries that are shown before the rest is counted. */
const shownMax = 3;

function shortList(all: readonly string[]): string {
  if (all.length === 0) return '<unset>';
  const shown = all.slice(0, shownMax).join(',');
  return all.length > shownMax ? `${shown} + ${all.length - shownMax} more...` : shown;
}

function bound(budget: KubeObject, field: string): string {
  const value = at(budget, 'spec', field);
  return typeof value === 'number' || typeof value === 'string' ? String(value) : 'N/A';
}

function roleText(binding: KubeObject): string {
  const kind = textAt(binding, ['roleRef', 'kind'], '');
  return `${kind}/${textAt(binding, ['roleRef', 'name'], none)}`;
}
