// What may run beside what. Files that wait - for a fence to pass, a router to agree, a kubelet to
// start - use little of the machine and all of its time, so they run one after another beside the
// rest. They are also those that share a kernel's hooks and links, and that judge times: a busy
// machine would fail them, so the rest stands behind them.
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
  'test/lab', 'test/netns', 'test/bgp/routers', 'test/daemon/wire', 'test/http/kubectl',
  'test/contract/gobgpspeaker',
];

/** Lanes over test files below a folder, those that wait first. */
export function lanes(root: string): readonly Lane[] {
  const files = globSync('test/**/*.test.ts', { cwd: root }).toSorted();
  const waits = (file: string): boolean => waiting.some((name) => file.startsWith(name));
  return [
    { files: files.filter(waits), concurrency: 1, nice: 0 },
    { files: files.filter((file) => !waits(file)), nice: 5 },
  ];
}
