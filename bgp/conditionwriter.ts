import { mergeConditions, type WantedCondition } from '../lb/conditions.ts';
import type { Condition, Meta } from '../lb/model.ts';
import type { Clock } from '../lb/ports.ts';
import type { ConditionsWrite, StatusPort } from '../lb/status.ts';
import { compareText } from '../lb/table.ts';
import { formatTime } from '../lb/time.ts';

/** Field manager of our conditions on BGP objects. */
const manager = 'fairlead-bgp';

/** An object whose conditions we write. */
export interface ConditionedObject {
  readonly kind: ConditionsWrite['kind'];
  readonly meta: Meta;
  readonly conditions: readonly Condition[];
}

/** What is true of an object: the message of each of our types that holds; the others are False. */
export type Truths = Readonly<Record<string, Truth>>;

export interface Truth {
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions of one object: every type of `reasons`, sorted, True with the message of `truths`
 * or False without one; none at all where `report` is false (bgp.md 8). Pure.
 */
export function bgpConditions(
  of: { readonly meta: Meta; readonly reasons: Readonly<Record<string, string>> },
  truths: Truths, report: boolean,
): readonly WantedCondition[] {
  if (!report) return [];
  return Object.keys(of.reasons).sort(compareText).map((type) => {
    const truth = truths[type];
    return {
      type, status: truth === undefined ? 'False' as const : 'True' as const,
      reason: truth?.reason ?? of.reasons[type] ?? '', message: truth?.message ?? '',
      observedGeneration: of.meta.generation,
    };
  });
}

/** Writes conditions, one attempt at a time for each object, and only what changes. */
export class ConditionWriter {
  #ports: { readonly clock: Clock; readonly status: StatusPort };
  #settled: (again: boolean) => void;
  #inFlight = new Set<string>();
  /** Versions that the API refused for good: asking again changes nothing. */
  #refused = new Set<string>();

  /** `settled`: a write ended, and whether it is worth another look. */
  constructor(
    ports: { readonly clock: Clock; readonly status: StatusPort },
    settled: (again: boolean) => void,
  ) {
    this.#ports = ports;
    this.#settled = settled;
  }

  get writing(): number {
    return this.#inFlight.size;
  }

  write(
    object: ConditionedObject, wanted: readonly WantedCondition[], types: readonly string[],
  ): void {
    const { kind, meta: { name, uid, resourceVersion } } = object;
    const key = `${kind} ${name}`;
    const version = `${key} ${uid} ${resourceVersion}`;
    if (this.#inFlight.has(key) || this.#refused.has(version)) return;
    const at = formatTime(this.#ports.clock.wall());
    const merged = mergeConditions(object.conditions, wanted, { owned: types, at });
    if (!merged.changed) return;
    const conditions = merged.conditions.filter(({ type }) => types.includes(type))
      .toSorted((left, right) => compareText(left.type, right.type));
    this.#inFlight.add(key);
    const write = { kind, name, uid, resourceVersion, conditions };
    this.#ports.status.writeConditions(write, manager, (result) => {
      this.#inFlight.delete(key);
      const error = result.ok ? undefined : result.error.kind;
      // A definition of older days has no status to write.
      if (error === 'invalid' || error === 'gone') this.#refused.add(version);
      this.#settled(error === 'conflict' || error === 'retry');
    });
  }
}
