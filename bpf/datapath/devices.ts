import type { Ip } from '../../lb/ip.ts';

/** A device that a program of ours is attached to, or may send by (`fl_dev`). */
export interface DeviceFacts {
  readonly ifindex: number;
  /** Six bytes as `02:00:00:00:00:0a`; undefined without Ethernet header (tun, WireGuard). */
  readonly mac: string | undefined;
  readonly mtu: number;
  /** Its addresses: the first of each family is the source of what is translated there. */
  readonly addresses: readonly Ip[];
}

/** The network namespace of a pod of this node (`fl_netns`). */
export interface PodFacts {
  /** SO_NETNS_COOKIE. */
  readonly cookie: bigint;
  readonly addresses: readonly Ip[];
  /** Host end of its interface; 0: not known. */
  readonly ifindex: number;
  /** The programs of pod interfaces are attached to it. */
  readonly hooked: boolean;
}

/**
 * What the datapath must know of the node's devices and pods. The agent feeds it from link events;
 * the simulator and the real adapter provide it.
 */
export interface DatapathDevices {
  /** Undefined until the first look at the node is complete: then nothing is written or removed. */
  facts(): DatapathDeviceFacts | undefined;
  /** Called after any change of the answer; never inside a call of this port. */
  onChange(listener: () => void): void;
}

export interface DatapathDeviceFacts {
  readonly devices: readonly DeviceFacts[];
  readonly pods: readonly PodFacts[];
  /** SO_NETNS_COOKIE of the node's own network namespace. */
  readonly nodeCookie: bigint;
}
