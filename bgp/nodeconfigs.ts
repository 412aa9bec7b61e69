import type {
  BgpClusterConfig, BgpInstance, BgpInstanceOverride, BgpNodeConfig, BgpNodeConfigOverride,
  BgpNodeInstance, BgpPeerConfig, BgpPeeringPolicy,
} from '../lb/bgpmodel.ts';
import { refersToPeerConfig } from '../lb/bgpmodel.ts';
import type { Ip } from '../lb/ip.ts';
import type { Node } from '../lb/model.ts';
import { compareText, type Table } from '../lb/table.ts';
import { annotatedOverrides, convertPolicy } from './legacy.ts';
import { chooseOwners, type Candidate, type NodeOwnership } from './ownership.ts';
import { renderInstances } from './render.ts';
import { defaultRouterId } from './routerid.ts';
import { allocateRouterIds, claimKey, type RouterIdClaim } from './routeridpool.ts';
import type { BgpSettings } from './settings.ts';

/** What the controller reads of the API. */
export interface BgpControllerTables {
  readonly nodes: Table<Node>;
  readonly clusterConfigs: Table<BgpClusterConfig>;
  readonly peerConfigs: Table<BgpPeerConfig>;
  readonly overrides: Table<BgpNodeConfigOverride>;
  readonly nodeConfigs: Table<BgpNodeConfig>;
  readonly peeringPolicies: Table<BgpPeeringPolicy>;
}

/** What one node's NodeConfig should say. */
export interface WantedNodeConfig {
  readonly node: Node;
  readonly owner: Candidate;
  readonly instances: readonly BgpNodeInstance[];
}

/** Something that an operator should know about an object. */
export interface ObjectReport {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly code: 'UnknownOverride' | 'InvalidObject' | 'RouterId';
  readonly text: string;
}

export interface NodeConfigPlan {
  readonly owners: readonly NodeOwnership[];
  /** By name of the node. */
  readonly wanted: ReadonlyMap<string, WantedNodeConfig>;
  readonly reports: readonly ObjectReport[];
}

/** Everything that the controller renders, from its tables alone (bgp.md 3). Pure. */
export function planNodeConfigs(
  tables: BgpControllerTables, settings: Pick<BgpSettings, 'routerIdMode' | 'routerIdPool'>,
): NodeConfigPlan {
  const owners = chooseOwners({
    nodes: tables.nodes.values(), clusterConfigs: tables.clusterConfigs.values(),
    policies: tables.peeringPolicies.values(),
    nodeConfig: (node) => tables.nodeConfigs.get(node),
  });
  const reports: ObjectReport[] = [];
  const drafts = owners.flatMap((ownership) => draftOf(ownership, tables, reports));
  const ids = routerIds(drafts, tables, { settings, reports });
  const wanted = new Map<string, WantedNodeConfig>();
  for (const draft of drafts) {
    const { node, owner, overrides, override } = draft;
    const { name } = node.meta;
    const rendered = renderInstances(draft.instances, overrides, (instance) =>
      ids.get(claimKey({ node: name, instance })));
    if (override !== undefined) {
      const about = { ...aboutOverride(override), code: 'UnknownOverride' } as const;
      reports.push(...rendered.unknown.map((text) => ({ ...about, text: `spec.${text}` })));
    }
    wanted.set(name, { node, owner, instances: rendered.instances });
  }
  for (const override of tables.overrides.values()) {
    if (tables.nodes.has(override.meta.name)) continue;
    const text = `metadata.name: there is no Node ${override.meta.name}`;
    reports.push({ ...aboutOverride(override), code: 'UnknownOverride', text });
  }
  reports.push(...sharedRouterIds(wanted, tables));
  return { owners, wanted, reports };
}

interface Draft {
  readonly node: Node;
  readonly owner: Candidate;
  readonly instances: readonly BgpInstance[];
  readonly overrides: readonly BgpInstanceOverride[];
  /** Undefined where annotations of the Node are the override. */
  readonly override: BgpNodeConfigOverride | undefined;
}

