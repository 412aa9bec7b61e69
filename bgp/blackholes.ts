import type { Prefix } from '../lb/ip.ts';
import type { BlackholePort, Clock, Journal, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';

const retryAfter: Micros = 5_000_000;

/**
 * Keeps the node's black holes equal to the aggregates that it announces: a packet to an address
 * inside that is nobody's would otherwise go back to the router, and round (bgp.md 4, Prefix).
 * They come before their aggregate is announced and go after it; those of an earlier life are
 * adopted.
 */
export class Blackholes {
  #ports: {
    readonly clock: Clock; readonly journal: Journal; readonly blackholes: BlackholePort;
  };
  #wanted: readonly Prefix[] = [];
  /** Those of ours that are there; read once, because a table of routes may be long. */
  #present: Set<Prefix> | undefined;
  #refused = new Set<Prefix>();
  #timer: Timer | undefined;

  constructor(
    ports: { readonly clock: Clock; readonly journal: Journal; readonly blackholes: BlackholePort },
  ) {
    this.#ports = ports;
  }

  /** Adds what is missing; nothing goes before `trim`. */
  cover(prefixes: Iterable<Prefix>): void {
    const { blackholes, clock } = this.#ports;
    this.#wanted = [...new Set(prefixes)].sort(compareText);
    this.#present ??= new Set(blackholes.list());
    let failed = false;
    for (const prefix of this.#wanted) {
      if (this.#present.has(prefix)) continue;
      const added = blackholes.add(prefix);
      if (added.ok) {
        this.#present.add(prefix);
        this.#refused.delete(prefix);
      } else {
        failed = true;
        this.#tell(prefix, added.error.kind);
      }
    }
    if (failed) this.#timer ??= clock.after(retryAfter, () => this.#again());
  }

  /** Removes what no aggregate needs. */
  trim(): void {
    const wanted = new Set(this.#wanted);
    for (const prefix of this.#present ?? []) {
      if (wanted.has(prefix)) continue;
      if (this.#ports.blackholes.remove(prefix).ok) this.#present?.delete(prefix);
    }
  }

  /** Nothing is announced any more. */
  clear(): void {
    this.#wanted = [];
    this.trim();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #tell(prefix: Prefix, kind: string): void {
    if (this.#refused.has(prefix)) return;
    this.#refused.add(prefix);
    this.#ports.journal.note({
      level: 'warn', component: 'bgp', code: 'bgp.blackholeRefused', object: prefix,
      text: `packets to unassigned addresses of ${prefix} may loop: ${kind}`,
    });
  }

  #again(): void {
    this.#timer = undefined;
    this.cover(this.#wanted);
  }
}
