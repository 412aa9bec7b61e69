import type { Decode } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import {
  elect,
  localityOf,
  nodeFacts,
  nowhere,
  type Election,
  type NodeFacts,
  type SessionFacts,
} from '../../l2/candidacy.ts';
import { compilePolicy, type CompiledPolicy } from '../../l2/policy.ts';
import {
  contributionsOf,
  publishedAddresses,
  refusalOf,
  type Contribution,
} from '../../l2/selection.ts';
import { compareIp, familyOf, type Ip } from '../../lb/ip.ts';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import { planOnce, type PlannedService } from '../../lb/ipam/once.ts';
import { compareText } from '../../lb/table.ts';
import { routeDifferences } from './bgpdesired.ts';
import type { Cluster } from './cluster.ts';

/**
 * What the cluster shows against what the pure derivations want from the stored objects: one
 * sentence per difference. `converged` means that there is none.
 */
export function unconverged(cluster: Cluster): string[] {
  return [
    ...allocationDifferences(cluster), ...ownerDifferences(cluster), ...routeDifferences(cluster),
  ];
}

/** Services whose stored status is not what a controller started now would write. */
function allocationDifferences(cluster: Cluster): string[] {
  const { decoder, settings, store } = cluster;
  const services = decodeAll(store.list(resources.services), decoder.service);
  const slices = decodeAll(store.list(resources.endpointSlices), decoder.slice);
  const plan = planOnce(
    { pools: cluster.pools(), services, nodes: cluster.nodes(), slices },
    settings.ipam,
  );
  const byKey = new Map(services.map((service) => [service.key, service]));
  return plan.services.flatMap((planned) => {
    const service = byKey.get(planned.key);
    return service === undefined || !planned.touched ? [] : statusDifferences(service, planned);
  });
}

function statusDifferences(service: Service, planned: PlannedService): string[] {
  const foreign = new Set(planned.foreign.map((entry) => entry.ip));
  const shown = service.ingress.flatMap((entry) =>
    entry.ip === undefined || foreign.has(entry.ip) ? [] : [entry.ip],
  );
  const wanted = planned.addresses.map((address) => address.ip);
  const differences: string[] = [];
  if ([...shown].sort(compareText).join() !== [...wanted].sort(compareText).join()) {
    differences.push(
      `service ${service.key} shows ${shown.join() || 'no address'} ` +
        `instead of ${wanted.join() || 'none'}`,
    );
  }
  for (const condition of planned.conditions) {
    const stored = service.conditions.find((candidate) => candidate.type === condition.type);
    if (stored?.status === condition.status && stored.reason === condition.reason) continue;
    differences.push(
      `service ${service.key} has no condition ` +
        `${condition.type}=${condition.status} (${condition.reason})`,
    );
  }
  return differences;
}

function decodeAll<T>(objects: readonly KubeObject[], decode: Decode<T>): T[] {
  return objects.flatMap((object) => {
    const decoded = decode(object);
    return decoded.ok ? [decoded.value] : [];
  });
}

/** One address that policies want announced, with the election that every node would hold now. */
export interface WantedAddress {
  readonly ip: Ip;
  readonly services: readonly Service[];
  readonly election: Election;
}

/** Every address that some policy wants announced, with its candidates, lowest address first. */
export function wantedAddresses(cluster: Cluster): WantedAddress[] {
  const { decoder } = cluster;
  const policies = cluster.store.list(resources.l2Policies).flatMap((object): CompiledPolicy[] => {
    const policy = decoder.l2Policy(object);
    const compiled = policy.ok ? compilePolicy(policy.value) : undefined;
    return compiled?.ok === true ? [compiled.value] : [];
  });
  const contributions = new Map<Ip, Contribution[]>();
  for (const object of cluster.store.list(resources.services)) {
    const decoded = decoder.service(object);
    if (!decoded.ok) continue;
    for (const [ip, chosen] of contributionsOf(decoded.value, policies)) {
      const list = contributions.get(ip) ?? [];
      list.push({ service: decoded.value, policies: chosen });
      contributions.set(ip, list);
    }
  }
  const nodes = cluster.nodes().map(nodeFacts);
  const sessions = presentSessions(cluster);
  const slices = slicesByService(cluster);
  const owned = new Set(nodes.flatMap((node) => node.addresses));
  return [...contributions.keys()]
    .sort(compareIp)
    .filter((ip) => refusalOf(ip, (address) => owned.has(address)) === undefined)
    .map((ip) =>
      electionFor(ip, {
        contributions: contributions.get(ip) ?? [],
        nodes,
        sessions,
        slices,
        cluster,
      }),
    );
}

