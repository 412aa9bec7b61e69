import type { Micros } from '../lb/ports.ts';

/** The newest version of the own session Lease that a write may compare with. */
interface Version {
  readonly resourceVersion: string;
  readonly seq: number;
}

/**
 * Rows 4 to 7 of the session machine as a plain reducer, because they run every R for the whole
 * life of a node: which renewals were sent when, which one counts, and when an acknowledged one is
 * overdue on the stream. Instants are CLOCK_BOOTTIME.
 */
export class Renewal {
  readonly duration: Micros;
  #seq = -1;
  #sent = new Map<number, Micros>();
  #delivered = -1;
  #fence: Micros | undefined;
  #version: Version | undefined;
  /** First acknowledged renewal that the stream has not delivered (S6). */
  #owed: { readonly seq: number; readonly at: Micros } | undefined;

  constructor(duration: Micros) {
    this.duration = duration;
  }

  /** Q1: no answer at or after this instant; undefined before the first renewal counted. */
  get fence(): Micros | undefined {
    return this.#fence;
  }

  get seq(): number {
    return this.#seq;
  }

  get resourceVersion(): string | undefined {
    return this.#version?.resourceVersion;
  }

  /** Draws the next `seq`, remembering when it is sent. */
  send(boot: Micros): number {
    this.#seq += 1;
    this.#sent.set(this.#seq, boot);
    return this.#seq;
  }

  /** The server's answer to that write: a version to go on from, and a debt of the stream. */
  acknowledge(seq: number, resourceVersion: string, boot: Micros): void {
    this.#adopt({ resourceVersion, seq });
    if (seq > this.#delivered) this.#owed ??= { seq, at: boot };
  }

  /** A consistent read after a conflict showed the Lease still ours. */
  adopt(resourceVersion: string, seq: number): void {
    this.#version = { resourceVersion, seq };
  }

  /**
   * Rule S5: the stream delivered `seq`. True when the fence rose. The send time counts and not the
   * receipt, as the server may have stored the renewal at once.
   */
  deliver(seq: number, resourceVersion: string, boot: Micros): boolean {
    this.#adopt({ resourceVersion, seq });
    if (this.#owed !== undefined && seq >= this.#owed.seq) this.#owed = undefined;
    const sent = this.#sent.get(seq);
    if (sent === undefined || seq <= this.#delivered) return false;
    this.#delivered = seq;
    for (const older of [...this.#sent.keys()]) if (older <= seq) this.#sent.delete(older);
    const fence = sent + this.duration;
    if (boot >= (this.#fence ?? fence)) return false;
    this.#fence = Math.max(this.#fence ?? 0, fence);
    return true;
  }

  /** Rule S6: when an acknowledged renewal is overdue on the stream; undefined: none is owed. */
  get overdueAt(): Micros | undefined {
    return this.#owed === undefined ? undefined : this.#owed.at + Math.floor(this.duration / 4);
  }

  /** A re-list was asked for; the debt starts anew, so that the next one has its time. */
  forgiven(boot: Micros): void {
    if (this.#owed !== undefined) this.#owed = { seq: this.#owed.seq, at: boot };
  }

  #adopt(version: Version): void {
    if (this.#version === undefined || version.seq >= this.#version.seq) this.#version = version;
  }
}
