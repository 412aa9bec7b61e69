// Waits until the process of ours in this network namespace is ready: `readiness.ts PORT WITHIN_MS`
// ends with 0 when `/readyz` says so, else with 1 and what it said last on standard error.
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const everyMs = 50;

/** Undefined when it is ready, else why not. */
function ask(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz' }, (answer) => {
      const parts: string[] = [];
      answer.on('data', (part) => parts.push(String(part)));
      answer.on('end', () => resolve(answer.statusCode === 200 ? undefined : parts.join('')));
    });
    request.on('error', (error) => resolve(error.message));
  });
}

async function run(port: number, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  let why = await ask(port);
  while (why !== undefined && performance.now() < until) {
    await pause(everyMs);
    why = await ask(port);
  }
  if (why === undefined) return;
  process.stderr.write(`${why}\n`);
  process.exitCode = 1;
}

if (import.meta.main) await run(Number(process.argv[2]), Number(process.argv[3]));
