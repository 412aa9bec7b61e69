import type { Micros } from '../../lb/ports.ts';
import type { TcpConnection } from '../net/tcp.ts';

/** What fits a frame with either IP header, options apart. */
const segmentBytes = 1400;
/** Segments under way at once: the network drops what exceeds a link's queue. */
const windowSegments = 32;
const lookAgain: Micros = 500;

/**
 * Bytes of one session on their way into TCP: in segments, and no more at once than a link carries,
 * because the simulated TCP has no windows of its own.
 */
export class SegmentWriter {
  #connection: TcpConnection;
  #later: (delay: Micros, callback: () => void) => void;
  #waiting: Uint8Array[] = [];
  #sent = 0;
  #closing = false;
  #looking = false;

  constructor(
    connection: TcpConnection, later: (delay: Micros, callback: () => void) => void,
  ) {
    this.#connection = connection;
    this.#later = later;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += segmentBytes)
      this.#waiting.push(bytes.subarray(at, at + segmentBytes));
    this.#pump();
  }

  /** Closes this side behind everything that was written. */
  close(): void {
    this.#closing = true;
    this.#pump();
  }

  #pump(): void {
    if (this.#connection.ended) return;
    if (!this.#connection.unacknowledged) this.#sent = 0;
    while (this.#sent < windowSegments) {
      const next = this.#next();
      if (next === undefined) break;
      this.#connection.send(next);
      this.#sent += 1;
    }
    if (this.#waiting.length > 0) return this.#look();
    if (this.#closing) this.#connection.close();
  }

  /** Small messages of one turn share a segment. */
  #next(): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const part of this.#waiting) {
      if (size + part.length > segmentBytes) break;
      parts.push(part);
      size += part.length;
    }
    this.#waiting.splice(0, parts.length);
    if (parts.length <= 1) return parts[0];
    const segment = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      segment.set(part, at);
      at += part.length;
    }
    return segment;
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#later(lookAgain, () => {
      this.#looking = false;
      this.#pump();
    });
  }
}
