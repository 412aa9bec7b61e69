import { Option, type Command } from 'commander';
import { paintFor, type ColourWish, type Console, type Paint } from './console.ts';
import { CommandEnd, exitCodes, usageError } from './exit.ts';
import { columnNamed, tableText, type Column } from './table.ts';

const formats = ['table', 'wide', 'json', 'yaml', 'name'] as const;

/** What `-o` accepts. */
export type Format = (typeof formats)[number];

/** The output flags of a command, as commander reads them. */
export interface OutputFlags {
  readonly output: Format;
  /** False with `--no-headers`. */
  readonly headers: boolean;
  readonly sortBy?: string;
}

/** Where the answer comes from (interface.md 1, I5). */
export type Source = 'cluster' | 'manifests' | 'recording';

/** A list to print: the same items as a table, names or one document (interface.md 3). */
export interface Listing<Item, Row = Item> {
  /** `ServiceList`: the kind of the document. */
  readonly kind: string;
  readonly source: Source;
  readonly items: readonly Item[];
  /** Sentences; on stderr with a table, in the document otherwise. */
  readonly warnings: readonly string[];
  readonly columns: readonly Column<Row>[];
  /** The table's rows, where an item has several or others. */
  readonly rows: readonly Row[];
  readonly group?: (row: Row) => string;
  /** `kind/ns/name` of an item. */
  readonly name: (item: Item) => string;
}

/** Adds `-o`, `--no-headers` and `--sort-by`, each also read from `FAIRLEAD_…`. */
export function withOutput(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(formats).default('table').env('FAIRLEAD_OUTPUT'))
    .addOption(new Option('--no-headers', 'tables without a head line'))
    .addOption(new Option('--sort-by <column>', 'order of a table').env('FAIRLEAD_SORT_BY'));
}

/** Prints a listing in the wished format; stdout gets nothing else. */
export async function printListing<Item, Row>(
  console: Console,
  flags: OutputFlags,
  listing: Listing<Item, Row>,
): Promise<void> {
  const { kind, source, items, warnings, columns, rows, group } = listing;
  if (flags.output === 'json' || flags.output === 'yaml') {
    return printDocument(console, flags.output, { kind, source, items, warnings });
  }
  if (flags.sortBy !== undefined && columnNamed(columns, flags.sortBy) === undefined) {
    const heads = columns.map((column) => column.head).join(', ');
    throw usageError(`no column ${flags.sortBy}; there are ${heads}`);
  }
  for (const warning of warnings) console.err(`warning: ${warning}\n`);
  if (flags.output === 'name') {
    const names = [...new Set(items.map(listing.name))].toSorted(compare);
    console.out(names.map((name) => `${name}\n`).join(''));
    return undefined;
  }
  const wide = flags.output === 'wide';
  console.out(tableText(columns, rows, {
    wide,
    heads: flags.headers,
    sortBy: flags.sortBy,
    ...(group === undefined ? {} : { group }),
  }));
  return undefined;
}

export interface Document {
  readonly kind: string;
  readonly source: Source;
  readonly items: readonly unknown[];
  readonly warnings: readonly string[];
}

/** One document in JSON or YAML with equal values; absent fields are missing, never null. */
export async function printDocument(
  console: Console,
  format: 'json' | 'yaml',
  document: Document,
): Promise<void> {
  const { kind, ...rest } = document;
  const whole = { apiVersion: 'fairlead.dev/v1', kind, ...rest };
  const json = JSON.stringify(whole, undefined, 2);
  if (format === 'json') {
    console.out(`${json}\n`);
    return;
  }
  const { stringify } = await import('yaml');
  // By way of JSON, so that both formats drop what is undefined.
  console.out(stringify(JSON.parse(json), { lineWidth: 0, aliasDuplicateObjects: false }));
}

/** The painter of a command, by the global `--color`. */
export function paintOf(console: Console, command: Command): Paint {
  const { color } = command.optsWithGlobals<{ color?: ColourWish }>();
  return paintFor(console, color ?? 'auto');
}

/** Names the object that is not there, with the nearest that are; exit 1. */
export function absent(what: string, nearest: readonly string[]): CommandEnd {
  const hint = nearest.length === 0 ? '' : `; nearest: ${nearest.join(', ')}`;
  return new CommandEnd(exitCodes.notWell, `${what} is not there${hint}`);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
