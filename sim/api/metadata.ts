import type { Fault } from '../../lb/model.ts';
import { validLabelKey, validLabelValue } from '../../lb/selector.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import { equalJson, listOf, objectOf, type JsonObject } from './json.ts';

const subdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/u;
const label = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/u;
/** RFC 1035: a Service name becomes a DNS label that starts with a letter. */
const oldLabel = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/u;

const subdomainRule = 'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
  + 'characters, \'-\' or \'.\', and must start and end with an alphanumeric character '
  + '(e.g. \'example.com\', regex used for validation is '
  + '\'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\')';
const labelRule = 'a lowercase RFC 1123 label must consist of lower case alphanumeric characters '
  + 'or \'-\', and must start and end with an alphanumeric character (e.g. \'my-name\',  or '
  + '\'123-abc\', regex used for validation is \'[a-z0-9]([-a-z0-9]*[a-z0-9])?\')';
const oldLabelRule = 'a DNS-1035 label must consist of lower case alphanumeric characters or '
  + '\'-\', start with an alphabetic character, and end with an alphanumeric character (e.g. '
  + '\'my-name\',  or \'abc-123\', regex used for validation is '
  + '\'[a-z]([-a-z0-9]*[a-z0-9])?\')';
const keyRule = 'name part must consist of alphanumeric characters, \'-\', \'_\' or \'.\', and '
  + 'must start and end with an alphanumeric character (e.g. \'MyName\',  or \'my.name\',  or '
  + '\'123-abc\', regex used for validation is \'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\')';
const valueRule = 'a valid label must be an empty string or consist of alphanumeric characters, '
  + '\'-\', \'_\' or \'.\', and must start and end with an alphanumeric character (e.g. '
  + '\'MyValue\',  or \'my_value\',  or \'12345\', regex used for validation is '
  + '\'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\')';

/** Finalizers of an object, in order. */
export function finalizersOf(object: KubeObject): readonly string[] {
  return listOf(object.metadata?.['finalizers']).filter((entry) => typeof entry === 'string');
}

/** The deletionTimestamp of an object that is being deleted. */
export function deletingSince(object: KubeObject): string | undefined {
  const at = object.metadata?.['deletionTimestamp'];
  return typeof at === 'string' ? at : undefined;
}

/** What is wrong with name, labels, annotations and finalizers (A10). */
export function metadataFaults(object: KubeObject, resource: Resource): Fault[] {
  const metadata = objectOf(object.metadata) ?? {};
  const faults: Fault[] = nameFaults(object.metadata?.name ?? '', resource);
  const labels = textMap(metadata['labels'], { path: 'metadata.labels', faults });
  for (const [key, value] of Object.entries(labels)) {
    if (!validLabelKey(key)) {
      faults.push({ path: 'metadata.labels', message: `Invalid value: "${key}": ${keyRule}` });
    }
    if (!validLabelValue(value)) {
      faults.push({
        path: 'metadata.labels', message: `Invalid value: "${value}": ${valueRule}`,
      });
    }
  }
  const annotations = textMap(metadata['annotations'], { path: 'metadata.annotations', faults });
  for (const key of Object.keys(annotations)) {
    if (validLabelKey(key.toLowerCase())) continue;
    faults.push({
      path: 'metadata.annotations', message: `Invalid value: "${key}": ${keyRule}`,
    });
  }
  for (const finalizer of finalizersOf(object)) {
    if (validLabelKey(finalizer)) continue;
    faults.push({
      path: 'metadata.finalizers', message: `Invalid value: "${finalizer}": not a qualified name`,
    });
  }
  return faults;
}

function textMap(
  value: unknown, place: { readonly path: string; readonly faults: Fault[] },
): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const map = objectOf(value);
  const { path, faults } = place;
  if (map === undefined) {
    faults.push({ path, message: 'Invalid value: must be a map of texts' });
    return {};
  }
  const texts: Record<string, string> = {};
  for (const key of Object.keys(map)) {
    const entry = map[key];
    if (typeof entry === 'string') texts[key] = entry;
    else if (entry !== undefined) {
      faults.push({ path: `${path}.${key}`, message: 'Invalid value: must be of type string' });
    }
  }
  return texts;
}

function nameFaults(name: string, resource: Resource): Fault[] {
  const path = 'metadata.name';
  if (name === '') return [{ path, message: 'Required value: name or generateName is required' }];
  const limit = resource.kind === 'Service' || resource.kind === 'Namespace' ? 63 : 253;
  if (name.length > limit) {
    return [
      { path, message: `Invalid value: "${name}": must be no more than ${limit} characters` },
    ];
  }
  if (resource.kind === 'Service') {
    return oldLabel.test(name)
      ? []
      : [{ path, message: `Invalid value: "${name}": ${oldLabelRule}` }];
  }
  if (resource.kind === 'Namespace') {
    return label.test(name) ? [] : [{ path, message: `Invalid value: "${name}": ${labelRule}` }];
  }
  return subdomain.test(name)
    ? []
    : [{ path, message: `Invalid value: "${name}": ${subdomainRule}` }];
}

/** The metadata that a write may not change, taken from the stored object. */
const serverOwned: readonly string[] = [
  'name', 'namespace', 'uid', 'creationTimestamp', 'generation', 'deletionTimestamp',
  'deletionGracePeriodSeconds', 'managedFields', 'resourceVersion',
];

/** `wanted` with the server's own fields of `stored` (A12). */
export function carryMetadata(stored: JsonObject, wanted: JsonObject): JsonObject {
  const carried: Record<string, unknown> = {};
  for (const key of Object.keys(wanted)) {
    const value = wanted[key];
    if (serverOwned.includes(key) || value === undefined || isEmpty(value)) continue;
    carried[key] = value;
  }
  for (const key of serverOwned) if (stored[key] !== undefined) carried[key] = stored[key];
  return carried;
}

// Empty labels and lists are not stored, as Go's omitempty has it: writing them changes nothing.
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Changes that deletion forbids: a finalizer that was not there (A13). */
export function newFinalizerFaults(before: KubeObject, after: KubeObject): Fault[] {
  if (deletingSince(before) === undefined) return [];
  const known = finalizersOf(before);
  const added = finalizersOf(after).filter((finalizer) => !known.includes(finalizer));
  if (added.length === 0) return [];
  const rule = 'no new finalizers can be added if the object is being deleted';
  const message = `Forbidden: ${rule}, found new finalizers ${JSON.stringify(added)}`;
  return [{ path: 'metadata.finalizers', message }];
}

/** True when anything but apiVersion, kind, metadata and, with `status`, status differs (A7). */
export function contentDiffers(before: KubeObject, after: KubeObject, status: boolean): boolean {
  const ignored = status
    ? ['apiVersion', 'kind', 'metadata', 'status']
    : ['apiVersion', 'kind', 'metadata'];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!ignored.includes(key) && !equalJson(before[key], after[key])) return true;
  }
  return false;
}
