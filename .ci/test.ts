// Runs every test, or those that the arguments name, and closes with one line to read:
// `N passed, N failed`. Run by `npm test` under the project's Node.
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { countTests, type Counts } from './count.ts';
import { lanes } from './lanes.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
const ava = fileURLToPath(new URL('../node_modules/ava/entrypoints/cli.js', import.meta.url));

// Each file is a process: what one has read and stripped of types, the next ones need not.
const cache = fileURLToPath(new URL('../.fairlead/compile-cache', import.meta.url));

/** Runs ava with these arguments and passes on what it prints. */
function run(words: readonly string[], nice = 0): Promise<Counts> {
  const child = spawn(process.execPath, [ava, ...words], {
    cwd: root,
    env: {
      NODE_COMPILE_CACHE: cache, ...process.env, ...(colour ? { FORCE_COLOR: '1' } : {}),
    },
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  if (nice > 0 && child.pid !== undefined) setPriority(child.pid, nice);
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => {
    pieces.push(piece);
    process.stdout.write(piece);
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve(countTests(Buffer.concat(pieces).toString('utf8'), code ?? 1));
    });
  });
}

const given = process.argv.slice(2);
const runs = given.length > 0 ? [run(given)] : lanes(root).map(({ files, concurrency, nice }) => (
  run([...concurrency === undefined ? [] : [`--concurrency=${concurrency}`], ...files], nice)
));
const counts = await Promise.all(runs);
const passed = counts.reduce((sum, one) => sum + one.passed, 0);
const failed = counts.reduce((sum, one) => sum + one.failed, 0);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