function draftOf(
  { node, owner }: NodeOwnership, tables: BgpControllerTables, reports: ObjectReport[],
): Draft[] {
  if (owner === undefined) return [];
  if (owner.kind === 'CiliumBGPClusterConfig') {
    const override = tables.overrides.get(node.meta.name);
    const overrides = override?.instances ?? [];
    return [{ node, owner, override, overrides, instances: owner.instances }];
  }
  const converted = convertPolicy(owner);
  const annotated = annotatedOverrides(node.meta.annotations);
  const about = { kind: owner.kind, name: owner.meta.name, uid: owner.meta.uid };
  for (const text of converted.reports) reports.push({ ...about, code: 'InvalidObject', text });
  for (const text of annotated.reports) {
    const of = { kind: 'Node', name: node.meta.name, uid: node.meta.uid };
    reports.push({ ...of, code: 'InvalidObject', text: `metadata.annotations ${text}` });
  }
  const { overrides } = annotated;
  return [{ node, owner, override: undefined, overrides, instances: converted.instances }];
}

function aboutOverride(override: BgpNodeConfigOverride): Omit<ObjectReport, 'code' | 'text'> {
  return { kind: override.kind, name: override.meta.name, uid: override.meta.uid };
}

function routerIds(
  drafts: readonly Draft[], tables: BgpControllerTables,
  by: {
    readonly settings: Pick<BgpSettings, 'routerIdMode' | 'routerIdPool'>;
    readonly reports: ObjectReport[];
  },
): ReadonlyMap<string, Ip> {
  const { routerIdMode, routerIdPool } = by.settings;
  if (routerIdMode !== 'ip-pool') return new Map();
  const claims = drafts.flatMap(({ node: { meta }, instances, overrides }) =>
    instances.map(({ name: instance }): RouterIdClaim => ({
      node: meta.name, instance,
      fixed: overrides.find(({ name }) => name === instance)?.routerId,
      stored: tables.nodeConfigs.get(meta.name)?.instances
        .find(({ name }) => name === instance)?.routerId,
    })));
  const granted = allocateRouterIds(routerIdPool ?? '', claims);
  for (const text of granted.errors) {
    const name = text.split(' ')[0] ?? '';
    const uid = tables.nodeConfigs.get(name)?.meta.uid ?? '';
    by.reports.push({ kind: 'CiliumBGPNodeConfig', name, uid, code: 'RouterId', text });
  }
  return granted.ids;
}

/** NodeConfigs of one AS that share a router ID, which RFC 6286 2.1 forbids. */
function sharedRouterIds(
  wanted: ReadonlyMap<string, WantedNodeConfig>, tables: BgpControllerTables,
): ObjectReport[] {
  const holders = new Map<string, string[]>();
  for (const [name, { node, instances }] of wanted) {
    for (const { localAsn, routerId } of instances) {
      if (localAsn === undefined) continue;
      const key = `${routerId ?? defaultRouterId(name, node)} of AS ${localAsn}`;
      holders.set(key, [...holders.get(key) ?? [], name]);
    }
  }
  return [...holders].flatMap(([key, names]) => {
    if (new Set(names).size < 2) return [];
    const sorted = [...new Set(names)].sort(compareText);
    return sorted.map((name): ObjectReport => ({
      kind: 'CiliumBGPNodeConfig', name, code: 'RouterId',
      uid: tables.nodeConfigs.get(name)?.meta.uid ?? '',
      text: `router ID ${key} is shared by ${sorted.join(', ')}`,
    }));
  });
}

/** Names of PeerConfigs that a ClusterConfig refers to and that are not there, sorted. */
export function missingPeerConfigs(
  config: BgpClusterConfig, peerConfigs: Table<BgpPeerConfig>,
): readonly string[] {
  const names = config.instances.flatMap(({ peers }) => peers.flatMap(({ config: ref }) => {
    if (ref === undefined) return [];
    return refersToPeerConfig(ref) && peerConfigs.has(ref.name) ? [] : [ref.name];
  }));
  return [...new Set(names)].sort(compareText);
}
