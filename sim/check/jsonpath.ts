import { JSONPathEnvironment } from 'json-p3';

/**
 * The values that a path names in a JSON value. Takes RFC 9535 (`$.status.x`), kubectl's braces
 * (`{.status.x}`), and the bare form `status.x`; undefined for a path that does not parse.
 */
export function queryPath(value: unknown, path: string): unknown[] | undefined {
  const bare = path.trim().replace(/^\{(.*)\}$/u, '$1');
  const rooted = bare.startsWith('$') ? bare : `$${bare.startsWith('.') || bare.startsWith('[') ? '' : '.'}${bare}`;
  try {
    const environment = new JSONPathEnvironment();
    // Every value that reaches a check came from JSON.
    return environment.query(rooted, value as Parameters<JSONPathEnvironment['query']>[1]).values();
  } catch {
    return undefined;
  }
}
