import { createDecoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { expectedPeers } from '../../sim/cluster/bgppeers.ts';
import { prepareManifests } from '../../sim/cluster/manifests.ts';
import { defaultNetwork, planTopology } from '../../sim/cluster/topology.ts';
import { ApiServer } from '../../sim/api/server.ts';
import type { ClusterSpec, HostSpec, NetworkSpec } from '../../sim/scenario/spec.ts';
import { World } from '../../sim/world.ts';
import { planLab, type Blueprint } from './blueprint.ts';

/** Namespace of our processes and their Leases. */
export const ownNamespace = 'fairlead-system';

/** How many hosts a derived network has. */
export interface HostCount {
  /** 0: the LAN has no way out, and nobody is behind one. */
  readonly routers: number;
  /** On the LAN besides the usual one: `client-1`, `client-2`, … */
  readonly clients: number;
}

export interface LabInputs {
  readonly name: string;
  readonly objects: readonly KubeObject[];
  readonly cluster: ClusterSpec;
  /** Undefined: derived from Nodes and pools, as the simulator does it. */
  readonly network: NetworkSpec | undefined;
  /** Hosts of a network that is derived; default: one router and no further clients. */
  readonly hosts?: HostCount;
}

/** Everything that the processes of one lab are told; a file of its folder. */
export interface LabSpec {
  readonly blueprint: Blueprint;
  /** What the API server holds when it starts. */
  readonly objects: readonly KubeObject[];
  readonly serviceCidrs: readonly string[];
  /** Settings by their names of interface.md 10, as the manifests and flags give them. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly kubernetes: string;
  readonly warnings: readonly string[];
}

/** The lab that these manifests make, before anything is made. */
export function planSpec(inputs: LabInputs): Result<LabSpec, string> {
  const prepared = prepareManifests(inputs.objects, inputs.cluster, ownNamespace);
  const serviceCidrs = serviceRanges(prepared.objects);
  const api = new ApiServer(new World({ seed: 0n }), { freeze: false, serviceCidrs });
  const refused = api.load(prepared.objects);
  const decoder = createDecoder();
  const nodes = api.list(resources.nodes).flatMap((object) => {
    const decoded = decoder.node(object);
    return decoded.ok ? [decoded.value] : [];
  });
  const pools = api.list(resources.pools).flatMap((object) => {
    const decoded = decoder.pool(object);
    return decoded.ok ? [decoded.value] : [];
  });
  if (nodes.length === 0) return err('a lab needs a Node');
  const hosts = inputs.hosts ?? { routers: 1, clients: 0 };
  const peers = expectedPeers(api, decoder, 'kube-system');
  const network = inputs.network ?? withHosts(defaultNetwork(nodes, peers), hosts);
  const announcesL2 = api.list(resources.l2Policies).length > 0;
  const topology = planTopology({ nodes, pools, network, peers, announcesL2 });
  const blueprint = planLab({ name: inputs.name, topology, nodes });
  if (!blueprint.ok) return blueprint;
  return ok({
    blueprint: blueprint.value, objects: prepared.objects, serviceCidrs,
    settings: { ...prepared.settings, ...inputs.cluster.settings },
    kubernetes: inputs.cluster.kubernetes,
    warnings: [
      ...prepared.faults.map(({ path, message }) => `${path}: ${message}`),
      ...refused.flatMap(({ object, faults }) => faults.map(({ path, message }) => (
        `${object.kind ?? ''} ${object.metadata?.name ?? ''}: ${path}: ${message}`
      ))),
    ],
  });
}

function withHosts(network: NetworkSpec, { routers, clients }: HostCount): NetworkSpec {
  const [lan, ...others] = network.segments;
  if (lan === undefined) return network;
  const routed = routers > 0;
  const added = Array.from({ length: clients }, (_, index): HostSpec => ({
    name: `client-${index + 1}`, kind: 'client', neighbour: {}, onLink: [],
    gateway: routed ? 'router' : undefined,
  }));
  const attached = lan.attach.filter((name) => routed || name !== 'router');
  const hosts = network.hosts.filter(({ name }) => routed || attached.includes(name));
  return {
    ...network,
    segments: [
      { ...lan, attach: [...attached, ...added.map(({ name }) => name)] },
      ...(routed ? others : []),
    ],
    hosts: [...hosts.map((host) => (routed ? host : { ...host, gateway: undefined })), ...added],
  };
}

// Dual-stack where a Node has an IPv6 address, as the simulator assumes it.
function serviceRanges(objects: readonly KubeObject[]): readonly string[] {
  const nodes = objects.filter(({ kind }) => kind === 'Node');
  const dual = JSON.stringify(nodes.map((node) => node['status'])).includes('::');
  return dual ? ['10.96.0.0/16', 'fd00:10:96::/112'] : ['10.96.0.0/16'];
}
