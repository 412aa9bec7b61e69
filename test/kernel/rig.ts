import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KernelMap } from '../../bpf/kernelmap.real.ts';
import { realKernel, type RealKernel } from '../../bpf/kernel.real.ts';
import { loadObject, type LoadedObject, type ObjectOrder } from '../../bpf/object.real.ts';
import type { Addon } from '../../bpf/native.real.ts';
import { isRefused, refusal } from '../../bpf/refusal.real.ts';
import { root } from '../tidy/sources.ts';

/** The fields of `__sk_buff` that a test run takes; the kernel refuses any other. */
export interface SkbContext {
  readonly mark?: number;
  readonly priority?: number;
  /** Of a device of the network namespace that the run happens in. */
  readonly ingressIfindex?: number;
  readonly ifindex?: number;
  /** Five words. */
  readonly cb?: readonly number[];
  readonly gsoSegments?: number;
  readonly gsoSize?: number;
}

export interface RunOrder {
  readonly packet: Uint8Array;
  readonly skb?: SkbContext;
  /** Default 1. */
  readonly repeat?: number;
}

export interface RunOutcome {
  /** What the program returned, as a signed number: TCX_NEXT is -1, a redirect is 7. */
  readonly verdict: number;
  readonly packet: Uint8Array;
  /** `__sk_buff` afterwards. */
  readonly mark: number;
  readonly durationNs: number;
}

const skbBytes = 192;
const at = {
  mark: 8, priority: 32, ingressIfindex: 36, ifindex: 40, cb: 48, gsoSegments: 164, gsoSize: 176,
} as const;

/** An object with maps of its own under BPF_PROG_TEST_RUN. Nothing is pinned or attached. */
export class Rig {
  readonly addon: Addon;
  readonly object: LoadedObject;
  readonly kernel: RealKernel;

  /** Loads `file` of the clone; a refusal is thrown with what the verifier said. */
  constructor(addon: Addon, file: string, order: Omit<ObjectOrder, 'file'> = {}) {
    this.addon = addon;
    const loaded = loadObject(addon, { file: readFileSync(join(root, file)), ...order });
    if (!loaded.ok) {
      const { operation, log, kind } = loaded.error;
      throw new Error(`${operation}: ${log ?? kind}`);
    }
    this.object = loaded.value;
    this.kernel = realKernel(addon, this.object.maps);
  }

  map(name: string): KernelMap {
    const map = this.object.maps.get(name);
    if (map === undefined) throw new Error(`the object has no map ${name}`);
    return map;
  }

  run(program: string, { packet, skb = {}, repeat = 1 }: RunOrder): RunOutcome {
    const handle = this.object.programs.get(program);
    if (handle === undefined) throw new Error(`the object has no program ${program}`);
    // Room for what a program adds in front or behind.
    const packetOut = new Uint8Array(packet.length + 2_048);
    const contextOut = new Uint8Array(skbBytes);
    const numbers = this.addon.programRun(
      handle, packet, packetOut, encodeSkb(skb), contextOut, repeat,
    );
    if (isRefused(numbers)) throw new Error(`run ${program}: ${refusal('', numbers).kind}`);
    const [verdict = 0, durationNs = 0, size = 0] = numbers as number[];
    const mark = new DataView(contextOut.buffer).getUint32(at.mark, true);
    return { verdict: verdict | 0, packet: packetOut.slice(0, size), mark, durationNs };
  }

  /** Runs `body` with this thread in a network namespace: devices are looked up there. */
  inside<T>(netns: string, body: () => T): T {
    const value = this.addon.netnsCall(`/var/run/netns/${netns}`, body);
    if (isRefused(value)) throw new Error(`enter ${netns}: ${refusal('', value).kind}`);
    return value as T;
  }

  /** The rows of a map as hexadecimal text, sorted: equal maps give equal dumps. */
  dump(name: string): string[] {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    return this.map(name).dump().map(({ key, value }) => `${hex(key)} ${hex(value)}`).toSorted();
  }

  close(): void {
    this.kernel.close();
    this.object.close();
  }
}

function encodeSkb(skb: SkbContext): Uint8Array {
  const bytes = new Uint8Array(skbBytes);
  const view = new DataView(bytes.buffer);
  const { cb = [], ...words } = skb;
  for (const [name, value] of Object.entries(words)) {
    view.setUint32(at[name as Exclude<keyof SkbContext, 'cb'>], value, true);
  }
  for (const [index, word] of cb.entries()) view.setUint32(at.cb + index * 4, word, true);
  return bytes;
}
