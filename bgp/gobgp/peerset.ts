import { familyOf, type Ip } from '../../lb/ip.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import { ok } from '../../lb/result.ts';
import type {
  RouteCounts, SpeakerError, SpeakerEvent, SpeakerGlobal, SpeakerPeer,
} from '../port.ts';
import { inOrder, speakerError, together, type GobgpClient, type Step } from './client.ts';
import type { DaemonListing } from './listing.ts';
import { peerMessage, type PeerMessage } from './messages.ts';
import { parseDescription } from './names.ts';
import { PeerDriver, driverAddress, type PeerEffects } from './peerdriver.ts';
import {
  neighbourPrefix, peerAddress, peerMessageOf, restartNegotiated, routeCounts, sessionReport,
  sessionState,
} from './peerform.ts';
import { dropPeerPolicy } from './policies.ts';
import type { RibTable, TablePeer } from './ribtable.ts';
import { deletePeers, settle } from './settle.ts';
import type { RpcDone } from './rpc.ts';

/** What the set of peers needs of its speaker. */
export interface PeerSetOwner {
  readonly clock: Clock;
  readonly table: RibTable;
  /** Seconds (bgp.md 2.6). */
  readonly deferral: number;
  readonly drain: Micros;
  /** Undefined while there is no daemon that can be told things. */
  client(): GobgpClient | undefined;
  global(): SpeakerGlobal | undefined;
  emit(event: SpeakerEvent): void;
  /** Something is to be planned. */
  changed(): void;
  /** A peer was added, refused or removed. */
  progressed(): void;
}

const second: Micros = 1_000_000;

/** All peers of one daemon by address, and their way into it and out of it. */
export class PeerSet implements PeerEffects {
  readonly clock: Clock;
  #owner: PeerSetOwner;
  #drivers = new Map<string, PeerDriver>();
  #queued = new Set<PeerDriver>();
  /** Peers that wait for a plan to take their routes back. */
  #leaving = new Set<PeerDriver>();
  #refusals = new Map<string, SpeakerError>();

  constructor(owner: PeerSetOwner) {
    this.#owner = owner;
    this.clock = owner.clock;
  }

