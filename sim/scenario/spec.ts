import type { Micros } from '../../lb/ports.ts';
import type { Labels } from '../../lb/model.ts';
import type { Json, KubeObject } from '../../kube/port.ts';
import type { PathQuery } from '../check/jsonpath.ts';
import type { Ip } from '../../lb/ip.ts';
import type { RouterBgpSpec } from './parse-bgp.ts';
import type { NeighbourSettings } from '../net/neighbour-rules.ts';
import type { SwitchOptions } from '../net/switch.ts';

/**
 * One machine of the simulated cluster. Addresses are texts with prefix length:
 * `192.168.10.11/24`.
 */
export interface NodeSpec {
  readonly name: string;
  readonly labels: Labels;
  readonly controlPlane: boolean;
}

export interface ClusterSpec {
  /** `1.32`: selects defaults such as the grace period of the node life cycle. */
  readonly kubernetes: string;
  /** Used when the manifests hold no Nodes. */
  readonly nodes: readonly NodeSpec[];
  /** Settings by their names of interface.md 10, flat: `l2.onApiOutage`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Version of fairlead that a node starts with, by node; absent: `current`. */
  readonly builds?: Readonly<Record<string, string>>;
  /** Ranges of cluster IPs; absent: derived from the Nodes' families. */
  readonly serviceCidrs?: readonly string[];
  /** Nodes without a range get a /24 or a /64 of these; absent: 10.244.0.0/14, fd00:244::/48. */
  readonly podCidrs?: readonly string[];
}

/** One request to the API server as it came over HTTP. */
export interface ApiCall {
  readonly method: string;
  /** With its query, encoded: `/api/v1/namespaces/web/pods?fieldManager=kubectl`. */
  readonly path: string;
  /** Media type of the body; absent: JSON. */
  readonly type?: string;
  readonly user: string;
  readonly body?: Json;
}

export interface SegmentSpec {
  readonly name: string;
  readonly subnets: readonly string[];
  readonly attach: readonly string[];
  readonly switch: SwitchOptions;
}

export interface HostSpec {
  readonly name: string;
  readonly kind: 'client' | 'host' | 'router';
  readonly neighbour: Partial<NeighbourSettings>;
  /** Name of the router that this host sends foreign traffic to. */
  readonly gateway: string | undefined;
  /** Further prefixes that a router has on a segment: `{segment: lan, prefix}`. */
  readonly onLink: readonly { readonly segment: string; readonly prefix: string }[];
  /** Its own addresses, each on the segment whose subnet it lies in; absent: it takes free ones. */
  readonly addresses?: readonly Ip[];
  /** A router that speaks BGP. */
  readonly bgp?: RouterBgpSpec;
}

export interface LinkSpec {
  /** `HOST@SEGMENT` or a host's name when it has one link. */
  readonly name: string;
  readonly delay: Micros | undefined;
  readonly delayMean: Micros | undefined;
  /** Parts per million. */
  readonly loss: number | undefined;
}

export interface NetworkSpec {
  readonly segments: readonly SegmentSpec[];
  readonly hosts: readonly HostSpec[];
  readonly links: readonly LinkSpec[];
}

/** Where a traffic line goes: a Service by name, `svc/NS/NAME:PORT`, or an address. */
export interface TrafficSpec {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly protocol: 'TCP' | 'UDP' | undefined;
  readonly every: Micros;
  /** Connections kept open besides the requests. */
  readonly flows: number;
  readonly family: 'IPv4' | 'IPv6' | undefined;
}

/** Parameters of a fault as written; each fault reads its own (`sim/fault`). */
export interface FaultUse {
  readonly name: string;
  readonly with: Readonly<Record<string, unknown>>;
  /** Undefined: permanent until healed. */
  readonly for: Micros | undefined;
  readonly path: string;
}

export interface ObjectPattern {
  /** `services/media/jellyfin`; `*` matches within a part. */
  readonly object: string;
  /** Dotted path of a field. */
  readonly change: string;
  /** The new value must equal this, where set. */
  readonly value: unknown;
}

