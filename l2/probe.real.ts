import { setTimeout as after } from 'node:timers/promises';
import { readBytes, readSocket, type SocketAddon } from '../lb/devices.real.ts';
import type { Ip } from '../lb/ip.ts';
import type { LinkFacts } from '../lb/ports.ts';
import { evidenceFilter } from './link.real.ts';
import { claimantOf, probeFrame } from './probe.ts';

/** Who has an address on one link. */
export interface ProbeAnswer {
  readonly link: string;
  readonly mac: string;
}

/** Asked once more after a frame may have got lost; an answer takes less than this. */
const roundMs = 250;
const rounds = 2;

/**
 * Asks the segments of these links who has an address, and waits half a second for every answer.
 * Frames of ours bear no mark, so that no fence is in their way.
 */
export async function probeSegments<Socket>(
  addon: SocketAddon<Socket>, target: Ip, links: readonly LinkFacts[],
): Promise<readonly ProbeAnswer[]> {
  const answers = new Map<string, ProbeAnswer>();
  const room = new Uint8Array(readBytes);
  const opened = links.flatMap((link) => {
    const socket = addon.packetOpen(link.ifindex, 0, evidenceFilter());
    return typeof socket === 'number' ? [] : [{ link, socket: socket as Socket }];
  });
  try {
    for (const { link: { name }, socket } of opened) {
      addon.watch(socket, () => {
        for (const { bytes } of readSocket(addon, socket, room).arrived) {
          const mac = claimantOf(bytes, target);
          if (mac !== undefined) answers.set(`${name} ${mac}`, { link: name, mac });
        }
      });
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const { link, socket } of opened) addon.socketSend(socket, probeFrame(target, link.mac));
      await after(roundMs);
    }
  } finally {
    for (const { socket } of opened) addon.close(socket);
  }
  return [...answers.values()];
}
