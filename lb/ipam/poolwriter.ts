import { mergeConditions } from '../conditions.ts';
import type { Condition } from '../model.ts';
import type { Clock, Micros, Timer } from '../ports.ts';
import type { StatusPort, WriteError } from '../status.ts';
import { compareText } from '../table.ts';
import { Attempts } from './attempts.ts';
import { olderVersion } from './entry.ts';
import type { Ledger } from './ledger.ts';
import { poolConditions, poolConditionTypes } from './poolstatus.ts';
import type { PoolState } from './poolstate.ts';
import type { PoolSpace } from './space.ts';
import { formatTime } from '../time.ts';

/** Field manager of our conditions on pools. */
export const poolFieldOwner = 'fairlead-lb-ipam';

/** Counts change with every Service; a pool's status is written once in this time at most. */
const poolInterval: Micros = 1_000_000;

export interface PoolWriterPorts {
  readonly clock: Clock;
  readonly status: StatusPort;
  readonly ready: () => void;
  readonly answered: (pool: PoolState, error: WriteError | undefined) => void;
}

interface Writing {
  readonly pool: PoolState;
  readonly uid: string;
  readonly attempts: Attempts;
  acknowledged: { resourceVersion: string; conditions: readonly Condition[] } | undefined;
  sentAt: Micros | undefined;
  timer: Timer | undefined;
}

/** Brings stored pool conditions to what is planned, coalesced to one write a second and pool. */
export class PoolWriter {
  #ports: PoolWriterPorts;
  #space: PoolSpace;
  #ledger: Ledger;
  #writings = new Map<string, Writing>();
  // Name → since when it is due.
  #due = new Map<string, Micros>();
  #stopped = false;

  constructor(ports: PoolWriterPorts, space: PoolSpace, ledger: Ledger) {
    this.#ports = ports;
    this.#space = space;
    this.#ledger = ledger;
  }

  get queued(): number {
    return this.#due.size;
  }

  /** Compares plan and store of one pool and queues what differs; forgets a pool that is gone. */
  consider(name: string): void {
    const pool = this.#space.get(name);
    const writing = pool === undefined ? this.#drop(name) : this.#writing(pool);
    if (pool === undefined || writing === undefined) return;
    if (this.#difference(pool, writing) === undefined) {
      this.#due.delete(name);
      writing.attempts.rest();
      return;
    }
    if (this.#due.has(name) || writing.timer !== undefined) return;
    if (!writing.attempts.ready(stored(writing).resourceVersion)) return;
    const now = this.#ports.clock.now();
    const wait = writing.sentAt === undefined ? 0 : writing.sentAt + poolInterval - now;
    if (wait > 0) {
      writing.timer = this.#ports.clock.after(wait, () => {
        writing.timer = undefined;
        this.consider(name);
      });
      return;
    }
    this.#due.set(name, now);
    this.#ports.ready();
  }

  /** True when a pool has been due for a second, so that Services cannot starve it. */
  overdue(): boolean {
    const now = this.#ports.clock.now();
    for (const since of this.#due.values()) {
      if (since + poolInterval <= now) return true;
    }
    return false;
  }

  /** Sends the next write; false when none can be sent now. */
  send(): boolean {
    for (const name of [...this.#due.keys()].sort(compareText)) {
      this.#due.delete(name);
      const pool = this.#space.get(name);
      const writing = this.#writings.get(name);
      if (pool === undefined || writing === undefined) continue;
      const conditions = this.#difference(pool, writing);
      if (conditions === undefined) continue;
      this.#write(writing, conditions);
      return true;
    }
    return false;
  }

  stop(): void {
    this.#stopped = true;
    for (const { attempts, timer } of this.#writings.values()) {
      attempts.stop();
      timer?.cancel();
    }
  }

  pending(): readonly string[] {
    const sentences: string[] = [];
    for (const [name, { attempts, timer }] of this.#writings) {
      if (attempts.inFlight) sentences.push(`the status of pool ${name} is being written`);
      else if (attempts.waiting) sentences.push(`the status of pool ${name} waits for a retry`);
      else if (timer !== undefined || this.#due.has(name)) {
        sentences.push(`the status of pool ${name} waits for its write`);
      }
    }
    return sentences;
  }

  #drop(name: string): undefined {
    const writing = this.#writings.get(name);
    writing?.attempts.stop();
    writing?.timer?.cancel();
    this.#writings.delete(name);
    this.#due.delete(name);
    return undefined;
  }

  #writing(pool: PoolState): Writing {
    const present = this.#writings.get(pool.name);
    if (present?.pool === pool) return present;
    this.#drop(pool.name);
    const writing = {
      pool, uid: pool.pool.meta.uid, attempts: new Attempts(), acknowledged: undefined,
      sentAt: undefined, timer: undefined,
    };
    this.#writings.set(pool.name, writing);
    return writing;
  }

  #difference(pool: PoolState, writing: Writing): readonly Condition[] | undefined {
    const wanted = poolConditions(pool, this.#ledger);
    const merged = mergeConditions(stored(writing).conditions, wanted, {
      owned: poolConditionTypes, at: formatTime(this.#ports.clock.wall()),
    });
    return merged.changed ? merged.conditions : undefined;
  }

  #write(writing: Writing, conditions: readonly Condition[]): void {
    const { pool, attempts } = writing;
    const { resourceVersion } = stored(writing);
    attempts.begin();
    writing.sentAt = this.#ports.clock.now();
    const write = {
      kind: 'CiliumLoadBalancerIPPool' as const,
      name: pool.name,
      uid: writing.uid,
      resourceVersion,
      conditions: conditions.filter((condition) => poolConditionTypes.includes(condition.type)),
    };
    this.#ports.status.writeConditions(write, poolFieldOwner, (result) => {
      if (this.#stopped || this.#writings.get(pool.name) !== writing) return;
      if (result.ok) {
        attempts.succeed();
        writing.acknowledged = { resourceVersion: result.value.resourceVersion, conditions };
      }
      this.#ports.answered(pool, result.ok ? undefined : result.error);
      if (!result.ok) {
        const again = (): void => this.consider(pool.name);
        attempts.fail(result.error, { clock: this.#ports.clock, version: resourceVersion, again });
      }
      this.consider(pool.name);
    });
  }
}

// The table's conditions, or those of an acknowledged write that the table does not show yet.
function stored(writing: Writing): {
  readonly resourceVersion: string;
  readonly conditions: readonly Condition[];
} {
  const { meta, conditions } = writing.pool.pool;
  const { resourceVersion } = meta;
  const { acknowledged } = writing;
  if (acknowledged !== undefined && olderVersion(resourceVersion, acknowledged.resourceVersion)) {
    return acknowledged;
  }
  return { resourceVersion, conditions };
}
