import type { Decoder } from '../../kube/decode.ts';
import { leaderTimingDefault } from '../../kube/leader.ts';
import type { KubeObject, KubePort } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import type { Ip } from '../../lb/ip.ts';
import type { Fault, Node, Pool } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import { ApiPath, type ApiClient } from '../api/path.ts';
import { createSimKube } from '../api/client.ts';
import { ApiServer } from '../api/server.ts';
import { watchStaleNeighbours } from '../check/marks.ts';
import { createActors, type Actors } from '../kube/actors.ts';
import type { ActorTimings } from '../kube/actor.ts';
import { PacketTap } from '../net/tap.ts';
import { NodeSpeakers } from '../bgp/speakers.ts';
import type { Process } from '../process.ts';
import { bgpResources, expectedPeers } from './bgppeers.ts';
import type { ClusterSpec, NetworkSpec, TrafficSpec } from '../scenario/spec.ts';
import { World, type OrderMode } from '../world.ts';
import { NodeAgent } from './agents.ts';
import { Builds, type TranslatedBuild } from './builds.ts';
import { ControllerReplica } from './controllers.ts';
import { unconverged } from './desired.ts';
import type { CompiledObject } from '../../bpf/vm/compile.ts';
import { fastPrograms } from '../node/programs.ts';
import { frontTexts } from './frontends.ts';
import { Machines, type Machine } from './machines.ts';
import { prepareManifests, type Prepared } from './manifests.ts';
import { Network } from './network.ts';
import { buildNodes } from './nodes.ts';
import { ObjectStore } from './objects.ts';
import { parseClusterSettings, type ClusterSettings } from './settings.ts';
import { planTopology } from './topology.ts';
import { Traffic } from './traffic.ts';

export interface ClusterInput {
  readonly seed: bigint;
  readonly order?: OrderMode;
  readonly cluster: ClusterSpec;
  /** Undefined: derived from Nodes and pools. */
  readonly network: NetworkSpec | undefined;
  /** The eBPF programs of the nodes; default: without checks of every access. */
  readonly programs?: CompiledObject;
  /** Other versions of fairlead by name; `current` is this one. */
  readonly builds?: ReadonlyMap<string, TranslatedBuild>;
  readonly objects: readonly KubeObject[];
  readonly traffic: readonly TrafficSpec[];
  readonly timings?: Partial<ActorTimings>;
  /** Wall clock at the start, microseconds since the Unix epoch; default: that of every world. */
  readonly epoch?: Micros;
  /** Deep-freezes stored objects, to catch a process that modifies one. */
  readonly freeze?: boolean;
  /** False: each agent has its own caches, as on machines; slower and nothing else. */
  readonly sharing?: boolean;
}

export type Plane = 'api' | 'lan' | 'all';
export type IsolateDirection = 'in' | 'out' | 'both';

/** Namespace of our processes and their Leases. */
const ownNamespace = 'fairlead-system';
const controllersMax = 2;

/**
 * One simulated cluster: API server, built-in controllers, machines with agents and controllers of
 * ours, the network, and clients. Building it does nothing yet; `start` boots everything at once.
 */
export class Cluster {
  readonly world: World;
  readonly tap: PacketTap;
  readonly api: ApiServer;
  readonly path: ApiPath;
  readonly store: ObjectStore;
  readonly actors: Actors;
  readonly network: Network;
  readonly machines: Machines;
  readonly traffic: Traffic;
  readonly settings: ClusterSettings;
  readonly prepared: Prepared;
  readonly builds: Builds;
  /** Manifests that the API server refused, and settings that were not taken. */
  readonly faults: readonly {
    readonly object: KubeObject | undefined;
    readonly faults: readonly Fault[];
  }[];

