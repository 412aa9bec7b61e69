// Prepares a clone and runs one command of it: `node cli/setup.mjs FILE [ARGUMENTS]`.
//
// Plain JavaScript for Node 20, because it is what an older Node meets first: it installs the
// locked dependencies when they are missing or changed, takes Node 24 from among them, and hands
// over. It writes inside the clone only, speaks on stderr only, and is silent and offline when
// nothing changed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const nodeMajorMin = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.fairlead-setup');

const [entry, ...rest] = process.argv.slice(2);
if (entry === undefined) stop(64, 'usage: node cli/setup.mjs FILE [ARGUMENTS]');

const wanted = lockDigest();
if (!upToDate(wanted)) install(wanted);
run(projectNode(), [...heapFlags(), join(root, entry), ...rest]);

function lockDigest() {
  return createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
}

function upToDate(digest) {
  if (!existsSync(modules)) return false;
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digest) return true;
  if (!installedAsLocked()) return false;
  // Somebody ran `npm ci` by hand.
  writeFileSync(stampFile, digest);
  return true;
}

// npm writes node_modules/.package-lock.json last, so that an interrupted install has none.
function installedAsLocked() {
  const hidden = join(modules, '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const locked = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(hidden);
  const same = ([path, { version }]) => locked[path]?.version === version;
  const needed = ([path, { optional }]) => path === '' || optional || present[path] !== undefined;
  return Object.entries(present).every(same) && Object.entries(locked).every(needed);
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

function install(digest) {
  const startedAt = Date.now();
  say('installing the locked dependencies and Node 24 into node_modules (once)');
  // Both sorts are named because NODE_ENV or a user's npmrc may omit them.
  const flags = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit'];
  const [command, ...before] = npmCommand();
  const done = spawnSync(command, [...before, ...flags, '--no-fund', '--loglevel=error'], {
    cwd: root,
    env: { ...process.env, PATH: outerPath() },
    stdio: ['ignore', 2, 2],
  });
  if (done.error !== undefined) stop(1, `npm did not start: ${done.error.message}`);
  if (done.status !== 0) {
    const ending = done.signal ?? done.status;
    stop(1, `npm ci ended with ${ending}; the first run needs the npm registry`);
  }
  writeFileSync(stampFile, digest);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  say(`ready in ${seconds} s; later runs are silent and need no network`);
}

// Under an npm script this names the npm and the Node that run it, so that the install never
// executes files of the folder that it replaces.
function npmCommand() {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const inside = (path) => path === undefined || path.startsWith(modules);
  if (inside(npm) || !existsSync(npm)) return ['npm'];
  if (!/\.[cm]?js$/.test(npm)) return [npm];
  return inside(node) || !existsSync(node) ? ['node', npm] : [node, npm];
}

function outerPath() {
  const folders = (process.env.PATH ?? '').split(':');
  return folders.filter((folder) => !folder.startsWith(modules)).join(':');
}

/** The pinned Node of node_modules, else the running one when it is new enough. */
function projectNode() {
  const pinned = join(modules, '.bin', 'node');
  if (existsSync(pinned)) return pinned;
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= nodeMajorMin) return process.execPath;
  const machine = `${process.platform}-${process.arch}`;
  return stop(1, `Node ${process.versions.node} is too old and npm has none for ${machine}; ` +
    `install Node ${nodeMajorMin} or newer`);
}

// A world of a hundred nodes outgrows the heap that Node takes by itself, and most of what a world
// makes dies young: half of the machine's memory, and a nursery of 64 MiB.
function heapFlags() {
  const bytes = Math.min(totalmem(), process.constrainedMemory?.() || Infinity);
  return [`--max-old-space-size=${Math.floor(bytes / 2 ** 21)}`, '--max-semi-space-size=64'];
}

function run(node, nodeArguments) {
  const path = `${join(modules, '.bin')}:${outerPath()}`;
  const child = spawn(node, nodeArguments, {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    // A terminal sends its own SIGINT to the whole group, the child included.
    process.on(signal, () => signal === 'SIGINT' && process.stdin.isTTY || child.kill(signal));
  }
  child.on('error', (error) => stop(1, `${node} did not start: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function say(line) {
  process.stderr.write(`fairlead: ${line}\n`);
}

function stop(code, line) {
  say(line);
  process.exit(code);
}
