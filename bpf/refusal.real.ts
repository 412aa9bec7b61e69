import { constants } from 'node:os';
import type { KernelError } from '../lb/ports.ts';

/** What the kernel refused: which operation, and why. */
export interface Refusal {
  /** Name of the errno, `ENOENT`; `E524` for a number that has no name in the C library. */
  readonly kind: string;
  /** What was asked for, with its object: `load fl_uplink_in`. */
  readonly operation: string;
  /** Positive. */
  readonly errno: number;
  /** What libbpf and the verifier said, when they were asked. */
  readonly log?: string;
}

// Second names of numbers that the kernel calls otherwise.
const aliases: ReadonlySet<string> = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);
const names: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).filter(([name]) => !aliases.has(name))
    .map(([name, errno]) => [errno, name]),
);

/** The refusal behind a negative errno. */
export function refusal(operation: string, code: number, log?: string): Refusal {
  const errno = -code;
  const kind = names.get(errno) ?? `E${errno}`;
  return { kind, operation, errno, ...(log === undefined || log === '' ? {} : { log }) };
}

/** True for a negative errno in the place of a value. */
export function isRefused(value: unknown): value is number {
  return typeof value === 'number' && value < 0;
}

/** One line: `load fl_uplink_in: EACCES`. The log is for those who ask for it. */
export function refusalText({ operation, kind }: Refusal): string {
  return `${operation}: ${kind}`;
}

const known: ReadonlySet<string> = new Set<KernelError['kind']>([
  'ENOSPC', 'E2BIG', 'EEXIST', 'ENOENT', 'EINVAL', 'EPERM', 'EIO',
]);

/** The same as the port says it: what it has no name for is EIO. */
export function kernelError(code: number): KernelError {
  const { kind } = refusal('', code);
  return { kind: known.has(kind) ? (kind as KernelError['kind']) : 'EIO' };
}
