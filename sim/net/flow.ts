import type { Micros } from '../../lb/ports.ts';
import type { TrafficLine } from './client.ts';
import { echoRequest, type EchoAnswer } from './echo.ts';
import { verdictOf, type RequestOutcome } from './request.ts';
import type { TcpConnection, TcpEnd, TcpUser } from './tcp.ts';

/**
 * One connection of a traffic line that is kept open and asked now and then. It breaks by a reset,
 * by silence longer than the line's `flowTimeout`, or by an answer from another backend; then it is
 * opened again.
 */
export class KeptFlow implements TcpUser {
  readonly index: number;
  /** Times that it was open and broke. */
  brokenCount = 0;
  /** Times that it came up. */
  openedCount = 0;
  #line: TrafficLine;
  #connection: TcpConnection | undefined;
  #backend: string | undefined;
  #askedAt: Micros | undefined;
  #sequence = 0;
  #trail = 0;

  constructor(line: TrafficLine, index: number) {
    this.#line = line;
    this.index = index;
  }

  get up(): boolean {
    return this.#backend !== undefined;
  }

  /** The backend that serves it, once it answered. */
  get backend(): string | undefined {
    return this.#backend;
  }

  /** Time for a request, or for another attempt to connect. */
  beat(): void {
    const connection = this.#connection;
    if (connection === undefined) return this.#open();
    if (this.#askedAt !== undefined) return;
    this.#ask(connection);
  }

  onConnected(): void {
    this.openedCount += 1;
  }

  onPayload(connection: TcpConnection, payload: Uint8Array): void {
    const answer = this.#line.answers.read(payload);
    const askedAt = this.#askedAt ?? this.#line.tap.world.now;
    this.#askedAt = undefined;
    const verdict = answer === undefined ? 'wrong-backend' : verdictOf(this.#line, answer);
    const moved = this.#backend !== undefined && answer?.backend !== this.#backend;
    const outcome = moved ? 'wrong-backend' : verdict;
    this.#backend ??= answer?.backend;
    this.#tell(outcome, askedAt, answer);
    if (!moved) return;
    this.#lost();
    connection.abort();
  }

  onEnd(_connection: TcpConnection, _how: TcpEnd): void {
    const wasUp = this.#backend !== undefined;
    const askedAt = this.#askedAt ?? this.#line.tap.world.now;
    this.#lost();
    // One that never answered is no broken flow; the next beat tries again.
    if (wasUp) this.#tell('broken-after-established', askedAt, undefined);
  }

  #open(): void {
    const line = this.#line;
    const local = line.sourceAddress();
    if (local === undefined) return;
    const { transport } = line.host;
    this.#trail = line.tap.newTrail();
    const ends = {
      local, localPort: transport.ephemeralPort(), remote: line.target, remotePort: line.port,
    };
    const connection = transport.connect(ends, this, this.#trail);
    connection.userTimeout = line.flowTimeout;
    connection.connectTimeout = line.flowTimeout;
    this.#connection = connection;
    this.#ask(connection);
  }

  #ask(connection: TcpConnection): void {
    this.#sequence += 1;
    this.#askedAt = this.#line.tap.world.now;
    connection.send(echoRequest('keep'));
  }

  #lost(): void {
    if (this.#backend !== undefined) this.brokenCount += 1;
    this.#connection = undefined;
    this.#backend = undefined;
    this.#askedAt = undefined;
  }

  #tell(outcome: RequestOutcome, askedAt: Micros, answer: EchoAnswer | undefined): void {
    const { tap } = this.#line;
    this.#line.ended({
      sequence: this.#sequence,
      startedAt: askedAt,
      latency: tap.world.now - askedAt,
      outcome,
      backend: answer?.backend,
      source: answer?.source,
      flow: this.index,
      drop: outcome === 'ok' ? undefined : tap.takeDrop(this.#trail),
    });
  }
}
