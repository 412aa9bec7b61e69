import type { Fault } from '../../../lb/model.ts';
import type { KubeObject } from '../../../kube/port.ts';
import type { Resource } from '../../../kube/resource.ts';
import { equalJson, listOf, objectOf, textOf, type JsonObject } from '../json.ts';

/** One version of a custom kind. */
export interface DefinitionVersion {
  readonly name: string;
  readonly served: boolean;
  readonly stored: boolean;
  /** `openAPIV3Schema`. */
  readonly schema: JsonObject;
  /** Has a status sub-resource. */
  readonly status: boolean;
  /** `additionalPrinterColumns`. */
  readonly columns: readonly JsonObject[];
  /** Fields that selectors may name, as paths without the leading dot. */
  readonly selectable: readonly string[];
}

/** A kind as a CustomResourceDefinition defines it. */
export interface Definition {
  /** In the version that is stored. */
  readonly resource: Resource;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly versions: readonly DefinitionVersion[];
}

function specOf(object: KubeObject | undefined): JsonObject {
  return objectOf(object?.['spec']) ?? {};
}

/** Reads a definition that was admitted; undefined when it has no stored version. */
export function readDefinition(object: KubeObject): Definition | undefined {
  const spec = specOf(object);
  const names = objectOf(spec['names']) ?? {};
  const versions = listOf(spec['versions']).map((entry) => versionOf(objectOf(entry) ?? {}));
  const stored = versions.find((version) => version.stored);
  if (stored === undefined) return undefined;
  const kind = textOf(names['kind']) ?? '';
  return {
    resource: {
      group: textOf(spec['group']) ?? '',
      version: stored.name,
      plural: textOf(names['plural']) ?? '',
      kind,
      namespaced: spec['scope'] === 'Namespaced',
    },
    singular: textOf(names['singular']) ?? kind.toLowerCase(),
    shortNames: listOf(names['shortNames']).map(String),
    categories: listOf(names['categories']).map(String),
    versions,
  };
}

function versionOf(entry: JsonObject): DefinitionVersion {
  const subresources = objectOf(entry['subresources']);
  return {
    name: textOf(entry['name']) ?? '',
    served: entry['served'] === true,
    stored: entry['storage'] === true,
    schema: objectOf(objectOf(entry['schema'])?.['openAPIV3Schema']) ?? {},
    status: subresources?.['status'] !== undefined,
    columns: listOf(entry['additionalPrinterColumns']).map((column) => objectOf(column) ?? {}),
    selectable: listOf(entry['selectableFields']).flatMap((field) => {
      const path = textOf(objectOf(field)?.['jsonPath']);
      return path === undefined ? [] : [path.replace(/^\./u, '')];
    }),
  };
}

/** The definition with its names accepted and its kind established, as soon as it is written. */
export function established(object: KubeObject, time: string): KubeObject {
  const spec = specOf(object);
  const given = objectOf(spec['names']) ?? {};
  const kind = textOf(given['kind']) ?? '';
  const names = { singular: kind.toLowerCase(), listKind: `${kind}List`, ...given };
  const stored = listOf(spec['versions']).flatMap((entry) => {
    const version = objectOf(entry) ?? {};
    return version['storage'] === true ? [version['name']] : [];
  });
  const status = objectOf(object['status']) ?? {};
  const before = listOf(status['conditions']).map((entry) => objectOf(entry) ?? {});
  const condition = (type: string, reason: string, message: string): JsonObject => {
    const known = before.find((entry) => entry['type'] === type);
    return known ?? { lastTransitionTime: time, message, reason, status: 'True', type };
  };
  const settled = {
    acceptedNames: names,
    conditions: [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
    storedVersions: [...new Set([...listOf(status['storedVersions']), ...stored])],
  };
  const conversion = spec['conversion'] ?? { strategy: 'None' };
  return { ...object, spec: { ...spec, conversion, names }, status: settled };
}

/** What is wrong with the spec of a definition (A10). */
export function definitionFaults(object: KubeObject, before: KubeObject | undefined): Fault[] {
  const spec = specOf(object);
  const names = objectOf(spec['names']) ?? {};
  const faults: Fault[] = [];
  const fault = (path: string, message: string): void => { faults.push({ path, message }); };
  const [group, plural, kind] = [
    textOf(spec['group']), textOf(names['plural']), textOf(names['kind']),
  ];
  if (group === undefined || group === '') fault('spec.group', 'Required value');
  if (plural === undefined || plural === '') fault('spec.names.plural', 'Required value');
  if (kind === undefined || kind === '') fault('spec.names.kind', 'Required value');
  const wanted = `${plural ?? ''}.${group ?? ''}`;
  const name = object.metadata?.name ?? '';
  if (faults.length === 0 && name !== wanted) {
    fault(
      'metadata.name',
      `Invalid value: ${JSON.stringify(name)}: must be spec.names.plural+"."+spec.group`,
    );
  }
  const { scope } = spec;
  if (scope !== 'Cluster' && scope !== 'Namespaced') {
    const supported = '"Cluster", "Namespaced"';
    fault(
      'spec.scope',
      `Unsupported value: ${JSON.stringify(scope ?? '')}: supported values: ${supported}`,
    );
  }
  const old = specOf(before)['scope'];
  if (old !== undefined && !equalJson(old, scope)) {
    fault('spec.scope', `Invalid value: ${JSON.stringify(scope)}: field is immutable`);
  }
  const versions = listOf(spec['versions']).map((entry) => objectOf(entry) ?? {});
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    fault(
      'spec.versions', 'Invalid value: must have exactly one version marked as storage version',
    );
  }
  for (const [index, version] of versions.entries()) {
    if (objectOf(objectOf(version['schema'])?.['openAPIV3Schema']) !== undefined) continue;
    fault(`spec.versions[${index}].schema.openAPIV3Schema`, 'Required value: schemas are required');
  }
  return faults;
}
