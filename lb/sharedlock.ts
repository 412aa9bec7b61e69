import type { Clock, KernelPort } from './ports.ts';

/**
 * `hostLock` for parts of one process that want the same lock one after the other: the kernel is
 * asked once for each name, and whoever asks later has it as soon as the process does.
 */
export function shareHostLock(kernel: KernelPort, clock: Clock): KernelPort['hostLock'] {
  const locks = new Map<string, { held: boolean; readonly waiting: (() => void)[] }>();
  return (name, held) => {
    const known = locks.get(name);
    if (known?.held === true) {
      clock.after(0, held);
      return;
    }
    if (known !== undefined) {
      known.waiting.push(held);
      return;
    }
    const lock = { held: false, waiting: [held] };
    locks.set(name, lock);
    kernel.hostLock(name, () => {
      lock.held = true;
      for (const waiting of lock.waiting.splice(0)) waiting();
    });
  };
}
