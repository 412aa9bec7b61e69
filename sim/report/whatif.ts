import type { KubeObject } from '../../kube/port.ts';
import { serviceKey, type Service } from '../../lb/model.ts';
import { resources } from '../../kube/resource.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Ip } from '../../lb/ip.ts';
import { Cluster } from '../cluster/cluster.ts';
import { announcingNodes } from '../cluster/bgpdesired.ts';
import { wantedAddresses } from '../cluster/desired.ts';
import { applyFault, FaultSet } from '../fault/fault.ts';
import type { ActorTimings } from '../kube/actor.ts';
import type { ClusterSpec, NetworkSpec } from '../scenario/spec.ts';
import { explainOutage, type Seen, type Why } from './cause.ts';
import type { Failure } from './failure.ts';
import { servedPods, watchServices, type Pods, type Watched } from './placement.ts';
import { Timeline } from './timeline.ts';

export interface WhatIfInput {
  readonly objects: readonly KubeObject[];
  readonly cluster: ClusterSpec;
  readonly network: NetworkSpec | undefined;
  readonly failure: Failure;
  readonly seed: bigint;
  readonly timings?: Partial<ActorTimings>;
}

/** What one address went through in one placement. */
export interface Observation {
  readonly service: string;
  readonly ip: string;
  /** Node that answered before; undefined when nobody did. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Longest time without a good answer; undefined: it never came back. */
  readonly outage: Micros | undefined;
  /** Share of requests that failed besides, while some were answered, in percent. */
  readonly partialPercent: number;
  readonly why: Why;
}

