/** Error numbers that helpers and maps return negated (include/uapi/asm-generic/errno*.h). */
export const errno = {
  EPERM: 1, ENOENT: 2, E2BIG: 7, EAGAIN: 11, ENOMEM: 12, EFAULT: 14, EEXIST: 17, ENODEV: 19,
  EINVAL: 22, ENOSPC: 28, EALREADY: 114, EPROTONOSUPPORT: 93, ENOTSUPP: 524,
} as const;

export type Errno = keyof typeof errno;

/** `E2BIG` of -7; undefined for a code that nothing in the engine returns. */
export function errnoName(code: number): Errno | undefined {
  const names = Object.keys(errno) as Errno[];
  return names.find((name) => errno[name] === -code);
}
