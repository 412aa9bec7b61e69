import type { FeatureName } from './features.ts';
import type { Addon, AnyHandle, MapHandle, ProgramHandle } from './native.real.ts';
import { isRefused } from './refusal.real.ts';

/**
 * Features of this kernel, each found by using it: small programs are loaded, links are asked for
 * on targets that cannot exist. Version numbers and feature lists tell of helpers that do not load
 * (datapath.md 14.5). Needs the privileges of the agent; without them nothing is found.
 */
export function probeFeatures(addon: Addon): ReadonlySet<FeatureName> {
  const found = Object.entries(probes).filter(([, probe]) => probe(addon)).map(([name]) => name);
  return new Set(found as FeatureName[]);
}

const probes: Readonly<Record<FeatureName, (addon: Addon) => boolean>> = {
  // A flag is judged when the helper runs, and not when a program is loaded.
  'csum-ipv6': (addon) => returns(addon, 0, [
    move(2, frameBytes - 2), move(3, 0), move(4, 1), move(5, flagPseudoHeader | flagIpv6),
    call(11), exit,
  ]),
  // A kernel that knows the attach type goes on to look for the device.
  tcx: (addon) => linkError(addon, {
    type: programTc, target: absentIfindex, attach: 46,
  }) === enodev,
  'set-retval': (addon) => loads(addon, {
    type: programSockAddr, attach: attachConnect4,
    code: [move(1, -111), call(187), move(0, 1), exit],
  }),
  // Its callback needs BTF. A known helper refuses the wrong argument, an unknown one is EINVAL.
  loop: (addon) => load(addon, {
    type: programTc, code: [move(1, 1), move(2, 0), move(3, 0), move(4, 0), call(181), exit],
  }) === -eacces,
  'netns-cookie': (addon) => !isRefused(addon.netnsCookie()),
  'check-mtu': (addon) => loads(addon, {
    type: programTc,
    code: [
      storeWord(-8, 0), copy(3, 10), add(3, -8), move(2, 0), move(4, 0), move(5, 0), call(163),
      exit,
    ],
  }),
  'ktime-coarse': (addon) => loads(addon, {
    type: programTc, code: [call(160), move(0, 0), exit],
  }),
  'redirect-neigh': (addon) => loads(addon, {
    type: programTc, code: [move(1, 1), move(2, 0), move(3, 0), move(4, 0), call(152), exit],
  }),
  'ring-buffer': (addon) => works(addon, addon.mapCreate(27, 'probe', 0, 0, 4_096, 0)),
  getpeername: (addon) => loads(addon, {
    type: programSockAddr, attach: 29, code: [move(0, 1), exit],
  }),
  // The root folder is no cgroup; a kernel without links does not get as far as to see it.
  link: (addon) => linkError(addon, {
    type: programSockAddr, target: '/', attach: attachConnect4,
  }) === ebadf,
  batch: (addon) => {
    const map = addon.mapCreate(1, 'probe', 4, 4, 1, 0);
    if (isRefused(map)) return false;
    const [written] = addon.mapUpdateBatch(
      map as MapHandle, new Uint8Array(4), new Uint8Array(4), 1, 0,
    );
    return works(addon, map) && written === 1;
  },
};

// enum bpf_prog_type and enum bpf_attach_type.
const programTc = 3;
const programSockAddr = 18;
const attachConnect4 = 10;
const absentIfindex = 0x7fff_fff0;
const [ebadf, eacces, enodev] = [9, 13, 19];

interface Load {
  readonly type: number;
  readonly attach?: number;
  readonly code: readonly Uint8Array[];
}

function load(addon: Addon, { type, attach = 0, code }: Load): ProgramHandle | number {
  return addon.programLoad(type, attach, Buffer.concat(code));
}

function loads(addon: Addon, program: Load): boolean {
  return works(addon, load(addon, program));
}

const frameBytes = 64;
const [flagPseudoHeader, flagIpv6] = [1 << 4, 1 << 7];

/** Whether a tc program loads and gives this for a frame of zeros. */
function returns(addon: Addon, wanted: number, code: readonly Uint8Array[]): boolean {
  const program = load(addon, { type: programTc, code });
  if (isRefused(program)) return false;
  const ran = addon.programRun(
    program as ProgramHandle, new Uint8Array(frameBytes), undefined, undefined, undefined, 1,
  );
  addon.close(program as ProgramHandle);
  return !isRefused(ran) && ((ran as readonly number[])[0] ?? -1) === wanted;
}

function works(addon: Addon, handle: AnyHandle | number): boolean {
  if (isRefused(handle)) return false;
  addon.close(handle as AnyHandle);
  return true;
}

/** The errno of a link that cannot be; 0 when nothing could be asked. */
function linkError(
  addon: Addon, { type, target, attach }: { type: number; target: number | string; attach: number },
): number {
  const ownAttach = type === programSockAddr ? attach : 0;
  const program = load(addon, { type, attach: ownAttach, code: [move(0, 1), exit] });
  if (isRefused(program)) return 0;
  const link = addon.linkCreate(program as ProgramHandle, target, attach, 0, 0);
  addon.close(program as ProgramHandle);
  return isRefused(link) ? -link : 0;
}

/** One instruction of eBPF (RFC 9669, section 3). */
function instruction(
  opcode: number, registers: number, rest: readonly [offset: number, value: number],
): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  bytes[0] = opcode;
  bytes[1] = registers;
  view.setInt16(2, rest[0], true);
  view.setInt32(4, rest[1], true);
  return bytes;
}

function move(register: number, value: number): Uint8Array {
  return instruction(0xb7, register, [0, value]);
}

function copy(register: number, source: number): Uint8Array {
  return instruction(0xbf, register | (source << 4), [0, 0]);
}

function add(register: number, value: number): Uint8Array {
  return instruction(0x07, register, [0, value]);
}

/** A 32-bit word on the stack, at `offset` from the frame pointer. */
function storeWord(offset: number, value: number): Uint8Array {
  return instruction(0x62, 10, [offset, value]);
}

function call(helper: number): Uint8Array {
  return instruction(0x85, 0, [0, helper]);
}

const exit = instruction(0x95, 0, [0, 0]);
