export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Passed and failed tests in what ava printed. ava leaves the count of passed tests out of its
 * summary as soon as one failed, so the lines of the tests themselves are counted.
 * A run that ended badly has at least one failure, whatever it printed.
 */
export function countTests(output: string, exitCode: number): Counts {
  let passed = 0;
  let failed = 0;
  for (const line of output.replaceAll(/\u001B\[[0-9;]*m/g, '').split('\n')) {
    if (/^ {2}✔ /.test(line)) passed += 1;
    else if (/^ {2}✘ \[fail\]: /.test(line)) failed += 1;
    else failed += outsideTests(line);
  }
  return { passed, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

// What went wrong outside a test: a file that does not load, a promise nobody awaited.
function outsideTests(line: string): number {
  const found = /^ {2}([0-9]+) (?:uncaught exception|unhandled rejection)s?$/.exec(line);
  return found === null ? 0 : Number(found[1]);
}
