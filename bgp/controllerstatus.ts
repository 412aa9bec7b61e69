import type { KubePort } from '../kube/port.ts';
import { apiVersion, resources } from '../kube/resource.ts';
import type { BgpClusterConfig, BgpPeeringPolicy } from '../lb/bgpmodel.ts';
import type { Clock, EventSink } from '../lb/ports.ts';
import type { StatusPort } from '../lb/status.ts';
import { compareText } from '../lb/table.ts';
import {
  bgpConditions, ConditionWriter, type ConditionedObject, type Truth, type Truths,
} from './conditionwriter.ts';
import {
  missingPeerConfigs, type BgpControllerTables, type NodeConfigPlan,
} from './nodeconfigs.ts';
import type { NodeOwnership } from './ownership.ts';
import { Secrets } from './secrets.ts';
import type { BgpSettings } from './settings.ts';

export interface ControllerStatusPorts {
  readonly clock: Clock;
  readonly kube: KubePort;
  readonly status: StatusPort;
  readonly events: EventSink;
}

interface Surroundings {
  readonly settings: BgpSettings;
  /** Facts changed that conditions depend on. */
  look(): void;
  /** Something is to be tried again. */
  retry(): void;
}

/** The condition types of each kind with the reasons that they have (bgp.md 8). */
const reasons = {
  CiliumBGPClusterConfig: {
    'cilium.io/NoMatchingNode': 'NoMatchingNode',
    'cilium.io/MissingPeerConfigs': 'MissingPeerConfigs',
    'cilium.io/ConflictingClusterConfig': 'ConflictingClusterConfigs',
  },
  CiliumBGPPeerConfig: { 'cilium.io/MissingAuthSecret': 'MissingAuthSecret' },
  CiliumBGPPeeringPolicy: { 'fairlead.dev/DeprecatedPolicy': 'Deprecated' },
} as const;

const listedMax = 20;

/** Conditions and Events of what users write, as the present plan makes them true. */
export class ControllerStatus {
  #ports: ControllerStatusPorts;
  #tables: BgpControllerTables;
  #around: Surroundings;
  #writer: ConditionWriter;
  #secrets: Secrets;
  #told = new Set<string>();

  constructor(
    ports: ControllerStatusPorts, tables: BgpControllerTables, around: Surroundings,
  ) {
    this.#ports = ports;
    this.#tables = tables;
    this.#around = around;
    this.#writer = new ConditionWriter(ports, (again) => (again ? around.retry() : around.look()));
    this.#secrets = new Secrets(ports, around.settings.secretsNamespace, () => around.look());
  }

  stop(): void {
    this.#secrets.stop();
  }

  pending(): readonly string[] {
    const { writing } = this.#writer;
    return writing === 0 ? [] : [`${writing} conditions of BGP objects are written`];
  }