  constructor(input: ClusterInput) {
    const { seed, order = 'fifo', epoch } = input;
    this.world = new World({ seed, order, ...(epoch !== undefined && { epoch }) });
    this.tap = new PacketTap(this.world);
    this.prepared = prepareManifests(input.objects, input.cluster, ownNamespace);
    const serviceCidrs = input.cluster.serviceCidrs ?? serviceRanges(this.prepared.objects);
    this.api = new ApiServer(this.world, { freeze: input.freeze ?? false, serviceCidrs });
    this.path = new ApiPath(this.world);
    this.store = new ObjectStore(this.api);
    this.settings = parseClusterSettings(
      { ...this.prepared.settings, ...input.cluster.settings },
      serviceCidrs,
    );
    this.builds = new Builds({
      programs: input.programs ?? fastPrograms, builds: input.builds ?? new Map(),
      datapath: this.settings.datapath, sharing: input.sharing ?? true,
    });
    const refused = this.api.load(this.prepared.objects);
    this.faults = [
      ...refused,
      ...[this.prepared.faults, this.settings.faults]
        .filter((faults) => faults.length > 0)
        .map((faults) => ({ object: undefined, faults })),
    ];
    this.network = new Network(
      this.tap,
      planTopology({
        nodes: this.nodes(), pools: this.pools(), network: input.network,
        peers: expectedPeers(this.api, this.decoder, this.settings.bgp.secretsNamespace),
        announcesL2: this.api.list(resources.l2Policies).length > 0,
      }),
    );
    this.network.configureLinks(input.network?.links ?? []);
    this.machines = new Machines(this.world, this.#buildMachines(input.cluster.builds));
    this.actors = createActors(this.world, this.api, {
      runtimes: this.machines.all().map(({ node }) => node),
      reach: (node) => this.#reaches({ user: `kubelet/${node}`, node }),
      reachControl: () => this.#reaches({ user: 'kube-controller-manager' }),
      kubernetes: input.cluster.kubernetes,
      timings: { nodeGrace: graceOf(input.cluster.kubernetes), ...input.timings },
    });
    this.machines.onPower((node) => this.actors.wake(node));
    this.path.onChange(() => {
      for (const node of this.machines.names()) this.actors.wake(node);
    });
    this.traffic = new Traffic(this, input.traffic);
    watchStaleNeighbours(this);
  }

  start(): void {
    this.actors.start();
    for (const router of this.network.bgpRouters.values()) router.start();
    this.machines.start();
    this.traffic.start();
  }

  note(component: string, code: string, text: string): void {
    this.world.note('scenario', { level: 'info', component, code, text });
  }

  /** Nodes as the API has them, by name. */
  nodes(): Node[] {
    return this.#decoded(resources.nodes, this.decoder.node);
  }

  pools(): Pool[] {
    return this.#decoded(resources.pools, this.decoder.pool);
  }

  get decoder(): Decoder {
    return this.builds.current.cachesOf('').decoder;
  }

  /** Who would answer for an address now, by node name. */
  ownersOf(ip: Ip): string[] {
    return this.machines.ownersOf(ip);
  }

  /** Called after each write to any node's responder, with the address that it is about. */
  onResponder(listener: (ip: Ip) => void): void {
    for (const { node } of this.machines.all()) {
      node.onResponderChange(listener);
    }
  }

  /** What is under way anywhere; empty when the cluster waits for nothing. */
  pending(): string[] {
    const agents = this.machines
      .all()
      .flatMap(({ agent }) =>
        (agent.agent?.pending() ?? []).map((text) => `${agent.name}: ${text}`),
      );
    const leader = this.machines
      .all()
      .find(({ controller }) => controller?.leads === true)?.controller;
    // A standby waits for ever; a cluster in which nobody leads is waiting for one.
    const controller =
      leader === undefined
        ? ['no controller leads']
        : (leader.controller?.pending() ?? []).map((text) => `${leader.name}: ${text}`);
    return [...this.actors.pending(), ...agents, ...controller];
  }

  /** Differences between what should be and what is, besides work that is pending. */
  unconverged(): string[] {
    const pending = this.pending();
    return pending.length > 0 ? pending : unconverged(this);
  }

  /** The addresses, protocols and ports that a node's kernel serves now, sorted. */
  frontends(node: string): string[] {
    return frontTexts(this.machines.get(node).node.kernel.readable('fl_front'));
  }

  /** Cuts one node off on a plane; the returned function heals it. */
  isolate(
    node: string,
    cut: { readonly plane: Plane; readonly direction: IsolateDirection },
  ): () => void {
    const heals: (() => void)[] = [];
    if (cut.plane !== 'lan') {
      heals.push(this.path.inject({ kind: 'block', clients: [node], direction: cut.direction }));
    }
    if (cut.plane !== 'api') heals.push(this.#isolateNics(node, cut.direction));
    return () => {
      for (const heal of heals) heal();
    };
  }

  #reaches(client: ApiClient): boolean {
    return (
      this.path.failure === undefined &&
      !this.path.blocks(client, 'in') &&
      !this.path.blocks(client, 'out')
    );
  }

  #isolateNics(node: string, direction: IsolateDirection): () => void {
    const { nics } = this.machines.get(node).node;
    for (const nic of nics) nic.isolated = { in: direction !== 'out', out: direction !== 'in' };
    return () => {
      for (const nic of nics) nic.isolated = { in: false, out: false };
    };
  }

