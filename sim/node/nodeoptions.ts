import type { Ip } from '../../lb/ip.ts';
import type { NeighbourSettings } from '../net/neighbour-rules.ts';
import type { Segment } from '../net/segment.ts';
import type { InterfaceAddress } from '../net/tap.ts';
import type { NodeObject } from './loaded.ts';

/** One interface of a node in one segment, `eth0` first. */
export interface NodeLink {
  readonly segment: Segment;
  readonly mac: string;
  readonly addresses: readonly InterfaceAddress[];
}

export interface NodeOptions {
  readonly name: string;
  readonly links: readonly NodeLink[];
  /** Next hop of everything off the segments, at most one per family. */
  readonly gateways?: readonly Ip[];
  /** Prefixes of the node's own pods. */
  readonly podRanges?: readonly string[];
  readonly neighbour?: Partial<NeighbourSettings>;
  /** What is on the node's hooks from boot on; default: our object with the default options. */
  readonly object?: NodeObject;
}
