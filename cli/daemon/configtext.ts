import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { err, ok, type Result } from '../../lb/result.ts';
import type { ConfigFault } from './configuration.ts';

/** A configuration file as it was read. */
export interface ConfigText {
  readonly record: Readonly<Record<string, unknown>>;
  /** `file:line:column` of a key, however deep it is nested; of its nearest parent else. */
  placeOf(key: string): string;
}

const aliasCountMax = 100;

/** Reads YAML. A text that is no mapping is refused, with the place of each fault. */
export function parseConfigText(
  text: string, file: string,
): Result<ConfigText, readonly ConfigFault[]> {
  const lines = new LineCounter();
  // YAML 1.2, in which the bare `off` of several settings is a text.
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [first] = document.errors;
  if (first !== undefined) {
    return err([{ place: at(first.pos[0]), path: '', message: first.message }]);
  }
  const record: unknown = document.toJS({ maxAliasCount: aliasCountMax }) ?? {};
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    return err([{ place: at(0), path: '', message: 'a mapping of settings is expected' }]);
  }
  return ok({
    record: record as Record<string, unknown>,
    placeOf: (key) => {
      const offset = offsetOf(document.contents, key);
      return offset === undefined ? file : at(offset);
    },
  });
}

function offsetOf(node: unknown, key: string): number | undefined {
  if (!isMap(node)) return undefined;
  for (const { key: name, value } of node.items) {
    if (!isScalar(name)) continue;
    const text = String(name.value);
    const offset = isNode(name) ? name.range?.[0] : undefined;
    if (text === key) return offset;
    if (key.startsWith(`${text}.`)) return offsetOf(value, key.slice(text.length + 1)) ?? offset;
  }
  return undefined;
}