  write(plan: NodeConfigPlan): void {
    const { clusterConfigs, peerConfigs, peeringPolicies } = this.#tables;
    const held = new Set<string>();
    for (const config of clusterConfigs.values()) {
      const truths = this.#clusterTruths(config, plan.owners);
      this.#writeOne(config, truths);
      const conflict = truths['cilium.io/ConflictingClusterConfig'];
      if (conflict !== undefined) this.#tell(held, config, ['BGPConfigConflict', conflict.message]);
    }
    const names = peerConfigs.values().flatMap(({ authSecret }) => authSecret ?? []);
    this.#secrets.want([...new Set(names)].sort(compareText));
    const missing = new Set(this.#secrets.missing());
    for (const config of peerConfigs.values()) {
      const { authSecret } = config;
      const lacks = authSecret !== undefined && missing.has(authSecret);
      const { secretsNamespace } = this.#around.settings;
      const message = `Secret ${secretsNamespace}/${authSecret} has no key password of 1 to 80 `
        + 'bytes, or is not there';
      const truths: Truths = lacks
        ? { 'cilium.io/MissingAuthSecret': { reason: 'MissingAuthSecret', message } } : {};
      // Before the Secret was asked for, nothing is known.
      if (authSecret === undefined || this.#secrets.complete) this.#writeOne(config, truths);
      if (lacks) this.#tell(held, config, ['BGPAuthSecretMissing', message]);
    }
    for (const policy of peeringPolicies.values()) {
      const truth = policyTruth(policy, plan.owners);
      this.#writeOne(policy, { 'fairlead.dev/DeprecatedPolicy': truth });
      this.#tell(held, policy, ['BGPPolicyDeprecated', truth.message]);
    }
    for (const key of this.#told) if (!held.has(key)) this.#told.delete(key);
  }

  #clusterTruths(config: BgpClusterConfig, owners: readonly NodeOwnership[]): Truths {
    const lost = owners.filter(({ losers }) => losers.includes(config));
    const selected = lost.length > 0 || owners.some(({ owner }) => owner === config);
    const missing = missingPeerConfigs(config, this.#tables.peerConfigs);
    const winners = new Set(lost.flatMap(({ owner }) => owner?.meta.name ?? []));
    const names = lost.map(({ node }) => node.meta.name);
    const shown = names.slice(0, listedMax).join(', ');
    const more = names.length > listedMax ? ` and ${names.length - listedMax} more` : '';
    return {
      ...(!selected && {
        'cilium.io/NoMatchingNode': {
          reason: 'NoMatchingNode', message: 'spec.nodeSelector matches no Node',
        },
      }),
      ...(missing.length > 0 && {
        'cilium.io/MissingPeerConfigs': {
          reason: 'MissingPeerConfigs', message: missing.join(', '),
        },
      }),
      ...(winners.size > 0 && {
        'cilium.io/ConflictingClusterConfig': {
          reason: 'ConflictingClusterConfigs',
          message: `${[...winners].sort(compareText).join(', ')} has ${shown}${more}`,
        },
      }),
    };
  }

  #writeOne(object: ConditionedObject, truths: Truths): void {
    const of: Readonly<Record<string, Readonly<Record<string, string>>>> = reasons;
    const types = of[object.kind] ?? {};
    const wanted = bgpConditions(
      { meta: object.meta, reasons: types }, truths, this.#around.settings.statusReport,
    );
    this.#writer.write(object, wanted, Object.keys(types));
  }

  /** An Event when something begins to be true, not while it lasts. */
  #tell(
    held: Set<string>, object: ConditionedObject, [reason, message]: readonly [string, string],
  ): void {
    const { kind, meta: { name, uid } } = object;
    const key = `${kind} ${uid} ${reason} ${message}`;
    held.add(key);
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const resource = Object.values(resources).find((one) => one.kind === kind);
    this.#ports.events.emit({
      object: {
        apiVersion: resource === undefined ? '' : apiVersion(resource), kind, namespace: '', name,
        uid,
      },
      type: 'Warning', reason, message,
    });
  }
}

/** Always deprecated, and superseded where another object has a node that it selects. */
function policyTruth(
  policy: BgpPeeringPolicy, owners: readonly NodeOwnership[],
): Truth {
  const lost = owners.filter(({ losers, displaced }) => (
    losers.includes(policy) || displaced.includes(policy)
  ));
  const advice = 'use CiliumBGPClusterConfig; `fairlead bgp convert` prints the equivalent';
  if (lost.length === 0) return { reason: 'Deprecated', message: advice };
  const winners = new Set(lost.flatMap(({ owner }) => (
    owner === undefined ? [] : `${owner.kind} ${owner.meta.name}`
  )));
  const names = lost.map(({ node }) => node.meta.name).slice(0, listedMax).join(', ');
  const message = `${[...winners].sort(compareText).join(', ')} has ${names}; ${advice}`;
  return { reason: 'Superseded', message };
}