export interface Placement {
  readonly observations: readonly Observation[];
  /** Services that had no address or no answer before anything happened, with the reason. */
  readonly unserved: readonly {
    readonly service: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly nodes: number;
  readonly services: number;
  readonly pools: number;
  readonly cluster: Cluster;
}

const second: Micros = 1_000_000;
const bootMax = 180 * second;
/** Frequent requests right after the failure, sparse ones in a long outage. */
const everySoon = 100_000;
const everyLate = second;
const soon = 15 * second;
/**
 * What has not come back by then does not come back by itself: the grace of a node, the toleration
 * of
 * its pods and the start of new ones take less.
 */
const patience = 420 * second;
/**
 * An address counts as back once it answered this long without a failure: long enough that a share
 * of connections to dead endpoints is not taken for health.
 */
const steady = 14 * second;

/** A booted cluster whose every address is asked by a client, just before something happens. */
export interface Stage {
  readonly cluster: Cluster;
  readonly client: string;
  readonly watched: readonly Watched[];
}

/** What is known at the moment of the failure, to compare with what comes. */
export interface Strike {
  readonly stage: Stage;
  readonly failure: Failure;
  readonly struckAt: Micros;
  readonly before: ReadonlyMap<string, Situation>;
  readonly timeline: Timeline;
}

interface Situation {
  readonly from: string | undefined;
  readonly pods: Pods;
}

const nobody: Situation = { from: undefined, pods: { total: 0, struck: 0, owner: undefined } };

/**
 * Runs one placement: boots the folder, asks every address from a client behind the router, lets
 * the failure happen and watches until everything is back or never will be.
 */
export function runPlacement(input: WhatIfInput): Placement {
  const stage = setStage(input);
  const observations = watchStrike(strike(stage, input.failure));
  return { ...summary(stage.cluster), observations, cluster: stage.cluster };
}

/** Boots, and lets a client behind the router ask every address for a while. */
export function setStage(input: Omit<WhatIfInput, 'failure'>): Stage {
  const cluster = bootCluster(input);
  const { world } = cluster;
  const client = clientOf(cluster);
  const watched = watchServices(cluster, client, everyLate);
  world.run(world.now + 3 * second);
  for (const { line } of watched) cluster.traffic.line(line).setEvery(everySoon);
  // Renewals repeat each second: the failure strikes at a drawn phase of them.
  world.run(world.now + second + world.stream('faults').below(second));
  return { cluster, client, watched };
}

/** Lets the failure happen now. */
export function strike(stage: Stage, failure: Failure): Strike {
  const { cluster, watched } = stage;
  const before = new Map(watched.map((one) => [one.line, situation(cluster, one, failure)]));
  const timeline = new Timeline(cluster);
  const struckAt = cluster.world.now;
  new FaultSet(cluster).start(failure.fault, applyFault(cluster, failure.fault));
  return { stage, failure, struckAt, before, timeline };
}

/** Watches until every address is back or never will be, and says what each went through. */
export function watchStrike(struck: Strike): Observation[] {
  const { stage, struckAt, before, timeline, failure } = struck;
  const { cluster, watched } = stage;
  const wellAt = watchRecovery(struck);
  return watched.map((one) => {
    const then = before.get(one.line) ?? nobody;
    return observe(cluster, {
      watched: one,
      ...then,
      struckAt,
      timeline,
      failure,
      wellAt: wellAt.get(one.line),
    });
  });
}

/** Boots a folder to convergence, without clients. */
export function bootCluster(input: Omit<WhatIfInput, 'failure'>): Cluster {
  const cluster = new Cluster({
    seed: input.seed,
    cluster: input.cluster,
    network: input.network,
    objects: input.objects,
    traffic: [],
    ...(input.timings === undefined ? {} : { timings: input.timings }),
  });
  cluster.start();
  const { world } = cluster;
  do {
    world.run(world.now + 500_000);
  } while (world.now < bootMax && cluster.unconverged().length > 0);
  return cluster;
}

/** The client whose traffic is judged: one behind the router where there is one. */
export function clientOf(cluster: Cluster): string {
  const clients = cluster.network.topology.machines.filter((machine) => machine.kind === 'client');
  const nodeSegments = new Set(
    cluster.network.topology.machines
      .filter((machine) => machine.kind === 'node')
      .flatMap((machine) => machine.nics.map((nic) => nic.segment)),
  );
  const behind = clients.find((machine) =>
    machine.nics.every((nic) => !nodeSegments.has(nic.segment)),
  );
  return (behind ?? clients[0])?.name ?? '';
}

function situation(cluster: Cluster, one: Watched, failure: Failure): Situation {
  const service = serviceOf(cluster, one);
  return {
    from: announcerOf(cluster, one.ip),
    pods:
      service === undefined
        ? nobody.pods
        : servedPods(cluster, {
            service,
            node: failure.node,
            among: one.local ? announcers(cluster, one.ip) : undefined,
          }),
  };
}

/** Who answers for an address, or the nodes that routers send it to. */
function announcerOf(cluster: Cluster, ip: Ip): string | undefined {
  const [owner] = cluster.ownersOf(ip);
  if (owner !== undefined) return owner;
  const nodes = announcingNodes(cluster, ip);
  return nodes.length === 0 ? undefined : nodes.join(',');
}

/** Nodes that could announce an address now. */
function announcers(cluster: Cluster, ip: Ip): ReadonlySet<string> {
  const nodes = announcingNodes(cluster, ip);
  if (nodes.length > 0) return new Set(nodes);
  const wanted = wantedAddresses(cluster).find((entry) => entry.ip === ip);
  return new Set(wanted?.election.candidates.map((candidate) => candidate.node));
}

function serviceOf(cluster: Cluster, one: Watched): Service | undefined {
  const [namespace = '', name = ''] = one.key.split('/');
  const object = cluster.api.get(resources.services, namespace, name);
  const decoded = object === undefined ? undefined : cluster.decoder.service(object);
  return decoded?.ok === true && decoded.value.key === serviceKey(namespace, name)
    ? decoded.value
    : undefined;
}

/**
 * Watches until every line is well again, or patience ends. A line that is well falls silent, so
 * that a long outage of another costs little; what it saw after it was judged well does not count.
 */
function watchRecovery({ stage, struckAt, failure }: Strike): Map<string, Micros> {
  const { cluster, watched } = stage;
  const { world, traffic } = cluster;
  const wellAt = new Map<string, Micros>();
  // Neighbour caches hide an outage for a while, so nothing is well before the fault is over.
  const overAt = struckAt + (failure.fault.for ?? 0);
  world.run(struckAt + soon);
  for (const { line } of watched) traffic.line(line).setEvery(everyLate);
  while (wellAt.size < watched.length && world.now < overAt + patience) {
    for (const { line: name } of watched) {
      const line = traffic.line(name);
      const recovered = line.outages.recoveredAt ?? struckAt;
      if (
        world.now < overAt ||
        wellAt.has(name) ||
        line.outages.openSince !== undefined ||
        world.now - recovered < steady
      )
        continue;
      line.stop();
      wellAt.set(name, world.now);
    }
    world.run(world.now + second);
  }
  return wellAt;
}

interface Observing {
  readonly watched: Watched;
  readonly from: string | undefined;
  readonly pods: Pods;
  readonly struckAt: Micros;
  readonly timeline: Timeline;
  readonly failure: Failure;
  /** When the line was judged well; undefined: it never was. */
  readonly wellAt: Micros | undefined;
}

function observe(cluster: Cluster, seen: Observing): Observation {
  const { watched, from, pods, struckAt, timeline, failure, wellAt } = seen;
  const line = cluster.traffic.line(watched.line);
  const outages = line.outages.outages.filter(
    (outage) => (outage.until ?? Infinity) > struckAt && outage.from < (wellAt ?? Infinity),
  );
  const lasts = wellAt === undefined && outages.some((outage) => outage.until === undefined);
  const lengths = outages.map(
    (outage) => (outage.until ?? cluster.world.now) - Math.max(outage.from, struckAt),
  );
  const longest = Math.max(0, ...lengths);
  const to = announcerOf(cluster, watched.ip);
  const after = line.failures.filter((record) => record.startedAt >= struckAt);
  const partialPercent =
    longest > 0 && outages.length > 2 && pods.total > 0
      ? Math.round((100 * pods.struck) / pods.total)
      : 0;
  const recovery = timeline.of(pods.owner?.uid ?? '');
  const why = explainOutage({
    outage: lasts ? undefined : longest,
    outages,
    struckAt,
    from,
    to,
    pods,
    local: watched.local,
    failure,
    recovery,
    takenAt: takenAt(cluster, watched.ip, struckAt),
    session: cluster.settings.l2.duration,
    stale: staleRouter(cluster, watched.ip, struckAt),
    held: heldUntil(cluster, struckAt),
    lastDrop: after.at(-1)?.drop,
    partialPercent,
  });
  return {
    service: watched.key,
    ip: watched.ip,
    from,
    to,
    outage: lasts ? undefined : longest,
    partialPercent,
    why,
  };
}

/** When the address was first announced after the failure, since then. */
function takenAt(cluster: Cluster, ip: string, struckAt: Micros): Micros | undefined {
  const note = cluster.world.notes.find(
    (one) => one.code === 'l2.announced' && one.object === ip && one.time >= struckAt,
  );
  return note === undefined ? undefined : note.time - struckAt;
}

/** When a router first gave up a silent peer, since then, and which one. */
function heldUntil(
  cluster: Cluster, struckAt: Micros,
): Seen['held'] {
  const first = (code: string) =>
    cluster.world.notes.find((one) => one.code === code && one.time >= struckAt);
  const expired = first('bgp.holdExpired');
  if (expired === undefined) return undefined;
  const swept = first('bgp.staleSwept');
  return {
    router: expired.entity.replace(/^router /u, ''), after: expired.time - struckAt,
    sweptAfter: swept === undefined ? undefined : swept.time - struckAt,
  };
}

/** A router that went on sending to the old owner. */
function staleRouter(cluster: Cluster, ip: string, struckAt: Micros): string | undefined {
  return cluster.world.notes.find(
    (one) =>
      one.code === 'router.staleNeighbour' &&
      one.object === ip &&
      one.time >= struckAt &&
      cluster.network.routers.has(one.entity),
  )?.entity;
}

/** What the cluster is, and which of its Services have no address, with the reason they give. */
export function summary(
  cluster: Cluster,
): Pick<Placement, 'unserved' | 'nodes' | 'services' | 'pools'> {
  const services = cluster.store.list(resources.services).flatMap((object) => {
    const decoded = cluster.decoder.service(object);
    return decoded.ok && decoded.value.type === 'LoadBalancer' ? [decoded.value] : [];
  });
  const unserved = services.flatMap((service) => {
    const condition = service.conditions.find(
      (one) => one.type === 'cilium.io/IPAMRequestSatisfied',
    );
    if (condition?.status === 'True') return [];
    return [
      {
        service: service.key,
        reason: condition?.reason ?? 'NotSelected',
        message: condition?.message ?? 'no pool selects the Service, and it has no class of ours',
      },
    ];
  });
  return {
    unserved,
    nodes: cluster.nodes().length,
    services: services.length,
    pools: cluster.pools().length,
  };
}