  /** The whole set, by address. */
  set(peers: readonly SpeakerPeer[]): void {
    const wanted = new Map(peers.map((peer) => [driverAddress(peer), peer]));
    for (const [address, driver] of [...this.#drivers]) {
      if (!wanted.has(address)) driver.unwant();
    }
    for (const [address, peer] of wanted) this.#driver(address).want(peer);
    this.tell();
  }

  /** Gives the table the peers that may see routes. */
  tell(): void {
    this.#owner.table.setPeers([...this.#drivers.values()].flatMap((driver) => (
      driver.peer === undefined || driver.state === 'removing'
        ? [] : [this.#tablePeer(driver, driver.peer)]
    )));
  }

  /** Nothing is being added or removed. */
  get calm(): boolean {
    return [...this.#drivers.values()].every(({ state, address }) => (
      (state !== 'adding' && state !== 'removing') || this.#refusals.has(address)
    ));
  }

  /** Why a wanted peer could not be added, if one could not. */
  get refusal(): SpeakerError | undefined {
    return [...this.#refusals.values()][0];
  }

  get addresses(): ReadonlySet<string> {
    return new Set(this.#drivers.keys());
  }

  /** Until when a daemon may hold updates to some peer back. */
  get heldUntil(): Micros {
    return Math.max(0, ...[...this.#drivers.values()].map((driver) => driver.heldUntil));
  }

  /** The daemon is away. */
  lost(): void {
    this.#queued.clear();
    this.#leaving.clear();
    this.#refusals.clear();
    for (const driver of [...this.#drivers.values()]) {
      driver.speakerLost();
      if (!driver.wanted) driver.unwant();
      else this.#report(driver, undefined);
    }
  }

  /** Routers that help graceful restarts of ours now. */
  get helpers(): readonly string[] {
    return [...this.#drivers.values()].filter((of) => of.established && of.restartNegotiated)
      .map(({ address }) => address);
  }

  /** What an earlier life noted, unless this one knows better. */
  recall(addresses: readonly string[], age: Micros): void {
    for (const address of addresses) {
      const driver = this.#drivers.get(address);
      if (driver?.lostAt === undefined && driver?.established === false) driver.remember(age);
    }
  }

  hasIndex(index: number): boolean {
    return [...this.#drivers.values()].some((driver) => driver.index === index);
  }

  /**
   * Takes up what a daemon lists; no listing is a daemon that was just started. `prune`: peers that
   * nobody wants leave.
   */
  adopt(client: GobgpClient, listing: DaemonListing | undefined, prune: boolean): void {
    const found = new Map<string, { message: PeerMessage; index: number; fingerprint: string }>();
    for (const message of listing?.peers ?? []) {
      const ours = parseDescription(message.conf?.description ?? '');
      if (ours !== undefined) found.set(peerAddress(message), { message, ...ours });
    }
    const taken = new Set([...found.values()].map(({ index }) => index));
    for (const index of this.#owner.table.indices) taken.add(index);
    for (const [address, { index }] of found) {
      const known = this.#drivers.get(address) ?? this.#driver(address);
      known.index = index;
    }
    for (const [address, driver] of this.#drivers) {
      if (found.has(address)) continue;
      driver.index = free(taken);
      taken.add(driver.index);
    }
    for (const [address, driver] of [...this.#drivers]) {
      const listed = found.get(address);
      if (listed === undefined) {
        driver.listed('missing');
        continue;
      }
      const up = sessionState(listed.message) === 'established';
      driver.listed(up ? 'up' : 'down', listed.fingerprint);
      this.#report(driver, { client, message: listed.message });
      if (prune && !driver.wanted) driver.unwant();
    }
    this.tell();
  }

  /** Adds the peers that wait for it; the plan that precedes them has been carried out. */
  addQueued(client: GobgpClient, done: RpcDone): void {
    const drivers = [...this.#queued];
    this.#queued.clear();
    together(drivers.map((driver): Step => (next) => {
      this.#add(client, driver, () => next(ok(undefined)));
    }), done);
  }

  /** Ends the sessions whose routes a plan has taken back. */
  removeLeaving(client: GobgpClient): void {
    for (const driver of [...this.#leaving]) {
      if (this.#owner.table.names(driver.index)) continue;
      this.#leaving.delete(driver);
      this.#leave(client, driver);
    }
  }

  /** What an event or a listing says; unknown addresses are not ours. */
  seen(client: GobgpClient, message: PeerMessage): void {
    const driver = this.#drivers.get(peerAddress(message));
    if (driver === undefined) return;
    this.#report(driver, { client, message });
    driver.session(sessionState(message) === 'established');
  }

  counts(messages: readonly PeerMessage[]): readonly RouteCounts[] {
    return messages.flatMap((message) => {
      const driver = this.#drivers.get(peerAddress(message));
      const name = driver?.peer?.name;
      if (name === undefined || sessionState(message) !== 'established') return [];
      return routeCounts(name, message, (family) => (
        this.#owner.table.announced(driver?.index ?? 0, family)
      ));
    });
  }

  /** Wanted peers that a daemon does not have as they were set; they are added anew. */
  mend(listing: readonly PeerMessage[]): readonly string[] {
    const found = new Map(listing.map((message) => [peerAddress(message), message]));
    return [...this.#drivers.values()].filter((driver) => {
      if (driver.state !== 'up' && driver.state !== 'down') return false;
      if (found.has(driver.address)) return false;
      driver.speakerLost();
      driver.listed('missing');
      return true;
    }).map(({ address }) => address);
  }

  add(driver: PeerDriver): void {
    this.#queued.add(driver);
    // One that was leaving may see routes again.
    this.tell();
    this.#owner.changed();
  }

  replace(driver: PeerDriver): void {
    const client = this.#owner.client();
    if (client === undefined) return;
    deletePeers(client, [driver.address])(() => {
      if (this.#owner.client() === client) this.#add(client, driver, () => undefined);
    });
  }

  remove(driver: PeerDriver): void {
    this.#queued.delete(driver);
    this.#leaving.add(driver);
    this.tell();
    this.#owner.changed();
  }

  removed(driver: PeerDriver): void {
    this.#drivers.delete(driver.address);
    this.#refusals.delete(driver.address);
    this.#leaving.delete(driver);
  }

  moved(driver: PeerDriver): void {
    if (driver.state !== 'adding') this.#refusals.delete(driver.address);
    this.#owner.progressed();
  }

  #driver(address: string): PeerDriver {
    const known = this.#drivers.get(address);
    if (known !== undefined) return known;
    const taken = new Set([...this.#drivers.values()].map(({ index }) => index));
    for (const index of this.#owner.table.indices) taken.add(index);
    const driver = new PeerDriver(this, address, free(taken));
    // What a daemon has is seen when there is one.
    if (this.#owner.client() === undefined) driver.speakerLost();
    this.#drivers.set(address, driver);
    return driver;
  }

  #add(client: GobgpClient, driver: PeerDriver, done: () => void): void {
    const { peer } = driver;
    if (peer === undefined) return done();
    const restarting = driver.restarting();
    const { deferral } = this.#owner;
    client.call({
      name: 'AddPeer', fields: peerMessage, value: {
        peer: peerMessageOf(peer, {
          index: driver.index, internal: this.#internal(peer), restarting, deferral,
        }),
      },
    }, (result) => {
      if (this.#owner.client() !== client) return done();
      if (restarting) driver.heldUntil = this.clock.now() + deferral * second;
      this.#answered(driver, result);
      done();
    });
  }

  #answered(driver: PeerDriver, result: Parameters<RpcDone>[0]): void {
    if (result.ok) return driver.added();
    this.#refusals.set(driver.address, speakerError(result.error));
    driver.failed();
    this.#owner.progressed();
  }

  #leave(client: GobgpClient, driver: PeerDriver): void {
    const { table } = this.#owner;
    const here = (): boolean => this.#owner.client() === client;
    const wasUp = driver.report?.state === 'established';
    inOrder([
      wasUp ? settle({
        clock: this.clock, client, addresses: new Set([driver.address]),
        notBefore: driver.heldUntil,
      }) : pass,
      wasUp ? (next) => void this.clock.after(this.#owner.drain, () => next(ok(undefined))) : pass,
      (next) => { if (here()) deletePeers(client, [driver.address])(next); },
      (next) => dropPeerPolicy(client, driver.index, table.targetsOf(driver.index))(next),
    ], (result) => {
      if (!here()) return;
      if (result.ok) {
        table.dropped(driver.index);
        driver.gone();
      } else driver.failed();
      this.#owner.changed();
    });
  }

  #report(
    driver: PeerDriver,
    seen: { readonly client: GobgpClient; readonly message: PeerMessage } | undefined,
  ): void {
    const name = driver.peer?.name ?? driver.report?.peer ?? driver.address;
    const before = driver.report;
    const session = seen === undefined
      ? { ...before, peer: name, state: 'unknown' as const }
      : sessionReport(seen.client.dialect, name, seen.message);
    if (session.state === 'established' && seen !== undefined) {
      driver.restartNegotiated = restartNegotiated(seen.message);
    }
    driver.report = session;
    if (driver.peer === undefined || JSON.stringify(before) === JSON.stringify(session)) return;
    this.#owner.emit({ kind: 'session', session });
  }

  #internal(peer: SpeakerPeer): boolean {
    return peer.asn === this.#owner.global()?.asn;
  }

  #tablePeer(driver: PeerDriver, peer: SpeakerPeer): TablePeer {
    return {
      name: peer.name, index: driver.index, internal: this.#internal(peer),
      next6: next6Of(peer), neighbour: neighbourPrefix(peer.address),
    };
  }
}

const pass: Step = (done) => done(ok(undefined));

/** An IPv6 session has a next hop of its own. */
function next6Of({ address, nextHop6 }: SpeakerPeer): Ip | undefined {
  return familyOf(address.ip) === 'IPv4' ? nextHop6 : undefined;
}

function free(taken: ReadonlySet<number>): number {
  let index = 1;
  while (taken.has(index)) index += 1;
  return index;
}
