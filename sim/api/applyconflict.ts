import { err } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import { objectOf } from './json.ts';
import type { FieldTree, Ownership } from './ownership.ts';
import type { Outcome } from './refusal.ts';

/** One field that another manager owns with another value. */
interface ApplyConflict {
  /** As messages name the manager: `"kubectl" using apps/v1`. */
  readonly manager: string;
  /** `.spec.template.spec.containers[name="web"].image`. */
  readonly path: string;
}

/** The conflicts that an apply has with one owner, by the fields that the owner would lose. */
export function conflictsOf(owner: Ownership, lost: FieldTree): readonly ApplyConflict[] {
  if (Object.keys(lost).length === 0) return [];
  const manager = managerText(owner);
  return leavesOf(lost, '').map((path) => ({ manager, path }));
}

function managerText({ manager, operation, subresource, entry }: Ownership): string {
  const within = subresource === undefined
    ? ''
    : ` with subresource ${JSON.stringify(subresource)}`;
  const using = operation === 'Update' ? ` using ${String(entry['apiVersion'])}` : '';
  return `${JSON.stringify(manager)}${within}${using}`;
}

function leavesOf(tree: FieldTree, path: string): readonly string[] {
  const segments = Object.keys(tree);
  if (segments.length === 0) return [path];
  return segments.flatMap((segment) => leavesOf(tree[segment] ?? {}, `${path}${shown(segment)}`));
}

function shown(segment: string): string {
  const content = segment.slice(2);
  if (segment.startsWith('f:')) return `.${content}`;
  if (segment.startsWith('v:')) return `[=${content}]`;
  const keys = objectOf(JSON.parse(content)) ?? {};
  return `[${Object.keys(keys).map((key) => `${key}=${JSON.stringify(keys[key])}`).join(',')}]`;
}

/** 409 Conflict in the words that kubectl shows. */
export function applyConflict(conflicts: readonly ApplyConflict[]): Outcome<never> {
  const causes = conflicts.map(({ manager, path }) => ({
    path, message: `conflict with ${manager}`, reason: 'FieldManagerConflict',
  }));
  return err({
    kind: 'conflict', code: 409, reason: 'Conflict', message: messageOf(conflicts), causes,
  });
}

function messageOf(conflicts: readonly ApplyConflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.path}`;
  }
  const managers = [...new Set(conflicts.map(({ manager }) => manager))].sort(compareText);
  const lines = managers.flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...conflicts.filter((one) => one.manager === manager).map(({ path }) => `- ${path}`),
  ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
