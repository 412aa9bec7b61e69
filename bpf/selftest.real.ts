import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { objectKey, type EndpointSlice, type Service } from '../lb/model.ts';
import type { Table } from '../lb/table.ts';
import type { Addon } from './native.real.ts';
import type { LoadedObject } from './object.real.ts';
import { selfTestFront, selfTestListener, selfTestRows } from './selftest.ts';
import { runSelfTestPackets } from './selftestrun.real.ts';

export interface SelfTestOrder {
  readonly tables: {
    readonly services: Table<Service>; readonly slices: Table<EndpointSlice>;
  };
  /** Folder of the cgroup that the socket programs are attached to. */
  readonly cgroup: string;
  readonly nodeName: string;
  readonly addon: Addon;
  readonly object: LoadedObject;
  /** Option `externalClusterIP`. */
  readonly externalClusterIp: boolean;
}

/** Whether the sockets of the node are translated, and packets by each tc program. */
export interface SelfTest {
  /** Calls back with nothing, or with what is wrong. One run at a time. */
  run(done: (fault: string | undefined) => void): void;
  close(): void;
}

/** A connection on loopback takes microseconds; this is for a machine that is stopped meanwhile. */
const answerMsMax = 5_000;

/** Opens the listener and wants its Service; the tables' reconciler does the rest. */
export function openSelfTest(order: SelfTestOrder): SelfTest {
  const { tables, cgroup, nodeName } = order;
  // Told by the listener, so that another node's agent on this kernel is not taken for this one.
  const token = randomUUID();
  const server = createServer((socket) => socket.on('error', () => undefined).end(token));
  const { ip, port } = selfTestListener;
  let listener = selfTestListener;
  server.once('error', () => server.listen(0, ip));
  server.once('listening', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') return;
    listener = { ip, port: address.port };
    const { service, slice } = selfTestRows(listener, nodeName);
    tables.services.upsert(objectKey(service.meta), service);
    tables.slices.upsert(objectKey(slice.meta), slice);
  });
  server.unref().listen(port, ip);
  return {
    close: () => void server.close(),
    run: (done) => {
      dial(token, (covered) => {
        if (!covered) {
          done(uncovered(ownCgroup()));
          return;
        }
        // The rows of the Service are in the maps, or nobody would have answered.
        const fault = runSelfTestPackets(order, listener);
        if (fault !== undefined) done(fault);
        else dialBelow({ cgroups: [cgroup, ...podCgroups(cgroup)], token, done });
      });
    },
  };
}

function uncovered(cgroup: string): string {
  return `socket hooks do not cover ${cgroup}: is it below the node's cgroup root, and is no other`
    + ' program first there?';
}

/** cgroup2 of this process, as its own cgroup namespace shows it. */
function ownCgroup(): string {
  return /^0::(.*)$/mu.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
}

/** Where the kubelet puts pods, with each of its drivers. */
function podCgroups(cgroup: string): readonly string[] {
  return ['kubepods.slice', 'kubepods'].map((name) => join(cgroup, name)).filter(existsSync);
}

// From loopback: an untranslated packet has no route out, so nothing is ever sent on a wire.
const client = {
  host: selfTestFront.ip, port: selfTestFront.port, localAddress: '127.0.0.1',
} as const;

function dial(token: string, done: (covered: boolean) => void): void {
  const socket = connect({ ...client, timeout: answerMsMax });
  let ended = false;
  const end = (covered: boolean): void => {
    socket.destroy();
    if (!ended) done(covered);
    ended = true;
  };
  socket.once('data', (answer) => end(String(answer) === token));
  for (const failure of ['timeout', 'error', 'end']) socket.once(failure, () => end(false));
}

/** The same in a process of its own; its token comes as an argument. */
const childScript = `const s = require('node:net').connect(${JSON.stringify(client)});
const end = (covered) => process.exit(covered ? 0 : 1);
s.once('data', (answer) => end(String(answer) === process.argv[1]));
s.once('error', () => end(false)).once('end', () => end(false));
setTimeout(() => end(false), ${answerMsMax});`;

interface Dial {
  readonly cgroups: readonly string[];
  readonly token: string;
  readonly done: (fault: string | undefined) => void;
}

/** Dials from a child in a fresh cgroup below each, one after the other, until one fails. */
function dialBelow({ cgroups: [cgroup, ...cgroups], token, done }: Dial): void {
  if (cgroup === undefined) {
    done(undefined);
    return;
  }
  const fresh = join(cgroup, `fairlead-self-test-${process.pid}`);
  mkdirSync(fresh, { recursive: true });
  const enter = 'echo $$ > "$1/cgroup.procs" && exec "$0" -e "$2" "$3"';
  const child = spawn('/bin/sh', ['-c', enter, process.execPath, fresh, childScript, token], {
    stdio: 'ignore',
  });
  let ended = false;
  const end = (covered: boolean): void => {
    if (ended) return;
    ended = true;
    rmdirSync(fresh);
    if (covered) dialBelow({ cgroups, token, done });
    else done(uncovered(fresh));
  };
  child.once('error', () => end(false));
  child.once('exit', (code) => end(code === 0));
}