interface ElectionParts {
  readonly contributions: readonly Contribution[];
  readonly nodes: readonly NodeFacts[];
  readonly sessions: ReadonlyMap<string, readonly SessionFacts[]>;
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly cluster: Cluster;
}

function electionFor(ip: Ip, parts: ElectionParts): WantedAddress {
  const { contributions, nodes, sessions, slices, cluster } = parts;
  const election = elect({
    ip,
    contributions,
    nodes,
    sessions,
    locality: ({ service }) => {
      const own = slices.get(service.key);
      return own === undefined ? nowhere : localityOf(own, familyOf(ip));
    },
    ignoreExcludeLabel: cluster.settings.l2.ignoreExcludeLabel,
  });
  return { ip, services: contributions.map(({ service }) => service), election };
}

// A machine that runs an agent has, or soon will have, a live session on its links with carrier.
function presentSessions(cluster: Cluster): Map<string, SessionFacts[]> {
  const sessions = new Map<string, SessionFacts[]>();
  for (const { node, agent } of cluster.machines.all()) {
    if (agent.agent === undefined) continue;
    const links = node.nics.map((nic) => ({
      name: nic.name,
      mac: nic.mac,
      up: nic.carrier,
      lost: false,
      families: ['IPv4', 'IPv6'] as const,
    }));
    sessions.set(node.name, [
      { node: node.name, identity: node.name, live: true, since: 0, links, declined: [] },
    ]);
  }
  return sessions;
}

function slicesByService(cluster: Cluster): Map<string, EndpointSlice[]> {
  const slices = new Map<string, EndpointSlice[]>();
  for (const object of cluster.store.list(resources.endpointSlices)) {
    const decoded = cluster.decoder.slice(object);
    if (!decoded.ok || decoded.value.service === undefined) continue;
    const list = slices.get(decoded.value.service) ?? [];
    list.push(decoded.value);
    slices.set(decoded.value.service, list);
  }
  return slices;
}

function ownerDifferences(cluster: Cluster): string[] {
  if (!cluster.settings.l2.enabled) return [];
  const differences: string[] = [];
  const wanted = new Map(wantedAddresses(cluster).map((entry) => [entry.ip, entry]));
  for (const { ip, election } of wanted.values()) {
    const owners = cluster.ownersOf(ip);
    const names = election.candidates.map((candidate) => candidate.node);
    if (names.length === 0 && owners.length > 0)
      differences.push(`${owners.join()} answers for ${ip}, which has no candidate`);
    if (names.length > 0 && owners.length !== 1)
      differences.push(`${ip} has ${owners.length} owners and candidates ${names.join()}`);
    if (owners.length === 1 && names.length > 0 && !names.includes(owners[0] ?? '')) {
      differences.push(`${owners.join()} answers for ${ip} and is no candidate`);
    }
  }
  for (const object of cluster.store.list(resources.services)) {
    const decoded = cluster.decoder.service(object);
    if (!decoded.ok) continue;
    for (const { ip } of publishedAddresses(decoded.value)) {
      if (wanted.has(ip)) continue;
      const owners = cluster.ownersOf(ip);
      if (owners.length > 0)
        differences.push(
          `${owners.join()} answers for ${ip} of ${decoded.value.key}, which no policy wants`,
        );
    }
  }
  return differences;
}
