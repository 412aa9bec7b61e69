import type { Service } from '../../lb/model.ts';
import type { EventSink, Journal, Micros } from '../../lb/ports.ts';
import type { Table } from '../../lb/table.ts';
import { isFull, type Failure } from './failures.ts';
import type { Refusal } from './plan.ts';
import type { Subject } from './reveal.ts';

/** Says what people should know of the maps: in the journal, and on the Service where it hurts. */
export class Reporter {
  #journal: Journal;
  #events: EventSink | undefined;
  #services: Table<Service>;

  constructor(
    ports: { readonly journal: Journal; readonly events?: EventSink }, services: Table<Service>,
  ) {
    this.#journal = ports.journal;
    this.#events = ports.events;
    this.#services = services;
  }

  refused(subject: Subject, refusal: Refusal): void {
    const { map, error } = refusal;
    const full = isFull(refusal);
    this.#journal.measure?.({
      name: 'reconcile_errors_total', value: 1,
      labels: { reconciler: 'datapath', reason: error.kind },
    });
    this.#journal.note({
      level: 'warn', component: 'datapath', object: nameOf(subject),
      code: full ? 'kernel.mapFull' : 'kernel.mapError',
      text: full
        ? `map ${map} is full; the service port keeps its old set`
        : `map ${map} refused a row: ${error.kind}`,
    });
    if (full) this.#tellService(subject, map);
  }

  accepted({ name, port, refusal }: Failure): void {
    const { map, error } = refusal;
    this.#journal.note({
      level: 'info', component: 'datapath', object: nameOf({ name, port }),
      code: isFull(refusal) ? 'kernel.mapFullRecovered' : 'kernel.mapErrorRecovered',
      text: `map ${map} accepts the row after ${error.kind}`,
    });
  }

  pruned(rows: number): void {
    if (rows === 0) return;
    const text = `${rows} records of an earlier process name nothing that is wanted now and go`;
    this.#journal.note(
      { level: 'info', component: 'datapath', code: 'kernel.restorePruned', text },
    );
  }

  repaired(rows: number): void {
    const text = `${rows} rows of the datapath's maps were not as written and are repaired`;
    this.#journal.note(
      { level: 'warn', component: 'datapath', code: 'datapath.auditRepaired', text },
    );
  }

  /** A round ended; `waited` is for the oldest change in it, where one waited. */
  round(took: Micros, waited: Micros | undefined): void {
    const tell = (name: string, value: Micros): void => (
      this.#journal.measure?.({ name, value: value / 1_000_000, labels: {} })
    );
    tell('datapath_sync_duration_seconds', took);
    if (waited !== undefined) tell('datapath_programming_latency_seconds', waited);
  }

  #tellService({ port }: Subject, map: string): void {
    const image = port?.wanted ?? port?.shown;
    const service = image === undefined ? undefined : this.#services.get(image.service);
    if (service === undefined) return;
    const { namespace, name, uid } = service.meta;
    this.#events?.emit({
      object: { apiVersion: 'v1', kind: 'Service', namespace, name, uid },
      type: 'Warning', reason: 'MapFull',
      message: `Map ${map} of a node is full: there, traffic follows the endpoints of before. `
        + 'Choose a larger mapSize, or run fewer Services.',
    });
  }
}

function nameOf({ name, port }: Subject): string {
  return port === undefined ? name : `service port ${port.id}`;
}
