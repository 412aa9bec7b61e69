import { ipBytes16, type Ip } from '../lb/ip.ts';

/** A TCP segment without payload, over IPv4; ports in host order. */
export interface TcpSegment {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly target: Ip;
  readonly targetPort: number;
  /** RFC 9293 section 3.1: SYN is 2, ACK is 16. */
  readonly flags: number;
}

const ethernetBytes = 14;
const ipBytes = 20;
const tcpBytes = 20;

/**
 * Its frame of 54 bytes, with right checksums, for the loopback device: on that a test run
 * receives, and frames for others are left alone.
 */
export function tcpFrame(segment: TcpSegment): Uint8Array {
  const { source, sourcePort, target, targetPort, flags } = segment;
  const frame = new Uint8Array(ethernetBytes + ipBytes + tcpBytes);
  const view = new DataView(frame.buffer);
  frame.set([0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 8, 0]);
  frame.set([0x45, 0, 0, ipBytes + tcpBytes, 0, 1, 0x40, 0, 64, 6], ethernetBytes);
  frame.set(ipBytes16(source).subarray(12), ethernetBytes + 12);
  frame.set(ipBytes16(target).subarray(12), ethernetBytes + 16);
  view.setUint16(34, sourcePort);
  view.setUint16(36, targetPort);
  frame.set([tcpBytes << 2, flags, 0xff, 0xff], 46);
  view.setUint16(24, checksum(sumOf(view, 14, 34)));
  // The pseudo-header: addresses, protocol, length.
  view.setUint16(50, checksum(sumOf(view, 26, frame.length) + 6 + tcpBytes));
  return frame;
}

function sumOf(view: DataView, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at += 2) sum += view.getUint16(at);
  return sum;
}

/** RFC 1071. */
function checksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}
