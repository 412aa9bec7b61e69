import { err, ok } from '../../lb/result.ts';
import { equalJson, listOf, objectOf, type JsonObject } from './json.ts';
import { messageOfType } from './message/catalog.ts';
import type { Field, Message } from './message/grammar.ts';
import { badRequest, type Outcome } from './refusal.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const deleteValues = '$deleteFromPrimitiveList/';
const elementOrder = '$setElementOrder/';

/**
 * Strategic merge patch of a built-in kind (A8): lists are merged by the merge key of their field,
 * `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…` are obeyed.
 * 400 for a malformed directive, 422 for an element without its merge key. Pure; parts that the
 * patch leaves alone are shared with `target`.
 */
export function strategicPatch(
  target: JsonObject, patch: unknown, message: Message,
): Outcome<JsonObject> {
  const changes = objectOf(patch);
  if (changes === undefined) return badRequest('a strategic merge patch is an object');
  const merge = new StrategicMerge();
  const merged = merge.fields(target, changes, message);
  return merge.refusal ?? ok(merged);
}

/** One merge; it goes on after a fault, since nothing is stored of a merge that had one. */
class StrategicMerge {
  /** The first fault. */
  refusal: Outcome<never> | undefined;

  fields(target: JsonObject, patch: JsonObject, message: Message | undefined): JsonObject {
    const how = patch[directive];
    if (how === 'replace') return plain(patch);
    if (how !== undefined) {
      if (how !== 'delete') this.#refuse(`unknown patch type: ${JSON.stringify(how)}`);
      return {};
    }
    const merged = { ...this.#retained(target, patch) };
    this.#dropValues(merged, patch);
    for (const key of Object.keys(patch)) {
      const change = patch[key];
      if (key.startsWith('$') || change === undefined) continue;
      if (change === null) delete merged[key];
      else merged[key] = this.#value(merged[key], change, message?.fields.get(key));
    }
    for (const key of Object.keys(patch)) {
      if (!key.startsWith(elementOrder)) continue;
      const name = key.slice(elementOrder.length);
      const list = merged[name];
      const order = this.#orderOf(patch, name, message?.fields.get(name));
      if (!Array.isArray(list)) continue;
      const before = listOf(target[name]);
      merged[name] = inOrder(list, { order, before, field: message?.fields.get(name) });
    }
    return merged;
  }

  #refuse(message: string): void {
    this.refusal ??= badRequest(message);
  }

