import { EngineFault } from './fault.ts';
import { mapHandle } from './layout.ts';
import { ArrayMap } from './maps/array.ts';
import { HashMap } from './maps/hash.ts';
import { PrefixMap } from './maps/prefixes.ts';
import { ProgramMap } from './maps/programs.ts';
import { RingMap } from './maps/ring.ts';
import type { Memory } from './memory.ts';
import { PacketBuffer } from './packet.ts';

/** Maps that hold keys and values. */
export type TableMap = HashMap | ArrayMap | PrefixMap;
export type AnyMap = TableMap | RingMap | ProgramMap;

/** Where a program sends a packet: the arguments of the last redirecting helper of the run. */
export interface Redirect {
  readonly kind: 'device' | 'neighbour' | 'peer';
  readonly ifindex: number;
  /** BPF_F_INGRESS of bpf_redirect: into the stack of the device rather than out of it. */
  readonly ingress: boolean;
}

/**
 * What the world outside of one machine answers to helpers. Calls are synchronous and must depend
 * on nothing but the state of the simulated world.
 */
export interface HostCalls {
  /** bpf_get_prandom_u32: uniform in [0, 2^32). */
  random(): number;
  /** Cookie of the socket of the running hook, or of the packet; 0 for none. Below 2^53. */
  socketCookie(): number;
  /** Cookie of the network namespace of the hook, or the initial one for a null context. */
  namespaceCookie(initial: boolean): number;
  /**
   * bpf_fib_lookup: reads and fills `struct bpf_fib_lookup`, 64 bytes from `at`, in place. Returns
   * a BPF_FIB_LKUP_RET_* code or a negated errno.
   */
  routeLookup(memory: Uint8Array, at: number, flags: number): number;
  /** MTU of a device, 0 being the one of the hook; undefined for one that does not exist. */
  mtu(ifindex: number): number | undefined;
}

/** State that helpers work on: memory, maps and the packet of one machine. */
export class Runtime {
  readonly memory: Memory;
  readonly maps: readonly AnyMap[];
  readonly packet: PacketBuffer;
  readonly host: HostCalls;
  redirect: Redirect | undefined;
  /** What bpf_get_retval returns: the errno that the system call would report. */
  returnCode = 0;
  /** Tail calls that the run has made. */
  tailCalls = 0;
  /** Runs that have begun. */
  runs = 0;

  constructor(memory: Memory, maps: readonly AnyMap[], host: HostCalls) {
    this.memory = memory;
    this.maps = maps;
    this.host = host;
    this.packet = new PacketBuffer(memory);
  }

  /** The map that a program names by its handle; a fault for any other number. */
  table(handle: number, helper: string): TableMap {
    const map = this.maps[mapHandle.index(handle)];
    if (map === undefined || map instanceof RingMap || map instanceof ProgramMap) {
      throw new EngineFault({ kind: 'argument', helper });
    }
    return map;
  }

  ring(handle: number, helper: string): RingMap {
    const map = this.maps[mapHandle.index(handle)];
    if (map instanceof RingMap) return map;
    throw new EngineFault({ kind: 'argument', helper });
  }
}
