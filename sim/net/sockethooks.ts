import type { Ip } from '../../lb/ip.ts';

/** One end of a socket call: where it goes, or where an answer says that it came from. */
export interface SocketEnd {
  readonly ip: Ip;
  readonly port: number;
}

/** A socket as a hook knows it. `cookie` is unique in a world's machine and below 2^53. */
export interface SocketFacts {
  readonly cookie: number;
  readonly protocol: 'TCP' | 'UDP';
}

/**
 * Programs on the socket hooks of a cgroup (datapath.md 9). They rewrite what a call names, never
 * a packet.
 */
export interface SocketHooks {
  /** connect(2); `refused` is ECONNREFUSED. */
  connect(socket: SocketFacts, remote: SocketEnd): SocketEnd | 'refused';
  /** sendmsg(2) with an address. */
  sendTo(socket: SocketFacts, remote: SocketEnd): SocketEnd | 'refused';
  /** The source that recvmsg(2) reports. */
  receivedFrom(socket: SocketFacts, remote: SocketEnd): SocketEnd;
  /** The socket is gone. */
  released(socket: SocketFacts): void;
}
