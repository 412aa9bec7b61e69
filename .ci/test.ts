// Runs every test, or those that the arguments name, and closes with one line to read:
// `N passed, N failed`. Run by `npm test` under the project's Node.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { countTests } from './count.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
const ava = fileURLToPath(new URL('../node_modules/ava/entrypoints/cli.js', import.meta.url));

// Each file is a process: what one has read and stripped of types, the next ones need not.
const cache = fileURLToPath(new URL('../.fairlead/compile-cache', import.meta.url));

const child = spawn(process.execPath, [ava, ...process.argv.slice(2)], {
  cwd: root,
  env: {
    NODE_COMPILE_CACHE: cache, ...process.env, ...(colour ? { FORCE_COLOR: '1' } : {}),
  },
  stdio: ['inherit', 'pipe', 'inherit'],
});

const pieces: Buffer[] = [];
child.stdout.on('data', (piece: Buffer) => {
  pieces.push(piece);
  process.stdout.write(piece);
});
child.on('close', (code) => {
  const output = Buffer.concat(pieces).toString('utf8');
  const { passed, failed } = countTests(output, code ?? 1);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
});
