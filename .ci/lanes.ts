// What may run beside what. Files that wait - for a fence to pass, a router to agree, a kubelet to
// start - use little of the machine and all of their time, so they run beside the rest, labs in one
// lane and what else has real agents or routers in another. They are also those that share a
// kernel's hooks and links, and that judge times: a busy machine would fail them, so the rest
// stands behind them.
import { globSync } from 'node:fs';

/** Test files that run in one process of ava. */
export interface Lane {
  readonly files: readonly string[];
  /** Files at a time; absent: as many as there are processors. */
  readonly concurrency?: number;
  /** As of nice(1). */
  readonly nice: number;
}

const waiting = [
  ['test/lab'],
  ['test/netns', 'test/bgp/routers', 'test/daemon/wire', 'test/http/kubectl',
    'test/contract/gobgpspeaker'],
];

/** Lanes over the test files below a folder, those that wait first; none is empty. */
export function lanes(root: string): readonly Lane[] {
  const files = globSync('test/**/*.test.ts', { cwd: root }).toSorted();
  const among = (names: readonly string[]): readonly string[] => files.filter(
    (file) => names.some((name) => file.startsWith(name)),
  );
  const waits = new Set(among(waiting.flat()));
  return [
    ...waiting.map((names) => ({ files: among(names), concurrency: 1, nice: 0 })),
    { files: files.filter((file) => !waits.has(file)), nice: 5 },
  ].filter((lane) => lane.files.length > 0);
}
