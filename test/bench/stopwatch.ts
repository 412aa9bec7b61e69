/**
 * Seconds that `run` would take on a core of its own: the smaller of wall and CPU time. Work of
 * others is in the first, that of the collector's threads beside ours in the second.
 */
export function secondsOf(run: () => void): number {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  run();
  const wallSeconds = (performance.now() - wall) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return Math.min(wallSeconds, (user + system) / 1_000_000);
}
