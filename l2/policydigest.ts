import type { EventSink } from '../lb/ports.ts';
import type { CompiledPolicy } from './policy.ts';
import { policySubjects } from './subjects.ts';

const namedMax = 5;

/** What is to be told on one policy, by its reason. */
interface Told {
  readonly policy: CompiledPolicy;
  readonly reason: string;
  readonly messages: string[];
}

/**
 * Gathers what one look finds wrong with addresses, and tells each policy once per reason, naming
 * the first five. A policy may select thousands of addresses, and ten Events a minute is all that
 * one object gets.
 */
export class PolicyDigest {
  #events: EventSink;
  #told = new Map<string, Told>();

  constructor(events: EventSink) {
    this.#events = events;
  }

  add(policies: Iterable<CompiledPolicy>, reason: string, message: string): void {
    for (const policy of new Set(policies)) {
      const key = `${policy.uid} ${reason}`;
      const told = this.#told.get(key) ?? { policy, reason, messages: [] };
      this.#told.set(key, told);
      told.messages.push(message);
    }
  }

  flush(): void {
    for (const { policy, reason, messages } of this.#told.values()) {
      const message = digestOf(messages);
      for (const object of policySubjects([policy])) {
        this.#events.emit({ object, type: 'Warning', reason, message });
      }
    }
    this.#told.clear();
  }
}

function digestOf(messages: readonly string[]): string {
  const named = messages.slice(0, namedMax).join('; ');
  const more = messages.length - namedMax;
  return more > 0 ? `${named}; and ${more} more` : named;
}
