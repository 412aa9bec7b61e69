import type { KubeObject } from '../../../kube/port.ts';
import type { Micros } from '../../../lb/ports.ts';
import type { PrinterColumn } from '../../../kube/schema/schema.ts';
import { omit, textOf, type JsonObject } from '../json.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import { tableOf, type IncludeObject, type Table } from '../table/table.ts';
import { traitsOf } from '../traits.ts';
import { ok } from '../../../lb/result.ts';
import { servedVersion, type ServedKind } from './kinds.ts';
import { inVersion, type HttpRequest } from './message.ts';

/** The form that a client wants objects in. */
export type Form =
  | { readonly kind: 'object' }
  | { readonly kind: 'metadata' }
  | { readonly kind: 'table'; readonly include: IncludeObject };

const metaVersion = 'meta.k8s.io/v1';

/** Reads `Accept` and `includeObject`: the first range that is spoken counts. */
export function formOf({ headers, query }: HttpRequest): Outcome<Form> {
  for (const range of (headers.get('accept') ?? '').split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (type !== 'application/json' && type !== '*/*') continue;
    if (as === undefined) return ok({ kind: 'object' });
    if (!parameters.includes('g=meta.k8s.io') || !parameters.includes('v=v1')) continue;
    if (as === 'Table') return tableForm(query.get('includeObject'));
    if (as.startsWith('PartialObjectMetadata')) return ok({ kind: 'metadata' });
  }
  return ok({ kind: 'object' });
}

function tableForm(include = 'Metadata'): Outcome<Form> {
  if (include === 'None' || include === 'Metadata' || include === 'Object') {
    return ok({ kind: 'table', include });
  }
  return badRequest(`unrecognized includeObject value: "${include}"`);
}

/** Objects of one kind in the form that one request asked for. */
export class Presentation {
  readonly #served: ServedKind;
  readonly #form: Form;

  constructor(served: ServedKind, form: Form) {
    this.#served = served;
    this.#form = form;
  }

  /** One object, as answer or inside a watch event; `wall` is for ages. */
  object(object: KubeObject, wall: Micros): unknown {
    const resourceVersion = object.metadata?.resourceVersion ?? '';
    switch (this.#form.kind) {
      case 'object': return this.#inVersion(object);
      case 'metadata': return this.#metadata(object);
      case 'table': return this.#table([object], { resourceVersion, wall }, this.#form.include);
    }
  }

  /** A list at its version; `more` is what its metadata says about further pages. */
  list(
    items: readonly KubeObject[],
    at: { readonly resourceVersion: string; readonly wall: Micros; readonly more?: object },
  ): unknown {
    const { resourceVersion, more } = at;
    const metadata = { resourceVersion, ...more };
    const { resource } = this.#served;
    switch (this.#form.kind) {
      case 'table': {
        const table = this.#table(items, at, this.#form.include);
        return { ...table, metadata };
      }
      case 'metadata': return {
        kind: 'PartialObjectMetadataList', apiVersion: metaVersion, metadata,
        items: items.map((item) => this.#metadata(item)),
      };
      case 'object': return {
        kind: `${resource.kind}List`,
        apiVersion: servedVersion(this.#served),
        metadata,
        // Items of a built-in list carry no kind of their own; those of a custom resource do.
        items: this.#served.defined !== undefined || traitsOf(resource).custom
          ? items.map((item) => this.#inVersion(item))
          : items.map((item) => omit(item, ['kind', 'apiVersion'])),
      };
    }
  }

  /** The object of a bookmark: kind, version and annotations only (A4). */
  bookmark(resourceVersion: string, annotations: object | undefined): unknown {
    const { resource } = this.#served;
    const metadata = {
      resourceVersion, creationTimestamp: null, ...(annotations && { annotations }),
    };
    const plain = { kind: resource.kind, apiVersion: servedVersion(this.#served), metadata };
    if (this.#form.kind === 'object') return plain;
    const partial = { ...plain, kind: 'PartialObjectMetadata', apiVersion: metaVersion };
    if (this.#form.kind === 'metadata') return partial;
    const { columnDefinitions } = this.#table([], { resourceVersion, wall: 0 }, 'None');
    return {
      kind: 'Table', apiVersion: metaVersion, metadata: { resourceVersion }, columnDefinitions,
      rows: [{ cells: columnDefinitions.map(() => ''), object: partial }],
    };
  }

  #table(
    items: readonly KubeObject[],
    at: { readonly resourceVersion: string; readonly wall: Micros },
    include: IncludeObject,
  ): Table {
    const { resource, defined } = this.#served;
    const printed = defined && { columns: defined.columns.map(printerColumn) };
    const shown = include === 'Object' ? items.map((item) => this.#inVersion(item)) : items;
    return tableOf(shown, { resource, include, ...at, ...printed });
  }

  #metadata(object: KubeObject): unknown {
    return {
      kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: object.metadata,
    };
  }

  #inVersion(object: KubeObject): KubeObject {
    return inVersion(object, servedVersion(this.#served));
  }
}

function printerColumn(column: JsonObject): PrinterColumn {
  const type = column['type'];
  return {
    name: textOf(column['name']) ?? '',
    type: type === 'date' || type === 'integer' ? type : 'string',
    jsonPath: textOf(column['jsonPath']) ?? '',
  };
}
