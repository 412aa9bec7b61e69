import type { Micros } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import type { BackendImage } from './image.ts';
import { IdPool } from './ids.ts';
import { Quarantine } from './quarantine.ts';

/** One row of `fl_backend` in use. */
export interface Backend {
  readonly image: BackendImage;
  readonly id: number;
  /** Counts the uses of ids on this node, so that two uses of one id can be told apart. */
  readonly gen: number;
  ifindex: number;
  /** Member rows that name it. */
  uses: number;
  /** The row is in the map. */
  written: boolean;
  /** The row was found to say something else: no later use may rely on it. */
  damaged: boolean;
  /** When the last use ended; undefined while it is used. */
  freedAt: Micros | undefined;
}

/** A flow may name a backend id for as long as a UDP row lives (datapath.md 10). */
export const backendQuarantine: Micros = 120_000_000;

/**
 * Backends by what they are, shared by all service ports of the node. One that nobody uses any more
 * keeps its id and row for a while; if it returns in that time, nothing need be written.
 */
export class Backends {
  #ids: IdPool;
  #known = new Map<string, Backend>();
  #resting = new Quarantine<Backend>(backendQuarantine);
  #gen = 0;

  constructor(limit: number) {
    this.#ids = new IdPool(limit);
  }

  get size(): number {
    return this.#ids.taken;
  }

  /** The backend, with a fresh id if there was none; undefined when no id is left. */
  use(image: BackendImage, ifindex: number): Backend | undefined {
    const backend = this.#known.get(image.key) ?? this.#make(image, ifindex);
    if (backend === undefined) return undefined;
    backend.uses += 1;
    backend.freedAt = undefined;
    return backend;
  }

  /** Ends one use. The id of a row that was never written is free at once. */
  drop(backend: Backend, now: Micros): void {
    assert(backend.uses > 0, `backend ${backend.id} is in use`);
    backend.uses -= 1;
    if (backend.uses > 0) return;
    if (!backend.written) {
      this.#forget(backend);
      return;
    }
    backend.freedAt = now;
    this.#resting.add(backend, now);
  }

  /** Gives ids back whose quarantine is over. */
  expire(now: Micros): void {
    for (const backend of this.#resting.release(now)) {
      // In use again, or dropped again since: then a later entry of the queue speaks of it.
      if (!this.#rested(backend, now)) continue;
      backend.freedAt = undefined;
      this.#forget(backend);
    }
  }

  /** Later uses of the same endpoint get a fresh id. */
  disown(backend: Backend): void {
    backend.damaged = true;
    if (this.#known.get(backend.image.key) === backend) this.#known.delete(backend.image.key);
  }

  /** Backends in use or in quarantine, in no order that means anything. */
  values(): Iterable<Backend> {
    return this.#known.values();
  }

  /** Adopts the rows of an earlier process, before the first use; each id once. */
  restore(rows: readonly Pick<Backend, 'image' | 'id' | 'gen' | 'ifindex'>[]): Backend[] {
    this.#ids.restore(new Set(rows.map(({ id }) => id)));
    return rows.map((row) => {
      const backend = { ...row, uses: 0, written: true, damaged: false, freedAt: undefined };
      // Of two rows for one backend the lower id is the one to go on with.
      const known = this.#known.get(row.image.key);
      if (known === undefined || known.id > row.id) this.#known.set(row.image.key, backend);
      this.#gen = Math.max(this.#gen, row.gen);
      return backend;
    });
  }

  #rested(backend: Backend, now: Micros): boolean {
    return backend.freedAt !== undefined && backend.freedAt + this.#resting.period <= now;
  }

  #make(image: BackendImage, ifindex: number): Backend | undefined {
    const id = this.#ids.take();
    if (id === undefined) return undefined;
    this.#gen = (this.#gen + 1) >>> 0;
    const backend = {
      image, id, gen: this.#gen, ifindex,
      uses: 0, written: false, damaged: false, freedAt: undefined,
    };
    this.#known.set(image.key, backend);
    return backend;
  }

  #forget(backend: Backend): void {
    if (this.#known.get(backend.image.key) === backend) this.#known.delete(backend.image.key);
    this.#ids.release(backend.id);
  }
}
