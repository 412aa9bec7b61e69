import { ok } from '../../lb/result.ts';
import { inOrder, together, type GobgpClient, type Step } from './client.ts';
import type { DaemonListing } from './listing.ts';
import { indexOfPolicy, policyName } from './names.ts';
import { deleteSet, deleteStatement, dropPeerPolicy } from './policies.ts';
import type { RibTable } from './ribtable.ts';
import { likeInstalled } from './ribwriter.ts';

/** Removes names of ours that nothing uses: a leftover set would be added to (G27). */
export function sweep(
  client: GobgpClient, { table, listing, keeps }: {
    readonly table: RibTable; readonly listing: DaemonListing;
    /** Whether some peer has the index. */
    readonly keeps: (index: number) => boolean;
  },
): Step {
  const used = new Set(listing.policies.flatMap(({ name, statements }) => (
    [name, ...statements.map((of) => of.name.replace(/-v6$/u, ''))]
  )));
  const stale = listing.policies.flatMap(({ name }) => indexOfPolicy(name) ?? [])
    .filter((index) => !keeps(index));
  return (done) => inOrder([
    ...listing.orphanStatements.map((name) => deleteStatement(client, name)),
    ...(['large', 'neighbour'] as const).flatMap((type) => listing.sets[type]
      .filter((name) => !used.has(name)).map((name) => deleteSet(client, type, name))),
    ...stale.map((index): Step => (next) => drop(client, table, index)(next)),
  ], done);
}

/** Indices of policies that a daemon lists otherwise than installed, or not at all. */
export function brokenPolicies(
  client: GobgpClient, table: RibTable, listing: DaemonListing,
): readonly number[] {
  const listed = new Map(listing.policies.map((policy) => [policy.name, policy]));
  return table.indices.filter((index) => {
    const policy = listed.get(policyName(index));
    return policy === undefined || !likeInstalled(client, table, policy)
      || !listing.exports.policies.includes(policy.name);
  });
}

/** Takes them away with whatever is left of them, so that the next plan installs them anew. */
export function dropBroken(
  client: GobgpClient, table: RibTable, broken: readonly number[],
): Step {
  return (done) => together(broken.map((index) => drop(client, table, index)), done);
}

function drop(client: GobgpClient, table: RibTable, index: number): Step {
  return (done) => dropPeerPolicy(client, index, table.targetsOf(index))(() => {
    table.dropped(index);
    done(ok(undefined));
  });
}
