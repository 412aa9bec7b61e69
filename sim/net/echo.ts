import { parseIp, type Ip } from '../../lb/ip.ts';
import { payloadOf, textOf, type Packet } from './packet.ts';
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

/**
 * Makes a host or pod answer every request on a port, TCP and UDP, with its name and the source it
 * saw (simulator.md 5.6). The returned function closes the port; connections that are up stay.
 */
export function serveEcho(
  transport: Transport, options: { port: number; backend: string },
): () => void {
  const { port, backend } = options;
  const user: TcpUser = {
    onPayload: (connection, payload) => {
      const { remote, remotePort } = connection.ends;
      const answer = encodeAnswer({ backend, source: remote, sourcePort: remotePort });
      connection.send(answer, textOf(payload) === 'once');
    },
  };
  const stopTcp = transport.listen(port, () => user);
  const stopUdp = transport.bind(port, {
    onDatagram: (packet: Packet) => {
      const { source, sourcePort, target } = packet;
      transport.sendTo({
        source: target, target: source, protocol: 'UDP', sourcePort: port, targetPort: sourcePort,
        ttl: 64,
        payload: encodeAnswer({ backend, source, sourcePort }), trail: packet.trail ?? 0,
      });
    },
  });
  return () => {
    stopTcp();
    stopUdp();
  };
}
