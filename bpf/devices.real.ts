import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { err, ok, type Result } from '../lb/result.ts';
import type { Ip } from '../lb/ip.ts';
import type { NetDevice } from './attach.ts';
import { u32At } from './bytes.ts';
import type { Addon, SocketHandle } from './native.real.ts';
import {
  addressOf, defaultRouteDevices, dumpInterrupted, dumps, errorOf, linkOf, messageType,
  namespaceIdOf, namespaceIdRequest, netlinkMessages, type LinkMessage, type NetlinkMessage,
} from './netlink.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

/** The network namespace behind one or more pod interfaces. */
export interface PodNamespace {
  readonly cookie: bigint;
  readonly addresses: readonly Ip[];
  /** Host end of its interface, in the node's namespace. */
  readonly ifindex: number;
}

/** Bits of multicast groups: links, addresses and routes of both families (RTMGRP_*). */
const changeGroups = 0x1 | 0x10 | 0x100 | 0x40 | 0x400;
const readBytes = 1 << 20;
/** Dumps of a table that does not stop changing; a node's links settle within a few. */
const attemptsMax = 10;

/** All interfaces of the namespace that this thread is in. */
export function readDevices(addon: Addon): Result<readonly NetDevice[], Refusal> {
  const links = dump(addon, dumps.links);
  const addresses = dump(addon, dumps.addresses);
  const routes = dump(addon, dumps.routes);
  if (!links.ok) return links;
  if (!addresses.ok) return addresses;
  if (!routes.ok) return routes;
  const owned = addresses.value.filter(({ type }) => type === messageType.newAddress)
    .map(addressOf).filter((message) => message !== undefined);
  const defaults = new Set(routes.value.filter(({ type }) => type === messageType.newRoute)
    .flatMap(defaultRouteDevices));
  return ok(links.value.filter(({ type }) => type === messageType.newLink).map((message) => {
    const { lower: _, lowerNamespace, ...link } = linkOf(message);
    return {
      ...link,
      peerElsewhere: lowerNamespace !== undefined,
      addresses: owned.filter(({ ifindex }) => ifindex === link.ifindex)
        .map(({ address }) => address),
      defaultRoute: defaults.has(link.ifindex),
    };
  }));
}

/**
 * The namespaces that hold the other ends of `hostEnds`. They are found among those of processes
 * and of the folder of named ones by the number that the node's namespace has for each; one that no
 * process is in and that has no name is not found, and its sockets count as without address.
 */
export function readPods(
  addon: Addon, hostEnds: readonly number[],
): Result<readonly PodNamespace[], Refusal> {
  const links = dump(addon, dumps.links);
  if (!links.ok) return links;
  const ends = new Map<number, LinkMessage[]>();
  for (const link of links.value.filter(({ type }) => type === messageType.newLink).map(linkOf)) {
    if (link.lowerNamespace === undefined || !hostEnds.includes(link.ifindex)) continue;
    ends.set(link.lowerNamespace, [...(ends.get(link.lowerNamespace) ?? []), link]);
  }
  const pods: PodNamespace[] = [];
  for (const path of ends.size === 0 ? [] : namespacePaths()) {
    const id = namespaceId(addon, path);
    const found = id === undefined ? undefined : ends.get(id);
    if (id === undefined || found === undefined) continue;
    ends.delete(id);
    pods.push(...podsBehind(addon, path, found));
  }
  return ok(pods);
}

/** Calls back after changes of links, addresses or routes; the caller closes what it gets. */
export function watchDevices(
  addon: Addon, changed: () => void,
): Result<{ close(): void }, Refusal> {
  const opened = addon.netlinkOpen(changeGroups);
  if (isRefused(opened)) return err(refusal('hear link changes', opened));
  const socket = opened as SocketHandle;
  const out = new Uint8Array(readBytes);
  addon.watch(socket, () => {
    // What was lost or said does not matter: everything is read again.
    for (;;) {
      const turn = addon.socketRead(socket, out);
      if (isRefused(turn) || (turn as readonly number[])[0] === 0) break;
    }
    changed();
  });
  return ok({ close: () => void addon.close(socket) });
}

