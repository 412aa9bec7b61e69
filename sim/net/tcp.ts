import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { never, type Due } from './deadlines.ts';
import { noPayload, tcpFlag, type Packet } from './packet.ts';

/** How a connection ended: in order, by RST, before it was up, by silence, by an ICMP error. */
export type TcpEnd = 'closed' | 'reset' | 'refused' | 'timeout';

/** What a user of a connection wants to hear. Absent ones are not needed. */
export interface TcpUser {
  readonly onConnected?: (connection: TcpConnection) => void;
  readonly onPayload?: (connection: TcpConnection, payload: Uint8Array) => void;
  /** Called once. */
  readonly onEnd?: (connection: TcpConnection, how: TcpEnd) => void;
  /** An answer to our port came from an address that we never asked. */
  readonly onStranger?: (connection: TcpConnection, source: Ip) => void;
}

export interface TcpEnds {
  readonly local: Ip;
  readonly localPort: number;
  readonly remote: Ip;
  readonly remotePort: number;
}

/** What a connection needs of its stack. */
export interface TcpOwner {
  readonly now: Micros;
  send(packet: Packet): void;
  /** Arms, moves or (undefined) clears the one deadline of a connection. */
  setDeadline(connection: TcpConnection, due: Micros | undefined): void;
  /** New data was acknowledged. */
  confirm(remote: Ip): void;
  closed(connection: TcpConnection): void;
}

interface Segment {
  readonly seq: number;
  readonly length: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly sentAt: Micros;
  resent: boolean;
}

type State = 'syn-sent' | 'syn-received' | 'established' | 'ended';

const second: Micros = 1_000_000;
const rtoFirst: Micros = second;
const rtoFloor: Micros = 200_000;
const rtoCeiling: Micros = 120 * second;
/** Linux gives up after `tcp_retries2` 15, which is about this long. */
const userTimeoutDefault: Micros = 924 * second;
/** And a connection attempt after `tcp_syn_retries` 6. */
const connectTimeoutDefault: Micros = 127 * second;

/**
 * One end of a TCP connection (RFC 9293) with handshake, sequence numbers, retransmission
 * (RFC 6298), reset, orderly close and user timeout, and without congestion control, windows,
 * options or TIME-WAIT: outcomes are judged here, not throughput (simulator.md 5.6).
 */
export class TcpConnection implements Due {
  readonly order: number;
  due: Micros = never;
  listed = false;
  /** Belongs to the table that the connection is in. */
  nextInTable: TcpConnection | undefined;
  readonly ends: TcpEnds;
  userTimeout: Micros = userTimeoutDefault;
  connectTimeout: Micros = connectTimeoutDefault;
  /** Copied to every packet. */
  trail = 0;
  user: TcpUser;
  #owner: TcpOwner;
  #state: State;
  #sendNext: number;
  #receiveNext = 0;
  #unacked: Segment[] = [];
  #waiting: { payload: Uint8Array; fin: boolean }[] = [];
  #finSent = false;
  #finReceived = false;
  #ackOwed = false;
  #rto: Micros = rtoFirst;
  #backoff = 1;
  #smoothed: Micros = -1;
  #variation: Micros = 0;

  constructor(
    owner: TcpOwner, ends: TcpEnds, start: { order: number; sequence: number; user: TcpUser },
  ) {
    this.#owner = owner;
    this.ends = ends;
    this.order = start.order;
    this.user = start.user;
    this.#sendNext = start.sequence >>> 0;
    this.#state = 'syn-sent';
  }

