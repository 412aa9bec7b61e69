import type { Fault } from '../lb/model.ts';
import type { Table } from '../lb/table.ts';
import type { Decode } from './decode.ts';
import type { KubeObject } from './port.ts';
import {
  createReflector, type Reflector, type ReflectorPorts, type ReflectorScope,
} from './reflector.ts';

/** An object that gave no row, or a row with unset fields. */
export interface FaultyObject {
  readonly key: string;
  readonly object: KubeObject;
  /** True when no row could be made: the last good one, if any, stays in the table. */
  readonly refused: boolean;
  readonly faults: readonly Fault[];
}

/** A row that knows which fields of its object could not be read. */
export interface Readable {
  readonly faults: readonly Fault[];
}

/** Whether a consumer can do without the later of two rows, in the order in which they came. */
export type Same<T> = (before: T, after: T) => boolean;

export interface TableFeed<T extends Readable> extends ReflectorScope {
  readonly table: Table<T>;
  readonly decode: Decode<T>;
  /** The key of a row, which must not change while the object lives; default: the object's. */
  readonly key?: (value: T) => string;
  /** A later version that is the same leaves the row as it is; default: every version counts. */
  readonly same?: Same<T>;
  /** Called for each version of an object that has faults. */
  readonly onFault?: (faulty: FaultyObject) => void;
}

/**
 * Keeps a table equal to one resource of the API: a row per object, changed only when uid or
 * resourceVersion changed, complete after the first whole list. Bad input is reported and never
 * takes a good row away while the object exists.
 */
export function feedTable<T extends Readable>(
  ports: ReflectorPorts,
  feed: TableFeed<T>,
): Reflector {
  const { table, decode } = feed;
  /** Of rows whose key is not that of their object. */
  const rowKeys = new Map<string, string>();
  return createReflector(ports, feed, {
    upsert(key, object) {
      const decoded = decode(object);
      const faults = decoded.ok ? decoded.value.faults : decoded.error;
      if (decoded.ok) {
        const rowKey = feed.key?.(decoded.value) ?? key;
        if (rowKey !== key) rowKeys.set(key, rowKey);
        const before = feed.same === undefined ? undefined : table.get(rowKey);
        const same = before !== undefined && feed.same?.(before, decoded.value) === true;
        if (!same) table.upsert(rowKey, decoded.value);
      }
      if (faults.length > 0) feed.onFault?.({ key, object, refused: !decoded.ok, faults });
    },
    remove(key) {
      const rowKey = rowKeys.get(key) ?? key;
      rowKeys.delete(key);
      table.delete(rowKey);
    },
    synced() {
      table.markComplete();
    },
  });
}
