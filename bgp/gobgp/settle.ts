import type { Family } from '../../lb/ip.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import { ok } from '../../lb/result.ts';
import { together, type GobgpClient, type Step } from './client.ts';
import { listPeers } from './listing.ts';
import { deletePathRequest, deletePeerRequest, type PeerMessage } from './messages.ts';
import { familyMessage } from './pathform.ts';
import { peerAddress, sessionState } from './peerform.ts';

const readingDistance: Micros = 50_000;
const settleMin: Micros = 100_000;
const settleMax: Micros = 2_000_000;
/** A daemon with ten thousand routes and four peers takes up to two seconds (G24). */
const withdrawAllDeadline: Micros = 30_000_000;

/**
 * Waits until the established ones of these peers were sent no UPDATE between two readings, at
 * least 100 ms and at most 2 s beyond `notBefore`, an instant until which the daemon holds updates
 * back (bgp.md 7 and G16). What cannot be read counts as settled.
 */
export function settle(
  { clock, client, addresses, notBefore }: {
    readonly clock: Clock; readonly client: GobgpClient;
    readonly addresses: ReadonlySet<string>; readonly notBefore: Micros;
  },
): Step {
  return (done) => {
    const least = Math.max(clock.now() + settleMin, notBefore);
    const most = least + settleMax;
    let before: string | undefined;
    const look = (): void => listPeers(client, '', (reply) => {
      const now = reply.ok ? sentUpdates(reply.value, addresses) : '';
      const calm = now === before && clock.now() >= least;
      if (now === '' || calm || clock.now() >= most) return done(ok(undefined));
      before = now;
      clock.after(readingDistance, look);
    });
    look();
  };
}

/** Counts of UPDATEs by peer; empty where no session is up. */
function sentUpdates(peers: readonly PeerMessage[], addresses: ReadonlySet<string>): string {
  return peers
    .filter((peer) => addresses.has(peerAddress(peer)) && sessionState(peer) === 'established')
    .map((peer) => `${peerAddress(peer)} ${peer.state?.messages?.sent?.update ?? 0}`).join();
}

/** Takes every local path of both families back; the one place that names no path (G24). */
export function withdrawAll(client: GobgpClient): Step {
  const withdraw = (family: Family): Step => (done) => client.call({
    name: 'DeletePath', fields: deletePathRequest, deadline: withdrawAllDeadline,
    value: { table_type: client.dialect.globalTable, family: familyMessage(family) },
  }, done);
  return (done) => together([withdraw('IPv4'), withdraw('IPv6')], done);
}

/** Ends the sessions with Cease/3 (RFC 4486); peers that are gone already are no failure. */
export function deletePeers(client: GobgpClient, addresses: Iterable<string>): Step {
  return (done) => together([...addresses].map((address): Step => (next) => client.call({
    name: 'DeletePeer', fields: deletePeerRequest, value: { address },
  }, () => next(ok(undefined)))), done);
}
