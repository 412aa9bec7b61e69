import { hook as hooks, reason as reasons } from '../../bpf/layout.gen.ts';
import type { PassOutcome } from '../../bpf/vm/machine.ts';
import { broadcastMac } from '../../l2/frames.ts';
import { isGroupMac } from '../net/address.ts';
import { Frame } from '../net/frame.ts';
import { AddressTexts } from '../net/addresstexts.ts';
import { FrameBytes, FrameStore } from '../net/framebytes.ts';
import type { SimKernel } from './kernel.ts';

/** A program of ours on a device. */
export type HookName = 'fl_uplink_in' | 'fl_uplink_out' | 'fl_from_pod' | 'fl_to_pod';

/** The device that a frame passes, and what the socket that sent it marked it with. */
export interface HookDevice {
  readonly ifindex: number;
  readonly mac: string;
  /** SO_MARK of the sender; 0 for none. */
  readonly mark?: number;
}

/** What a program says about a frame. */
export type HookVerdict =
  /** On its way, as it came or translated. */
  | { readonly kind: 'pass'; readonly frame: Frame }
  /** Out of a device as it is (bpf_redirect). */
  | { readonly kind: 'send'; readonly frame: Frame; readonly ifindex: number }
  /** By its route, past every hook (bpf_redirect_neigh). */
  | { readonly kind: 'route'; readonly frame: Frame }
  | { readonly kind: 'drop'; readonly reason: string };

/** PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST (linux/if_packet.h). */
const packetTypes = { host: 0, broadcast: 1, multicast: 2, otherHost: 3 } as const;
/** TC_ACT_SHOT and TC_ACT_REDIRECT; all others let the frame go on. */
const actions = { shot: 2, redirect: 7 } as const;

/** Cells of `fl_stats` per hook (datapath.md 7). */
const cellsPerHook = 64;
const hookNumbers = {
  fl_from_pod: hooks.fromPod, fl_to_pod: hooks.toPod,
  fl_uplink_in: hooks.uplinkIn, fl_uplink_out: hooks.uplinkOut,
} as const satisfies Record<HookName, number>;

interface Hook {
  readonly program: number;
  readonly ingress: boolean;
  /** The first of its cells in `fl_stats`. */
  readonly cells: number;
}

type Hooks = Readonly<Record<'uplinkIn' | 'uplinkOut' | 'fromPod' | 'toPod', Hook>>;

/** Runs the programs of a kernel on the frames that pass its devices (datapath.md 6). */
export class FrameHooks {
  /** Frames that programs dropped, by reason. */
  readonly drops = new Map<string, number>();
  #kernel: SimKernel;
  #counted = new Map<number, number>();
  #texts = new AddressTexts();
  #store = new FrameStore();
  #hooks: Hooks;

  constructor(kernel: SimKernel) {
    this.#kernel = kernel;
    this.#hooks = hooksOf(kernel);
  }

  /** Other programs than before, or a boot: the kernel counts from zero again. */
  exchanged(): void {
    this.#hooks = hooksOf(this.#kernel);
    this.#counted.clear();
  }

  run(name: HookName, frame: Frame, device: HookDevice): HookVerdict {
    const { ifindex, mac, mark = 0 } = device;
    const hook = this.#hookOf(name);
    const { ingress } = hook;
    const outcome = this.#kernel.passPacket(hook.program, {
      frame, mark, ifindex,
      packetType: ingress ? packetTypeOf(frame, mac) : packetTypes.host,
      protocol: frame.etherType,
      ingressIfindex: ingress ? ifindex : 0,
    });
    if (outcome.verdict === actions.shot) return this.#dropped(hook);
    const after = this.#after(frame, outcome);
    if (outcome.verdict !== actions.redirect || outcome.redirect === undefined) {
      return { kind: 'pass', frame: after };
    }
    const { kind, ifindex: target } = outcome.redirect;
    if (kind === 'neighbour') return { kind: 'route', frame: after };
    // An answer in place of a refused packet is counted under its reason as a drop is.
    this.#countedNow(hook);
    return { kind: 'send', frame: after, ifindex: target };
  }

  #hookOf(name: HookName): Hook {
    switch (name) {
      case 'fl_uplink_in': return this.#hooks.uplinkIn;
      case 'fl_uplink_out': return this.#hooks.uplinkOut;
      case 'fl_from_pod': return this.#hooks.fromPod;
      case 'fl_to_pod': return this.#hooks.toPod;
    }
  }

  #after(frame: Frame, { changed, readdressed, at, length }: PassOutcome): Frame {
    const { memory } = this.#kernel;
    if (!changed) {
      frame.keep(this.#store, memory, at);
      return frame;
    }
    // Room made in front of a packet may have moved it anywhere.
    const stored = at % 4 === 0
      ? this.#store.keep(memory, at, length)
      : FrameBytes.of(memory.bytes.subarray(at, at + length));
    // Programs leave the addresses of most frames alone, and texts of them are dear.
    return Frame.translated(readdressed ? undefined : frame.head, stored, {
      trail: frame.trail, texts: this.#texts,
    });
  }

  #dropped(hook: Hook): HookVerdict {
    const reason = this.#countedNow(hook);
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
    return { kind: 'drop', reason };
  }

  // The counter that moved since the last look tells why; events may be switched off.
  #countedNow({ cells }: Hook): string {
    let told = 'unknown';
    for (const [name, reason] of Object.entries(reasons)) {
      const cell = cells + reason;
      const counted = this.#kernel.counter(cell);
      if (counted !== (this.#counted.get(cell) ?? 0)) told = name;
      this.#counted.set(cell, counted);
    }
    return told;
  }
}

function hooksOf(kernel: SimKernel): Hooks {
  const hook = (name: HookName, ingress: boolean): Hook => ({
    ingress, program: kernel.programNumber(name), cells: hookNumbers[name] * cellsPerHook,
  });
  return {
    uplinkIn: hook('fl_uplink_in', true), uplinkOut: hook('fl_uplink_out', false),
    fromPod: hook('fl_from_pod', true), toPod: hook('fl_to_pod', false),
  };
}

function packetTypeOf(frame: Frame, mac: string): number {
  const { ethTarget } = frame;
  if (ethTarget === mac) return packetTypes.host;
  if (ethTarget === broadcastMac) return packetTypes.broadcast;
  return isGroupMac(ethTarget) ? packetTypes.multicast : packetTypes.otherHost;
}