function podsBehind(
  addon: Addon, path: string, hostEnds: readonly LinkMessage[],
): readonly PodNamespace[] {
  const inside = addon.netnsCall(path, () => {
    const cookie = addon.netnsCookie();
    const devices = readDevices(addon);
    if (typeof cookie !== 'bigint' || !devices.ok) return [];
    return hostEnds.map((end) => ({
      cookie, ifindex: end.ifindex,
      addresses: devices.value.filter(({ ifindex }) => ifindex === end.lower)
        .flatMap(({ addresses }) => addresses),
    }));
  });
  // A namespace that went meanwhile has no pods.
  return isRefused(inside) ? [] : inside as readonly PodNamespace[];
}

const namedNamespaces = '/var/run/netns';

/** One path for each network namespace of this machine that has a name or a process. */
function namespacePaths(): readonly string[] {
  const found = new Map<number, string>();
  const processes = readdirSync('/proc').filter((name) => /^\d+$/u.test(name));
  const paths = [
    ...entries(namedNamespaces).map((name) => `${namedNamespaces}/${name}`),
    ...processes.map((pid) => `/proc/${pid}/ns/net`),
  ];
  for (const path of paths) {
    const inode = inodeOf(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, path);
  }
  return [...found.values()];
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return notThere;
  }
}

const notThere: readonly string[] = [];

/** Undefined for a process that ended or a name that was taken away meanwhile. */
function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

function namespaceId(addon: Addon, path: string): number | undefined {
  let fd;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const answered = ask(addon, namespaceIdRequest(fd));
    const [answer] = answered.ok ? answered.value : [];
    return answer?.type === messageType.newNamespaceId ? namespaceIdOf(answer) : undefined;
  } finally {
    closeSync(fd);
  }
}

function dump(addon: Addon, request: Uint8Array): Result<readonly NetlinkMessage[], Refusal> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const answered = ask(addon, request);
    if (!answered.ok) return answered;
    const torn = answered.value.some(({ flags }) => (flags & dumpInterrupted) !== 0);
    if (!torn) return answered;
  }
  return err({ kind: 'EAGAIN', operation: 'read links that do not settle', errno: 11 });
}

/** The messages that answer a request, up to the one that says that it was the last. */
function ask(addon: Addon, request: Uint8Array): Result<readonly NetlinkMessage[], Refusal> {
  const opened = addon.netlinkOpen(0);
  if (isRefused(opened)) return err(refusal('open rtnetlink', opened));
  const socket = opened as SocketHandle;
  try {
    const sent = addon.socketSend(socket, request);
    if (isRefused(sent)) return err(refusal('ask rtnetlink', sent));
    return answers(addon, socket);
  } finally {
    addon.close(socket);
  }
}

// A dump is made as it is read, so that nothing has to be waited for: an empty read is its end.
function answers(
  addon: Addon, socket: SocketHandle,
): Result<readonly NetlinkMessage[], Refusal> {
  const out = new Uint8Array(readBytes);
  const messages: NetlinkMessage[] = [];
  for (;;) {
    const turn = addon.socketRead(socket, out);
    if (isRefused(turn)) return err(refusal('read rtnetlink', turn));
    const [count = 0, bytes = 0, error = 0] = turn as readonly number[];
    if (error !== 0) return err(refusal('read rtnetlink', error));
    if (count === 0) return ok(messages);
    for (const message of messagesIn(out.subarray(0, bytes))) {
      if (message.type === messageType.done) return ok(messages);
      const refused = message.type === messageType.error ? errorOf(message) : 0;
      if (refused !== 0) return err(refusal('ask rtnetlink', -refused));
      messages.push(message);
    }
  }
}

/** `socketRead` puts a size and a zero word before each datagram and pads it to eight bytes. */
function messagesIn(out: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < out.length;) {
    const size = u32At(out, at);
    messages.push(...netlinkMessages(out.subarray(at + 8, at + 8 + size)));
    at += 8 + ((size + 7) & ~7);
  }
  return messages;
}
