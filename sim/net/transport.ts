import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Prng } from '../prng.ts';
import { Deadlines } from './deadlines.ts';
import { FlowTable } from './flowtable.ts';
import { noPayload, tcpFlag, tupleOf, type Packet, type PacketTuple } from './packet.ts';
import type { SocketFacts, SocketHooks } from './sockethooks.ts';
import type { PacketTap } from './tap.ts';
import { resetFor, TcpConnection, type TcpEnds, type TcpOwner, type TcpUser } from './tcp.ts';

/** One UDP socket. */
export interface UdpSocket {
  readonly onDatagram: (packet: Packet) => void;
  readonly onRefused?: (about: PacketTuple) => void;
}

export interface TransportOptions {
  /** Names the stream `host/<name>` and the events. */
  readonly name: string;
  readonly place: string;
  /** Hands a packet to the IP layer. */
  readonly send: (packet: Packet) => void;
  /** Tells the IP layer that its way to `remote` works. */
  readonly confirm: (remote: Ip) => void;
  /** Programs on the socket hooks; absent: this machine runs none. */
  readonly sockets?: SocketHooks;
  /** The source that the kernel takes towards `remote` where none was bound; absent: as called. */
  readonly sourceFor?: (remote: Ip) => Ip | undefined;
}

interface BoundSocket {
  readonly socket: UdpSocket;
  readonly facts: SocketFacts;
}

const ephemeralFirst = 32_768;
const ephemeralCount = 28_232;

/**
 * The transport layer of a host or pod: TCP connections and listeners, UDP sockets, and what to
 * answer when there is none. Needs no more of its machine than a way to send packets.
 */
export class Transport implements TcpOwner {
  readonly name: string;
  readonly place: string;
  /** Of its connections and of the requests that are made from here. */
  readonly deadlines: Deadlines;
  #tap: PacketTap;
  #options: TransportOptions;
  #prng: Prng;
  #connections = new FlowTable();
  /** By local port; those of the ephemeral range are taken in turn, so its list has no holes. */
  #ephemeral: (TcpConnection | undefined)[] = [];
  #callers = new Map<number, TcpConnection>();
  #listeners = new Map<number, (connection: TcpConnection) => TcpUser>();
  #sockets = new Map<number, BoundSocket>();
  // Connections that the socket hooks saw, to be told when they end.
  #called = new Map<TcpConnection, SocketFacts>();
  #opened = 0;
  #cookies = 0;
  #nextPort = 0;

  constructor(tap: PacketTap, options: TransportOptions) {
    this.#tap = tap;
    this.#options = options;
    this.name = options.name;
    this.place = options.place;
    this.#prng = tap.world.stream(`host/${options.name}`);
    this.deadlines = new Deadlines(tap.world, { kind: 'deadline', entity: options.name });
  }

  get now(): Micros {
    return this.#tap.world.now;
  }

