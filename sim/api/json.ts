export { equalJson } from '../../lb/json.ts';

/** A JSON object as plain data: shared, never modified. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The value as a JSON object, or undefined when it is anything else. */
export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

/** The value as a list; anything else counts as empty. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a text, or undefined when it is anything else. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Freezes the value and everything below it; stops at what is frozen already. */
export function freezeJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const below of Object.values(value)) freezeJson(below);
  return value;
}

/** The object without the named keys. */
export function omit(object: JsonObject, keys: readonly string[]): JsonObject {
  const rest: Record<string, unknown> = {};
  for (const key of Object.keys(object)) if (!keys.includes(key)) rest[key] = object[key];
  return rest;
}

/**
 * JSON merge patch (RFC 7386). Parts that the patch leaves alone are shared with `target`;
 * a patch that changes nothing returns `target` itself.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  const changes = objectOf(patch);
  if (changes === undefined) return patch;
  const before = objectOf(target);
  const after: Record<string, unknown> = { ...before };
  let changed = before === undefined;
  for (const key of Object.keys(changes)) {
    const change = changes[key];
    if (change === undefined) continue;
    if (change === null) {
      changed = changed || key in after;
      delete after[key];
      continue;
    }
    const merged = mergePatch(after[key], change);
    changed = changed || merged !== after[key];
    after[key] = merged;
  }
  return changed ? after : before;
}
