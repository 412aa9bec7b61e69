import type { KernelError } from '../../lb/ports.ts';

/** Error numbers that helpers and maps return negated (include/uapi/asm-generic/errno*.h). */
export const errno = {
  ENOENT: 2, E2BIG: 7, EAGAIN: 11, ENOMEM: 12, EFAULT: 14, EEXIST: 17, ENODEV: 19, EINVAL: 22,
  ENOSPC: 28, EALREADY: 114, ENOTSUPP: 524,
} as const;

const refusals: ReadonlyMap<number, KernelError['kind']> = new Map([
  [-errno.ENOENT, 'ENOENT'], [-errno.E2BIG, 'E2BIG'], [-errno.EEXIST, 'EEXIST'],
  [-errno.EINVAL, 'EINVAL'], [-errno.ENOSPC, 'ENOSPC'],
]);

/** What a map refused with, as the port says it. */
export function kernelError(code: number): KernelError {
  return { kind: refusals.get(code) ?? 'EIO' };
}
