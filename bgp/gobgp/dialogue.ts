import type { Clock, Micros } from '../../lb/ports.ts';
import { ok } from '../../lb/result.ts';
import type { SpeakerError, SpeakerEvent, SpeakerGlobal, SpeakerPeer } from '../port.ts';
import { greet, inOrder, speakerError, type GobgpClient, type Step } from './client.ts';
import type { ConnectionEvent, Found, Remedy } from './connection.ts';
import type { DaemonPort } from './daemon.ts';
import { compareGlobal, globalMessageOf } from './globalform.ts';
import { hasBase, listDaemon, listPeers, type DaemonListing } from './listing.ts';
import {
  globalMessage, stopRequest, watchEventRequest, watchEventResponse,
} from './messages.ts';
import { sessionState } from './peerform.ts';
import { PeerSet } from './peerset.ts';
import { installBase } from './policies.ts';
import { RibTable } from './ribtable.ts';
import { writePlan } from './ribwriter.ts';
import { deletePeers, settle, withdrawAll } from './settle.ts';
import { Timers } from './timers.ts';
import { brokenPolicies, dropBroken, sweep } from './upkeep.ts';
import type { RpcChannel, RpcDone, RpcError } from './rpc.ts';

/** What a dialogue tells its speaker. */
export interface DialogueOwner {
  readonly clock: Clock;
  readonly drain: Micros;
  /** Seconds. */
  readonly deferral: number;
  /** A daemon of ours, which may be replaced by a new process. */
  readonly daemon: DaemonPort | undefined;
  send(event: ConnectionEvent): void;
  emit(event: SpeakerEvent): void;
  /** Comes before the event that says so. */
  failed(error: SpeakerError): void;
  changed(): void;
  progressed(): void;
  /** A plan failed; it is made again by itself. */
  refused(error: SpeakerError): void;
}

const auditEvery: Micros = 30_000_000;
const noteEvery: Micros = 5_000_000;
const countsDelay: Micros = 1_000_000;
const planRetryMin: Micros = 500_000;
const planRetryMax: Micros = 15_000_000;
/** In WatchEvent: a change of state; anything else asks for a listing (G31). */
const stateEvent = 3;

/** Everything that is said to one daemon after the other. */
export class Dialogue {
  readonly table = new RibTable();
  #owner: DialogueOwner;
  #peers: PeerSet;
  #client: GobgpClient | undefined;
  #channel: RpcChannel | undefined;
  #global: SpeakerGlobal | undefined;
  #running: Found | undefined;
  #listing: DaemonListing | undefined;
  /** The owner has said which peers there are; before that nothing is removed. */
  #told = false;
  #planning = false;
  #again = false;
  /** The daemon's table and peers are known. */
  #synced = false;
  #planned = true;
  #planRetry: Micros = planRetryMin;
  #timers: Timers;
  #countsDue = false;
  #looking = false;

