import { murmur32 } from '../../../lb/murmur.ts';
import type { JsonObject } from '../json.ts';
import { openApiDocument } from './document.ts';
import { groupVersionPath, type OpenApiKind } from './kind.ts';
import { swaggerOf } from './swagger.ts';

/**
 * The documents of all group versions and their index, made when first asked for. Addresses in the
 * index carry a hash of the document, because clients keep documents for good.
 */
export class OpenApiPages {
  readonly #kinds = new Map<string, OpenApiKind[]>();
  readonly #texts = new Map<string, string>();
  #swagger: JsonObject | undefined;

  /** `kinds` in order of plural within each group version. */
  constructor(kinds: readonly OpenApiKind[]) {
    for (const kind of kinds) {
      const path = groupVersionPath(kind);
      const known = this.#kinds.get(path) ?? [];
      this.#kinds.set(path, [...known, kind]);
    }
  }

  /** `/openapi/v3`. */
  index(): JsonObject {
    const paths = [...this.#kinds.keys()].map((path) => {
      const hash = hashOf(this.page(path) ?? '');
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
    return { paths: Object.fromEntries(paths) as JsonObject };
  }

  /** `/openapi/v2`: all of it in one document of the older version. */
  swagger(): JsonObject {
    this.#swagger ??= swaggerOf([...this.#kinds.values()].map(openApiDocument));
    return this.#swagger;
  }

  /** `/openapi/v3/PATH` as JSON, or undefined for a group version that is not served. */
  page(path: string): string | undefined {
    const kinds = this.#kinds.get(path);
    if (kinds === undefined) return undefined;
    let text = this.#texts.get(path);
    if (text === undefined) {
      text = JSON.stringify(openApiDocument(kinds));
      this.#texts.set(path, text);
    }
    return text;
  }
}

function hashOf(text: string): string {
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return [0, 1].map((seed) => murmur32(bytes, seed).toString(16).padStart(8, '0')).join('');
}