  #buildMachines(chosen: ClusterSpec['builds'] = {}): Machine[] {
    const { tap, network, builds } = this;
    const nodes = buildNodes({ tap, network, nodes: this.nodes(), object: builds.current });
    const controllerNodes = new Set(nodes.slice(0, controllersMax).map((node) => node.name));
    // Where nobody speaks BGP, agents watch none of its kinds: the price of a world would show.
    const speaking = network.bgpRouters.size > 0 ||
      bgpResources.some((resource) => this.api.list(resource).length > 0);
    return nodes.map((node) => {
      const kube = (process: Process): KubePort =>
        createSimKube(
          process,
          { server: this.api, path: this.path },
          { user: process.name, node: node.name },
        );
      const { l2, bgp, datapath, ipam } = this.settings;
      const build = builds.get(chosen[node.name] ?? builds.current.name);
      const speakers = speaking ? new NodeSpeakers(node, {
        keys: network.keys, deferral: bgp.deferralSeconds, drain: bgp.drainSeconds,
      }) : undefined;
      return {
        node,
        speakers,
        agent: new NodeAgent({
          node,
          speakers,
          build,
          kube,
          config: { nodeName: node.name, namespace: ownNamespace, l2, bgp, datapath },
        }),
        controller: controllerNodes.has(node.name)
          ? new ControllerReplica({
              node,
              kube,
              build,
              config: {
                namespace: ownNamespace,
                leader: leaderTimingDefault,
                ipam,
                l2Enabled: l2.enabled,
                bgp,
                ignoreExcludeLabel: l2.ignoreExcludeLabel,
                externalIps: this.settings.datapath.externalIps,
              },
            })
          : undefined,
      };
    });
  }

  #decoded<T>(
    resource: Resource,
    decode: (object: KubeObject) => { ok: true; value: T } | { ok: false },
  ): T[] {
    return this.api.list(resource).flatMap((object) => {
      const decoded = decode(object);
      return decoded.ok ? [decoded.value] : [];
    });
  }
}

// Dual-stack where a Node has an IPv6 address, as an administrator would have set it up.
function serviceRanges(objects: readonly KubeObject[]): string[] {
  const nodes = objects.filter((object) => object.kind === 'Node');
  const dual = JSON.stringify(nodes.map((node) => node['status'])).includes('::');
  return dual ? ['10.96.0.0/16', 'fd00:10:96::/112'] : ['10.96.0.0/16'];
}

// 40 s before Kubernetes 1.32 (kubernetes#126287).
function graceOf(kubernetes: string): number {
  const minor = Number(kubernetes.split('.')[1]);
  return (minor < 32 ? 40 : 50) * 1_000_000;
}