  #values(value: unknown, key: string): readonly unknown[] {
    if (!Array.isArray(value)) this.#refuse(`invalid patch format of ${key}: not a list`);
    return listOf(value);
  }

  // `$retainKeys` clears the fields that it does not name: a strategy changes type as a whole.
  #retained(target: JsonObject, patch: JsonObject): JsonObject {
    if (patch[retainKeys] === undefined) return target;
    const names = this.#values(patch[retainKeys], retainKeys);
    for (const key of Object.keys(patch)) {
      if (key.startsWith('$') || patch[key] === null || names.includes(key)) continue;
      this.#refuse(`invalid patch format of ${retainKeys}: it does not name ${key}`);
    }
    return Object.fromEntries(Object.entries(target).filter(([key]) => names.includes(key)));
  }

  #dropValues(merged: Record<string, unknown>, patch: JsonObject): void {
    for (const key of Object.keys(patch)) {
      if (!key.startsWith(deleteValues)) continue;
      const name = key.slice(deleteValues.length);
      const gone = this.#values(patch[key], key);
      if (merged[name] === undefined) continue;
      merged[name] = listOf(merged[name]).filter(
        (value) => !gone.some((other) => equalJson(value, other)),
      );
    }
  }

  #orderOf(patch: JsonObject, name: string, field: Field | undefined): readonly unknown[] {
    const key = `${elementOrder}${name}`;
    const order = this.#values(patch[key], key);
    const sent = listOf(patch[name]).filter((item) => objectOf(item)?.[directive] === undefined);
    const stranger = sent.find((item) => !order.some((entry) => sameItem(entry, item, field)));
    if (stranger !== undefined) {
      this.#refuse(`the patch list does not match ${key}: ${JSON.stringify(stranger)}`);
    }
    return order;
  }

  #value(before: unknown, change: unknown, field: Field | undefined): unknown {
    if (Array.isArray(change)) {
      const listed = listOf(before);
      if (field?.mergeKey === undefined) return change.map(plainValue);
      return field.mergeKey === '' ? union(listed, change) : this.#list(listed, change, field);
    }
    const fields = objectOf(change);
    if (fields === undefined) return change;
    return this.fields(objectOf(before) ?? {}, fields, messageOfType(field?.type));
  }

  #list(before: readonly unknown[], change: readonly unknown[], field: Field): unknown[] {
    const key = field.mergeKey ?? '';
    let replaces = false;
    let merged = [...before];
    const additions: JsonObject[] = [];
    for (const item of change) {
      const fields = objectOf(item);
      if (fields === undefined) this.#refuse(`${field.name} has an element that is no object`);
      else if (fields[directive] === undefined) additions.push(fields);
      else if (fields[directive] === 'replace') replaces = true;
      else if (fields[directive] !== 'delete') {
        this.#refuse(`unknown patch type: ${JSON.stringify(fields[directive])}`);
      } else {
        const gone = this.#keyIn(fields, key);
        merged = merged.filter((other) => !equalJson(objectOf(other)?.[key], gone));
      }
    }
    if (replaces) return additions.map(plain);
    const message = messageOfType(field.type.kind === 'list' ? field.type.of : undefined);
    for (const fields of additions) {
      const value = this.#keyIn(fields, key);
      const index = merged.findIndex((other) => equalJson(objectOf(other)?.[key], value));
      if (index < 0) merged.push(this.fields({}, fields, message));
      else merged[index] = this.fields(objectOf(merged[index]) ?? {}, fields, message);
    }
    return merged;
  }

  #keyIn(item: JsonObject, key: string): unknown {
    if (item[key] === undefined) {
      const message = `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`;
      this.refusal ??= err({ kind: 'invalid', code: 422, reason: 'Invalid', message });
    }
    return item[key];
  }
}

function sameItem(left: unknown, right: unknown, field: Field | undefined): boolean {
  const key = field?.mergeKey ?? '';
  if (key === '') return equalJson(left, right);
  return equalJson(objectOf(left)?.[key], objectOf(right)?.[key]);
}

// Items that the writer knows stand in its order; those that only the server knows keep their
// place before the first known one that they preceded.
function inOrder(
  list: readonly unknown[],
  how: {
    readonly order: readonly unknown[];
    readonly before: readonly unknown[];
    readonly field: Field | undefined;
  },
): unknown[] {
  const { order, before, field } = how;
  const indexIn = (items: readonly unknown[], item: unknown): number => (
    items.findIndex((other) => sameItem(other, item, field))
  );
  const known = list.filter((item) => indexIn(order, item) >= 0)
    .sort((left, right) => indexIn(order, left) - indexIn(order, right));
  const foreign = list.filter((item) => indexIn(order, item) < 0);
  const sorted: unknown[] = [];
  while (known.length > 0 && foreign.length > 0) {
    const [mine, theirs] = [indexIn(before, known[0]), indexIn(before, foreign[0])];
    const first = mine >= 0 && theirs >= 0 && theirs < mine ? foreign : known;
    sorted.push(first.shift());
  }
  return [...sorted, ...known, ...foreign];
}

/** A part of a patch as content: without directives and without nulls. */
function plain(value: JsonObject): JsonObject {
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const field = value[key];
    if (key.startsWith('$') || field === null || field === undefined) continue;
    kept[key] = plainValue(field);
  }
  return kept;
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  const fields = objectOf(value);
  return fields === undefined ? value : plain(fields);
}

function union(before: readonly unknown[], change: readonly unknown[]): unknown[] {
  const all: unknown[] = [];
  for (const value of [...before, ...change]) {
    if (!all.some((known) => equalJson(known, value))) all.push(value);
  }
  return all;
}
