import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { err, ok, type Result } from '../../lb/result.ts';
import type { SpeakerError } from '../port.ts';
import type { DaemonPort } from './daemon.ts';
import { shortHash } from './names.ts';

export interface SupervisedDaemonOptions {
  /** Program, by name or path (`bgp.speaker.command`). */
  readonly command: string;
  /** Made with mode 0700: whoever reaches the socket owns the speaker (G7). */
  readonly directory: string;
  /** Name of the instance. */
  readonly instance: string;
  /** False where the process dies with ours, as in a container. */
  readonly survives: boolean;
}

/** A daemon that this process starts and ends. */
export interface SupervisedDaemon extends DaemonPort {
  /** What to dial, `unix:` and a path. */
  readonly endpoint: string;
  /** The child's, while it runs. */
  readonly pid: number | undefined;
}

const logBytesMax = 10 * 1024 * 1024;
const logLookMs = 10_000;

/** Names files by a hash, because the path of a socket ends at 108 bytes. */
export function superviseDaemon(options: SupervisedDaemonOptions): SupervisedDaemon {
  return new GobgpDaemon(options);
}

class GobgpDaemon implements SupervisedDaemon {
  readonly survives: boolean;
  #options: SupervisedDaemonOptions;
  #base: string;
  #child: ChildProcess | undefined;
  #listeners: (() => void)[] = [];

  constructor(options: SupervisedDaemonOptions) {
    this.#options = options;
    this.survives = options.survives;
    this.#base = join(options.directory, shortHash(options.instance, 12));
  }

  get endpoint(): string {
    return `unix:${this.#socket}`;
  }

  get pid(): number | undefined {
    return this.alive ? this.#child?.pid : undefined;
  }

  get alive(): boolean {
    return this.#child !== undefined;
  }

  onExit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  spawn(done: (result: Result<void, SpeakerError>) => void): void {
    mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 });
    clearSocket(this.#socket, (free) => {
      if (free.ok) this.#start(done);
      else done(free);
    });
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#child !== undefined) {
      this.#child.kill(signal);
      return;
    }
    const pid = this.#left();
    if (pid !== undefined) process.kill(pid, signal);
  }

  noteHelpers(addresses: readonly string[]): void {
    const file = `${this.#base}.helpers`;
    // Whole or not at all: a reader of half a list would forget a helper.
    writeFileSync(`${file}.new`, JSON.stringify(addresses));
    renameSync(`${file}.new`, file);
  }

  helpers(): ReturnType<DaemonPort['helpers']> {
    const file = `${this.#base}.helpers`;
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    // noteHelpers alone writes it.
    const addresses = JSON.parse(readFileSync(file, 'utf8')) as string[];
    return { addresses, age: Math.max(0, Math.round((Date.now() - stat.mtimeMs) * 1000)) };
  }

  get #socket(): string {
    return `${this.#base}.sock`;
  }

  #start(done: (result: Result<void, SpeakerError>) => void): void {
    const { command } = this.#options;
    // A file, for a pipe without a reader would end the daemon at its next line (G9).
    const log = `${this.#base}.log`;
    const file = openSync(log, 'a', 0o600);
    const child = spawn(command, [
      `--api-hosts=unix://${this.#socket}`, '--pprof-disable', '-l', 'info',
    ], {
      detached: true, stdio: ['ignore', file, file], env: { PATH: process.env['PATH'] ?? '' },
    });
    closeSync(file);
    child.unref();
    let started = false;
    const look = setInterval(() => shorten(log), logLookMs);
    look.unref();
    child.once('spawn', () => {
      started = true;
      this.#child = child;
      writeFileSync(`${this.#base}.pid`, `${child.pid}\n`);
      done(ok(undefined));
    });
    child.once('error', ({ message }) => {
      clearInterval(look);
      const text = `${command} does not start: ${message}`;
      if (!started) done(err({ kind: 'unreachable', text }));
    });
    child.once('exit', () => {
      clearInterval(look);
      this.#child = undefined;
      for (const listener of this.#listeners) listener();
    });
  }

  /** The process that an earlier agent started here, if it still is that process. */
  #left(): number | undefined {
    try {
      const pid = Number(readFileSync(`${this.#base}.pid`, 'utf8'));
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words.includes(`--api-hosts=unix://${this.#socket}`) ? pid : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Removes a socket that nobody listens on; a leftover one would end the daemon (G8). */
function clearSocket(path: string, done: (free: Result<void, SpeakerError>) => void): void {
  const socket = connect(path);
  socket.once('connect', () => {
    socket.destroy();
    done(err({ kind: 'foreign', text: `somebody else listens on ${path}` }));
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
    else if (error.code !== 'ENOENT') {
      return done(err({ kind: 'foreign', text: `${path}: ${error.message}` }));
    }
    done(ok(undefined));
  });
}

/** The daemon appends, so it goes on at the new end. */
function shorten(log: string): void {
  const bytes = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > logBytesMax) truncateSync(log);
}
