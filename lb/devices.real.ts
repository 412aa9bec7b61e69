import {
  devicesOf, dumpDisturbed, dumpRequest, linkGroups, messagesOf, messageType, namespaceIdOf,
  namespaceIdRequest, routesOf,
  type DeviceFacts, type NetlinkMessage,
} from './netlink.ts';
import type { Prefix } from './ip.ts';
import type { BlackholePort, RouteError, RouteFacts } from './ports.ts';
import { acknowledged, blackholeRequest, blackholesOf } from './routemessages.ts';
import { assert, err, ok, type Result } from './result.ts';

/** The functions of the addon that sockets need; `Socket` is its handle. */
export interface SocketAddon<Socket> {
  netlinkOpen(groups: number): Socket | number;
  packetOpen(ifindex: number, mark: number, filter: Uint8Array): Socket | number;
  socketSend(socket: Socket, bytes: Uint8Array): number;
  socketRead(socket: Socket, out: Uint8Array): readonly number[] | number;
  watch(socket: Socket, readable: () => void): number;
  close(socket: Socket): number;
  bootNs(): bigint;
}

/** A message that a socket read, with the interface that it came in by; 0 for netlink. */
export interface Arrived {
  readonly ifindex: number;
  /** Valid until the next read. */
  readonly bytes: Uint8Array;
}

/** Room for the longest turn of `readSocket`. */
export const readBytes = 1 << 18;

const prefixBytes = 8;

// Shared, because reading is synchronous and what is kept is copied: a node with a hundred pods
// makes hundreds of dumps a look.
const scratch = new Uint8Array(readBytes);

/** What has arrived, in order, and whether the kernel had to throw some away before. */
export function readSocket<Socket>(
  addon: SocketAddon<Socket>, socket: Socket, out: Uint8Array,
): { readonly arrived: readonly Arrived[]; readonly lost: boolean } {
  const read = addon.socketRead(socket, out);
  assert(typeof read !== 'number', `an open socket is read: ${String(read)}`);
  const [count = 0, , error = 0] = read;
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  const arrived: Arrived[] = [];
  for (let at = 0, taken = 0; taken < count; taken += 1) {
    const size = view.getUint32(at, true);
    const bytes = out.subarray(at + prefixBytes, at + prefixBytes + size);
    arrived.push({ ifindex: view.getUint32(at + 4, true), bytes });
    at += prefixBytes + Math.ceil(size / 8) * 8;
  }
  return { arrived, lost: error < 0 };
}

const attemptsMax = 10;

/** The interfaces of one network namespace. */
export interface Devices {
  /**
   * The number that this namespace has for the one behind an open file descriptor: what
   * `DeviceFacts.peerNetns` says. Undefined when no device leads there.
   */
  namespaceId(descriptor: number): number | undefined;
  /**
   * All of them, by number. A dump that a change disturbed is asked for again; after ten attempts
   * the last answer has to do, and the change's event will come.
   */
  read(): readonly DeviceFacts[];
  /** As `LinkPort.routes`. */
  routes(): readonly RouteFacts[];
  close(): void;
}

/**
 * The interfaces of the namespace that the thread is in now; the thread may leave it afterwards.
 * `changed` is called after each change of interfaces, addresses or routes.
 */
export function openDevices<Socket>(
  addon: SocketAddon<Socket>, changed?: () => void,
): Devices {
  const asking = netlink(addon, 0);
  const hearing = changed === undefined ? undefined : netlink(addon, linkGroups);
  if (hearing !== undefined) {
    addon.watch(hearing, () => {
      // What it says does not matter, nor whether some of it was lost: facts are read anew.
      readSocket(addon, hearing, scratch);
      changed?.();
    });
  }
  return {
    read: () => devicesOf(
      wholeDump(addon, asking, [messageType.getLink, messageType.getAddress, messageType.getRoute]),
    ),
    routes: () => routesOf(wholeDump(addon, asking, [messageType.getRoute])),
    namespaceId: (descriptor) => {
      addon.socketSend(asking, namespaceIdRequest(descriptor));
      const { arrived } = readSocket(addon, asking, scratch);
      return namespaceIdOf(arrived.flatMap(({ bytes }) => messagesOf(bytes)));
    },
    close: () => {
      addon.close(asking);
      if (hearing !== undefined) addon.close(hearing);
    },
  };
}

/** Black holes of the namespace that the thread is in now. */
export function openBlackholes<Socket>(
  addon: SocketAddon<Socket>,
): BlackholePort & { close(): void } {
  const socket = netlink(addon, 0);
  const ask = (verb: 'add' | 'remove', prefix: Prefix): Result<void, RouteError> => {
    addon.socketSend(socket, blackholeRequest(verb, prefix, 1));
    const { arrived } = readSocket(addon, socket, scratch);
    const code = acknowledged(arrived.flatMap(({ bytes }) => messagesOf(bytes)));
    if (code !== undefined && satisfied[verb].includes(code)) return ok(undefined);
    const denied = code === -1 || code === -13;
    return err({ kind: denied ? 'EPERM' : code === -22 ? 'EINVAL' : 'ENOBUFS' });
  };
  return {
    list: () => blackholesOf(wholeDump(addon, socket, [messageType.getRoute])),
    add: (prefix) => ask('add', prefix),
    remove: (prefix) => ask('remove', prefix),
    close: () => void addon.close(socket),
  };
}

/** Success, and what was wanted already: EEXIST; ESRCH and ENOENT. */
const satisfied: Readonly<Record<'add' | 'remove', readonly number[]>> = {
  add: [0, -17], remove: [0, -3, -2],
};

function netlink<Socket>(addon: SocketAddon<Socket>, groups: number): Socket {
  const opened = addon.netlinkOpen(groups);
  assert(typeof opened !== 'number', `a netlink socket opens: ${String(opened)}`);
  return opened as Socket;
}

function wholeDump<Socket>(
  addon: SocketAddon<Socket>, socket: Socket, types: readonly number[],
): readonly NetlinkMessage[] {
  let messages: readonly NetlinkMessage[] = [];
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    messages = types.flatMap((type) => dump(addon, { socket, type }));
    if (!messages.some(({ flags }) => (flags & dumpDisturbed) !== 0)) break;
  }
  return messages;
}

// The kernel fills the next part of a dump when the one before is read: nothing is waited for.
function dump<Socket>(
  addon: SocketAddon<Socket>, { socket, type }: { readonly socket: Socket; readonly type: number },
): NetlinkMessage[] {
  const sent = addon.socketSend(socket, dumpRequest(type, type));
  assert(sent > 0, `a dump is asked for: ${sent}`);
  const messages: NetlinkMessage[] = [];
  for (;;) {
    const { arrived } = readSocket(addon, socket, scratch);
    const part = arrived.flatMap(({ bytes }) => messagesOf(bytes.slice()));
    messages.push(...part);
    const last = part.at(-1)?.type;
    if (last === undefined || last === messageType.done || last === messageType.error) {
      return messages;
    }
  }
}
