import { join } from 'node:path';
import { superviseDaemon } from '../../../bgp/gobgp/daemon.real.ts';
import { grpcPort } from '../../../bgp/gobgp/rpc.real.ts';
import { createGobgpSpeaker } from '../../../bgp/gobgp/speaker.ts';
import type {
  PeerName, Route, SessionReport, SpeakerDone, SpeakerEvent, SpeakerGlobal, SpeakerPeer,
  SpeakerPort,
} from '../../../bgp/port.ts';
import { ip } from '../../../lb/ip.ts';
import type { RpcPort } from '../../../bgp/gobgp/rpc.ts';
import { FastClock } from '../../kube/fastclock.ts';
import type { Segment } from './segment.ts';

export const clock = new FastClock(1);

/** Waits until something holds; the bound is for a slow machine, not for what is measured. */
export async function until(what: string, done: () => boolean, boundMs = 30_000): Promise<number> {
  const from = performance.now();
  while (!done()) {
    if (performance.now() - from > boundMs) throw new Error(`not within ${boundMs} ms: ${what}`);
    await rest(20);
  }
  return performance.now() - from;
}

export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** The speaker of node n1: a daemon in its namespace, and the adapter in this process. */
export class SpeakerNode {
  readonly global: SpeakerGlobal = { asn: 65_001, routerId: ip('10.99.0.1'), listenPort: 179 };
  readonly events: SpeakerEvent[] = [];
  #daemon: ReturnType<typeof superviseDaemon>;
  #rpc: RpcPort;
  #port: SpeakerPort;

  constructor(segment: Segment, rpc: RpcPort = grpcPort) {
    this.#rpc = rpc;
    this.#daemon = superviseDaemon({
      command: segment.wrapper('n1', '/usr/bin/gobgpd'), directory: join(segment.folder, 'n1'),
      instance: 'main', survives: true,
    });
    this.#port = this.#open();
  }

  get pid(): number | undefined {
    return this.#daemon.pid;
  }

  /** A peer of this segment, dialled by the router as well. */
  peer(name: PeerName, address: string, more: Partial<SpeakerPeer> = {}): SpeakerPeer {
    return {
      name, address: { ip: ip(address) }, asn: 0, port: 179, families: ['IPv4', 'IPv6'],
      timers: { connectRetry: 5, hold: 9, keepalive: 3 }, nextHop6: ip('fd00:99::1'), ...more,
    };
  }

  start(): Promise<string> {
    return this.#call((done) => this.#port.start(this.global, done));
  }

  setPeers(...peers: readonly SpeakerPeer[]): Promise<string> {
    return this.#call((done) => this.#port.setPeers(peers, done));
  }

  setRoutes(peer: PeerName, ...routes: readonly Route[]): Promise<string> {
    return this.#call((done) => this.#port.setRoutes(peer, routes, done));
  }

  /** Ends the speaker's process without a word. */
  crash(): void {
    process.kill(this.#daemon.pid!, 'SIGKILL');
  }

  /** Another agent over the same daemon; the first one said nothing to anybody. */
  async replaceAgent(): Promise<void> {
    await this.#call((done) => this.#port.stop('keep', done));
    this.events.length = 0;
    this.#port = this.#open();
  }

  stop(mode: 'withdraw' | 'keep'): Promise<string> {
    return this.#call((done) => this.#port.stop(mode, done));
  }

  async close(): Promise<void> {
    await this.stop('keep');
    this.#daemon.kill('SIGKILL');
    await until('the daemon ended', () => !this.#daemon.alive);
  }

  session(peer: PeerName): SessionReport | undefined {
    const told = this.events.findLast(
      (event) => event.kind === 'session' && event.session.peer === peer,
    );
    return told?.kind === 'session' ? told.session : undefined;
  }

  up(...peers: readonly PeerName[]): Promise<number> {
    return until(`sessions with ${peers.join()}`, () => (
      peers.every((peer) => this.session(peer)?.state === 'established')
    ));
  }

  #open(): SpeakerPort {
    const port = createGobgpSpeaker({
      clock, rpc: this.#rpc, endpoint: this.#daemon.endpoint, daemon: this.#daemon,
      drainSeconds: 0, deferralSeconds: 1,
    });
    port.subscribe((event) => this.events.push(event));
    return port;
  }

  #call(order: (done: SpeakerDone) => void): Promise<string> {
    return new Promise((resolve) => {
      order((result) => resolve(result.ok ? 'ok' : `${result.error.kind}: ${result.error.text}`));
    });
  }
}
