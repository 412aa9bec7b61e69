import { createDecoder } from '../kube/decode.ts';
import { leaseDecoder } from '../kube/lease.ts';
import type { KubeObject } from '../kube/port.ts';
import { resources, type Resource } from '../kube/resource.ts';
import { l2Label, lockName, nodeOf } from '../l2/lease.ts';
import { createLeaseReader } from '../l2/leasereader.ts';
import type { Ip } from '../lb/ip.ts';
import type { ClusterReader } from './cluster.ts';
import { storedModel, type FolderModel } from './foldermodel.ts';

/** A live cluster as the controller and the agents see it. */
export interface LiveModel {
  readonly model: FolderModel;
  /** How many objects were read. */
  readonly objectCount: number;
  /** A sentence for each kind that could not be read, and what is missing by that. */
  readonly warnings: readonly string[];
  /** The node that holds the lock of an address; empty where nobody does. */
  ownersOf(address: Ip): readonly string[];
}

const ownNamespace = 'fairlead-system';
const always = [resources.services, resources.endpointSlices] as const;
/** Custom resources, of which a cluster may lack any; the first is said to be missing. */
const custom = {
  pools: [resources.pools],
  all: [
    resources.pools, resources.l2Policies, resources.bgpClusterConfigs, resources.bgpPeerConfigs,
    resources.bgpAdvertisements, resources.bgpPeeringPolicies,
  ],
} as const satisfies Record<string, readonly Resource[]>;

/** Reads what allocation rests on, with `all` also what announcement rests on. */
export async function liveModel(
  cluster: ClusterReader, extent: keyof typeof custom,
): Promise<LiveModel> {
  const [leases, configs, nodes, ...lists] = await Promise.all([
    extent === 'all' ? listLocks(cluster) : Promise.resolve([]),
    cluster.listUnless('denied', resources.configMaps, { namespace: ownNamespace }),
    // The cluster role `view` has no Nodes.
    cluster.listUnless('denied', resources.nodes),
    ...always.map((resource) => cluster.list(resource)),
    ...custom[extent].map((resource) => cluster.listUnless('gone', resource)),
  ]);
  const [pools] = lists.slice(always.length);
  const objects = [...lists, nodes].flatMap((items) => items ?? []);
  const config = configs?.filter(({ metadata }) => metadata?.name === 'fairlead-config') ?? [];
  const warnings = [
    ...(pools === undefined ? [`${cluster.name} knows no CiliumLoadBalancerIPPool`] : []),
    ...(configs === undefined
      ? [`${ownNamespace}/fairlead-config may not be read: settings are the defaults`] : []),
    ...(nodes === undefined ? ['nodes may not be listed: zones and addresses are missing'] : []),
  ];
  const reader = createLeaseReader(leaseDecoder(createDecoder().lease));
  const locks = new Map((leases ?? []).map((lease) => [lease.metadata?.name, lease]));
  return {
    model: storedModel([...objects, ...config]),
    objectCount: objects.length + (leases?.length ?? 0),
    warnings,
    ownersOf: (address) => {
      const lock = locks.get(lockName(address));
      const owner = lock === undefined ? undefined : reader.lock(lock).owner;
      return owner === undefined ? [] : [nodeOf(owner)];
    },
  };
}

// Who may only look at fairlead (ClusterRole fairlead-viewer) may read the Leases of its namespace.
async function listLocks(cluster: ClusterReader): Promise<readonly KubeObject[]> {
  const scope = { labelSelector: `${l2Label}=lock` };
  const all = await cluster.listUnless('denied', resources.leases, scope);
  return all ?? cluster.list(resources.leases, { ...scope, namespace: ownNamespace });
}
