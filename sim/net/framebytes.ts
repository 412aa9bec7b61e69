/** Memory that frames lie in: the same bytes singly and in words of this machine's order. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

const pieceBytes = 8_192;

/**
 * The bytes of one frame, in memory that it may share with others. They are never written again.
 */
export class FrameBytes {
  readonly memory: FrameMemory;
  /** Where they begin, a multiple of four. */
  readonly at: number;
  readonly length: number;

  constructor(memory: FrameMemory, at: number, length: number) {
    this.memory = memory;
    this.at = at;
    this.length = length;
  }

  /** A copy of `bytes`. */
  static of(bytes: Uint8Array): FrameBytes {
    const memory = newFrameMemory(bytes.length);
    memory.bytes.set(bytes);
    return new FrameBytes(memory, 0, bytes.length);
  }

  /** Copies them to `at`, a multiple of four, and up to three bytes of no meaning behind them. */
  put(target: FrameMemory, at: number): void {
    copyWords({ memory: this.memory, at: this.at }, { memory: target, at }, this.length);
  }
}

/**
 * Where the frames of one machine are kept, many to a piece of memory: an array of its own costs
 * more than all else that a hop does with a frame.
 */
export class FrameStore {
  #piece = newFrameMemory(pieceBytes);
  #next = 0;

  /** A copy of what lies at `at`, a multiple of four. */
  keep(memory: FrameMemory, at: number, length: number): FrameBytes {
    const room = (length + 3) & ~3;
    if (this.#next + room > this.#piece.bytes.length) {
      this.#piece = newFrameMemory(Math.max(pieceBytes, room));
      this.#next = 0;
    }
    const kept = new FrameBytes(this.#piece, this.#next, length);
    this.#next += room;
    copyWords({ memory, at }, { memory: kept.memory, at: kept.at }, length);
    return kept;
  }
}

interface Place {
  readonly memory: FrameMemory;
  readonly at: number;
}

// A few words in a loop are done before a call that copies memory has begun.
function copyWords(source: Place, target: Place, length: number): void {
  const [from, to] = [source.memory.words, target.memory.words];
  const [start, shift] = [source.at >> 2, (target.at - source.at) >> 2];
  const end = start + ((length + 3) >> 2);
  for (let word = start; word < end; word += 1) to[word + shift] = from[word] ?? 0;
}

/** Room for one frame of `length` bytes. */
export function newFrameMemory(length: number): FrameMemory {
  const buffer = new ArrayBuffer((length + 3) & ~3);
  return { bytes: new Uint8Array(buffer), words: new Int32Array(buffer) };
}
