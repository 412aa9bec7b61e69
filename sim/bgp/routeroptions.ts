import type { Ip, Prefix } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import type { EcmpOptions } from './fib.ts';

/** A neighbour that a router knows by address, or accepts from a prefix. */
export interface Neighbour {
  /** An address, or a prefix of peers that are taken as they come. */
  readonly from: Ip | Prefix;
  /** 0: any. */
  readonly asn: number;
  /** Dials it; only addresses. Else it waits to be called. */
  readonly dials: boolean;
  readonly port: number;
  readonly password: string | undefined;
}

/** Behaviour that differs between daemons. */
export type RouterProfile = 'frr' | 'bird' | 'gobgp';

export interface RouterBgpOptions {
  readonly asn: number;
  readonly routerId: Ip;
  readonly port: number;
  readonly profile: RouterProfile;
  /** Seconds. */
  readonly hold: number;
  readonly keepalive: number;
  readonly neighbours: readonly Neighbour[];
  /** Numbers of the members of its confederation: NO_EXPORT does not stop there (RFC 1997). */
  readonly confederation: readonly number[];
  /** Prefixes of its own that it tells everybody. */
  readonly networks: readonly Prefix[];
  readonly pathsMax: number;
  /** Shares traffic between paths through different systems. */
  readonly relax: boolean;
  readonly ecmp: EcmpOptions;
  /** Restarts gracefully, and helps others to, with this time in seconds; undefined: neither. */
  readonly restartTime: number | undefined;
  readonly prefixesMax: number | undefined;
  /** RFC 8212: without a policy nothing is taken from or told to external peers. */
  readonly requirePolicy: boolean;
  readonly extendedNextHop: boolean;
  /** From a decision to the forwarding table. */
  readonly convergence: Micros;
  /** After its start it only listens so long, so that its first choices see every path. */
  readonly updateDelay: Micros;
}