  /** Connections that did not end yet. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** The next free port of 32768 to 60999, in turn and wrapping (ip_local_port_range of Linux). */
  ephemeralPort(): number {
    for (let tries = 0; tries < ephemeralCount; tries += 1) {
      const port = ephemeralFirst + this.#nextPort;
      this.#nextPort = (this.#nextPort + 1) % ephemeralCount;
      if (this.#callerAt(port) === undefined && !this.#sockets.has(port)) return port;
    }
    return ephemeralFirst;
  }

  /** Opens a connection. `trail` marks its packets for the tap. */
  connect(ends: TcpEnds, user: TcpUser, trail = 0): TcpConnection {
    const called = { ip: ends.remote, port: ends.remotePort };
    const socket = { cookie: this.#newCookie(), protocol: 'TCP' } as const;
    const target = this.#options.sockets?.connect(socket, called) ?? called;
    const remote = target === 'refused' ? called : target;
    const connection = this.#open({
      localPort: ends.localPort, local: this.#sourceFor(remote.ip, called.ip) ?? ends.local,
      remote: remote.ip, remotePort: remote.port,
    }, user);
    connection.trail = trail;
    this.#setCaller(ends.localPort, connection);
    if (this.#options.sockets !== undefined) this.#called.set(connection, socket);
    if (target === 'refused') this.#refuse(connection);
    else connection.connect();
    return connection;
  }

  /** Accepts connections to a port, on every address, until the returned function is called. */
  listen(port: number, accept: (connection: TcpConnection) => TcpUser): () => void {
    this.#listeners.set(port, accept);
    return () => {
      if (this.#listeners.get(port) === accept) this.#listeners.delete(port);
    };
  }

  bind(port: number, socket: UdpSocket): () => void {
    const facts = { cookie: this.#newCookie(), protocol: 'UDP' } as const;
    const bound = { socket, facts };
    this.#sockets.set(port, bound);
    return () => {
      if (this.#sockets.get(port) !== bound) return;
      this.#sockets.delete(port);
      this.#options.sockets?.released(facts);
    };
  }

  /** Sends a datagram of the socket that is bound to its source port. */
  sendTo(packet: Packet): void {
    const bound = this.#sockets.get(packet.sourcePort);
    const called = { ip: packet.target, port: packet.targetPort };
    const target = bound && this.#options.sockets?.sendTo(bound.facts, called);
    if (target === 'refused') bound?.socket.onRefused?.(tupleOf(packet));
    else if (target === undefined) this.send(packet);
    else this.send({ ...packet, target: target.ip, targetPort: target.port });
  }

  /** A packet for this machine. */
  receive(packet: Packet): void {
    if (packet.protocol === 'TCP') this.#receiveTcp(packet);
    else if (packet.protocol === 'UDP') this.#receiveUdp(packet);
    else this.#receiveIcmp(packet);
  }

  send(packet: Packet): void {
    this.#options.send(packet);
  }

  confirm(remote: Ip): void {
    this.#options.confirm(remote);
  }

  setDeadline(connection: TcpConnection, due: Micros | undefined): void {
    if (due === undefined) this.deadlines.clear(connection);
    else this.deadlines.set(connection, due);
  }

  closed(connection: TcpConnection): void {
    const { localPort } = connection.ends;
    this.#connections.delete(connection);
    if (this.#callerAt(localPort) === connection) this.#setCaller(localPort, undefined);
    if (this.#called.size === 0) return;
    const socket = this.#options.sockets && this.#called.get(connection);
    if (socket === undefined) return;
    this.#called.delete(connection);
    this.#options.sockets?.released(socket);
  }

  /** The machine died: sockets and connections are gone without a farewell. */
  vanish(): void {
    for (const connection of this.#connections.all()) connection.vanish();
    this.#listeners.clear();
    this.#sockets.clear();
  }

  // The kernel chooses the source behind the hook, so a call to loopback may leave the machine.
  #sourceFor(remote: Ip, called: Ip): Ip | undefined {
    return remote === called ? undefined : this.#options.sourceFor?.(remote);
  }

  #newCookie(): number {
    this.#cookies += 1;
    return this.#cookies;
  }

  // connect(2) fails at once, yet a user is never called inside its own call.
  #refuse(connection: TcpConnection): void {
    const what = { kind: 'connect-refused', entity: this.name };
    this.#tap.world.schedule(0, what, () => connection.unreachable());
  }

  #open(ends: TcpEnds, user: TcpUser): TcpConnection {
    this.#opened += 1;
    const start = { order: this.#opened, sequence: this.#prng.next(), user };
    const connection = new TcpConnection(this, ends, start);
    this.#connections.add(connection);
    return connection;
  }

  #receiveTcp(packet: Packet): void {
    const { source, target, sourcePort, targetPort, tcp } = packet;
    const flow = this.#connections.find(source, targetPort, sourcePort);
    if (flow !== undefined && flow.ends.local === target) {
      this.#tap.pass('received', this.place, packet);
      flow.receive(packet);
      return;
    }
    const opening = (tcp?.flags ?? 0) & (tcpFlag.syn | tcpFlag.ack | tcpFlag.rst);
    const syn = opening === tcpFlag.syn;
    const accept = syn ? this.#listeners.get(targetPort) : undefined;
    if (accept !== undefined) {
      this.#tap.pass('received', this.place, packet);
      const ends = { local: target, localPort: targetPort, remote: source, remotePort: sourcePort };
      const connection = this.#open(ends, {});
      connection.user = accept(connection);
      connection.accept(packet);
      return;
    }
    const caller = this.#callerAt(targetPort);
    if (caller !== undefined) caller.user.onStranger?.(caller, source);
    this.#tap.drop({ place: this.place, why: syn ? 'no-listener' : 'out-of-state', packet });
    if (tcp !== undefined && (tcp.flags & tcpFlag.rst) === 0) this.send(resetFor(packet));
  }

  #receiveUdp(packet: Packet): void {
    const bound = this.#sockets.get(packet.targetPort);
    if (bound !== undefined) {
      this.#tap.pass('received', this.place, packet);
      const { source: ip, sourcePort: port } = packet;
      const shown = this.#options.sockets?.receivedFrom(bound.facts, { ip, port });
      bound.socket.onDatagram(
        shown === undefined ? packet : { ...packet, source: shown.ip, sourcePort: shown.port },
      );
      return;
    }
    this.#tap.drop({ place: this.place, why: 'no-listener', packet });
    this.send({
      source: packet.target, target: packet.source, protocol: 'ICMP', sourcePort: 0, targetPort: 0,
      ttl: 64, payload: noPayload, trail: packet.trail ?? 0,
      icmp: { kind: 'unreachable', cause: 'port', quoted: tupleOf(packet) },
    });
  }

  #receiveIcmp(packet: Packet): void {
    this.#tap.pass('received', this.place, packet);
    const { icmp } = packet;
    // Only a port that is closed or forbidden is a verdict; an unreachable host may come back.
    if (icmp?.kind !== 'unreachable' || (icmp.cause !== 'port' && icmp.cause !== 'prohibited')) {
      return;
    }
    const { quoted } = icmp;
    if (quoted.protocol === 'UDP') this.#sockets.get(quoted.sourcePort)?.socket.onRefused?.(quoted);
    if (quoted.protocol !== 'TCP') return;
    const { target, sourcePort, targetPort } = quoted;
    this.#connections.find(target, sourcePort, targetPort)?.unreachable();
  }

  #callerAt(port: number): TcpConnection | undefined {
    return port < ephemeralFirst ? this.#callers.get(port) : this.#ephemeral[port - ephemeralFirst];
  }

  #setCaller(port: number, connection: TcpConnection | undefined): void {
    if (port >= ephemeralFirst) this.#ephemeral[port - ephemeralFirst] = connection;
    else if (connection === undefined) this.#callers.delete(port);
    else this.#callers.set(port, connection);
  }
}
