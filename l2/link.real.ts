import {
  openDevices, readBytes, readSocket, type Devices, type SocketAddon,
} from '../lb/devices.real.ts';
import type { Ip } from '../lb/ip.ts';
import type { LinkError, LinkFacts, LinkPort, RouteFacts } from '../lb/ports.ts';
import { err, ok, type Result } from '../lb/result.ts';
import { etherTypeArp, etherTypeIpv6 } from './frames.ts';
import { GroupSockets } from './groups.real.ts';

/** The links of this machine. */
export interface RealLinks extends LinkPort {
  /** Closes every socket; memberships end with them. */
  close(): void;
}

export interface RealLinksOrder<Socket> {
  readonly addon: SocketAddon<Socket>;
  /**
   * Devices that are listened to. Others are listed all the same, and opened when something is sent
   * by them: a node has hundreds of pod interfaces that nobody announces on.
   */
  hears(link: LinkFacts): boolean;
}

/** Told from all other traffic by the egress hook, which fences what bears it (l2.md 5.4). */
export const announcementMark = 0x666c_0001;

/** `LinkPort` over AF_PACKET and rtnetlink of the namespace that the thread is in now. */
export function realLinks<Socket>(order: RealLinksOrder<Socket>): RealLinks {
  return new Links(order);
}

// Younger than the announcer's poll of 10 s, which is there for events that got lost.
const factsNsMax = 5_000_000_000n;

class Links<Socket> implements RealLinks {
  #addon: SocketAddon<Socket>;
  #order: RealLinksOrder<Socket>;
  #facts: readonly LinkFacts[] = [];
  /** Undefined until somebody asks: most nodes never do, and some have a million. */
  #routes: readonly RouteFacts[] | undefined;
  #readAtNs: bigint | undefined;
  #told = false;
  #open = true;
  #devices: Devices;
  #sockets = new Map<number, Socket>();
  #linkListeners: (() => void)[] = [];
  #frameListeners: ((ifindex: number, frame: Uint8Array) => void)[] = [];
  #out = new Uint8Array(readBytes);
  #groups = new GroupSockets();

  constructor(order: RealLinksOrder<Socket>) {
    this.#order = order;
    this.#addon = order.addon;
    this.#devices = openDevices(this.#addon, () => this.#changed());
    this.links();
  }

  links(): readonly LinkFacts[] {
    const now = this.#addon.bootNs();
    if (this.#readAtNs === undefined || now - this.#readAtNs > factsNsMax) {
      this.#facts = this.#devices.read();
      this.#readAtNs = now;
      this.#listen();
    }
    return this.#facts;
  }

  routes(): readonly RouteFacts[] {
    this.#routes ??= this.#devices.routes();
    return this.#routes;
  }

  onLinks(listener: () => void): void {
    this.#linkListeners.push(listener);
  }

  onFrame(listener: (ifindex: number, frame: Uint8Array) => void): void {
    this.#frameListeners.push(listener);
  }

  send(ifindex: number, frame: Uint8Array): Result<void, LinkError> {
    const socket = this.#sockets.get(ifindex) ?? this.#openSocket(ifindex);
    if (typeof socket === 'number') return err(linkError(socket));
    let sent = this.#addon.socketSend(socket, frame);
    // The first call after a device was down may give what happened then: it takes that away.
    if (sent < 0 && linkError(sent).kind === 'ENETDOWN') {
      sent = this.#addon.socketSend(socket, frame);
    }
    if (sent >= 0) return ok(undefined);
    const error = linkError(sent);
    // The number may come back as another device; a new socket finds it.
    if (error.kind === 'ENODEV') this.#closeSocket(ifindex);
    return err(error);
  }

  join(ifindex: number, group: Ip): Result<void, LinkError> {
    const name = this.#nameOf(ifindex);
    return name === undefined ? err({ kind: 'ENODEV' }) : this.#groups.join(name, group);
  }

  leave(ifindex: number, group: Ip): void {
    const name = this.#nameOf(ifindex);
    if (name !== undefined) this.#groups.leave(name, group);
  }

