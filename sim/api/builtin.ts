import type { Fault } from '../../lb/model.ts';
import type { KubeObject } from '../../kube/port.ts';
import { parseTimeMs } from '../../lb/time.ts';
import { base64OfText } from './base64.ts';
import { budgetFaults } from './budget.ts';
import { definitionFaults } from './definition/definition.ts';
import { goValue } from './govalue.ts';
import { equalJson, listOf, objectOf, omit, type JsonObject } from './json.ts';

const podGraceSeconds = 30;

/** Defaults of built-in kinds beside Service (A12); what clients here never read is left out. */
export function defaultBuiltIn(object: KubeObject): KubeObject {
  switch (object.kind) {
    case 'Pod': return withSpec(object, podDefaults(specOf(object)));
    case 'Deployment': return withSpec(object, { ...deploymentDefaults, ...specOf(object) });
    case 'ReplicaSet': return withSpec(object, { replicas: 1, ...specOf(object) });
    case 'DaemonSet': return withSpec(object, { ...daemonSetDefaults, ...specOf(object) });
    case 'StatefulSet': return withSpec(object, { ...statefulSetDefaults, ...specOf(object) });
    case 'EndpointSlice': return withPortDefaults(object);
    case 'Secret': return secretDefaults(object);
    case undefined: default: return object;
  }
}

