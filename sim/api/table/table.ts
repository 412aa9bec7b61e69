import type { KubeObject } from '../../../kube/port.ts';
import type { Resource } from '../../../kube/resource.ts';
import { schemaOf } from '../../../kube/schema/kinds.ts';
import type { PrinterColumn } from '../../../kube/schema/schema.ts';
import type { Micros } from '../../../lb/ports.ts';
import { ageOf } from './age.ts';
import { ageColumn, createdColumn, nameColumn, type Cell, type Column } from './column.ts';
import { coreColumns } from './core.ts';
import { printerValues } from './printerpath.ts';
import { groupColumns } from './workloads.ts';

/** What `includeObject` asks to stand beside the cells of a row. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** metav1.Table. */
export interface Table {
  readonly kind: 'Table';
  readonly apiVersion: 'meta.k8s.io/v1';
  readonly metadata: { readonly resourceVersion: string };
  readonly columnDefinitions: readonly object[];
  readonly rows: readonly { readonly cells: readonly Cell[]; readonly object?: unknown }[];
}

/** metav1.Table of the objects, as the server prints them for kubectl (simulator.md 6.4, 4). */
export function tableOf(
  objects: readonly KubeObject[],
  about: {
    readonly resource: Resource; readonly include: IncludeObject; readonly wall: Micros;
    /** Of the list; of one object it is the object's own. */
    readonly resourceVersion: string;
    /** Of a kind that a definition added. */
    readonly columns?: readonly PrinterColumn[];
  },
): Table {
  const columns = about.columns === undefined
    ? columnsOf(about.resource)
    : definedColumns(about.columns);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: about.resourceVersion },
    columnDefinitions: columns.map(({ name, type, format, priority }) => ({
      name, type, format: format ?? '', description: '', priority,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, about.wall)),
      ...beside(object, about.include),
    })),
  };
}

function beside(object: KubeObject, include: IncludeObject): { object?: unknown } {
  if (include === 'None') return {};
  if (include === 'Object') return { object };
  const { metadata } = object;
  return { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } };
}

function columnsOf(resource: Resource): readonly Column[] {
  const schema = schemaOf(resource.group, resource.kind);
  if (schema !== undefined) return [nameColumn, ...schema.columns.map(customColumn)];
  const known = resource.group === '' ? coreColumns : groupColumns;
  return known[resource.kind] ?? [nameColumn, createdColumn];
}

// Every kind shows its age, unless its definition says otherwise.
function definedColumns(columns: readonly PrinterColumn[]): readonly Column[] {
  if (columns.length === 0) return [nameColumn, ageColumn];
  return [nameColumn, ...columns.map(customColumn)];
}

function customColumn({ name, type, jsonPath }: PrinterColumn): Column {
  if (jsonPath === '.metadata.creationTimestamp') return { ...ageColumn, name, type: 'date' };
  return {
    name, type, priority: 0,
    cell: (object, wall): Cell => {
      const [value] = printerValues(jsonPath, object);
      if (value === undefined || value === null) return null;
      if (type === 'date') return ageOf(value, wall);
      if (typeof value === 'number' || typeof value === 'boolean') {
        return type === 'integer' ? value : String(value);
      }
      return typeof value === 'string' ? value : JSON.stringify(value);
    },
  };
}
