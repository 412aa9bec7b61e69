import { resourceOf } from '../../kube/resource.ts';
import { kindSchemas, schemaOf } from '../../kube/schema/kinds.ts';
import { unknownFields, validateObject } from '../../kube/schema/validate.ts';
import type { Fault } from '../../lb/model.ts';
import { metadataFaults } from '../../sim/api/metadata.ts';
import { findingAt, type Finding } from '../finding.ts';
import type { FolderModel, Row } from '../foldermodel.ts';
import type { ManifestObject } from '../../kube/manifest.ts';

/** What admission would refuse or drop: structure, rules, unknown fields, kinds and versions. */
export function schemaFindings(model: FolderModel): Finding[] {
  return model.all.flatMap((place) => {
    const { object } = place;
    const group = (object.apiVersion ?? '').split('/')[0] ?? '';
    if (group !== 'cilium.io') return [];
    const unserved = versionFault(object.apiVersion ?? '', object.kind ?? '');
    if (unserved !== undefined) return [findingAt(place, unserved)];
    return [
      ...validateObject(object).map((fault) => error(place, 'schema', fault)),
      ...unknownFields(object).map((fault) =>
        findingAt(place, { severity: 'warning', code: 'unknown_field', ...fault })),
    ];
  });
}

/** Names, labels and annotations that no server takes. */
export function metadataFindings(model: FolderModel): Finding[] {
  return model.all.flatMap((place) => {
    const { object } = place;
    const resource = resourceOf(object.apiVersion ?? '', object.kind ?? '');
    const faults = resource === undefined ? [] : metadataFaults(object, resource);
    return faults.map((fault) => error(place, 'schema', fault));
  });
}

/** Objects of the API itself that cannot be read, wholly or in a field; and repeated ones. */
export function decodingFindings(model: FolderModel): Finding[] {
  const ofRow = (row: Row<{ readonly faults: readonly Fault[] }>): Finding[] =>
    row.value.faults.map((fault) => error(row.place, 'malformed_object', fault));
  return [
    ...model.refusals.flatMap(({ place, faults }) =>
      faults.map((fault) => error(place, 'malformed_object', fault))),
    ...[...model.services, ...model.nodes, ...model.slices].flatMap(ofRow),
    ...model.repeated.map((fault): Finding => ({
      ...fault,
      severity: 'error',
      code: 'duplicate_object',
    })),
  ];
}

function error(place: ManifestObject, code: string, fault: Fault): Finding {
  return findingAt(place, { severity: 'error', code, ...fault });
}

interface VersionFault {
  readonly severity: Finding['severity'];
  readonly code: string;
  readonly path: string;
  readonly message: string;
}

function versionFault(named: string, kind: string): VersionFault | undefined {
  const schema = schemaOf('cilium.io', kind);
  if (schema === undefined) {
    const known = kindSchemas.map((of) => of.kind).join(', ');
    const message = `${kind} has no effect here; these kinds have: ${known}`;
    return { severity: 'warning', code: 'unknown_kind', path: 'kind', message };
  }
  const served = schema.versions.filter((version) => version.served);
  if (served.some(({ name }) => named === `cilium.io/${name}`)) return undefined;
  const names = served.map(({ name }) => `cilium.io/${name}`).join(' or ');
  const message = `${kind} is not served as ${named}; write ${names}`;
  return { severity: 'error', code: 'unknown_version', path: 'apiVersion', message };
}
