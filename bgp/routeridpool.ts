import { ipFromNumber, parsePrefix, prefixContains, type Ip } from '../lb/ip.ts';
import { compareText } from '../lb/table.ts';

/** One instance of one node that needs a router ID. */
export interface RouterIdClaim {
  readonly node: string;
  readonly instance: string;
  /** Of an override, which is not for the pool to choose. */
  readonly fixed: Ip | undefined;
  /** As the NodeConfig has it. */
  readonly stored: Ip | undefined;
}

export interface RouterIdGrants {
  /** By `claimKey`; of claims that are not fixed and got one. */
  readonly ids: ReadonlyMap<string, Ip>;
  /** Sentences about claims that got none, or clash. */
  readonly errors: readonly string[];
}

export function claimKey({ node, instance }: Pick<RouterIdClaim, 'node' | 'instance'>): string {
  return `${node} ${instance}`;
}

/**
 * Router IDs of mode `ip-pool` (bgp.md 2.4): one address of the pool for each node and instance,
 * every one but 0.0.0.0; what is stored stays, fixed ones inside the pool are reserved, the rest
 * get the lowest free one in the order of node and instance. Pure.
 */
export function allocateRouterIds(pool: string, claims: readonly RouterIdClaim[]): RouterIdGrants {
  const parsed = parsePrefix(pool);
  if (!parsed.ok || parsed.value.family !== 'IPv4') {
    return { ids: new Map(), errors: [`'${pool}' is no IPv4 prefix`] };
  }
  const { first, last } = parsed.value;
  const sorted = [...claims].sort((left, right) => compareText(claimKey(left), claimKey(right)));
  const errors: string[] = [];
  const taken = new Map<Ip, string>();
  for (const claim of sorted) {
    if (claim.fixed === undefined) continue;
    const holder = taken.get(claim.fixed);
    if (holder === undefined) taken.set(claim.fixed, claimKey(claim));
    else errors.push(`${claimKey(claim)}: router ID ${claim.fixed} is that of ${holder}`);
  }
  const ids = new Map<string, Ip>();
  const open = sorted.filter((claim) => {
    const { fixed, stored } = claim;
    if (fixed !== undefined) return false;
    if (stored === undefined || taken.has(stored) || stored === '0.0.0.0') return true;
    if (!prefixContains(parsed.value, stored)) return true;
    taken.set(stored, claimKey(claim));
    ids.set(claimKey(claim), stored);
    return false;
  });
  let next = first === 0n ? 1n : first;
  for (const claim of open) {
    while (next <= last && taken.has(ipFromNumber(next, 'IPv4'))) next += 1n;
    if (next > last) {
      errors.push(`${claimKey(claim)}: the pool ${parsed.value.prefix} has no free router ID`);
      continue;
    }
    ids.set(claimKey(claim), ipFromNumber(next, 'IPv4'));
    next += 1n;
  }
  return { ids, errors };
}
