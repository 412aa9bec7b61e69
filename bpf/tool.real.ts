import { spawnSync } from 'node:child_process';

/** Longer than any rule set takes to be written; what hangs is not waited for. */
const toolMsMax = 10_000;
const outputBytesMax = 256 * 1024 * 1024;
/** Where a system has its tools; npm puts programs of the same names first in its own path. */
const toolPath = '/usr/sbin:/sbin:/usr/bin:/bin';

/** What a tool of the system said. */
export interface ToolRun {
  /** Empty where it is not installed. */
  readonly out: string;
  /** Why it did not do it; undefined when it did. */
  readonly failure: string | undefined;
}

/** Runs a tool of the system in this network namespace, and waits for it. */
export function runTool(tool: string, words: readonly string[], input = ''): ToolRun {
  const { stdout, stderr, status, error } = spawnSync(tool, words, {
    encoding: 'utf8', timeout: toolMsMax, maxBuffer: outputBytesMax, env: { PATH: toolPath }, input,
  });
  const done = error === undefined && status === 0;
  return {
    out: stdout ?? '', failure: done ? undefined : error?.message ?? stderr.trim(),
  };
}
