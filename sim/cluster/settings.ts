import type { Fault } from '../../lb/model.ts';
import { flattenSettings, readSettings, type Settings } from '../../settings.ts';
import { nameSettings } from '../../settingtable.ts';

/** What `createAgent` and `createController` are configured with, from one flat record. */
export interface ClusterSettings extends Settings {
  /** Values that were not taken as written, and keys that nobody reads. */
  readonly faults: readonly Fault[];
}

/** Settings of parts that the simulator has not yet: a folder that carries them is not wrong. */
const elsewhere = /^events\./u;

/**
 * Reads settings by the names of interface.md 10; those absent have their defaults. Grouped keys
 * may also be nested mappings, as people write them in YAML.
 */
export function parseClusterSettings(
  record: Readonly<Record<string, unknown>>,
  serviceCidrs: readonly string[],
): ClusterSettings {
  const { values, ignored } = nameSettings(flattenSettings(record));
  const unknown = ignored.filter((key) => !elsewhere.test(key));
  const { settings, faults, warnings } = readSettings({
    ...values, 'datapath.serviceRanges': serviceCidrs,
  });
  return {
    ...settings,
    faults: [
      ...unknown.map((path) => ({ path, message: 'unknown setting' })),
      ...faults,
      ...warnings.map((message) => ({ path: 'l2', message })),
    ],
  };
}
