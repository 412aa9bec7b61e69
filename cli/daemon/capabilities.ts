import { readFileSync } from 'node:fs';

/** A capability that the agent uses (interface.md 16; capabilities(7)). */
export interface Capability {
  readonly name: string;
  readonly bit: number;
  /** What its absence costs; undefined: without it nothing works. */
  readonly cost: string | undefined;
}

export const capabilities: readonly Capability[] = [
  { name: 'BPF', bit: 39, cost: undefined },
  { name: 'NET_ADMIN', bit: 12, cost: undefined },
  { name: 'NET_RAW', bit: 13, cost: undefined },
  { name: 'PERFMON', bit: 38, cost: undefined },
  {
    name: 'SYS_ADMIN', bit: 21,
    cost: 'namespaces of pods are not entered: their hooks are found by the host ends alone',
  },
];

/** Those that a process lacks, by the line CapEff of its /proc/PID/status. */
export function missingCapabilities(status: string): readonly Capability[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/mu.exec(status)?.[1] ?? '0'}`);
  return capabilities.filter(({ bit }) => (mask >> BigInt(bit)) % 2n === 0n);
}

/** Those that this process lacks. */
export function ownMissingCapabilities(): readonly Capability[] {
  return missingCapabilities(readFileSync('/proc/self/status', 'utf8'));
}
