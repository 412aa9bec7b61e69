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
  readonly pins: string;
  /** Links where the kernel has TCX, filters of clsact elsewhere (datapath.md 6). */
  readonly hook: 'tcx' | 'clsact';
  /** Told of each hook that could not be had, once until it changes. */
  readonly refused: (refusal: Refusal) => void;
}

/** Numbers of devices whose programs are all attached. */
export type Hooked = ReadonlySet<number>;

interface DeviceHook {
  readonly role: keyof Placement;
  readonly program: string;
  readonly direction: Direction;
}

const deviceHooks: readonly DeviceHook[] = [
  { role: 'pods', program: 'fl_from_pod', direction: 'ingress' },
  { role: 'pods', program: 'fl_to_pod', direction: 'egress' },
  { role: 'uplinks', program: 'fl_uplink_in', direction: 'ingress' },
  { role: 'uplinks', program: 'fl_uplink_out', direction: 'egress' },
];

// enum bpf_prog_type: CGROUP_SOCK, CGROUP_SOCK_ADDR.
const socketTypes: ReadonlySet<number> = new Set([9, 18]);

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
    for (const [pin, { hook, program, ifindex }] of wanted) {
      if (!this.#put(pin, { hook, program })) missing.add(ifindex);
    }
    const present = [...placement.uplinks, ...placement.pods].map(({ ifindex }) => ifindex);
    return new Set(present.filter((ifindex) => !missing.has(ifindex)));
  }

  /** Puts every socket program of the object on a cgroup; false when one could not be had. */
  placeSockets(cgroup: string): boolean {
    const sockets = this.#order.object.declarations.filter(({ type }) => socketTypes.has(type));
    const placed = sockets.map(({ name, attachType }) => (
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
      for (const { ifindex } of placement[role]) {
        const hook: Hook = { kind: this.#order.hook, ifindex, direction };
        // By number, because names of devices may have dots, which bpffs refuses.
        wanted.set(`${program}-${ifindex}-${direction}`, { hook, program, ifindex });
      }
    }
    return wanted;
  }

  #put(pin: string, { hook, program }: { readonly hook: Hook; readonly program: string }): boolean {
    if (this.#done.has(pin)) return true;
    const handle = this.#order.object.programs.get(program);
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

interface Wanted {
  readonly hook: Hook;
  readonly program: string;
  readonly ifindex: number;
}

/** The hook of a device that a pin is for; undefined for pins of other things. */
function hookOf(pin: string, kind: 'tcx' | 'clsact'): Hook | undefined {
  const match = /^fl_\w+-(\d+)-(ingress|egress)$/u.exec(pin);
  if (match === null) return undefined;
  return { kind, ifindex: Number(match[1]), direction: match[2] as Direction };
}
