import { definitionOf } from '../../../kube/schema/crd.ts';
import { schemaOf } from '../../../kube/schema/kinds.ts';
import { listOf, objectOf } from '../json.ts';
import type { OpenApiKind } from '../openapi/kind.ts';
import { OpenApiPages } from '../openapi/pages.ts';
import type { ServedKind } from './kinds.ts';
import { jsonAnswer, type HttpAnswer } from './message.ts';

/** `/openapi/v3` and what is below it (simulator.md 6.4, 2). */
export class OpenApiEnd {
  readonly #pages: OpenApiPages;

  constructor(kinds: readonly ServedKind[]) {
    this.#pages = new OpenApiPages(kinds.map(openApiKind));
  }

  /** Undefined for a path that is no document. */
  answer(path: string): HttpAnswer | undefined {
    if (/^\/openapi\/v3\/?$/u.test(path)) return jsonAnswer(200, this.#pages.index());
    const text = this.#pages.page(path.slice('/openapi/v3/'.length));
    if (text === undefined) return undefined;
    return { code: 200, headers: { 'content-type': 'application/json' }, body: text };
  }
}

function openApiKind(served: ServedKind): OpenApiKind {
  const { resource, version, status, defined } = served;
  if (defined !== undefined) return { resource, version, status, schema: defined.schema };
  const known = schemaOf(resource.group, resource.kind);
  const versions = known && listOf(objectOf(definitionOf(known)['spec'])?.['versions']);
  const named = versions?.map((entry) => objectOf(entry) ?? {})
    .find((entry) => entry['name'] === version);
  const schema = objectOf(objectOf(named?.['schema'])?.['openAPIV3Schema']);
  return { resource, version, status, ...(schema !== undefined && { schema }) };
}
