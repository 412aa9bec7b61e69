import type { Micros } from '../../lb/ports.ts';
import { retryDelaysDefault } from '../../lb/reconciler.ts';
import { compareText } from '../../lb/table.ts';
import type { Refusal } from './plan.ts';
import type { Programmed } from './programmed.ts';
import type { Subject } from './reveal.ts';

/** Something that the kernel refuses at present, and when it is tried again. */
export interface Failure {
  readonly name: string;
  readonly port: Programmed | undefined;
  readonly refusal: Refusal;
  readonly failures: number;
  readonly due: Micros;
}

/** Refused writes by what they are about, each with its own growing delay. */
export class Failures {
  #failures = new Map<string, Failure>();

  get size(): number {
    return this.#failures.size;
  }

  get nextDue(): Micros | undefined {
    let next: Micros | undefined;
    for (const { due } of this.#failures.values()) next = Math.min(next ?? due, due);
    return next;
  }

  /** In order of name. */
  list(): readonly Failure[] {
    return [...this.#failures.values()].sort((left, right) => compareText(left.name, right.name));
  }

  /** True when it is the first in a row. */
  note(subject: Subject, refusal: Refusal, now: Micros): boolean {
    const failures = (this.#failures.get(subject.name)?.failures ?? 0) + 1;
    const delay = retryDelaysDefault[Math.min(failures, retryDelaysDefault.length) - 1] ?? 0;
    this.#failures.set(subject.name, { ...subject, refusal, failures, due: now + delay });
    return failures === 1;
  }

  /** Ends a series; undefined when there was none. */
  clear(name: string): Failure | undefined {
    const failure = this.#failures.get(name);
    if (failure !== undefined) this.#failures.delete(name);
    return failure;
  }

  get(name: string): Failure | undefined {
    return this.#failures.get(name);
  }

  due(now: Micros): readonly Failure[] {
    if (this.#failures.size === 0) return [];
    return this.list().filter((failure) => failure.due <= now);
  }
}

/** True for refusals that mean "no room" and not "broken". */
export function isFull({ error }: Refusal): boolean {
  return error.kind === 'ENOSPC' || error.kind === 'E2BIG';
}
