import { parseIp, type Ip } from '../../lb/ip.ts';
import { noPayload, payloadOf, textOf, type Packet } from './packet.ts';
import type { TcpUser } from './tcp.ts';
import type { Transport } from './transport.ts';

/** What an echo server says: who it is and whom it saw. */
export interface EchoAnswer {
  /** The pod, `media/jellyfin-0`. */
  readonly backend: string;
  /** Source address and port of the request as they arrived. */
  readonly source: Ip;
  readonly sourcePort: number;
}

/** Asks for one answer and the end of the connection, or for more to come. */
export type EchoRequest = 'once' | 'keep';

const requests: Record<EchoRequest, Uint8Array> = {
  once: payloadOf('once'), keep: payloadOf('keep'),
};

/** The payload of a request; shared, never written to. */
export function echoRequest(request: EchoRequest): Uint8Array {
  return requests[request];
}

export function encodeAnswer(answer: EchoAnswer): Uint8Array {
  return payloadOf(`${answer.backend}\n${answer.source}\n${answer.sourcePort}`);
}

/** Undefined for anything that no echo server sent. */
export function decodeAnswer(payload: Uint8Array): EchoAnswer | undefined {
  const text = textOf(payload);
  const first = text.indexOf('\n');
  const second = text.indexOf('\n', first + 1);
  const source = parseIp(text.slice(first + 1, second));
  const sourcePort = Number(text.slice(second + 1));
  if (first < 0 || second < 0 || !source.ok || !Number.isInteger(sourcePort)) return undefined;
  return { backend: text.slice(0, first), source: source.value, sourcePort };
}

interface KnownHead {
  readonly bytes: Uint8Array;
  readonly backend: string;
  readonly source: Ip;
}

const headsMax = 8;
const newline = 0x0a;

/**
 * Reads the answers that one line gets. They come from few backends, which see few sources: what
 * stands in front of the port is compared with what was read before.
 */
export class AnswerReader {
  #heads: KnownHead[] = [];

  /** As `decodeAnswer`. */
  read(payload: Uint8Array): EchoAnswer | undefined {
    const end = payload.lastIndexOf(newline) + 1;
    const known = this.#heads.find(({ bytes }) => bytes.length === end && begins(payload, bytes));
    const sourcePort = portAt(payload, end);
    if (known !== undefined && sourcePort >= 0) {
      return { backend: known.backend, source: known.source, sourcePort };
    }
    const answer = decodeAnswer(payload);
    if (answer !== undefined) this.#keep(answer, payload.slice(0, end));
    return answer;
  }

  #keep({ backend, source }: EchoAnswer, bytes: Uint8Array): void {
    if (this.#heads.length >= headsMax) this.#heads.shift();
    this.#heads.push({ bytes, backend, source });
  }
}

function begins(payload: Uint8Array, head: Uint8Array): boolean {
  for (let at = head.length - 1; at >= 0; at -= 1) if (payload[at] !== head[at]) return false;
  return true;
}

/** The digits from `from` to the end; -1 for anything else. */
function portAt(payload: Uint8Array, from: number): number {
  const digits = payload.length - from;
  if (digits < 1 || digits > 5) return -1;
  let port = 0;
  for (let at = from; at < payload.length; at += 1) {
    const digit = (payload[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
  }
  return port;
}

/** Writes the answers of one server, as `encodeAnswer`. */
class AnswerWriter {
  readonly #backend: string;
  #source: Ip | undefined;
  /** What stands in front of the port for that source. */
  #head = noPayload;

  constructor(backend: string) {
    this.#backend = backend;
  }

  write(source: Ip, sourcePort: number): Uint8Array {
    if (source !== this.#source) {
      this.#source = source;
      this.#head = payloadOf(`${this.#backend}\n${source}\n`);
    }
    const head = this.#head;
    const bytes = new Uint8Array(head.length + digitsOf(sourcePort));
    for (let at = 0; at < head.length; at += 1) bytes[at] = head[at] ?? 0;
    let rest = sourcePort;
    for (let at = bytes.length - 1; at >= head.length; at -= 1) {
      bytes[at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return bytes;
  }
}

function digitsOf(port: number): number {
  let digits = 1;
  for (let limit = 10; port >= limit; limit *= 10) digits += 1;
  return digits;
}

/**
 * Makes a host or pod answer every request on a port, TCP and UDP, with its name and the source it
 * saw (simulator.md 5.6). The returned function closes the port; connections that are up stay.
 */
export function serveEcho(
  transport: Transport, options: { port: number; backend: string },
): () => void {
  const { port, backend } = options;
  const answers = new AnswerWriter(backend);
  const user: TcpUser = {
    onPayload: (connection, payload) => {
      const { remote, remotePort } = connection.ends;
      const last = payload.length === requests.once.length && begins(payload, requests.once);
      connection.send(answers.write(remote, remotePort), last);
    },
  };
  const stopTcp = transport.listen(port, () => user);
  const stopUdp = transport.bind(port, {
    onDatagram: (packet: Packet) => {
      const { source, sourcePort, target } = packet;
      transport.sendTo({
        source: target, target: source, protocol: 'UDP', sourcePort: port, targetPort: sourcePort,
        ttl: 64,
        payload: answers.write(source, sourcePort), trail: packet.trail ?? 0,
      });
    },
  });
  return () => {
    stopTcp();
    stopUdp();
  };
}
