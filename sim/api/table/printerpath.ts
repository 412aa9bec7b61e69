import { listOf, objectOf } from '../json.ts';

/** One step of a printer column's path. */
type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'where'; readonly name: string; readonly value: string };

const step = new RegExp(
  [
    String.raw`\.([A-Za-z_][\w-]*)`,
    String.raw`\['([^']*)'\]`,
    String.raw`\[(-?\d+)\]`,
    String.raw`(\[\*\]|\.\*)`,
    String.raw`\[\?\(@\.([\w.-]+)\s*==\s*["']([^"']*)["']\)\]`,
  ].join('|'),
  'uy',
);

/**
 * The values that the path of a printer column names: fields, indices, `[*]` and filters by
 * equality, which is what CRDs use (kubectl's JSONPath). The library for RFC 9535 cannot be asked
 * inside a world. A path that says more names nothing.
 */
export function printerValues(path: string, value: unknown): readonly unknown[] {
  const steps = parsePath(path);
  if (steps === undefined) return [];
  return steps.reduce<readonly unknown[]>(
    (found, each) => found.flatMap((inside) => take(each, inside)), [value],
  );
}

function parsePath(path: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  const pattern = new RegExp(step);
  while (pattern.lastIndex < path.length) {
    const match = pattern.exec(path);
    if (match === null) return undefined;
    const [, plain, quoted, index, all, name = '', wanted = ''] = match;
    const field = plain ?? quoted;
    if (field !== undefined) steps.push({ kind: 'field', name: field });
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) });
    else if (all !== undefined) steps.push({ kind: 'all' });
    else steps.push({ kind: 'where', name, value: wanted });
  }
  return steps;
}

function take(each: Step, value: unknown): readonly unknown[] {
  switch (each.kind) {
    case 'field': {
      const found = objectOf(value)?.[each.name];
      return found === undefined ? [] : [found];
    }
    case 'index': {
      const found = listOf(value).at(each.index);
      return found === undefined ? [] : [found];
    }
    case 'all': return Array.isArray(value) ? value : Object.values(objectOf(value) ?? {});
    case 'where':
      return listOf(value).filter((entry) => objectOf(entry)?.[each.name] === each.value);
  }
}
