import { text } from 'node:stream/consumers';
import type { Console } from './console.ts';
import { exitCodes } from './exit.ts';
import { run } from './program.ts';

// A reader that has seen enough (`| head -1`) is no failure (interface.md 3, 4).
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(exitCodes.ok);
  });
}

const console: Console = {
  out: (piece) => void process.stdout.write(piece),
  err: (piece) => void process.stderr.write(piece),
  outTty: process.stdout.isTTY === true,
  env: process.env,
  input: () => text(process.stdin),
};

try {
  process.exitCode = await run(process.argv.slice(2), console);
} catch (error) {
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`fairlead: this is a bug in fairlead; please report it with:\n${trace}\n`);
  process.exitCode = exitCodes.bug;
}
