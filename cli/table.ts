/** One column of a table over rows of type `Row`. */
export interface Column<Row> {
  /** As printed: UPPER-CASE with dashes. */
  readonly head: string;
  /** Shown only with `-o wide`. */
  readonly wide?: boolean;
  /** The cell. Undefined prints `-`: not applicable. */
  readonly cell: (row: Row) => string | number | undefined;
  /** What `--sort-by` compares where the cell does not sort as text or number. */
  readonly sortKey?: (row: Row) => string | number;
  /** True: a continuation row (see `TableOptions.group`) leaves the cell blank. */
  readonly once?: boolean;
}

export interface TableOptions<Row> {
  readonly wide: boolean;
  readonly heads: boolean;
  /** A column's head in any case, with dashes or not; rows keep their order among equals. */
  readonly sortBy: string | undefined;
  /** Rows of one group after the first are continuation rows. They never are without heads. */
  readonly group?: (row: Row) => string;
}

/**
 * A table as kubectl prints it: three spaces between columns, no borders, no truncation, no space
 * at the end of a line. Empty for no rows without heads.
 */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions<Row>,
): string {
  const shown = columns.filter((column) => column.wide !== true || options.wide);
  const sorted = sortRows(shown, rows, options.sortBy);
  const cells = sorted.map((row, index) => {
    const before = sorted[index - 1];
    const goesOn = options.heads && options.group !== undefined && before !== undefined &&
      options.group(before) === options.group(row);
    return shown.map((column) => (goesOn && column.once === true ? '' : cellText(column, row)));
  });
  return alignRows(options.heads ? [shown.map((column) => column.head), ...cells] : cells);
}

/** The column that `--sort-by` names, or undefined. */
export function columnNamed<Row>(
  columns: readonly Column<Row>[],
  name: string,
): Column<Row> | undefined {
  const plain = (text: string): string => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
  return columns.find((column) => plain(column.head) === plain(name));
}

/** Lines of cells, each column as wide as its widest cell. */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]): string =>
    row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('   ').trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

function cellText<Row>(column: Column<Row>, row: Row): string {
  const cell = column.cell(row);
  return cell === undefined || cell === '' ? '-' : String(cell);
}

function sortRows<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  sortBy: string | undefined,
): readonly Row[] {
  const column = sortBy === undefined ? undefined : columnNamed(columns, sortBy);
  if (column === undefined) return rows;
  const keyOf = (row: Row): string | number => column.sortKey?.(row) ?? column.cell(row) ?? '';
  return rows.toSorted((left, right) => compareKeys(keyOf(left), keyOf(right)));
}

// Numbers come before texts, so that the order stays total in a mixed column.
function compareKeys(left: string | number, right: string | number): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'number') return -1;
  if (typeof right === 'number') return 1;
  return left < right ? -1 : Number(left > right);
}
