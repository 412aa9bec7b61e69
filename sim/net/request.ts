import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { TrafficLine } from './client.ts';
import { never, type Due } from './deadlines.ts';
import { echoRequest, type EchoAnswer } from './echo.ts';
import type { Packet } from './packet.ts';
import type { PacketStep } from './tap.ts';
import type { TcpConnection, TcpEnd, TcpUser } from './tcp.ts';
import type { UdpSocket } from './transport.ts';

/** What became of a request, closed (simulator.md 5.6). */
export type RequestOutcome =
  | 'ok' | 'refused' | 'timeout' | 'reset' | 'wrong-backend' | 'wrong-source'
  | 'broken-after-established';

export interface RequestRecord {
  /** From 1, in the order of starts; of a flow, the number of its request. */
  readonly sequence: number;
  readonly startedAt: Micros;
  readonly latency: Micros;
  readonly outcome: RequestOutcome;
  /** Who answered, and which source it saw. */
  readonly backend: string | undefined;
  readonly source: Ip | undefined;
  /** Index of the kept flow, undefined for a request on its own connection. */
  readonly flow: number | undefined;
  /** The last packet of the request that was lost, when there is one: why it failed. */
  readonly drop: PacketStep | undefined;
}

/** A request under way. */
export interface Request extends Due {
  begin(): void;
}

abstract class EchoRequestBase implements Request {
  readonly order: number;
  due: Micros = never;
  listed = false;
  protected readonly line: TrafficLine;
  protected readonly startedAt: Micros;
  protected readonly trail: number;
  protected readonly target: Ip;
  protected readonly port: number;
  #over = false;

  constructor(line: TrafficLine, sequence: number) {
    this.line = line;
    this.order = sequence;
    this.startedAt = line.tap.world.now;
    this.trail = line.tap.newTrail();
    this.target = line.target;
    this.port = line.port;
  }

  abstract begin(): void;
  /** Gives back what the request holds. */
  protected abstract release(): void;

  get over(): boolean {
    return this.#over;
  }

  expire(): void {
    this.conclude('timeout');
  }

  protected conclude(outcome: RequestOutcome, answer?: EchoAnswer): void {
    if (this.#over) return;
    this.#over = true;
    const { line } = this;
    line.settled(this);
    this.release();
    line.ended({
      sequence: this.order,
      startedAt: this.startedAt,
      latency: line.tap.world.now - this.startedAt,
      outcome,
      backend: answer?.backend,
      source: answer?.source,
      flow: undefined,
      drop: outcome === 'ok' ? undefined : line.tap.takeDrop(this.trail),
    });
  }

  protected answered(payload: Uint8Array): void {
    const answer = this.line.answers.read(payload);
    if (answer === undefined) return this.conclude('wrong-backend');
    this.conclude(verdictOf(this.line, answer), answer);
  }
}

/** What a line's judge makes of an answer. */
export function verdictOf(line: TrafficLine, answer: EchoAnswer): RequestOutcome {
  const { backend, source } = line.judge;
  if (backend !== undefined && !backend(answer.backend)) return 'wrong-backend';
  if (source !== undefined && !source(answer.source)) return 'wrong-source';
  return 'ok';
}

/** One request on a TCP connection of its own. */
export class TcpRequest extends EchoRequestBase implements TcpUser {
  #connection: TcpConnection | undefined;

  begin(): void {
    const { line } = this;
    const local = line.sourceAddress();
    // Without an address of the family connect(2) fails at once; the reason is in the record.
    if (local === undefined) return this.conclude('timeout');
    const { transport } = line.host;
    const ends = {
      local, localPort: transport.ephemeralPort(), remote: this.target, remotePort: this.port,
    };
    this.#connection = transport.connect(ends, this, this.trail);
    this.#connection.send(echoRequest('once'));
  }

  onPayload(_connection: TcpConnection, payload: Uint8Array): void {
    this.answered(payload);
  }

  onEnd(_connection: TcpConnection, how: TcpEnd): void {
    this.conclude(how === 'closed' ? 'reset' : how);
  }

  onStranger(): void {
    this.conclude('wrong-source');
  }

  override expire(): void {
    this.conclude('timeout');
    this.#connection?.abort();
  }

  // The connection closes in order by itself, behind the answer.
  protected release(): void {
    if (this.#connection?.established === false) this.#connection.abort();
  }
}

/** One datagram and its answer. */
export class UdpRequest extends EchoRequestBase implements UdpSocket {
  #unbind: () => void = () => undefined;

  begin(): void {
    const { line } = this;
    const source = line.sourceAddress();
    if (source === undefined) return this.conclude('timeout');
    const { transport } = line.host;
    const sourcePort = transport.ephemeralPort();
    this.#unbind = transport.bind(sourcePort, this);
    transport.sendTo({
      source, target: this.target, protocol: 'UDP', sourcePort, targetPort: this.port, ttl: 64,
      payload: echoRequest('once'), trail: this.trail,
    });
  }

  onDatagram(packet: Packet): void {
    if (packet.source !== this.target || packet.sourcePort !== this.port) {
      this.conclude('wrong-source');
    }
    else this.answered(packet.payload);
  }

  onRefused(): void {
    this.conclude('refused');
  }

  protected release(): void {
    this.#unbind();
  }
}

