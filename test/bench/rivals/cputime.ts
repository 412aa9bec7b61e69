/** Nothing ever changes it: who waits for it sleeps. */
const cell = new Int32Array(new SharedArrayBuffer(4));
const momentMs = 0.001;
const calibrations = 51;

/**
 * CPU milliseconds of this thread, in user space and in the kernel, since some time before. The
 * kernel brings the count up to date at its ticks, up to 4 ms apart, and whenever the thread is
 * scheduled: a moment of sleep before makes it right to some microseconds.
 */
export function cpuMs(): number {
  Atomics.wait(cell, 0, 0, momentMs);
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

let own: number | undefined;

/** What two calls of `cpuMs` with nothing between them differ by. */
export function cpuMsOwn(): number {
  if (own !== undefined) return own;
  const costs = Array.from({ length: calibrations }, () => {
    const from = cpuMs();
    return cpuMs() - from;
  });
  own = costs.toSorted((left, right) => left - right)[Math.floor(calibrations / 2)] ?? 0;
  return own;
}
