/**
 * A refusal of the world as a value: either the wanted thing, or why not.
 * Errors are records with a closed `kind`; bugs are assertions and never travel in a `Result`.
 */
export type Result<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** A string that validated: equal brands may be compared, different ones may not be mixed up. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** States one fact that the code relies on. A false fact is a bug and ends the process. */
export function assert(condition: boolean, fact: string): asserts condition {
  if (!condition) throw new AssertionError(fact);
}

/** A bug in fairlead, never a property of the input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