  close(): void {
    this.#open = false;
    this.#devices.close();
    for (const ifindex of [...this.#sockets.keys()]) this.#closeSocket(ifindex);
    this.#groups.close();
  }

  #nameOf(ifindex: number): string | undefined {
    return this.links().find((link) => link.ifindex === ifindex)?.name;
  }

  /** Many events of one change are told once, a moment later. */
  #changed(): void {
    this.#readAtNs = undefined;
    this.#routes = undefined;
    if (this.#told) return;
    this.#told = true;
    setImmediate(() => {
      this.#told = false;
      if (!this.#open) return;
      this.links();
      for (const listener of this.#linkListeners) listener();
    });
  }

  #listen(): void {
    const present = new Set(this.#facts.map(({ ifindex }) => ifindex));
    for (const ifindex of [...this.#sockets.keys()]) {
      if (!present.has(ifindex)) this.#closeSocket(ifindex);
    }
    for (const link of this.#facts) {
      if (!this.#sockets.has(link.ifindex) && link.adminUp && this.#order.hears(link)) {
        this.#openSocket(link.ifindex);
      }
    }
  }

  #openSocket(ifindex: number): Socket | number {
    const opened = this.#addon.packetOpen(ifindex, announcementMark, evidenceFilter());
    if (typeof opened === 'number') return opened;
    const socket = opened as Socket;
    this.#sockets.set(ifindex, socket);
    this.#addon.watch(socket, () => this.#hear(socket));
    return socket;
  }

  #closeSocket(ifindex: number): void {
    const socket = this.#sockets.get(ifindex);
    this.#sockets.delete(ifindex);
    if (socket !== undefined) this.#addon.close(socket);
  }

  #hear(socket: Socket): void {
    // Frames that got lost were evidence of conflicts, which repeat themselves.
    const { arrived } = readSocket(this.#addon, socket, this.#out);
    for (const { ifindex, bytes } of arrived) {
      const frame = unpadded(bytes).slice();
      for (const listener of this.#frameListeners) listener(ifindex, frame);
    }
  }
}

const errnos: ReadonlyMap<number, LinkError['kind']> = new Map([
  [-6, 'ENODEV'], [-19, 'ENODEV'], [-90, 'EMSGSIZE'], [-100, 'ENETDOWN'],
]);

function linkError(code: number): LinkError {
  return { kind: errnos.get(code) ?? 'ENOBUFS' };
}

const arpBytes = 42;
const ipv6HeadersBytes = 54;

/** Short frames are filled up on the wire; what they say has its own length. */
function unpadded(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const type = view.getUint16(12);
  if (type === etherTypeArp) return frame.subarray(0, arpBytes);
  return frame.subarray(0, ipv6HeadersBytes + view.getUint16(18));
}

/**
 * A classic BPF program (linux/filter.h) that lets ARP and Neighbor Advertisements through, without
 * those that came in a VLAN: they belong to the VLAN's own interface.
 */
export function evidenceFilter(): Uint8Array {
  const [loadHalf, loadByte, loadWord, equal, answer] = [0x28, 0x30, 0x20, 0x15, 0x06];
  const vlanPresent = 0xffff_f000 + 48;
  const steps: readonly (readonly [number, number, number, number])[] = [
    [loadWord, 0, 0, vlanPresent],
    [equal, 0, 7, 0],
    [loadHalf, 0, 0, 12],
    [equal, 6, 0, etherTypeArp],
    [equal, 0, 4, etherTypeIpv6],
    [loadByte, 0, 0, 20],
    [equal, 0, 2, 58],
    [loadByte, 0, 0, 54],
    [equal, 1, 0, 136],
    [answer, 0, 0, 0],
    [answer, 0, 0, 0xffff],
  ];
  const bytes = new Uint8Array(steps.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, whenTrue, whenFalse, value]] of steps.entries()) {
    view.setUint16(index * 8, code, true);
    bytes[index * 8 + 2] = whenTrue;
    bytes[index * 8 + 3] = whenFalse;
    view.setUint32(index * 8 + 4, value, true);
  }
  return bytes;
}
