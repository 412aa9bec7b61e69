import { definitionOf } from '../../../kube/schema/crd.ts';
import { schemaOf } from '../../../kube/schema/kinds.ts';
import { listOf, objectOf } from '../json.ts';
import { gnosticAnswerType, gnosticOf, gnosticType } from '../openapi/gnostic.ts';
import type { OpenApiKind } from '../openapi/kind.ts';
import { OpenApiPages } from '../openapi/pages.ts';
import type { ServedKind } from './kinds.ts';
import { jsonAnswer, type HttpAnswer } from './message.ts';

/** `/openapi/v3`, what is below it, and `/openapi/v2` (simulator.md 6.4, 2). */
export class OpenApiEnd {
  readonly #pages: OpenApiPages;
  #gnostic: Uint8Array | undefined;

  constructor(kinds: readonly ServedKind[]) {
    this.#pages = new OpenApiPages(kinds.map(openApiKind));
  }

  /** Undefined for a path that is no document; `accept` chooses the form of version 2. */
  answer(path: string, accept: string): HttpAnswer | undefined {
    if (path === '/openapi/v2') return this.#version2(accept);
    if (/^\/openapi\/v3\/?$/u.test(path)) return jsonAnswer(200, this.#pages.index());
    const text = this.#pages.page(path.slice('/openapi/v3/'.length));
    if (text === undefined) return undefined;
    return { code: 200, headers: { 'content-type': 'application/json' }, body: text };
  }

  #version2(accept: string): HttpAnswer {
    if (!accept.includes(gnosticType)) return jsonAnswer(200, this.#pages.swagger());
    this.#gnostic ??= gnosticOf(this.#pages.swagger());
    return { code: 200, headers: { 'content-type': gnosticAnswerType }, body: this.#gnostic };
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
