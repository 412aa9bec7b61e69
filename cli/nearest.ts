/**
 * The known names that a mistyped one may have meant, nearest first: those within a third of its
 * length in edits (insert, delete, replace, swap of neighbours), or that contain it.
 */
export function nearestNames(typed: string, known: readonly string[], countMax = 3): string[] {
  const bound = Math.max(1, Math.floor(typed.length / 3));
  return known
    .map((name) => ({ name, edits: holds(name, typed) ? 0 : editCount(typed, name) }))
    .filter(({ edits }) => edits <= bound)
    .toSorted((left, right) => left.edits - right.edits || (left.name < right.name ? -1 : 1))
    .slice(0, countMax)
    .map(({ name }) => name);
}

// Two letters stand in too many names to mean one.
function holds(name: string, typed: string): boolean {
  return name.startsWith(typed) || (typed.length > 2 && name.includes(typed));
}

// Optimal string alignment: rows of a table, of which the last three are needed.
function editCount(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next[column] = Math.min(
        (last[column] ?? Infinity) + 1,
        (next[column - 1] ?? Infinity) + 1,
        (last[column - 1] ?? Infinity) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? Infinity) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = next;
  }
  return last[to.length] ?? Infinity;
}
