import { ok } from '../../lb/result.ts';
import { equalJson, objectOf } from './json.ts';
import { badRequest, type Outcome } from './refusal.ts';

/** JSON patch (RFC 6902) of a JSON value, which stays as it is; a bad operation refuses all. */
export function patchJson(before: unknown, operations: unknown): Outcome<unknown> {
  if (!Array.isArray(operations)) return badRequest('a JSON patch is a list of operations');
  let value: unknown = before;
  for (const [index, operation] of operations.entries()) {
    const applied = applyOperation(value, objectOf(operation) ?? {});
    if (applied === undefined) {
      return badRequest(`operation ${index} of the JSON patch does not apply`);
    }
    value = applied.value;
  }
  return ok(value);
}

/** The new root, or undefined where the operation does not apply. */
type Applied = { readonly value: unknown } | undefined;

function applyOperation(root: unknown, operation: Readonly<Record<string, unknown>>): Applied {
  const path = pointer(operation['path']);
  if (path === undefined) return undefined;
  switch (operation['op']) {
    case 'add': return edit(root, path, { kind: 'add', value: operation['value'] });
    case 'remove': return edit(root, path, { kind: 'remove' });
    case 'replace':
      return lookUp(root, path) && edit(root, path, { kind: 'replace', value: operation['value'] });
    case 'test': {
      const found = lookUp(root, path);
      return found !== undefined
        && equalJson(found.value, operation['value']) ? { value: root } : undefined;
    }
    case 'copy': case 'move': {
      const from = pointer(operation['from']);
      const found = from && lookUp(root, from);
      if (from === undefined || found === undefined) return undefined;
      const base = operation['op'] === 'move'
        ? edit(root, from, { kind: 'remove' })
        : { value: root };
      return base && edit(base.value, path, { kind: 'add', value: found.value });
    }
    case undefined: default: return undefined;
  }
}

// RFC 6901: `~1` is a slash and `~0` a tilde, in this order of replacement.
function pointer(text: unknown): readonly string[] | undefined {
  if (text === '') return [];
  if (typeof text !== 'string' || !text.startsWith('/')) return undefined;
  return text.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function lookUp(root: unknown, path: readonly string[]): Applied {
  let value = root;
  for (const part of path) {
    if (Array.isArray(value)) value = value[indexIn(value, part) ?? value.length];
    else value = objectOf(value)?.[part];
    if (value === undefined) return undefined;
  }
  return { value };
}

function indexIn(list: readonly unknown[], part: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]*)$/u.test(part)) return undefined;
  const index = Number(part);
  return index <= list.length ? index : undefined;
}

type Edit = { readonly kind: 'add' | 'replace'; readonly value: unknown } | {
  readonly kind: 'remove',
};

function edit(root: unknown, path: readonly string[], change: Edit): Applied {
  const [part, ...rest] = path;
  if (part === undefined) return change.kind === 'remove' ? undefined : { value: change.value };
  if (Array.isArray(root)) return editList(root, { part, rest }, change);
  const fields = objectOf(root);
  if (fields === undefined) return undefined;
  const copy: Record<string, unknown> = { ...fields };
  if (rest.length > 0) {
    const below = edit(fields[part], rest, change);
    if (below === undefined) return undefined;
    copy[part] = below.value;
  } else if (change.kind === 'remove') {
    if (fields[part] === undefined) return undefined;
    delete copy[part];
  } else copy[part] = change.value;
  return { value: copy };
}

function editList(
  list: readonly unknown[], at: { part: string; rest: readonly string[] }, change: Edit,
): Applied {
  const index = at.part === '-' && change.kind === 'add' ? list.length : indexIn(list, at.part);
  if (index === undefined) return undefined;
  const copy = [...list];
  if (at.rest.length > 0) {
    const below = edit(list[index], at.rest, change);
    if (below === undefined) return undefined;
    copy[index] = below.value;
  } else if (change.kind === 'add') copy.splice(index, 0, change.value);
  else if (index >= list.length) return undefined;
  else if (change.kind === 'remove') copy.splice(index, 1);
  else copy[index] = change.value;
  return { value: copy };
}
