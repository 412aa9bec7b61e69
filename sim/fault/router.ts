import { parsePrefix, type Prefix } from '../../lb/ip.ts';
import type { BgpRouter } from '../bgp/bgprouter.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Reader } from '../scenario/reader.ts';
import { demand } from '../scenario/error.ts';
import type { FaultKind } from './fault.ts';

/** Reads `router: NAME`, `router` where nothing is said; one that speaks BGP. */
export function readBgpRouter(parameters: Reader): (cluster: Cluster) => BgpRouter {
  const name = parameters.text('router') ?? 'router';
  return (cluster) => {
    const { bgpRouters } = cluster.network;
    const router = bgpRouters.get(name);
    const known = [...bgpRouters.keys()].join(', ') || 'none';
    demand(router !== undefined, `router ${name} speaks BGP; those that do: ${known}`);
    return router;
  };
}

/** Faults of routers (simulator.md 8). */
export const routerFaults: Readonly<Record<string, FaultKind>> = {
  /**
   * Forwarding ends, and comes back after `duration` (90 s) with empty tables: `silent`, or after a
   * `reset` of its sessions. `graceful` restarts its BGP alone.
   */
  'router.reboot': {
    prepare(parameters) {
      const name = parameters.text('router') ?? 'router';
      const duration = parameters.duration('duration') ?? 90_000_000;
      const graceful = parameters.flag('graceful') ?? false;
      const said = parameters.oneOf('form', ['silent', 'reset']) ?? 'silent';
      const form = graceful ? 'graceful' : said;
      return (cluster) => {
        const router = cluster.network.routers.get(name);
        demand(router !== undefined, `router ${name} of the scenario exists`);
        const bgp = cluster.network.bgpRouters.get(name);
        if (bgp === undefined) router.setPower(false);
        else bgp.down(form);
        const boot = (): void => {
          if (bgp === undefined) router.setPower(true);
          else bgp.up(form);
        };
        cluster.world.schedule(duration, { kind: 'boot', entity: name }, boot, { band: 0 });
        return () => undefined;
      };
    },
  },
  /** Flows are spread by another function until healed. */
  'router.rehash': {
    prepare(parameters) {
      const target = readBgpRouter(parameters);
      const mapper = parameters.oneOf('mapper', ['modulo', 'threshold', 'resilient']);
      const seed = parameters.count('seed');
      return (cluster) => {
        const { fib } = target(cluster).bgp;
        const before = fib.options;
        fib.rehash({ ...before, mapper: mapper ?? before.mapper, seed: seed ?? before.seed + 1 });
        return () => fib.rehash(before);
      };
    },
  },
  /** Import policy refuses these prefixes until healed. */
  'router.reject': {
    prepare(parameters) {
      const target = readBgpRouter(parameters);
      const prefixes = parameters.texts('prefixes').flatMap((text, index): Prefix[] => {
        const parsed = parsePrefix(text);
        if (!parsed.ok) parameters.fault(`prefixes[${index}]`, `${text} is no prefix`);
        return parsed.ok ? [parsed.value.prefix] : [];
      });
      return (cluster) => {
        const { bgp } = target(cluster);
        bgp.reject(prefixes);
        return () => bgp.reject([]);
      };
    },
  },
  /** A peer that tells more prefixes than `limit` loses its session with Cease/1. */
  'router.maxPrefix': {
    prepare(parameters) {
      const target = readBgpRouter(parameters);
      const limit = parameters.count('limit') ?? 0;
      return (cluster) => {
        const { bgp } = target(cluster);
        bgp.limitPrefixes(limit);
        return () => bgp.limitPrefixes(bgp.options.prefixesMax);
      };
    },
  },
};
