import type { KubeObject } from '../../../kube/port.ts';

/** One HTTP request with its body complete, as the front understands it. */
export interface HttpRequest {
  /** In capitals. */
  readonly method: string;
  /** Percent-decoded, without the query. */
  readonly path: string;
  /** Parameters with their first values, decoded. */
  readonly query: ReadonlyMap<string, string>;
  /** By names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** Text of every body but protobuf, which comes as bytes; empty when there was none. */
  readonly body: string | Uint8Array;
}

/**
 * A request from its parts as they came; `target` is the encoded path with its query. Undefined
 * when the target is malformed.
 */
export function httpRequest(
  parts: Omit<HttpRequest, 'path' | 'query'> & { readonly target: string },
): HttpRequest | undefined {
  const { target, ...rest } = parts;
  const [path = '', ...tail] = target.split('?');
  const query = new Map<string, string>();
  try {
    for (const pair of tail.join('?').split('&').filter((each) => each !== '')) {
      const [name = '', ...value] = pair.split('=').map((part) => part.replaceAll('+', ' '));
      const decoded = decodeURIComponent(name);
      if (!query.has(decoded)) query.set(decoded, decodeURIComponent(value.join('=')));
    }
    return { ...rest, path: decodeURIComponent(path), query };
  } catch {
    // A percent sign without its digits is all that can end here.
    return undefined;
  }
}

/** A complete answer. */
export interface HttpAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of what is no text. */
  readonly body: string | Uint8Array;
}

/**
 * Where an answer goes. Either `answer` is called once, or `open`, any number of `chunk`, `end`.
 * Calls come inside events of the world: an exchange takes note and touches nothing of the host.
 */
export interface Exchange {
  answer(answer: HttpAnswer): undefined;
  /** Begins a stream with status 200. */
  open(headers: Readonly<Record<string, string>>): void;
  chunk(text: string): void;
  end(): void;
  /** Ends the connection without an answer, as a fault on the way does. */
  reset(): void;
}

/** A request that is still being served: a watch, or one that waits. */
export interface Hold {
  /** The client went away; nothing is written afterwards. */
  cancel(): void;
}

/** Whoever serves requests: the front, or what stands before it. */
export interface RequestEnd {
  /** Serves one request now. What it returns still holds the exchange: a watch, or a wait. */
  serve(request: HttpRequest, exchange: Exchange): Hold | undefined;
}

const jsonType = 'application/json';

/** An answer with a JSON body. */
export function jsonAnswer(code: number, body: unknown, type = jsonType): HttpAnswer {
  return { code, headers: { 'content-type': type }, body: `${JSON.stringify(body)}\n` };
}

/** An answer with plain text. */
export function textAnswer(code: number, body: string): HttpAnswer {
  return { code, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}

/** The object with another apiVersion: one store serves every version of a kind. */
export function inVersion(object: KubeObject, apiVersion: string): KubeObject {
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
