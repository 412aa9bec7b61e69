import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { superviseDaemon } from '../../../bgp/gobgp/daemon.real.ts';
import { grpcPort } from '../../../bgp/gobgp/rpc.real.ts';
import type { RpcPort } from '../../../bgp/gobgp/rpc.ts';
import { createGobgpSpeaker } from '../../../bgp/gobgp/speaker.ts';
import { ip } from '../../../lb/ip.ts';
import type { SpeakerBench } from '../../contract/speaker.ts';
import { FastClock } from '../../kube/fastclock.ts';
import { Observer } from './observer.ts';

const passMs = 20_000;

/** The daemon's path and major version, or why a machine cannot run such a test. */
export function gobgpd(): { readonly command: string; readonly missing?: string } {
  const command = process.env['FAIRLEAD_GOBGPD'] ?? '/usr/bin/gobgpd';
  try {
    execFileSync(command, ['--version'], { stdio: 'pipe' });
    return { command };
  } catch {
    const missing = `${command} is not there`;
    if (process.env['CI'] !== undefined) throw new Error(missing);
    process.stderr.write(`tests of the GoBGP speaker are skipped: ${missing}\n`);
    return { command, missing };
  }
}

/** A bench whose speaker is a process. */
export interface GobgpBench extends SpeakerBench {
  /** Of the daemon; 0 while none runs. */
  readonly pid: number;
}

/** A real daemon on the loopback, and routers of ours around it. */
export async function withGobgp(
  command: string, body: (bench: GobgpBench) => Promise<void>, rpc: RpcPort = grpcPort,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'fairlead-gobgp-'));
  const port = await freePort();
  const clock = new FastClock(1);
  const daemon = superviseDaemon({ command, directory, instance: 'main', survives: false });
  const local = { ip: ip('127.0.0.1'), ip6: ip('::1') };
  const global = { asn: 65_001, routerId: ip('192.0.2.1'), listenPort: port };
  const observer = (address: string, asn: number): Promise<Observer> => Observer.open({
    address: ip(address), offer: { asn, routerId: ip(`192.0.2.${asn % 100 + 10}`), hold: 90 },
  }, { address: address.includes(':') ? local.ip6 : local.ip, port });
  const [a, b, inner, six] = await Promise.all([
    observer('127.0.0.2', 65_010), observer('127.0.0.3', 65_020), observer('127.0.0.4', 65_001),
    observer('::1', 65_030),
  ]);
  const counted = countStarts(rpc);
  const speaker = createGobgpSpeaker({
    clock, rpc: counted.rpc, endpoint: daemon.endpoint, daemon, drainSeconds: 0, deferralSeconds: 1,
  });
  try {
    await body({
      speaker, global, local, routers: { a, b, inner, six },
      get starts() { return counted.starts; },
      get pid() { return daemon.pid ?? 0; },
      crash: () => process.kill(daemon.pid!, 'SIGKILL'),
      now: () => clock.now(),
      pass: async (what, done) => {
        const until = performance.now() + passMs;
        while (!done()) {
          if (performance.now() > until) throw new Error(`not within ${passMs} ms: ${what}`);
          await rest(5);
        }
      },
      rest: (duration) => rest(duration / 1000),
    });
  } finally {
    for (const one of [a, b, inner, six]) one.close();
    await new Promise<void>((resolve) => speaker.stop('keep', () => resolve()));
    daemon.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

function countStarts(rpc: RpcPort): { readonly rpc: RpcPort; readonly starts: number } {
  let starts = 0;
  return {
    get starts() { return starts; },
    rpc: { open: (endpoint) => {
      const channel = rpc.open(endpoint);
      return {
        unary: (call, done) => {
          if (call.method.endsWith('/StartBgp')) starts += 1;
          channel.unary(call, done);
        },
        stream: (call, sink) => channel.stream(call, sink),
        upload: (call, messages, done) => channel.upload(call, messages, done),
        close: () => channel.close(),
      };
    } },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
