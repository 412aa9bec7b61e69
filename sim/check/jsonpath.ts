import { JSONPathEnvironment } from 'json-p3';

/** A compiled path: the values that it names in a JSON value. */
export type PathQuery = (value: unknown) => unknown[];

/**
 * Compiles a path: RFC 9535 (`$.status.x`), with kubectl's braces (`{.status.x}`), or bare
 * (`status.x`). Undefined for one that does not parse. Compile before a world runs: the library
 * computes its own limits with floating-point functions that a running world refuses.
 */
export function compilePath(path: string): PathQuery | undefined {
  const bare = path.trim().replace(/^\{(.*)\}$/u, '$1');
  const rooted = bare.startsWith('$')
    ? bare
    : `$${bare.startsWith('.') || bare.startsWith('[') ? '' : '.'}${bare}`;
  try {
    const query = new JSONPathEnvironment().compile(rooted);
    // Every value that reaches a check came from JSON.
    return (value) => query.query(value as Parameters<typeof query.query>[0]).values();
  } catch {
    return undefined;
  }
}
