import type { Resource } from '../../../kube/resource.ts';
import type { JsonObject } from '../json.ts';

/** One kind in one version, as its document shows it. */
export interface OpenApiKind {
  readonly resource: Resource;
  /** The version under which it is served. */
  readonly version: string;
  /** Has a status sub-resource. */
  readonly status: boolean;
  /** `openAPIV3Schema` of a custom resource; built-in kinds come from the table of messages. */
  readonly schema?: JsonObject;
}

/** A kind and the name of its schema. */
export interface DocumentedKind extends OpenApiKind {
  readonly schemaName: string;
}

/** Where the document of a group version is: `apis/apps/v1`, or `api/v1` for the core group. */
export function groupVersionPath(kind: { resource: Resource; version: string }): string {
  const { group } = kind.resource;
  return group === '' ? `api/${kind.version}` : `apis/${group}/${kind.version}`;
}
