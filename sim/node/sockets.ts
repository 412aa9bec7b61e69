import { familyOf, ipBytes16, ipFromBytes, type Ip } from '../../lb/ip.ts';
import type { SocketEnd, SocketFacts, SocketHooks } from '../net/sockethooks.ts';
import type { SimKernel } from './kernel.ts';

/** Offsets of `struct bpf_sock_addr`, 72 bytes (include/uapi/linux/bpf.h). */
const field = {
  userFamily: 0, userIp4: 4, userIp6: 8, userPort: 24, family: 28, type: 32, protocol: 36,
} as const;
const contextBytes = 72;
/** AF_INET, AF_INET6; SOCK_STREAM, SOCK_DGRAM; IPPROTO_TCP, IPPROTO_UDP. */
const families = { IPv4: 2, IPv6: 10 } as const;
const kinds = { TCP: { type: 1, protocol: 6 }, UDP: { type: 2, protocol: 17 } } as const;
const refusedCode = -111;

/** Sockets that share a network namespace, and the namespace as helpers name it. */
export interface SocketSpace {
  /** SO_NETNS_COOKIE, at least 1. */
  readonly cookie: number;
}

/** Who calls right now, for the helpers of the running program. */
export interface SocketCaller {
  socketCookie: number;
  namespaceCookie: number;
}

/** Numbers of sockets below this are of one namespace. */
const socketsPerSpace = 0x1_0000_0000;

/** The socket hooks of one namespace, by the programs of the kernel (datapath.md 9). */
export function socketHooks(
  kernel: SimKernel, space: SocketSpace, caller: SocketCaller,
): SocketHooks {
  const run = (hook: string, socket: SocketFacts, remote: SocketEnd): SocketEnd | 'refused' => {
    caller.socketCookie = cookieOf(space, socket);
    caller.namespaceCookie = space.cookie;
    const family = familyOf(remote.ip);
    const program = `fl_${hook}${family === 'IPv4' ? 4 : 6}`;
    const before = contextOf(socket, remote);
    const { result, returnCode, context } = kernel.runContext(program, before);
    if (result === 0 && returnCode === refusedCode) return 'refused';
    return endOf(context, remote);
  };
  const shown = (hook: string, socket: SocketFacts, remote: SocketEnd): SocketEnd => {
    const end = run(hook, socket, remote);
    return end === 'refused' ? remote : end;
  };
  return {
    connect: (socket, remote) => run('connect', socket, remote),
    sendTo: (socket, remote) => run('sendmsg', socket, remote),
    receivedFrom: (socket, remote) => shown('recvmsg', socket, remote),
    released: (socket) => {
      caller.socketCookie = cookieOf(space, socket);
      caller.namespaceCookie = space.cookie;
      kernel.runContext('fl_sock_release', new Uint8Array(socketBytes));
    },
  };
}

/** `struct bpf_sock`. */
const socketBytes = 80;

function cookieOf(space: SocketSpace, socket: SocketFacts): number {
  return space.cookie * socketsPerSpace + socket.cookie;
}

function contextOf(socket: SocketFacts, remote: SocketEnd): Uint8Array {
  const context = new Uint8Array(contextBytes);
  const view = new DataView(context.buffer);
  const family = familyOf(remote.ip);
  const { type, protocol } = kinds[socket.protocol];
  view.setUint32(field.userFamily, families[family], true);
  view.setUint32(field.family, families[family], true);
  view.setUint32(field.type, type, true);
  view.setUint32(field.protocol, protocol, true);
  view.setUint16(field.userPort, remote.port);
  const bytes = ipBytes16(remote.ip);
  if (family === 'IPv4') context.set(bytes.subarray(12), field.userIp4);
  else context.set(bytes, field.userIp6);
  return context;
}

function endOf(context: Uint8Array, before: SocketEnd): SocketEnd {
  const view = new DataView(context.buffer, context.byteOffset);
  const ip: Ip = familyOf(before.ip) === 'IPv4'
    ? ipFromBytes(context.slice(field.userIp4, field.userIp4 + 4))
    : ipFromBytes(context.slice(field.userIp6, field.userIp6 + 16));
  const port = view.getUint16(field.userPort);
  return ip === before.ip && port === before.port ? before : { ip, port };
}
