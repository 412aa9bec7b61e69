import { readSocket, readBytes, type SocketAddon } from '../../lb/devices.real.ts';
import { be16At } from '../../bpf/bytes.ts';
import type { Addon, SocketHandle } from '../../bpf/native.real.ts';
import { isRefused } from '../../bpf/refusal.real.ts';
import type { Lab, Place } from './lab.ts';

export interface Hearing {
  readonly place: Place;
  /** Default `eth0`. */
  readonly device?: string;
}

/** Frames that arrive at a device of a place, from when it is opened. */
export class Wire {
  #addon: SocketAddon<SocketHandle>;
  #socket: SocketHandle;

  constructor(addon: Addon, lab: Lab, { place, device = 'eth0' }: Hearing) {
    const text = lab.run(place, `ip -j link show dev ${device}`);
    const [{ ifindex } = { ifindex: 0 }] = JSON.parse(text) as { ifindex: number }[];
    const opened = addon.netnsCall(`/var/run/netns/${lab.namespaceOf(place)}`, () => (
      addon.packetOpen(ifindex, 0, new Uint8Array(0))
    ));
    if (isRefused(opened)) throw new Error(`hear ${place}: ${opened}`);
    this.#addon = addon as SocketAddon<SocketHandle>;
    this.#socket = opened as SocketHandle;
  }

  /** What has come from an IPv4 source: `tcp 80 flags 14` or `icmp 3/3`, each once. */
  heardFrom(source: string): string[] {
    const said = new Set<string>();
    for (;;) {
      const { arrived } = readSocket(this.#addon, this.#socket, new Uint8Array(readBytes));
      if (arrived.length === 0) return [...said].toSorted();
      for (const { bytes } of arrived) {
        if (be16At(bytes, 12) === 0x0800 && bytes.slice(26, 30).join('.') === source) {
          said.add(packetText(bytes));
        }
      }
    }
  }

  close(): void {
    this.#addon.close(this.#socket);
  }
}

function packetText(frame: Uint8Array): string {
  const at = 14 + (frame[14]! & 15) * 4;
  switch (frame[23]) {
    case 1: return `icmp ${frame[at]}/${frame[at + 1]}`;
    case 6: return `tcp ${be16At(frame, at)} flags ${frame[at + 13]!.toString(16)}`;
    default: return `protocol ${frame[23]}`;
  }
}
