import { err, ok, type Result } from '../../lb/result.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import { objectOf } from './json.ts';

/** One term of a field selector; all of them must hold. */
interface FieldTerm {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** Judges one object of the kind that a field selector was compiled for. */
export type FieldMatcher = (object: KubeObject) => boolean;

/** How a selectable field is read; absent and empty are the same. */
type FieldReader = (object: KubeObject) => string;

/**
 * A matcher for a field selector such as `spec.nodeName=n1,status.phase!=Failed`, or the sentence
 * of the 400. Every kind has its own fields beside name and namespace (A15); `selectable` are those
 * of a custom resource, as paths without the leading dot.
 */
export function compileFields(
  text: string, resource: Resource, selectable: readonly string[] = [],
): Result<FieldMatcher, string> {
  const terms = parseTerms(text);
  if (!terms.ok) return terms;
  const tests: FieldMatcher[] = [];
  for (const { field, equal, value } of terms.value) {
    const reader = readerOf(field, resource, selectable);
    if (reader === undefined) return err(unsupported(field, resource));
    tests.push((object) => (reader(object) === value) === equal);
  }
  return ok((object) => tests.every((test) => test(object)));
}

// A backslash takes the meaning from comma, equals sign and backslash.
const termPattern = /^((?:[^\\=!]|\\.)+?)(==|!=|=)((?:[^\\=]|\\.)*)$/u;

function parseTerms(text: string): Result<readonly FieldTerm[], string> {
  const parts = text.match(/(?:[^\\,]|\\.)+/gu) ?? [];
  const terms: FieldTerm[] = [];
  for (const part of parts) {
    const [, field = '', sign = '', value = ''] = termPattern.exec(part) ?? [];
    if (sign === '') return err(`invalid selector: '${text}'; can't understand '${part}'`);
    terms.push({ field, equal: sign !== '!=', value: value.replaceAll(/\\(.)/gu, '$1') });
  }
  return ok(terms);
}

function readerOf(
  field: string, resource: Resource, selectable: readonly string[],
): FieldReader | undefined {
  if (field === 'metadata.name') return (object) => object.metadata?.name ?? '';
  if (field === 'metadata.namespace' && resource.namespaced) {
    return (object) => object.metadata?.namespace ?? '';
  }
  const own = resource.group === '' ? fieldsOfKind[resource.kind] : undefined;
  const path = own?.[field] ?? (selectable.includes(field) ? field : undefined);
  if (path === undefined) return undefined;
  if (typeof path === 'function') return path;
  const names = path.split('.');
  return (object) => {
    const value = names.reduce<unknown>((place, name) => objectOf(place)?.[name], object);
    return value === undefined || value === null ? defaults[path] ?? '' : scalarText(value);
  };
}

function scalarText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

// Flags that are not written count as false.
const defaults: Readonly<Record<string, string>> = {
  'spec.unschedulable': 'false', 'spec.hostNetwork': 'false',
};

function same(...paths: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(paths.map((path) => [path, path]));
}

function sourceOf(event: KubeObject): string {
  const component = objectOf(event['source'])?.['component'];
  return typeof component === 'string' && component !== ''
    ? component
    : scalarText(event['reportingComponent'] ?? '');
}

const fieldsOfKind: Readonly<Record<string, Readonly<Record<string, string | FieldReader>>>> = {
  Pod: same(
    'spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName',
    'spec.hostNetwork', 'status.phase', 'status.podIP', 'status.nominatedNodeName',
  ),
  Node: same('spec.unschedulable'),
  Namespace: same('status.phase'),
  Secret: same('type'),
  Service: same('spec.clusterIP', 'spec.type'),
  Event: {
    ...same(
      'involvedObject.kind', 'involvedObject.namespace', 'involvedObject.name',
      'involvedObject.uid', 'involvedObject.apiVersion', 'involvedObject.resourceVersion',
      'involvedObject.fieldPath', 'reason', 'reportingComponent', 'type',
    ),
    source: sourceOf,
  },
};

// The registry of most kinds has one sentence, those with fields of their own another.
function unsupported(field: string, resource: Resource): string {
  const own = resource.group === '' && resource.kind in fieldsOfKind;
  if (own || resource.group.includes('.') && !resource.group.endsWith('.k8s.io')) {
    return `field label not supported: ${field}`;
  }
  const known = resource.namespaced ? '"metadata.name", "metadata.namespace"' : '"metadata.name"';
  return `"${field}" is not a known field selector: only ${known}`;
}
