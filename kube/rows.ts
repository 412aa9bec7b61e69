import type { Fault, Meta } from '../lb/model.ts';
import type { EventSink } from '../lb/ports.ts';
import type { Table } from '../lb/table.ts';
import type { Decode } from './decode.ts';
import { feedTable, type FaultyObject, type Readable, type Same } from './feed.ts';
import type { KeyOf } from './objectkey.ts';
import type { Reflector, ReflectorPorts } from './reflector.ts';
import { apiVersion, type Resource } from './resource.ts';

/** What every kind of the model has. */
export interface Row extends Readable {
  readonly meta: Meta;
}

export interface Rows<T extends Row> {
  readonly resource: Resource;
  readonly table: Table<T>;
  readonly decode: Decode<T>;
  /** As in `TableFeed`. */
  readonly same?: Same<T>;
  readonly keyOf?: KeyOf;
  /** Set for a kind whose spec works as a unit: while a field is bad, the last good one does. */
  readonly whole?: true;
  /** As in `ReflectorScope`. */
  readonly optional?: true;
  /** Where bad input is told; one process of a cluster tells it, or every node would. */
  readonly events?: EventSink;
}

/**
 * Feeds a table of rows that carry their metadata, keyed by `namespace/name`. An object with faults
 * gets the Event `InvalidObject`, which names the first fields; its last good row stays in force.
 */
export function feedRows<T extends Row>(ports: ReflectorPorts, rows: Rows<T>): Reflector {
  const { events, resource, same, optional, keyOf } = rows;
  return feedTable(ports, {
    resource,
    table: rows.table,
    decode: rows.decode,
    ...(same === undefined ? {} : { same }),
    ...(optional === undefined ? {} : { optional }),
    ...(keyOf === undefined ? {} : { keyOf }),
    ...(events === undefined ? {} : { onFault: (faulty) => tell(events, rows, faulty) }),
  });
}

const faultsShown = 3;

function tell(
  events: EventSink, { resource, whole }: Pick<Rows<Row>, 'resource' | 'whole'>,
  faulty: FaultyObject,
): void {
  const { metadata } = faulty.object;
  const first = faulty.faults.slice(0, faultsShown);
  const shown = first.map(({ path, message }) => `${path}: ${message}`);
  const more = faulty.faults.length - shown.length;
  const kept = faulty.refused || (whole === true && faulty.faults.some(specFault));
  const outcome = kept
    ? 'the last good version stays in force'
    : 'these fields count as unset';
  events.emit({
    object: {
      apiVersion: apiVersion(resource),
      kind: resource.kind,
      namespace: textOf(metadata?.namespace),
      name: textOf(metadata?.name),
      uid: textOf(metadata?.uid),
    },
    type: 'Warning',
    reason: 'InvalidObject',
    message: `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}; ${outcome}`,
  });
}

const specFault = ({ path }: Fault): boolean => /^spec\b/u.test(path);

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
