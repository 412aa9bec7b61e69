import { assert } from '../lb/result.ts';

/** Service ports, one row each: identity text to canonical JSON. */
export const viewMap = 'fl_view';
/** Facts of the node, one row under `nodeKey`. */
export const nodeMap = 'fl_node';
export const nodeKey = 'node';
/** Declared limits: of the medium node, as `fl_svc` has it (datapath.md 7). */
export const viewRowsMax = 65_536;

/**
 * A value as canonical JSON bytes: keys in code-unit order, `undefined` left out, everything beyond
 * ASCII escaped. Equal values are equal bytes, so a restart sees that nothing changed.
 */
export function encodeRow(value: unknown): Uint8Array {
  return asciiBytes(canonicalText(value).replace(/\P{ASCII}/gu, escapeUnit));
}

/** The reverse; undefined for bytes that are no JSON object, such as another layout's. */
export function decodeRow(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(asciiText(bytes));
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (thrown) {
    // A syntax error is the answer to the question; anything else is not ours to judge.
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** Bytes of a text of ASCII letters: identities and canonical JSON. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    assert(unit < 0x80, `'${text}' is ASCII`);
    bytes[index] = unit;
  }
  return bytes;
}

const chunk = 4096;

export function asciiText(bytes: Uint8Array): string {
  if (bytes.length <= chunk) return String.fromCharCode(...bytes);
  let text = '';
  for (let from = 0; from < bytes.length; from += chunk) {
    text += String.fromCharCode(...bytes.subarray(from, from + chunk));
  }
  return text;
}

function escapeUnit(unit: string): string {
  let escaped = '';
  for (let index = 0; index < unit.length; index += 1) {
    escaped += `\\u${unit.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }
  return escaped;
}

function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item)).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${fields.map(
    ([name, field]) => `${JSON.stringify(name)}:${canonicalText(field)}`,
  ).join()}}`;
}