const rollingUpdate = 'RollingUpdate';
const deploymentDefaults = {
  replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600,
  strategy: { type: rollingUpdate, rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
};
const daemonSetDefaults = {
  revisionHistoryLimit: 10,
  updateStrategy: { type: rollingUpdate, rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
};
const statefulSetDefaults = {
  replicas: 1, podManagementPolicy: 'OrderedReady', revisionHistoryLimit: 10,
  updateStrategy: { type: rollingUpdate, rollingUpdate: { partition: 0 } },
};

/** The spec of an object, empty where it has none. */
export function specOf(object: KubeObject | undefined): JsonObject {
  return objectOf(object?.['spec']) ?? {};
}

function withSpec(object: KubeObject, spec: JsonObject): KubeObject {
  return { ...object, spec };
}

function podDefaults(spec: JsonObject): JsonObject {
  return { restartPolicy: 'Always', terminationGracePeriodSeconds: podGraceSeconds, ...spec };
}

function withPortDefaults(slice: KubeObject): KubeObject {
  const ports = listOf(slice['ports']).map(
    (port) => ({ name: '', protocol: 'TCP', ...objectOf(port) }),
  );
  return slice['ports'] === undefined ? slice : { ...slice, ports };
}

// stringData is write-only: it ends up in data, encoded.
function secretDefaults(secret: KubeObject): KubeObject {
  const plain = objectOf(secret['stringData']);
  const type = secret['type'] ?? 'Opaque';
  if (plain === undefined) return secret['type'] === undefined ? { ...secret, type } : secret;
  const encoded: Record<string, unknown> = { ...objectOf(secret['data']) };
  for (const key of Object.keys(plain)) encoded[key] = base64OfText(String(plain[key]));
  return { ...omit(secret, ['stringData']), type, data: encoded };
}

/** Validation of built-in kinds beside Service: what a client of ours could get wrong (A10). */
export function builtInFaults(object: KubeObject, before: KubeObject | undefined): Fault[] {
  switch (object.kind) {
    case 'Lease': return leaseFaults(specOf(object));
    case 'EndpointSlice': return sliceFaults(object, before);
    case 'Node': return nodeFaults(specOf(object), before);
    case 'Event': return eventFaults(object);
    case 'CustomResourceDefinition': return definitionFaults(object, before);
    case 'PodDisruptionBudget': return budgetFaults(specOf(object));
    case 'Deployment': case 'ReplicaSet': case 'DaemonSet': case 'StatefulSet':
      return workloadFaults(specOf(object), before);
    case undefined: default: return [];
  }
}

function leaseFaults(spec: JsonObject): Fault[] {
  const faults: Fault[] = [];
  const duration = spec['leaseDurationSeconds'];
  if (duration !== undefined && !(isCount(duration) && duration > 0)) {
    faults.push({
      path: 'spec.leaseDurationSeconds',
      message: `Invalid value: ${JSON.stringify(duration)}: must be greater than 0`,
    });
  }
  const transitions = spec['leaseTransitions'];
  if (transitions !== undefined && !isCount(transitions)) {
    faults.push({
      path: 'spec.leaseTransitions',
      message: 'Invalid value: must be an integer greater than or equal to 0',
    });
  }
  const holder = spec['holderIdentity'];
  if (holder !== undefined && typeof holder !== 'string') {
    faults.push({ path: 'spec.holderIdentity', message: 'Invalid value: must be of type string' });
  }
  for (const field of ['acquireTime', 'renewTime']) {
    const at = spec[field];
    if (at === undefined || (typeof at === 'string' && parseTimeMs(at) !== undefined)) continue;
    faults.push({
      path: `spec.${field}`,
      message: `Invalid value: ${JSON.stringify(at)}: must be an RFC 3339 time`,
    });
  }
  return faults;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

const endpointsMax = 1000;
const endpointAddressesMax = 100;

function sliceFaults(slice: KubeObject, before: KubeObject | undefined): Fault[] {
  const faults: Fault[] = [];
  const type = slice['addressType'];
  if (type !== 'IPv4' && type !== 'IPv6' && type !== 'FQDN') {
    faults.push({
      path: 'addressType',
      message: 'Unsupported value: supported values: "FQDN", "IPv4", "IPv6"',
    });
  }
  if (before !== undefined && before['addressType'] !== type) {
    faults.push({
      path: 'addressType', message: `Invalid value: ${JSON.stringify(type)}: field is immutable`,
    });
  }
  const endpoints = listOf(slice['endpoints']);
  if (endpoints.length > endpointsMax) {
    faults.push({
      path: 'endpoints',
      message: `Too many: ${endpoints.length}: must have at most ${endpointsMax} items`,
    });
  }
  for (const [index, endpoint] of endpoints.entries()) {
    const addresses = listOf(objectOf(endpoint)?.['addresses']);
    const path = `endpoints[${index}].addresses`;
    if (addresses.length === 0) {
      faults.push({ path, message: 'Required value: must contain at least 1 address' });
    }
    if (addresses.length > endpointAddressesMax) {
      faults.push({
        path,
        message: `Too many: ${addresses.length}: must have at most ${endpointAddressesMax} items`,
      });
    }
  }
  return faults;
}

function nodeFaults(spec: JsonObject, before: KubeObject | undefined): Fault[] {
  const known = specOf(before)['podCIDRs'];
  if (known === undefined || equalJson(known, spec['podCIDRs'])) return [];
  return [
    {
      path: 'spec.podCIDRs',
      message: 'Forbidden: node updates may not change podCIDR except from "" to valid',
    },
  ];
}

function eventFaults(event: KubeObject): Fault[] {
  const namespace = objectOf(event['involvedObject'])?.['namespace'] ?? '';
  const own = event.metadata?.namespace ?? '';
  // Events about cluster-scoped objects live in `default`.
  if (namespace === own || (namespace === '' && own === 'default')) return [];
  return [
    {
      path: 'involvedObject.namespace',
      message: `Invalid value: ${JSON.stringify(namespace)}: does not match event.namespace`,
    },
  ];
}

const labelsType = 'map[string]string';

function workloadFaults(spec: JsonObject, before: KubeObject | undefined): Fault[] {
  const faults: Fault[] = [];
  if (objectOf(spec['selector']) === undefined) {
    faults.push({ path: 'spec.selector', message: 'Required value' });
  }
  const known = specOf(before)['selector'];
  if (known !== undefined && !equalJson(known, spec['selector'])) {
    const labels = goValue(objectOf(spec['selector'])?.['matchLabels'], labelsType);
    const shown = `v1.LabelSelector{MatchLabels:${labels}, `
      + 'MatchExpressions:[]v1.LabelSelectorRequirement(nil)}';
    faults.push({
      path: 'spec.selector', message: `Invalid value: ${shown}: field is immutable`,
    });
  }
  const wanted = objectOf(objectOf(spec['selector'])?.['matchLabels']) ?? {};
  const metadata = objectOf(objectOf(spec['template'])?.['metadata']);
  const labels = objectOf(metadata?.['labels']);
  if (Object.keys(wanted).some((key) => labels?.[key] !== wanted[key])) {
    faults.push({
      path: 'spec.template.metadata.labels',
      message: `Invalid value: ${goValue(labels, labelsType)}: `
        + '`selector` does not match template `labels`',
    });
  }
  const replicas = spec['replicas'];
  if (replicas !== undefined && !isCount(replicas)) {
    faults.push({
      path: 'spec.replicas',
      message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
    });
  }
  return faults;
}
