import type { Addon, ProgramHandle } from './native.real.ts';
import type { LoadedObject } from './object.real.ts';
import { isRefused, refusal, refusalText } from './refusal.real.ts';
import type { SelfTestListener } from './selftest.ts';
import { selfTestFlows, selfTestPackets, type SelfTestPacket } from './selftestpackets.ts';

export interface SelfTestPrograms {
  readonly addon: Addon;
  readonly object: LoadedObject;
  readonly externalClusterIp: boolean;
}

/** TCX_NEXT: whoever is next on the hook. */
const next = -1;

/**
 * Runs the packets of the self-test through the programs that are loaded, over the maps that are in
 * force; nothing is sent. Gives what is wrong, and leaves no flow behind.
 */
export function runSelfTestPackets(
  { addon, object, externalClusterIp }: SelfTestPrograms, listener: SelfTestListener,
): string | undefined {
  try {
    for (const packet of selfTestPackets(listener, externalClusterIp)) {
      const program = object.programs.get(packet.program);
      const fault = program === undefined
        ? 'is not loaded' : faultOf(addon, program, packet);
      if (fault !== undefined) return `program ${packet.program} ${fault}`;
    }
    return undefined;
  } finally {
    for (const key of selfTestFlows(listener)) object.maps.get('fl_ct')?.remove(key);
  }
}

function faultOf(
  addon: Addon, program: ProgramHandle, { packet, expected }: SelfTestPacket,
): string | undefined {
  const out = new Uint8Array(packet.length + room);
  const run = addon.programRun(program, packet, out, undefined, undefined, 1);
  if (isRefused(run)) return `cannot be run: ${refusalText(refusal('test run', run))}`;
  const [verdict = 0, , length = 0] = run as readonly number[];
  const became = out.subarray(0, length);
  if ((verdict | 0) === next && Buffer.compare(became, expected) === 0) return undefined;
  const how = Buffer.compare(became, packet) === 0 ? 'untranslated' : 'translated otherwise';
  return `gives verdict ${verdict | 0}, ${how}, for a packet of the self-test: were its maps`
    + ' changed by somebody else? `fairlead lb list` shows them';
}

/** For a program that makes a packet longer, which is a fault too. */
const room = 256;
