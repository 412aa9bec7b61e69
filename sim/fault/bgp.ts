import { parseIp } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { notification } from '../bgp/message.ts';
import type { Peer } from '../bgp/peer.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Reader } from '../scenario/reader.ts';
import { readBgpRouter } from './router.ts';
import { readNodeTarget } from './target.ts';
import type { FaultKind } from './fault.ts';

/** Reads `router` and `peer: NODE | ADDRESS | all`: sessions as that router has them. */
function readSessions(parameters: Reader): (cluster: Cluster) => readonly Peer[] {
  const router = readBgpRouter(parameters);
  const peer = parameters.text('peer') ?? 'all';
  return (cluster) => {
    const { bgp } = router(cluster);
    if (peer === 'all') return bgp.peers();
    const address = parseIp(peer);
    const own = address.ok
      ? [address.value]
      : cluster.machines.get(peer).node.stack.interfaces.flatMap((one) => one.addresses);
    return bgp.peers().filter((one) => own.includes(one.address.ip));
  };
}

/** Faults of BGP sessions (simulator.md 8). */
export const bgpFaults: Readonly<Record<string, FaultKind>> = {
  /** Ends sessions: by NOTIFICATION `code` (`6/4`), or without one by a TCP reset. */
  'bgp.reset': {
    prepare(parameters) {
      const sessions = readSessions(parameters);
      const text = parameters.text('code');
      const code = /^([1-6])\/(\d{1,2})$/u.exec(text ?? '');
      if (text !== undefined && code === null) parameters.fault('code', 'expected CODE/SUBCODE');
      return (cluster) => {
        for (const peer of sessions(cluster)) {
          if (code === null) peer.reset();
          else peer.end(notification(Number(code[1]), Number(code[2])));
        }
        return () => undefined;
      };
    },
  },
  /** Sessions stay open and nothing passes, until a hold timer ends them. */
  'bgp.silent': {
    prepare(parameters) {
      const sessions = readSessions(parameters);
      return (cluster) => {
        const silenced = sessions(cluster);
        for (const peer of silenced) peer.setSilent(true);
        return () => {
          for (const peer of silenced) peer.setSilent(false);
        };
      };
    },
  },
  /** The daemons of nodes take `delay` (1 s) longer over every UPDATE. */
  'bgp.slow': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      const delay = parameters.duration('delay') ?? 1_000_000;
      return (cluster) => {
        const nodes = target(cluster);
        const slow = (by: Micros): void => {
          for (const node of nodes)
            for (const { daemon } of cluster.machines.get(node).speakers?.slots() ?? [])
              daemon?.slow(by);
        };
        slow(delay);
        return () => slow(0);
      };
    },
  },
  /** The router signs its segments with another password, and its sessions are reset. */
  'bgp.password': {
    prepare(parameters) {
      const router = readBgpRouter(parameters);
      const password = parameters.text('password') ?? 'mistyped';
      return (cluster) => {
        const target = router(cluster);
        const use = (text: string | undefined): void => {
          target.setPasswords(text);
          for (const peer of target.bgp.peers()) peer.reset();
        };
        use(password);
        return () => use(undefined);
      };
    },
  },
};
