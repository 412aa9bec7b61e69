const newline = 10;

/**
 * Cuts a byte stream into lines, wherever its chunks end. Bytes and not text are cut, so that a
 * character which is split between two chunks is whole again when its line is.
 */
export class EventLines {
  readonly #lineBytesMax: number;
  /** The chunk that is being cut, and how far. */
  #chunk: Uint8Array = new Uint8Array(0);
  #from = 0;
  /** Beginning of the present line in earlier chunks. */
  #begun: Uint8Array[] = [];
  #begunBytes = 0;

  /** `lineBytesMax` bounds what a line may hold, and with it what is kept of an unfinished one. */
  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** True while a line has begun and not ended. */
  get unfinished(): boolean {
    return this.#begunBytes > 0 || this.#from < this.#chunk.length;
  }

  /** Takes the next bytes. Those before have to be cut first. */
  push(chunk: Uint8Array): void {
    this.#chunk = this.#rest(chunk);
    this.#from = 0;
  }

  /** The next whole line without its end; undefined: none yet; `'overlong'`: cut no further. */
  next(): Uint8Array | 'overlong' | undefined {
    const end = this.#chunk.indexOf(newline, this.#from);
    const piece = this.#chunk.subarray(this.#from, end < 0 ? undefined : end);
    if (this.#begunBytes + piece.length > this.#lineBytesMax) return 'overlong';
    this.#from = end < 0 ? this.#chunk.length : end + 1;
    if (this.#begunBytes === 0 && end >= 0) return piece;
    if (piece.length > 0) {
      this.#begun.push(piece);
      this.#begunBytes += piece.length;
    }
    if (end < 0) return undefined;
    const line = joined(this.#begun, this.#begunBytes);
    this.#begun = [];
    this.#begunBytes = 0;
    return line;
  }

  // Chunks may arrive while the reader rests in the middle of one.
  #rest(chunk: Uint8Array): Uint8Array {
    const rest = this.#chunk.subarray(this.#from);
    return rest.length === 0 ? chunk : joined([rest, chunk], rest.length + chunk.length);
  }
}

/** Pieces as one array of `length` bytes. */
export function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return only;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
