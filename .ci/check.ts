// The checks that need no run of the program: types (twice, the core without Node), lint with the
// determinism rules, dead code. Run by `npm run check` under the project's Node.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const steps = [
  { name: 'types', tool: 'tsc', flags: ['-p', 'tsconfig.json'] },
  { name: 'types of the core', tool: 'tsc', flags: ['-p', 'tsconfig.core.json'] },
  { name: 'lint', tool: 'oxlint', flags: ['--type-aware', '--quiet'] },
  { name: 'dead code', tool: 'knip', flags: ['--no-progress'] },
];

let failed = 0;
for (const { name, tool, flags } of steps) {
  const startedAt = performance.now();
  const { status, stdout, stderr, error } = spawnSync(tool, flags, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (status !== 0) {
    failed += 1;
    process.stdout.write(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}\n`);
  }
  process.stdout.write(`${name} ... ${status === 0 ? 'ok' : 'FAIL'} (${seconds}s)\n`);
}
process.stdout.write(`${steps.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