  get established(): boolean {
    return this.#state === 'established';
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** True while something sent is not acknowledged. */
  get unacknowledged(): boolean {
    return this.#unacked.length > 0;
  }

  connect(): void {
    this.#transmit(noPayload, tcpFlag.syn);
  }

  /** Answers the SYN of a new connection. */
  accept(syn: Packet): void {
    this.#state = 'syn-received';
    this.trail = syn.trail ?? 0;
    this.#receiveNext = ((syn.tcp?.seq ?? 0) + 1) >>> 0;
    this.#transmit(noPayload, tcpFlag.syn | tcpFlag.ack);
  }

  /** Queued until the connection is up. `fin` closes this side behind the payload. */
  send(payload: Uint8Array, fin = false): void {
    if (this.#state === 'ended' || this.#finSent) return;
    if (this.#state === 'syn-sent' || this.#state === 'syn-received') {
      this.#waiting.push({ payload, fin });
      return;
    }
    this.#finSent = fin;
    this.#transmit(payload, tcpFlag.ack | tcpFlag.psh | (fin ? tcpFlag.fin : 0));
  }

  /** Orderly close of this side. */
  close(): void {
    if (this.#state === 'ended' || this.#finSent) return;
    if (this.#state !== 'established') {
      // What was given before goes first; an attempt without data is just given up.
      if (this.#waiting.length === 0) this.abort();
      else this.#waiting.push({ payload: noPayload, fin: true });
      return;
    }
    this.#finSent = true;
    this.#transmit(noPayload, tcpFlag.ack | tcpFlag.fin);
  }

  /** Ends without ceremony: the peer gets a RST when it knows of the connection. */
  abort(): void {
    if (this.#state === 'ended') return;
    const known = this.#state !== 'syn-sent';
    this.#end(undefined);
    if (known) {
      this.#emit({ seq: this.#sendNext, flags: tcpFlag.rst | tcpFlag.ack, payload: noPayload });
    }
  }

  /** The machine died: nothing is sent, nobody is told. */
  vanish(): void {
    this.#end(undefined);
  }

  /** An ICMP error about this connection: hard before it is up, soft afterwards (RFC 5461). */
  unreachable(): void {
    if (this.#state === 'syn-sent') this.#end('refused');
  }

  receive(packet: Packet): void {
    const { tcp } = packet;
    if (tcp === undefined || this.#state === 'ended') return;
    if ((packet.trail ?? 0) !== 0) this.trail = packet.trail ?? 0;
    if (this.#state === 'syn-sent') return this.#receiveFirst(packet, tcp);
    if ((tcp.flags & tcpFlag.rst) !== 0) return this.#receiveReset(tcp.seq);
    if ((tcp.flags & tcpFlag.syn) !== 0) {
      // The SYN or SYN-ACK again: ours was lost. Repeat it, or just acknowledge.
      const [first] = this.#unacked;
      if (this.#state === 'syn-received' && first !== undefined) this.#resend(first);
      else this.#acknowledge();
      return;
    }
    if ((tcp.flags & tcpFlag.ack) === 0) return;
    this.#acknowledged(tcp.ack);
    if (this.#state === 'syn-received') this.#established();
    this.#take(packet, tcp);
    if (this.#ackOwed && !this.ended) this.#acknowledge();
    if (this.#finReceived && this.#finSent && this.#unacked.length === 0) this.#end('closed');
  }

  /** The deadline came: the oldest segment again, or the end. */
  expire(): void {
    const [oldest] = this.#unacked;
    if (oldest === undefined) return;
    const limit = this.#state === 'established' ? this.userTimeout : this.connectTimeout;
    if (this.#owner.now - oldest.sentAt >= limit) return this.#end('timeout');
    this.#backoff = Math.min(this.#backoff * 2, 4096);
    this.#resend(oldest);
    this.#arm();
  }

  #receiveFirst(packet: Packet, tcp: { seq: number; ack: number; flags: number }): void {
    const answers = (tcp.flags & tcpFlag.ack) !== 0 && tcp.ack === this.#sendNext;
    if ((tcp.flags & tcpFlag.rst) !== 0) {
      if (answers) this.#end('refused');
      return;
    }
    if ((tcp.flags & tcpFlag.syn) === 0 || !answers) {
      this.#owner.send(resetFor(packet));
      return;
    }
    this.#receiveNext = (tcp.seq + 1) >>> 0;
    this.#acknowledged(tcp.ack);
    this.#ackOwed = true;
    this.#established();
    if (this.#ackOwed && !this.ended) this.#acknowledge();
  }

  #established(): void {
    this.#state = 'established';
    this.user.onConnected?.(this);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { payload, fin } of waiting) this.send(payload, fin);
  }

  #receiveReset(seq: number): void {
    // Inside the window, else it may be an old or a blind one (RFC 5961 section 3).
    const offset = (seq - this.#receiveNext) | 0;
    if (offset < 0 || offset > 0xffff) return;
    this.#end(this.#finSent && this.#finReceived ? 'closed' : 'reset');
  }

  #take(packet: Packet, tcp: { seq: number; flags: number }): void {
    const fin = (tcp.flags & tcpFlag.fin) !== 0;
    const { payload } = packet;
    if (payload.length === 0 && !fin) return;
    this.#ackOwed = true;
    // What is out of order is repeated by the sender; a receive queue would change no outcome.
    if (tcp.seq !== this.#receiveNext) return;
    this.#receiveNext = (this.#receiveNext + payload.length + (fin ? 1 : 0)) >>> 0;
    if (fin) this.#finReceived = true;
    if (payload.length > 0) this.user.onPayload?.(this, payload);
    if (fin && !this.ended) this.close();
  }

  #acknowledged(ack: number): void {
    let progress = false;
    for (;;) {
      const [first] = this.#unacked;
      if (first === undefined || ((ack - first.seq - first.length) | 0) < 0) break;
      if (this.#unacked.length === 1) this.#unacked.pop();
      else this.#unacked.shift();
      progress = true;
      if (!first.resent) this.#sample(this.#owner.now - first.sentAt);
    }
    if (!progress) return;
    this.#backoff = 1;
    this.#owner.confirm(this.ends.remote);
    if (this.#unacked.length > 0) this.#arm();
    else this.#owner.setDeadline(this, undefined);
  }

  /** RFC 6298 section 2 in integers. */
  #sample(roundTrip: Micros): void {
    if (this.#smoothed < 0) {
      this.#smoothed = roundTrip;
      this.#variation = roundTrip >> 1;
    } else {
      const difference = Math.abs(this.#smoothed - roundTrip);
      this.#variation = Math.floor((3 * this.#variation + difference) / 4);
      this.#smoothed = Math.floor((7 * this.#smoothed + roundTrip) / 8);
    }
    this.#rto = Math.min(Math.max(rtoFloor, this.#smoothed + 4 * this.#variation), rtoCeiling);
  }

  #transmit(payload: Uint8Array, flags: number): void {
    const phantom = (flags & (tcpFlag.syn | tcpFlag.fin)) === 0 ? 0 : 1;
    const length = payload.length + phantom;
    const seq = this.#sendNext;
    this.#sendNext = (seq + length) >>> 0;
    this.#unacked.push({ seq, length, flags, payload, sentAt: this.#owner.now, resent: false });
    if (this.#unacked.length === 1) this.#arm();
    this.#emit({ seq, flags, payload });
  }

  #resend(segment: Segment): void {
    segment.resent = true;
    this.#emit(segment);
  }

  #acknowledge(): void {
    this.#emit({ seq: this.#sendNext, flags: tcpFlag.ack, payload: noPayload });
  }

  #arm(): void {
    const wait = Math.min(this.#rto * this.#backoff, rtoCeiling);
    this.#owner.setDeadline(this, this.#owner.now + wait);
  }

  #emit(segment: { seq: number; flags: number; payload: Uint8Array }): void {
    this.#ackOwed = false;
    const { seq, flags, payload } = segment;
    const ack = (flags & tcpFlag.ack) === 0 ? 0 : this.#receiveNext;
    const { local, localPort, remote, remotePort } = this.ends;
    this.#owner.send({
      source: local, target: remote, protocol: 'TCP', sourcePort: localPort, targetPort: remotePort,
      ttl: 64, payload, tcp: { seq, ack, flags }, trail: this.trail,
    });
  }

  #end(how: TcpEnd | undefined): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#unacked = [];
    this.#owner.setDeadline(this, undefined);
    this.#owner.closed(this);
    if (how !== undefined) this.user.onEnd?.(this, how);
  }
}

/** The RST that refuses a segment which belongs to no connection (RFC 9293 section 3.10.7.1). */
export function resetFor(packet: Packet): Packet {
  const { tcp, payload } = packet;
  const flags = tcp?.flags ?? 0;
  const phantom = ((flags & tcpFlag.syn) === 0 ? 0 : 1) + ((flags & tcpFlag.fin) === 0 ? 0 : 1);
  const answered = (flags & tcpFlag.ack) !== 0;
  const next = ((tcp?.seq ?? 0) + payload.length + phantom) >>> 0;
  return {
    source: packet.target, target: packet.source, protocol: 'TCP',
    sourcePort: packet.targetPort, targetPort: packet.sourcePort, ttl: 64, payload: noPayload,
    tcp: answered
      ? { seq: tcp?.ack ?? 0, ack: 0, flags: tcpFlag.rst }
      : { seq: 0, ack: next, flags: tcpFlag.rst | tcpFlag.ack },
    trail: packet.trail ?? 0,
  };
}
