import type { Decode } from '../../kube/decode.ts';
import { resources } from '../../kube/resource.ts';
import { familyOf, ipNumber, parseIp, parsePrefix } from '../../lb/ip.ts';
import type { Pool, PoolBlock } from '../../lb/model.ts';
import { compileSelector } from '../../lb/selector.ts';
import { compareText } from '../../lb/table.ts';
import type { Cluster } from '../cluster/cluster.ts';

/**
 * The pools that an allocator may give from, by name: each as stored, or as it last was without a
 * fault while the stored one has some (lb-ipam.md 2.1).
 */
export function watchPools(cluster: Cluster, decode: Decode<Pool>): () => Pool[] {
  const inForce = new Map<string, Pool>();
  const take = (pool: Pool): void => {
    const { uid } = pool.meta;
    if (faultless(pool) || !inForce.has(uid)) inForce.set(uid, pool);
  };
  for (const object of cluster.store.list(resources.pools)) {
    const decoded = decode(object);
    if (decoded.ok) take(decoded.value);
  }
  cluster.store.onCommit(resources.pools, (object, deleted) => {
    const decoded = decode(object);
    if (!decoded.ok) return;
    if (deleted) inForce.delete(decoded.value.meta.uid);
    else take(decoded.value);
  });
  return () => [...inForce.values()]
    .sort((left, right) => compareText(left.meta.name, right.meta.name));
}

function faultless(pool: Pool): boolean {
  const { allowFirstLastIps: option } = pool;
  return !pool.faults.some((fault) => fault.path.startsWith('spec'))
    && compileSelector(pool.serviceSelector).ok
    && (option === undefined || option === 'Yes' || option === 'No')
    && pool.blocks.every(readable);
}

function readable({ cidr, start, stop }: PoolBlock): boolean {
  if (cidr !== undefined && cidr !== '') return parsePrefix(cidr).ok;
  const first = parseIp(start ?? '');
  const last = stop === undefined || stop === '' ? first : parseIp(stop);
  if (!first.ok || !last.ok || familyOf(first.value) !== familyOf(last.value)) return false;
  return ipNumber(first.value) <= ipNumber(last.value);
}
