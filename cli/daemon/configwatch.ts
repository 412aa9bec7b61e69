import { unwatchFile, watchFile } from 'node:fs';
import type { Journal } from '../../lb/ports.ts';
import { settingTable } from '../../settingtable.ts';
import {
  faultText, loadConfiguration, type ConfigFault, type ConfigSources, type Configuration,
} from './configuration.ts';

/** What changed in a configuration that was accepted, for one process. */
export interface ConfigChange {
  readonly configuration: Configuration;
  /** Settings whose values differ and that this process reads. */
  readonly keys: ReadonlySet<string>;
  /** One of them is in force only after a restart. */
  readonly restart: boolean;
}

export interface ConfigWatchOrder {
  readonly sources: ConfigSources;
  /** In force now. */
  readonly configuration: Configuration;
  readonly role: 'agent' | 'controller';
  readonly journal: Journal;
  readonly accepted: (change: ConfigChange) => void;
  /** The file is refused as a whole; told at each reading of a bad file. */
  readonly rejected: (text: string) => void;
  /** How often the file is looked at. */
  readonly everyMs?: number;
}

const everyMsUsual = 1_000;

/**
 * Follows the file of a configuration. A bad one is refused as a whole and the last good one stays;
 * what is wrong is derived from the present file at each reading and never remembered longer
 * (interface.md 10).
 */
export class ConfigWatch {
  #order: ConfigWatchOrder;
  #configuration: Configuration;
  #faults: readonly ConfigFault[] = [];
  #look = (): void => this.read();

  constructor(order: ConfigWatchOrder) {
    this.#order = order;
    this.#configuration = order.configuration;
    const { file } = order.sources;
    // A volume of a ConfigMap changes by a link to another folder, which events of a file miss.
    if (file !== undefined) {
      watchFile(file, { interval: order.everyMs ?? everyMsUsual, persistent: false }, this.#look);
    }
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** What is wrong with the present file. */
  get faults(): readonly ConfigFault[] {
    return this.#faults;
  }

  close(): void {
    const { file } = this.#order.sources;
    if (file !== undefined) unwatchFile(file, this.#look);
  }

  /** Reads the file now. */
  read(): void {
    const { sources, journal, role, accepted, rejected } = this.#order;
    const loaded = loadConfiguration(sources);
    if (!loaded.ok) {
      this.#faults = loaded.error;
      const text = loaded.error.map(faultText).join('; ');
      journal.note({
        level: 'error', component: 'config', code: 'config.rejected',
        text: `${text}; the last good configuration stays in force`,
      });
      rejected(text);
      return;
    }
    const mended = this.#faults.length > 0;
    this.#faults = [];
    const before = this.#configuration.values;
    this.#configuration = loaded.value;
    const changed = settingTable.filter(({ key, of = role }) => (
      of === role && JSON.stringify(before[key]) !== JSON.stringify(loaded.value.values[key])
    ));
    if (!mended && changed.length === 0) return;
    const keys = new Set(changed.map(({ key }) => key));
    const names = [...keys].join(', ');
    journal.note({
      level: 'info', component: 'config', code: 'config.accepted',
      text: keys.size === 0 ? 'the configuration is good again' : `changed: ${names}`,
    });
    const restart = changed.some(({ reload }) => reload === 'restart');
    accepted({ configuration: loaded.value, keys, restart });
  }
}
