import { createSocket, type Socket } from 'node:dgram';
import type { Ip } from '../lb/ip.ts';
import type { LinkError } from '../lb/ports.ts';
import { err, ok, type Result } from '../lb/result.ts';

// The kernel charges memberships to the memory of their socket (net.core.optmem_max).
const groupsPerSocket = 100;

/**
 * Memberships in IPv6 multicast groups by link, which make the kernel send MLD reports and open the
 * filter of the device (l2.md 12). Those of the kernel itself are others and stay.
 */
export class GroupSockets {
  #sockets: { readonly socket: Socket; readonly held: Set<string> }[] = [];

  /** Joining twice is once. A link that cannot is ENODEV; no memory for more is ENOBUFS. */
  join(link: string, group: Ip): Result<void, LinkError> {
    const membership = `${group} ${link}`;
    if (this.#sockets.some(({ held }) => held.has(membership))) return ok(undefined);
    const { socket, held } = this.#roomy();
    try {
      socket.addMembership(group, `::%${link}`);
    } catch (error) {
      return err(joinError(error));
    }
    held.add(membership);
    return ok(undefined);
  }

  leave(link: string, group: Ip): void {
    const membership = `${group} ${link}`;
    const found = this.#sockets.find(({ held }) => held.delete(membership));
    try {
      found?.socket.dropMembership(group, `::%${link}`);
    } catch (error) {
      // The membership went with the device.
      if (joinError(error).kind !== 'ENODEV') throw error;
    }
  }

  close(): void {
    for (const { socket } of this.#sockets) socket.close();
    this.#sockets = [];
  }

  #roomy(): { readonly socket: Socket; readonly held: Set<string> } {
    const last = this.#sockets.at(-1);
    if (last !== undefined && last.held.size < groupsPerSocket) return last;
    const socket = createSocket({ type: 'udp6', ipv6Only: true });
    // Nothing is sent or read by it, and it must not keep a process alive that has ended its work.
    socket.unref();
    const fresh = { socket, held: new Set<string>() };
    this.#sockets.push(fresh);
    return fresh;
  }
}

const gone: ReadonlySet<string> = new Set(['ENODEV', 'EINVAL', 'EADDRNOTAVAIL', 'ENXIO']);

function joinError(error: unknown): LinkError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return { kind: gone.has(code) ? 'ENODEV' : 'ENOBUFS' };
}