  constructor(owner: DialogueOwner) {
    this.#owner = owner;
    this.#timers = new Timers(owner.clock);
    this.#peers = new PeerSet({
      clock: owner.clock, table: this.table, deferral: owner.deferral, drain: owner.drain,
      client: () => (this.#synced ? this.#client : undefined), global: () => this.#global,
      emit: (event) => owner.emit(event),
      changed: () => owner.changed(),
      progressed: () => owner.progressed(),
    });
  }

  /** No difference is left that the daemon was not told of. */
  get planned(): boolean {
    return this.#planned && !this.#planning && !this.table.dirty;
  }

  get calm(): boolean {
    return this.#peers.calm;
  }

  get refusal(): SpeakerError | undefined {
    return this.#peers.refusal;
  }

  configure(global: SpeakerGlobal): void {
    this.#global = global;
  }

  setPeers(peers: readonly SpeakerPeer[]): void {
    this.#told = true;
    this.#peers.set(peers);
  }

  open(channel: RpcChannel, refused: (error: SpeakerError) => void): void {
    this.#channel?.close();
    this.#channel = channel;
    greet(channel, (reply) => {
      if (this.#channel !== channel) return;
      if (!reply.ok) {
        const away = reply.error.kind === 'unavailable' || reply.error.kind === 'deadline';
        return away ? refused(speakerError(reply.error)) : this.#fail(reply.error);
      }
      this.#client = reply.value.client;
      this.#running = compareGlobal(reply.value.global, this.#global);
      this.#owner.send({ type: 'OPENED' });
    });
  }

  /** Forgets the daemon; what it had is looked at anew. */
  close(): void {
    this.#timers.cancelAll();
    this.#channel?.close();
    this.#channel = undefined;
    this.#client = undefined;
    this.#synced = false;
    this.#listing = undefined;
    this.#planning = false;
    this.#countsDue = false;
    this.#looking = false;
    this.#peers.lost();
  }

  inspect(): void {
    const client = this.#client;
    if (client === undefined || this.#running === undefined) return;
    if (this.#running === 'empty') return this.#inspected('empty');
    listDaemon(client, (reply) => {
      if (this.#client !== client) return;
      if (!reply.ok) return this.#fail(reply.error);
      this.#listing = reply.value;
      if (hasBase(reply.value)) return this.#inspected(this.#running ?? 'foreign');
      // A process of ours that died between StartBgp and the base policies left nothing behind.
      const { peers, paths } = reply.value;
      if (this.#owner.daemon !== undefined && peers.length === 0 && paths.size === 0) {
        return this.#inspected('different');
      }
      this.#owner.failed({ kind: 'foreign', text: 'the daemon runs and is not ours' });
      this.#inspected('foreign');
    });
  }

  startRouter(): void {
    this.#start([]);
  }

  /** Another router in the same process, which is possible in GoBGP 3 only (G5). */
  restartRouter(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#start([
      (done) => client.call({ name: 'StopBgp', fields: stopRequest, value: {} }, done),
    ]);
  }

  /** Policies, paths, the watch, then peers: so End-of-RIB follows the full set (bgp.md 3). */
  sync(): void {
    const client = this.#client;
    if (client === undefined) return;
    const listing = this.#listing;
    const helpers = listing === undefined ? this.#owner.daemon?.helpers() : undefined;
    if (helpers !== undefined) this.#peers.recall(helpers.addresses, helpers.age);
    this.#synced = true;
    this.table.reset();
    if (listing !== undefined) this.table.adopt(client.dialect, listing);
    this.#peers.adopt(client, listing, this.#told);
    this.#watch(client);
    inOrder([
      listing === undefined ? skip : sweep(client, {
        table: this.table, listing, keeps: (index) => !this.#told || this.#peers.hasIndex(index),
      }),
      (done) => this.#write(client, done),
      (done) => this.#peers.addQueued(client, done),
    ], (result) => {
      if (this.#client !== client) return;
      if (!result.ok) return this.#fail(result.error);
      this.#peers.removeLeaving(client);
      this.#owner.send({ type: 'DONE' });
    });
  }

  /** From now on differences are written as they arise, and looked for every 30 s. */
  keepUp(): void {
    this.#timers.after(auditEvery, () => this.#owner.send({ type: 'AUDIT' }));
    this.#countSoon();
    this.#noteHelpers();
    this.#owner.changed();
  }

  /** So that whoever restarts the daemon after us knows whose routes are kept (G17). */
  #noteHelpers(): void {
    const { helpers } = this.#peers;
    if (helpers.length > 0) this.#owner.daemon?.noteHelpers(helpers);
    this.#timers.after(noteEvery, () => this.#noteHelpers());
  }

  plan(): void {
    const client = this.#client;
    if (client === undefined) return;
    if (this.#planning) {
      this.#again = true;
      return;
    }
    this.#again = false;
    inOrder([
      (done) => this.#write(client, done),
      (done) => this.#peers.addQueued(client, done),
    ], (result) => {
      if (this.#client !== client) return;
      this.#peers.removeLeaving(client);
      this.#ended(result);
    });
  }

  /** Lists everything, mends what differs, and says so. */
  audit(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#timers.after(auditEvery, () => this.#owner.send({ type: 'AUDIT' }));
    if (this.#planning) return;
    listDaemon(client, (reply) => {
      if (this.#client !== client || this.#planning) return;
      if (!reply.ok) return this.#fail(reply.error);
      this.#compare(client, reply.value);
    });
  }

  /** Takes all routes back and waits until routers have heard of it. */
  drain(leaving: boolean): void {
    const client = this.#client;
    if (client === undefined) return this.#owner.send({ type: 'SETTLED', leaving });
    const { clock, drain } = this.#owner;
    const end = (): void => {
      if (this.#client !== client) return;
      if (leaving) return this.#owner.send({ type: 'SETTLED', leaving });
      deletePeers(client, this.#peers.addresses)(() => {
        this.close();
        this.#owner.send({ type: 'SETTLED', leaving });
      });
    };
    inOrder([
      withdrawAll(client),
      (done) => settle({
        clock, client, addresses: this.#peers.addresses, notBefore: this.#peers.heldUntil,
      })(done),
      (done) => void clock.after(drain, () => done(ok(undefined))),
    ], end);
  }

  /** Ends every session, and the router of a daemon that goes on without us. */
  endSessions(stopRouter: boolean): void {
    const client = this.#client;
    if (client === undefined) return this.#owner.send({ type: 'DONE' });
    inOrder([
      deletePeers(client, this.#peers.addresses),
      stopRouter
        ? (done) => client.call({ name: 'StopBgp', fields: stopRequest, value: {} }, done) : skip,
    ], () => this.#owner.send({ type: 'DONE' }));
  }

  #inspected(found: Found): void {
    const remedy: Remedy = this.#client?.dialect.major === 3 ? 'restart'
      : this.#owner.daemon !== undefined ? 'respawn' : 'none';
    if (found === 'different' && remedy === 'none') {
      this.#owner.failed({
        kind: 'unsupported', text: 'this version of the daemon has to be restarted by its owner',
      });
    }
    this.#owner.send({ type: 'INSPECTED', found, remedy });
  }

  #start(before: readonly Step[]): void {
    const [client, global] = [this.#client, this.#global];
    if (client === undefined || global === undefined) return;
    this.#listing = undefined;
    inOrder([
      ...before,
      (done) => client.call({
        name: 'StartBgp', fields: globalMessage, value: { global: globalMessageOf(global) },
      }, done),
      installBase(client),
    ], (result) => {
      if (this.#client !== client) return;
      if (result.ok) this.#owner.send({ type: 'DONE' });
      else this.#fail(result.error);
    });
  }

  #fail(error: RpcError): void {
    const told = speakerError(error);
    this.#owner.failed(told);
    const lasting = ['port-in-use', 'port-denied', 'unsupported'].includes(told.kind);
    this.#owner.send({ type: 'FAILED', lasting });
  }

  /** Makes a plan and carries it out. */
  #write(client: GobgpClient, done: RpcDone): void {
    this.#planning = true;
    const plan = this.table.plan();
    writePlan(client, { table: this.table, plan }, (result) => {
      if (this.#client !== client) return;
      this.#planning = false;
      if (!result.ok) this.table.again(plan);
      done(result);
    });
  }

  #ended(result: Parameters<RpcDone>[0]): void {
    this.#planned = result.ok;
    if (result.ok) {
      this.#planRetry = planRetryMin;
      this.#countSoon();
      if (this.#again || this.table.dirty) this.#owner.changed();
      return this.#owner.progressed();
    }
    const { kind } = result.error;
    if (kind === 'unavailable' || kind === 'unimplemented') return this.#fail(result.error);
    // The daemon is not as it was believed to be: look, then plan anew (G1).
    this.#timers.after(this.#planRetry, () => this.#owner.send({ type: 'AUDIT' }));
    this.#planRetry = Math.min(planRetryMax, this.#planRetry * 2);
    this.#owner.refused(speakerError(result.error));
  }

  #watch(client: GobgpClient): void {
    client.watch({
      name: 'WatchEvent', fields: watchEventRequest, value: { peer: {} },
    }, watchEventResponse, {
      message: ({ peer: event }) => {
        if (event?.peer === undefined) return;
        // An event of an established session lacks its timers in GoBGP 4.
        if (event.type === stateEvent && sessionState(event.peer) !== 'established') {
          this.#peers.seen(client, event.peer);
        }
        this.#lookAt(client);
      },
      end: (result) => {
        if (this.#client !== client) return;
        if (!result.ok) this.#owner.failed(speakerError(result.error));
        this.#owner.send({ type: 'LOST' });
      },
    });
  }

  /** Events lose and abridge: each of them asks for a listing, once a turn (G31). */
  #lookAt(client: GobgpClient): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#timers.after(0, () => {
      this.#looking = false;
      listPeers(client, '', (reply) => {
        if (this.#client !== client || !reply.ok) return;
        for (const message of reply.value) this.#peers.seen(client, message);
        this.#countSoon();
      });
    });
  }

  #countSoon(): void {
    const client = this.#client;
    if (this.#countsDue || client === undefined) return;
    this.#countsDue = true;
    this.#timers.after(countsDelay, () => {
      this.#countsDue = false;
      listPeers(client, '', (reply) => {
        if (this.#client !== client || !reply.ok) return;
        this.#owner.emit({ kind: 'counts', counts: this.#peers.counts(reply.value) });
      });
    });
  }

  #compare(client: GobgpClient, listing: DaemonListing): void {
    for (const message of listing.peers) this.#peers.seen(client, message);
    const broken = brokenPolicies(client, this.table, listing);
    const drifts: readonly (readonly ['path' | 'peer' | 'policy', readonly string[]])[] = [
      ['path', this.table.adopt(client.dialect, listing)],
      ['peer', this.#peers.mend(listing.peers)],
      ['policy', broken.map(String)],
    ];
    for (const [object, names] of drifts) {
      for (const name of names) {
        this.#owner.emit({ kind: 'drift', object, text: `${object} ${name}` });
      }
    }
    this.#owner.emit({ kind: 'counts', counts: this.#peers.counts(listing.peers) });
    dropBroken(client, this.table, broken)(() => this.#owner.changed());
  }
}

const skip: Step = (done) => done(ok(undefined));
