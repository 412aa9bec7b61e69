import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../lb/result.ts';
import type { AttachPlan, DeviceProgram } from './attach.ts';
import type { FeatureName } from './features.ts';
import { attach, detach, type Hook } from './hooks.real.ts';
import type { KernelMap } from './kernelmap.real.ts';
import { encodeOptions, type Options } from './layout.gen.ts';
import type { Addon, MapHandle } from './native.real.ts';
import { loadObject, type LoadedObject } from './object.real.ts';
import type { Refusal } from './refusal.real.ts';

export interface ProgramsOrder {
  /** The ELF file. */
  readonly file: Uint8Array;
  /** Folder of bpffs for maps and links of this node and layout. */
  readonly folder: string;
  readonly options: Options;
  readonly features: ReadonlySet<FeatureName>;
  /** Entries of maps by name, where the file's figures are not the wanted ones. */
  readonly entriesMax: ReadonlyMap<string, number>;
}

/**
 * The programs of one node on their hooks. Links and maps are pinned, so that they go on working
 * when this process ends; `close` lets go of descriptors and of nothing else.
 */
export class NodePrograms {
  #addon: Addon;
  #order: ProgramsOrder;
  #object: LoadedObject;
  /** The variant for devices without Ethernet header, once one was needed. */
  #bare: LoadedObject | undefined;

  /** Loads the programs over the maps that are pinned, or makes and pins the maps. */
  static load(addon: Addon, order: ProgramsOrder): Result<NodePrograms, Refusal> {
    const { file, folder, options, entriesMax } = order;
    mkdirSync(join(folder, linksFolder), { recursive: true, mode: 0o700 });
    const loaded = loadObject(addon, {
      file, pins: folder, entriesMax, constants: constantsOf(options),
    });
    return loaded.ok ? ok(new NodePrograms(addon, order, loaded.value)) : loaded;
  }

  private constructor(addon: Addon, order: ProgramsOrder, object: LoadedObject) {
    this.#addon = addon;
    this.#order = order;
    this.#object = object;
  }

  get maps(): ReadonlyMap<string, KernelMap> {
    return this.#object.maps;
  }

  /** Puts the socket programs on the node's cgroup, or exchanges what an earlier process put. */
  attachSockets(cgroup: string): Result<void, Refusal> {
    for (const [program, attachType] of socketHooks) {
      const hook = { kind: 'cgroup', path: cgroup, attach: attachType } as const;
      const attached = this.#attach(this.#object, { program, hook, pin: program });
      if (!attached.ok) return attached;
    }
    return ok(undefined);
  }

  /**
   * Makes the hooks of devices as planned: what is there is exchanged in place, what has gone with
   * its device or from the plan is taken away. A device that went meanwhile is no failure.
   */
  attachDevices({ programs }: AttachPlan): Result<void, Refusal> {
    for (const place of programs) {
      const { program } = place;
      const object = this.#variant(place);
      if (!object.ok) return object;
      const site = { program, hook: this.#hookOf(place), pin: pinName(place) };
      const attached = this.#attach(object.value, site);
      if (!attached.ok && attached.error.kind !== 'ENODEV') return attached;
    }
    return this.#release(new Set(programs.map(pinName)));
  }

  /** True when the programs of a pod interface are on it, whichever process put them there. */
  hooksPod(ifindex: number): boolean {
    const pin = pinName({ program: 'fl_from_pod', ifindex });
    return existsSync(join(this.#order.folder, linksFolder, pin));
  }

  close(): void {
    this.#object.close();
    this.#bare?.close();
  }

  #attach(
    object: LoadedObject, site: { readonly program: string; readonly hook: Hook; readonly pin: string },
  ): Result<unknown, Refusal> {
    const program = object.programs.get(site.program);
    if (program === undefined) {
      return err({ kind: 'ENOENT', operation: `find program ${site.program}`, errno: 2 });
    }
    const pin = join(this.#order.folder, linksFolder, site.pin);
    return attach(this.#addon, { hook: site.hook, program, pin });
  }

  #variant({ ethernet }: DeviceProgram): Result<LoadedObject, Refusal> {
    if (ethernet) return ok(this.#object);
    if (this.#bare !== undefined) return ok(this.#bare);
    const { file, options } = this.#order;
    const loaded = loadObject(this.#addon, {
      file, maps: this.#handles(), constants: constantsOf({ ...options, ethernet: 0 }),
    });
    if (loaded.ok) this.#bare = loaded.value;
    return loaded;
  }

  #handles(): ReadonlyMap<string, MapHandle> {
    return new Map([...this.#object.maps].map(([name, map]) => [name, map.handle]));
  }

  #hookOf({ ifindex, direction }: DeviceProgram): Hook {
    return { kind: this.#order.features.has('tcx') ? 'tcx' : 'clsact', ifindex, direction };
  }

  #release(wanted: ReadonlySet<string>): Result<void, Refusal> {
    const folder = join(this.#order.folder, linksFolder);
    for (const name of readdirSync(folder)) {
      const place = placeOf(name);
      if (place === undefined || wanted.has(name)) continue;
      const detached = detach(this.#addon, { hook: this.#hookOf(place), pin: join(folder, name) });
      if (!detached.ok) return detached;
    }
    return ok(undefined);
  }
}

/** Folder of pinned links, below that of the maps. */
export const linksFolder = 'links';

/**
 * Socket programs and their hooks (enum bpf_attach_type), in the order in which they are attached:
 * what restores the front comes before what leaves it.
 */
export const socketHooks: readonly (readonly [program: string, attachType: number])[] = [
  ['fl_sock_release', 34],
  ['fl_getpeername4', 29], ['fl_getpeername6', 30],
  ['fl_recvmsg4', 19], ['fl_recvmsg6', 20],
  ['fl_post_bind4', 12], ['fl_post_bind6', 13],
  ['fl_sendmsg4', 14], ['fl_sendmsg6', 15],
  ['fl_connect4', 10], ['fl_connect6', 11],
];

/** `fl_uplink_in-4`: bpffs takes no dots. */
function pinName({ program, ifindex }: Pick<DeviceProgram, 'program' | 'ifindex'>): string {
  return `${program}-${ifindex}`;
}

/** What a pin of a device's program says; undefined for one of a socket program. */
export function placeOf(pin: string): DeviceProgram | undefined {
  const [, program = '', ifindex] = /^(fl_(?:from|to)_pod|fl_uplink_(?:in|out))-(\d+)/u.exec(pin)
    ?? [];
  if (ifindex === undefined) return undefined;
  const direction = /_(?:in|from_pod)$/u.test(program) ? 'ingress' : 'egress';
  return {
    program: program as DeviceProgram['program'], ifindex: Number(ifindex), direction,
    ethernet: true,
  };
}

function constantsOf(options: Options): ReadonlyMap<string, Uint8Array> {
  return new Map([['fl_options', encodeOptions(options)]]);
}

