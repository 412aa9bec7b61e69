import { parseIpUnmapped, parsePrefix } from '../../lb/ip.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { unmet } from '../check/expectation.ts';
import type { PathQuery } from '../check/jsonpath.ts';
import type { CheckSpec, Lookup } from './spec.ts';
import type { CheckVerdict } from './verdict.ts';

/** Looks there and then, and says for each check whether it holds (simulator.md 7.1). */
export function evaluateChecks(cluster: Cluster, checks: readonly CheckSpec[]): CheckVerdict[] {
  return checks.map((check) => {
    const values = partOf(lookUp(cluster, check.lookup), check.query);
    const message = values.ok ? unmet(check.expectation, values.found) : values.message;
    return {
      path: check.path,
      what: `${describe(check.lookup)} ${check.part}`.trim(),
      at: cluster.world.now,
      passed: message === undefined,
      message: message ?? '',
    };
  });
}

type Found =
  | { readonly ok: true; readonly found: readonly unknown[] }
  | { readonly ok: false; readonly message: string };

/** Narrows what was found to the part that a path names. */
function partOf(values: Found, query: PathQuery | undefined): Found {
  if (!values.ok || query === undefined) return values;
  return { ok: true, found: values.found.flatMap((value) => query(value)) };
}

function lookUp(cluster: Cluster, lookup: Lookup): Found {
  switch (lookup.kind) {
    case 'object': {
      const object = cluster.store.get(lookup.object);
      if (object === undefined) return { ok: true, found: [] };
      return { ok: true, found: [object] };
    }
    case 'owner-of': {
      const address = parseIpUnmapped(lookup.address);
      if (!address.ok) return { ok: false, message: `${lookup.address} is not an address` };
      return { ok: true, found: cluster.ownersOf(address.value) };
    }
    case 'neighbour': {
      const address = parseIpUnmapped(lookup.address);
      if (!address.ok) return { ok: false, message: `${lookup.address} is not an address` };
      const entry = cluster.network.neighbour(lookup.host, address.value);
      return entry === undefined ? { ok: true, found: [] } : { ok: true, found: [entry] };
    }
    case 'frontends':
      return { ok: true, found: [cluster.frontends(lookup.node)] };
    case 'route': return nextHopsOf(cluster, lookup);
  }
}

/** Next hops that BGP gave a prefix in a router's forwarding table; nothing: there is no route. */
function nextHopsOf(
  cluster: Cluster, lookup: { readonly router: string; readonly prefix: string },
): Found {
  const router = cluster.network.bgpRouters.get(lookup.router);
  if (router === undefined) return { ok: false, message: `${lookup.router} speaks no BGP` };
  const prefix = parsePrefix(lookup.prefix);
  if (!prefix.ok) return { ok: false, message: `${lookup.prefix} is no prefix` };
  const nextHops = router.bgp.fib.nextHops(prefix.value.prefix);
  return { ok: true, found: nextHops.length === 0 ? [] : [nextHops] };
}

function describe(lookup: Lookup): string {
  switch (lookup.kind) {
    case 'object':
      return lookup.object;
    case 'owner-of':
      return `owner of ${lookup.address}`;
    case 'neighbour':
      return `neighbour ${lookup.address} on ${lookup.host}`;
    case 'frontends':
      return `frontends of ${lookup.node}`;
    case 'route':
      return `route to ${lookup.prefix} on ${lookup.router}`;
  }
}
