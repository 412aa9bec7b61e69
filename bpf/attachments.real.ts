import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attach, detach, type Direction, type Hook } from './hooks.real.ts';
import type { Addon } from './native.real.ts';
import type { LoadedObject } from './object.real.ts';
import type { Placement } from './placement.ts';
import type { Refusal } from './refusal.real.ts';

/** Whose programs go where, and in which folder their links are pinned. */
export interface AttachmentsOrder {
  readonly addon: Addon;
  readonly object: LoadedObject;
  /** The variant for devices without Ethernet header, loaded when one is met. */
  readonly bare?: () => LoadedObject | undefined;
  readonly pins: string;
  /** Links where the kernel has TCX, filters of clsact elsewhere (datapath.md 6). */
  readonly hook: 'tcx' | 'clsact';
  /** Told of each hook that could not be had, once until it changes. */
  readonly refused: (refusal: Refusal) => void;
}

/** Numbers of devices whose programs are all attached. */
export type Hooked = ReadonlySet<number>;

interface DeviceHook {
  readonly role: 'uplinks' | 'pods';
  readonly program: string;
  readonly direction: Direction;
}

// What restores a front comes first: a flow that the others begin has its way back then.
const deviceHooks: readonly DeviceHook[] = [
  { role: 'pods', program: 'fl_to_pod', direction: 'egress' },
  { role: 'uplinks', program: 'fl_uplink_out', direction: 'egress' },
  { role: 'pods', program: 'fl_from_pod', direction: 'ingress' },
  { role: 'uplinks', program: 'fl_uplink_in', direction: 'ingress' },
];

// enum bpf_prog_type: CGROUP_SOCK, CGROUP_SOCK_ADDR.
const socketTypes: ReadonlySet<number> = new Set([9, 18]);
// enum bpf_attach_type of what leaves a front: connect and sendmsg.
const leavingHooks: ReadonlySet<number> = new Set([10, 11, 14, 15]);

/**
 * Programs on hooks, kept as the devices come and go. The first look exchanges the programs of an
 * earlier run's links in place; links outlive the process, and only `remove` takes them away.
 */
export class Attachments {
  #order: AttachmentsOrder;
  /** Pins that this process has put its program on. */
  #done = new Set<string>();
  #told = new Map<string, string>();

  constructor(order: AttachmentsOrder) {
    this.#order = order;
  }

  /** Brings the hooks of devices to what `placement` says; a device that went loses its pins. */
  place(placement: Placement): Hooked {
    const wanted = this.#wanted(placement);
    for (const pin of readdirSync(this.#order.pins)) {
      const hook = hookOf(pin, this.#order.hook);
      if (hook !== undefined && !wanted.has(pin)) this.#drop(pin, hook);
    }
    const missing = new Set<number>();
    for (const [pin, site] of wanted) {
      if (!this.#put(pin, site)) missing.add(site.ifindex);
    }
    return numbersWithout(placement, missing);
  }

  /** Devices of `placement` that an earlier process has put its programs on; changes nothing. */
  inherited(placement: Placement): Hooked {
    const pins = new Set(readdirSync(this.#order.pins));
    const wanted = [...this.#wanted(placement)].filter(([pin]) => !pins.has(pin));
    return numbersWithout(placement, new Set(wanted.map(([, { ifindex }]) => ifindex)));
  }

  /** Puts every socket program of the object on a cgroup; false when one could not be had. */
  placeSockets(cgroup: string): boolean {
    const sockets = this.#order.object.declarations.filter(({ type }) => socketTypes.has(type));
    const leaving = ({ attachType }: { readonly attachType: number }): number => (
      Number(leavingHooks.has(attachType))
    );
    const ordered = sockets.toSorted((left, right) => leaving(left) - leaving(right));
    const placed = ordered.map(({ name, attachType }) => (
      this.#put(name, { hook: { kind: 'cgroup', path: cgroup, attach: attachType }, program: name })
    ));
    return placed.every(Boolean);
  }

  /** Takes every program off its hook: `fairlead uninstall`, and nothing else. */
  remove(cgroup: string): void {
    for (const pin of readdirSync(this.#order.pins)) {
      const hook = hookOf(pin, this.#order.hook);
      if (hook !== undefined) this.#drop(pin, hook);
    }
    for (const { name, type, attachType } of this.#order.object.declarations) {
      if (!socketTypes.has(type)) continue;
      this.#drop(name, { kind: 'cgroup', path: cgroup, attach: attachType });
    }
  }

  #wanted(placement: Placement): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    for (const { role, program, direction } of deviceHooks) {
      for (const { ifindex, ethernet } of placement[role]) {
        const hook: Hook = { kind: this.#order.hook, ifindex, direction };
        // By number, because names of devices may have dots, which bpffs refuses.
        wanted.set(`${program}-${ifindex}-${direction}`, { hook, program, ifindex, ethernet });
      }
    }
    return wanted;
  }

  #put(pin: string, { hook, program, ethernet = true }: Site): boolean {
    if (this.#done.has(pin)) return true;
    const object = ethernet ? this.#order.object : this.#order.bare?.();
    const handle = object?.programs.get(program);
    if (handle === undefined) return false;
    const { addon, pins } = this.#order;
    const attached = attach(addon, { hook, program: handle, pin: join(pins, pin) });
    if (attached.ok) this.#done.add(pin);
    else this.#tell(pin, attached.error);
    return attached.ok;
  }

  #drop(pin: string, hook: Hook): void {
    this.#done.delete(pin);
    this.#told.delete(pin);
    const detached = detach(this.#order.addon, { hook, pin: join(this.#order.pins, pin) });
    if (!detached.ok) this.#tell(pin, detached.error);
  }

  #tell(pin: string, refusal: Refusal): void {
    if (this.#told.get(pin) === refusal.kind) return;
    this.#told.set(pin, refusal.kind);
    this.#order.refused(refusal);
  }
}

interface Site {
  readonly hook: Hook;
  readonly program: string;
  readonly ethernet?: boolean;
}

interface Wanted extends Site {
  readonly ifindex: number;
}

function numbersWithout(placement: Placement, missing: ReadonlySet<number>): Hooked {
  const present = [...placement.uplinks, ...placement.pods].map(({ ifindex }) => ifindex);
  return new Set(present.filter((ifindex) => !missing.has(ifindex)));
}

/** The hook of a device that a pin is for; undefined for pins of other things. */
function hookOf(pin: string, kind: 'tcx' | 'clsact'): Hook | undefined {
  const match = /^fl_\w+-(\d+)-(ingress|egress)$/u.exec(pin);
  if (match === null) return undefined;
  return { kind, ifindex: Number(match[1]), direction: match[2] as Direction };
}
