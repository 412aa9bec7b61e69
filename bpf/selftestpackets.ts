import { ip, ipBytes16 } from '../lb/ip.ts';
import { protocolNumbers } from '../lb/murmur.ts';
import { encodeFlowKey, flowKind } from './layout.gen.ts';
import { selfTestFront, type SelfTestListener } from './selftest.ts';
import { tcpFrame } from './tcpframe.ts';

/** A packet through one program by test run. */
export interface SelfTestPacket {
  readonly program: string;
  readonly packet: Uint8Array;
  /** What it must have become, passed on to whoever is next. */
  readonly expected: Uint8Array;
}

/** Link-local, and of ports that no client draws: nobody's flow is in the way. */
const client = ip('169.254.77.3');
const podPort = 2;
const outsidePort = 3;
const syn = 2;
const ack = 16;

/**
 * A connection of a pod and one from outside to the front of the self-test, and their answers: each
 * tc program once, in order, because an answer needs the rows of its request. By `decide` both go
 * to the only endpoint, which is of this node, and keep their source. Without `externalClusterIp`
 * the one from outside would be a drop, counted and told every minute, so it is left out.
 */
export function selfTestPackets(
  listener: SelfTestListener, externalClusterIp: boolean,
): readonly SelfTestPacket[] {
  return [
    ...connection(listener, { port: podPort, request: 'fl_from_pod', answer: 'fl_to_pod' }),
    ...(externalClusterIp ? connection(listener, {
      port: outsidePort, request: 'fl_uplink_in', answer: 'fl_uplink_out',
    }) : []),
  ];
}

interface Path {
  readonly port: number;
  readonly request: string;
  readonly answer: string;
}

function connection(
  listener: SelfTestListener, { port, request, answer }: Path,
): readonly SelfTestPacket[] {
  const near = { source: client, sourcePort: port, flags: syn };
  const back = { target: client, targetPort: port, flags: syn | ack };
  const target = (of: SelfTestListener) => ({ target: ip(of.ip), targetPort: of.port });
  const source = (of: SelfTestListener) => ({ source: ip(of.ip), sourcePort: of.port });
  return [
    {
      program: request, packet: tcpFrame({ ...near, ...target(selfTestFront) }),
      expected: tcpFrame({ ...near, ...target(listener) }),
    },
    {
      program: answer, packet: tcpFrame({ ...back, ...source(listener) }),
      expected: tcpFrame({ ...back, ...source(selfTestFront) }),
    },
  ];
}

/** Keys of the rows that these packets leave in `fl_ct`. */
export function selfTestFlows(listener: SelfTestListener): readonly Uint8Array[] {
  const end = ipBytes16(client);
  const proto = protocolNumbers.TCP;
  return [podPort, outsidePort].flatMap((port) => [
    encodeFlowKey({
      source: end, target: ipBytes16(ip(selfTestFront.ip)), sourcePort: port,
      targetPort: selfTestFront.port, proto, kind: flowKind.forward,
    }),
    encodeFlowKey({
      source: ipBytes16(ip(listener.ip)), target: end, sourcePort: listener.port,
      targetPort: port, proto, kind: flowKind.reply,
    }),
  ]);
}
