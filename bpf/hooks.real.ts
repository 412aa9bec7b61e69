import { existsSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { err, ok, type Result } from '../lb/result.ts';
import {
  pinKind, type Addon, type LinkHandle, type ProgramHandle,
} from './native.real.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

/** A place where the kernel runs a program. `attach` is an enum bpf_attach_type. */
export type LinkHook =
  | { readonly kind: 'tcx'; readonly ifindex: number; readonly direction: Direction }
  | { readonly kind: 'xdp'; readonly ifindex: number }
  | { readonly kind: 'cgroup'; readonly path: string; readonly attach: number };
export type Direction = 'ingress' | 'egress';

/** A place of clsact, for kernels that have no TCX (before 6.6). */
export interface FilterHook {
  readonly kind: 'clsact';
  readonly ifindex: number;
  readonly direction: Direction;
}
export type Hook = LinkHook | FilterHook;

export interface AttachOrder {
  readonly hook: Hook;
  readonly program: ProgramHandle;
  /** Where the link, or the program of a filter, is pinned: it outlives the process by that. */
  readonly pin: string;
}

/** What `attach` did: made a new attachment, or exchanged the program of the one that was there. */
export type Attached = 'created' | 'exchanged';

/**
 * Puts a program on a hook, or exchanges it in place when the pin of an earlier run is there: the
 * hook is never without a program in between (datapath.md 11, step 8). On TCX ours runs first. A
 * link whose device has gone is replaced.
 */
export function attach(addon: Addon, order: AttachOrder): Result<Attached, Refusal> {
  const { hook } = order;
  return hook.kind === 'clsact'
    ? new FilterSite(addon, hook).attach(order)
    : new LinkSite(addon, hook).attach(order);
}

/** Takes a program off its hook and removes the pin; nothing pinned there is a success. */
export function detach(
  addon: Addon, { hook, pin }: Pick<AttachOrder, 'hook' | 'pin'>,
): Result<void, Refusal> {
  if (!existsSync(pin)) return ok(undefined);
  const detached = hook.kind === 'clsact'
    ? new FilterSite(addon, hook).detach(pin)
    : new LinkSite(addon, hook).detach(pin);
  if (detached.ok) unlinkSync(pin);
  return detached;
}

/** Ids of the programs on a TCX or cgroup hook, in the order in which they run. */
export function programsOn(addon: Addon, hook: LinkHook): Result<readonly number[], Refusal> {
  const ids = addon.hookPrograms(targetOf(hook), attachType(hook));
  if (isRefused(ids)) return err(refusal(`list ${hookText(hook)}`, ids));
  return ok(ids as readonly number[]);
}

// enum bpf_attach_type; those of TCX since Linux 6.6.
const attachXdp = 37;
const attachTcx: Readonly<Record<Direction, number>> = { ingress: 46, egress: 47 };
const flagBefore = 1 << 3;
const enolink = 67;

function targetOf(hook: LinkHook): number | string {
  return hook.kind === 'cgroup' ? hook.path : hook.ifindex;
}

function attachType(hook: LinkHook): number {
  switch (hook.kind) {
    case 'tcx': return attachTcx[hook.direction];
    case 'xdp': return attachXdp;
    case 'cgroup': return hook.attach;
  }
}

function hookText(hook: Hook): string {
  if (hook.kind === 'cgroup') return `${hook.path} attach type ${hook.attach}`;
  const direction = hook.kind === 'xdp' ? '' : ` ${hook.direction}`;
  return `${hook.kind}${direction} of interface ${hook.ifindex}`;
}

class LinkSite {
  #addon: Addon;
  #hook: LinkHook;

  constructor(addon: Addon, hook: LinkHook) {
    this.#addon = addon;
    this.#hook = hook;
  }

  attach(order: AttachOrder): Result<Attached, Refusal> {
    if (existsSync(order.pin)) {
      const exchanged = this.#exchange(order);
      if (exchanged.ok || exchanged.error.errno !== enolink) return exchanged;
      // Detached by name: a link whose last pin goes is let go by the kernel some time later.
      const detached = this.detach(order.pin);
      if (!detached.ok) return detached;
      unlinkSync(order.pin);
    }
    const flags = this.#hook.kind === 'tcx' ? flagBefore : 0;
    const link = this.#addon.linkCreate(
      order.program, targetOf(this.#hook), attachType(this.#hook), flags, 0,
    );
    if (isRefused(link)) return err(this.#refusal('attach to', link));
    const pinned = this.#addon.pin(link as LinkHandle, pinKind.link, order.pin);
    // Without its pin the link would go with this process, so it goes now.
    this.#addon.close(link as LinkHandle);
    return isRefused(pinned) ? err(this.#refusal('pin the link of', pinned)) : ok('created');
  }

  detach(pin: string): Result<void, Refusal> {
    const link = this.#addon.openPinned(pinKind.link, pin);
    if (isRefused(link)) return err(this.#refusal('open the link of', link));
    const code = this.#addon.linkDetach(link as LinkHandle);
    this.#addon.close(link as LinkHandle);
    // The device or cgroup may have gone before.
    return isRefused(code) && code !== -enolink
      ? err(this.#refusal('detach from', code)) : ok(undefined);
  }

  #exchange({ program, pin }: AttachOrder): Result<Attached, Refusal> {
    const link = this.#addon.openPinned(pinKind.link, pin);
    if (isRefused(link)) return err(this.#refusal('open the link of', link));
    const code = this.#elsewhere(link as LinkHandle)
      ? -enolink : this.#addon.linkUpdate(link as LinkHandle, program);
    this.#addon.close(link as LinkHandle);
    return isRefused(code) ? err(this.#refusal('exchange the program of', code)) : ok('exchanged');
  }

  /** True for a link of another device or cgroup, or of one that has gone. */
  #elsewhere(link: LinkHandle): boolean {
    const facts = this.#addon.linkFacts(link);
    if (isRefused(facts)) return true;
    const [, , , low = 0, high = 0] = facts as readonly number[];
    if (this.#hook.kind !== 'cgroup') return low !== this.#hook.ifindex;
    // The id of a cgroup is the inode of its folder, 64 bits wide (kernfs, Linux 5.5).
    const { ino } = statSync(this.#hook.path, { bigint: true });
    return ino !== BigInt(low) + (BigInt(high) << 32n);
  }

  #refusal(verb: string, code: number): Refusal {
    return refusal(`${verb} ${hookText(this.#hook)}`, code);
  }
}

function nextOf(pin: string): string {
  return `${pin}-next`;
}

/** Our place among the filters of a device: own priority 1, handle 0xf1 (datapath.md 6). */
const filterPlace = [1, 0xf1] as const;
const filterDirection: Readonly<Record<Direction, number>> = { ingress: 1, egress: 2 };

/**
 * A filter of clsact. The pin of its program says that it is ours: what another owner has put at
 * the same place has another id and is left alone (EEXIST).
 */
class FilterSite {
  #addon: Addon;
  #hook: FilterHook;
  #place: readonly number[];

  constructor(addon: Addon, hook: FilterHook) {
    this.#addon = addon;
    this.#hook = hook;
    this.#place = [hook.ifindex, filterDirection[hook.direction], ...filterPlace];
  }

  attach({ program, pin }: AttachOrder): Result<Attached, Refusal> {
    const present = this.#addon.filterQuery(...this.#place);
    const expected = present > 0 && this.#isOurs(present, pin) ? present : 0;
    // Pinned before it is attached: whenever the process dies, one of the pins names the filter.
    const next = nextOf(pin);
    if (existsSync(next)) unlinkSync(next);
    const pinned = this.#addon.pin(program, pinKind.program, next);
    if (isRefused(pinned)) return err(this.#refusal('pin the program of', pinned));
    const code = this.#addon.filterAttach(program, ...this.#place, expected);
    if (isRefused(code)) {
      unlinkSync(next);
      return err(this.#refusal('attach to', code));
    }
    renameSync(next, pin);
    return ok(expected === 0 ? 'created' : 'exchanged');
  }

  detach(pin: string): Result<void, Refusal> {
    const present = this.#addon.filterQuery(...this.#place);
    if (present > 0 && !this.#isOurs(present, pin)) return ok(undefined);
    const code = this.#addon.filterDetach(...this.#place, Math.max(0, present));
    // No such filter, or no such device any more; EEXIST: it is another owner's by now.
    const gone = ['ENOENT', 'EINVAL', 'ENODEV', 'EEXIST'];
    if (!isRefused(code) || gone.includes(refusal('', code).kind)) return ok(undefined);
    return err(this.#refusal('detach from', code));
  }

  #isOurs(id: number, pin: string): boolean {
    return this.#pinnedId(pin) === id || this.#pinnedId(nextOf(pin)) === id;
  }

  /** Id of the pinned program; 0, which no program has, when there is none. */
  #pinnedId(pin: string): number {
    if (!existsSync(pin)) return 0;
    const program = this.#addon.openPinned(pinKind.program, pin);
    if (isRefused(program)) return 0;
    const facts = this.#addon.programFacts(program as ProgramHandle);
    this.#addon.close(program as ProgramHandle);
    return isRefused(facts) ? 0 : (facts as readonly number[])[0] ?? 0;
  }

  #refusal(verb: string, code: number): Refusal {
    return refusal(`${verb} ${hookText(this.#hook)}`, code);
  }
}
