import type { Prng } from '../../sim/prng.ts';

/** What becomes of one request on the way. */
export type Fate =
  | { readonly kind: 'pass' }
  /** No connection is made. */
  | { readonly kind: 'refuse' }
  /** The connection is reset: before the server has seen the request, or after it was served. */
  | { readonly kind: 'reset'; readonly served: boolean }
  /** The server sees it or not, and nothing ever comes back. */
  | { readonly kind: 'silence'; readonly served: boolean }
  /** Somebody in between answers this. */
  | { readonly kind: 'status'; readonly status: number };

/** Bytes as they go on, and what happens after them: a close looks like an end in order. */
export interface Mangled {
  readonly pieces: readonly Uint8Array[];
  readonly after?: 'cut' | 'close' | 'stall';
}

/** Chances per thousand: of a request, of an answer, of a line of a watch. */
interface Rates {
  readonly refuse: number;
  readonly reset: number;
  readonly silence: number;
  readonly status: number;
  readonly cut: number;
  readonly close: number;
  readonly stall: number;
  readonly truncate: number;
  readonly duplicate: number;
  readonly expire: number;
  readonly slow: number;
}

const quiet: Rates = {
  refuse: 0, reset: 0, silence: 0, status: 0, cut: 0, close: 0, stall: 0, truncate: 0,
  duplicate: 0, expire: 0, slow: 0,
};

const statuses: readonly number[] = [401, 403, 404, 408, 410, 429, 429, 500, 502, 503, 504];
const encoder = new TextEncoder();

/** The document that goes with a status, as an API server writes it. */
export function statusText(code: number): string {
  const reasons: Record<number, string> = { 410: 'Expired', 429: 'TooManyRequests' };
  const [kind, reason, message] = ['Status', reasons[code], `made up ${code}`];
  return JSON.stringify({ kind, apiVersion: 'v1', status: 'Failure', reason, message, code });
}

/** What a bad network and a bad server do, drawn from a seed, until it is healed. */
export class Faults {
  readonly #prng: Prng;
  #rates: Rates;
  /** How often each happened. */
  readonly counts = new Map<string, number>();

  constructor(prng: Prng) {
    this.#prng = prng;
    // Each run has its own weather: some faults often, others never.
    const rate = (max: number): number => (prng.ratio(1, 3) ? 0 : prng.below(max));
    this.#rates = {
      refuse: rate(300), reset: rate(300), silence: rate(150), status: rate(400), cut: rate(150),
      close: rate(150), stall: rate(150), truncate: rate(150), duplicate: rate(300),
      expire: rate(100), slow: rate(500),
    };
  }

  heal(): void {
    this.#rates = quiet;
  }

  fate(): Fate {
    if (this.#strikes('refuse')) return { kind: 'refuse' };
    const served = this.#prng.ratio(1, 2);
    if (this.#strikes('reset')) return { kind: 'reset', served };
    if (this.#strikes('silence')) return { kind: 'silence', served };
    if (this.#strikes('status')) return { kind: 'status', status: this.#prng.pick(statuses) };
    return { kind: 'pass' };
  }

  /** A whole answer. */
  answer(text: string): Mangled {
    const bytes = encoder.encode(text);
    if (!this.#strikes('truncate')) return { pieces: this.#pieces(bytes) };
    const after = this.#prng.ratio(1, 2) ? 'cut' : 'stall';
    return { pieces: this.#pieces(bytes.subarray(0, this.#prng.below(bytes.length))), after };
  }

  /** A line of a watch, with its end. */
  line(text: string): Mangled {
    const bytes = encoder.encode(text);
    if (this.#strikes('stall')) return { pieces: [], after: 'stall' };
    if (this.#strikes('cut')) return { pieces: this.#pieces(bytes), after: 'cut' };
    if (this.#strikes('close')) return { pieces: this.#pieces(bytes), after: 'close' };
    if (this.#strikes('truncate')) {
      const after = this.#prng.pick(['cut', 'close', 'stall'] as const);
      return { pieces: this.#pieces(bytes.subarray(0, this.#prng.below(bytes.length))), after };
    }
    if (this.#strikes('expire')) {
      const expired = `{"type":"ERROR","object":${statusText(410)}}\n`;
      return { pieces: [encoder.encode(expired)], after: 'close' };
    }
    const again = this.#strikes('duplicate') ? this.#pieces(bytes) : [];
    return { pieces: [...this.#pieces(bytes), ...again] };
  }

  /** Of one piece on one connection, in microseconds: other connections overtake it. */
  delay(): number {
    const slow = this.#strikes('slow') ? this.#prng.below(2_000_000) : 0;
    return 500 + this.#prng.below(5_000) + slow;
  }

  #pieces(bytes: Uint8Array): Uint8Array[] {
    if (bytes.length < 2 || this.#prng.ratio(1, 2)) return [bytes];
    const at = 1 + this.#prng.below(bytes.length - 1);
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }

  #strikes(name: keyof Rates): boolean {
    if (!this.#prng.ratio(this.#rates[name], 1000)) return false;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    return true;
  }
}