export type When =
  | { readonly kind: 'object'; readonly pattern: ObjectPattern; readonly count: number }
  | { readonly kind: 'mark'; readonly mark: string; readonly count: number }
  | { readonly kind: 'sequence' | 'all' | 'any'; readonly of: readonly When[] };

export type Trigger =
  | { readonly kind: 'at'; readonly time: Micros }
  | { readonly kind: 'after'; readonly delay: Micros }
  | { readonly kind: 'when'; readonly when: When }
  | { readonly kind: 'every'; readonly period: Micros };

export type Expectation =
  | { readonly kind: 'equals' | 'contains'; readonly value: unknown }
  | { readonly kind: 'matches'; readonly pattern: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'present' };

export type Lookup =
  | { readonly kind: 'object'; readonly object: string }
  | { readonly kind: 'owner-of'; readonly address: string }
  | { readonly kind: 'neighbour'; readonly host: string; readonly address: string }
  | { readonly kind: 'frontends'; readonly node: string }
  | { readonly kind: 'route'; readonly router: string; readonly prefix: string };

export interface CheckSpec {
  readonly lookup: Lookup;
  /** JSONPath into what was looked up, as written; empty for the whole of it. */
  readonly part: string;
  readonly query: PathQuery | undefined;
  readonly expectation: Expectation;
  /** Path in the scenario file, for the verdict. */
  readonly path: string;
}

export type Action =
  | { readonly kind: 'fault'; readonly fault: FaultUse }
  | {
      readonly kind: 'heal';
      readonly name: string;
      readonly with: Readonly<Record<string, unknown>> | undefined;
    }
  | {
      readonly kind: 'apply';
      readonly objects: readonly KubeObject[];
      readonly files: readonly string[];
    }
  | { readonly kind: 'delete'; readonly objects: readonly string[] }
  | {
      readonly kind: 'patch';
      readonly object: string;
      readonly patch: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'waitFor';
      readonly state: 'quiescent' | 'converged';
      readonly timeout: Micros;
    }
  | { readonly kind: 'request'; readonly request: ApiCall }
  | { readonly kind: 'mark'; readonly mark: string }
  | { readonly kind: 'check'; readonly checks: readonly CheckSpec[] };

export interface Step {
  readonly trigger: Trigger;
  readonly action: Action;
  readonly path: string;
}

/** A count, or a count that the run knows: the flows that passed a node when the fault struck. */
export type Bound =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'flowsOn'; readonly node: string };

export interface ProbeMeasure {
  readonly kind: 'probe';
  readonly probe: string;
  readonly outageMax: Micros | undefined;
  readonly outageMin: Micros | undefined;
  readonly outageTotal: Micros | undefined;
  /** From the first failure to the next success. */
  readonly recoveryMax: Micros | undefined;
  readonly brokenFlowsMax: Bound | undefined;
}

export interface WritesMeasure {
  readonly kind: 'apiWrites';
  readonly perMinuteMax: number;
}

export type Severity = 'off' | 'warn' | 'fail';

export interface Expect {
  readonly always: readonly string[];
  /** Converged within this time after the last step; undefined: not demanded. */
  readonly convergedWithin: Micros | undefined;
  readonly measures: readonly (ProbeMeasure | WritesMeasure)[];
  readonly sometimes: readonly string[];
  readonly never: readonly string[];
  readonly oracles: Readonly<Record<string, Severity>>;
  /** Options of oracles, `grace` of one-owner. */
  readonly grace: Micros;
}

export interface Scenario {
  readonly name: string;
  readonly cluster: ClusterSpec;
  /** Undefined: derived from Nodes and pools. */
  readonly network: NetworkSpec | undefined;
  /** Files and folders, relative to the scenario file. */
  readonly manifests: readonly string[];
  readonly traffic: readonly TrafficSpec[];
  readonly steps: readonly Step[];
  readonly expect: Expect;
}
