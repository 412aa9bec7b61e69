import {
  chmodSync, existsSync, mkdtempSync, readFileSync, readlinkSync, renameSync, rmSync, statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { superviseDaemon, type SupervisedDaemon } from '../../../bgp/gobgp/daemon.real.ts';

// The process of a supervised speaker (bgp.md 5.1), with a shell script in the daemon's place.

const boundMs = 20_000;

async function until(what: string, done: () => boolean): Promise<void> {
  const end = performance.now() + boundMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`not within ${boundMs} ms: ${what}`);
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
}

/** A daemon that is a script, in a folder of its own; it ends with the test. */
function daemonOf(
  t: ExecutionContext, script: string, instance = 'main',
): SupervisedDaemon & { readonly socket: string } {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-daemon-'));
  const command = join(folder, 'speaker');
  writeFileSync(command, `#!/bin/sh\n${script}\n`);
  chmodSync(command, 0o755);
  const daemon = superviseDaemon({
    command, directory: join(folder, 'run'), instance, survives: true,
  });
  t.teardown(async () => {
    daemon.kill('SIGKILL');
    await until('the script ended', () => !daemon.alive);
    rmSync(folder, { recursive: true });
  });
  return Object.assign(daemon, { socket: daemon.endpoint.replace(/^unix:/u, '') });
}

function spawned(daemon: SupervisedDaemon): Promise<string> {
  return new Promise((resolve) => {
    daemon.spawn((result) => resolve(result.ok ? 'ok' : result.error.kind));
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

test('bgp 46, G8: a socket that nobody listens on is unlinked, and the speaker starts', async (t) => {
  const daemon = daemonOf(t, 'exec sleep 60');
  await spawned(daemon);
  daemon.kill('SIGKILL');
  await until('the first ended', () => !daemon.alive);
  // A server removes its own name when it closes; under this one its socket is left over.
  const server = await listen(`${daemon.socket}.x`);
  renameSync(`${daemon.socket}.x`, daemon.socket);
  await new Promise((resolve) => void server.close(resolve));
  t.true(existsSync(daemon.socket));
  t.is(await spawned(daemon), 'ok');
  t.false(existsSync(daemon.socket));
});

test('bgp 46, G8: a socket that somebody listens on is left alone', async (t) => {
  const daemon = daemonOf(t, 'exec sleep 60');
  await spawned(daemon);
  daemon.kill('SIGKILL');
  await until('the first ended', () => !daemon.alive);
  const server = await listen(daemon.socket);
  t.teardown(() => void server.close());
  t.is(await spawned(daemon), 'foreign');
  t.false(daemon.alive);
  const answered = await new Promise((resolve) => {
    const socket = connect(daemon.socket);
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
  t.true(answered);
});

test('bgp G7: a unix socket in a folder of ours alone, no profiler, no environment', async (t) => {
  const daemon = daemonOf(t, 'echo "$@"; env; exec sleep 60');
  process.env['FAIRLEAD_DAEMON_TEST'] = 'secret';
  t.is(await spawned(daemon), 'ok');
  const log = daemon.socket.replace(/sock$/u, 'log');
  await until('it has spoken', () => readFileSync(log, 'utf8').includes('PATH='));
  const text = readFileSync(log, 'utf8');
  t.is(text.split('\n')[0], `--api-hosts=unix://${daemon.socket} --pprof-disable -l info`);
  t.false(text.includes('FAIRLEAD_DAEMON_TEST'));
  t.is(statSync(dirname(daemon.socket)).mode & 0o777, 0o700);
});

test('bgp G9: output goes to a file, in a process group of its own', async (t) => {
  const daemon = daemonOf(t, 'exec sleep 60');
  await spawned(daemon);
  const pid = daemon.pid!;
  const log = daemon.socket.replace(/sock$/u, 'log');
  for (const number of [1, 2]) t.is(readlinkSync(`/proc/${pid}/fd/${number}`), log);
  // After the name in parentheses: state, parent, process group (proc_pid_stat(5)).
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /u, '').split(' ');
  t.is(Number(stat[2]), pid);
});

test('bgp G6: a process that ignores SIGTERM runs on, SIGKILL ends it', async (t) => {
  const daemon = daemonOf(t, "trap '' TERM; echo ready; while :; do sleep 0.1; done");
  let exits = 0;
  daemon.onExit(() => { exits += 1; });
  await spawned(daemon);
  const log = daemon.socket.replace(/sock$/u, 'log');
  await until('it ignores', () => readFileSync(log, 'utf8').includes('ready'));
  daemon.kill('SIGTERM');
  await new Promise((resolve) => void setTimeout(resolve, 200));
  t.true(daemon.alive);
  daemon.kill('SIGKILL');
  await until('it ended', () => exits === 1);
  t.false(daemon.alive);
});

test('the path of a socket is short, whatever the name of the instance', (t) => {
  const daemon = daemonOf(t, 'exec sleep 60', 'x'.repeat(255));
  t.regex(daemon.socket, /\/[0-9a-f]{12}\.sock$/u);
});

test('another supervisor ends the process that an earlier one left', async (t) => {
  // As gobgpd would, it keeps the arguments that name its socket.
  const daemon = daemonOf(t, 'while :; do sleep 0.1; done');
  await spawned(daemon);
  const later = superviseDaemon({
    command: '/bin/false', directory: dirname(daemon.socket), instance: 'main', survives: true,
  });
  later.kill('SIGKILL');
  await until('it ended', () => !daemon.alive);
  t.false(later.alive);
});
