import type { Ip } from '../lb/ip.ts';
import type { DeviceFacts as NetlinkFacts } from '../lb/netlink.ts';
import type { DeviceFacts, PodFacts } from './datapath/devices.ts';

/** What decides which devices lead off the node. */
export interface PlacementOptions {
  readonly nodeAddresses: readonly Ip[];
  /** Globs that name the uplinks; empty: those that the routes and addresses name. */
  readonly devices: readonly string[];
  /** Devices that announcements are made on; they are uplinks too. */
  readonly announces: (name: string) => boolean;
}

/** Which programs a node's devices get (datapath.md 6). */
export interface Placement {
  readonly uplinks: readonly NetlinkFacts[];
  /** Host ends of pods, ports of a bridge included: the bridge does not see all their packets. */
  readonly pods: readonly NetlinkFacts[];
  /** Bridges that carry pod interfaces. */
  readonly masters: readonly NetlinkFacts[];
}

/**
 * Sorts devices into uplinks and pod interfaces. A device that is both, as the veth of a node that
 * is itself a container, is an uplink; an enslaved uplink is replaced by its master.
 */
export function placeDevices(
  devices: readonly NetlinkFacts[], options: PlacementOptions,
): Placement {
  const byIfindex = new Map(devices.map((device) => [device.ifindex, device]));
  const uplinks = new Map<number, NetlinkFacts>();
  for (const device of devices) {
    if (!isUplink(device, options)) continue;
    const master = device.enslaved ? byIfindex.get(device.master ?? 0) : undefined;
    const chosen = master ?? device;
    uplinks.set(chosen.ifindex, chosen);
  }
  const pods = devices.filter((device) => (
    device.kind === 'veth' && device.peerNetns !== undefined && !uplinks.has(device.ifindex)
  ));
  const carried = new Set(pods.map(({ master }) => master));
  return {
    uplinks: [...uplinks.values()].toSorted(byNumber), pods: pods.toSorted(byNumber),
    masters: devices.filter(({ ifindex }) => carried.has(ifindex)),
  };
}

const tunnels: ReadonlySet<string> = new Set([
  'vxlan', 'geneve', 'ipip', 'sit', 'ip6tnl', 'gre', 'gretap', 'ip6gre', 'ip6gretap', 'wireguard',
]);

function isUplink(device: NetlinkFacts, options: PlacementOptions): boolean {
  if (device.loopback) return false;
  if (options.announces(device.name)) return true;
  if (options.devices.length > 0) return options.devices.some((glob) => matches(glob, device.name));
  return device.defaultRoute || tunnels.has(device.kind ?? '')
    || device.addresses.some((address) => options.nodeAddresses.includes(address));
}

/** Shell patterns: `*` is any run of letters, `?` is one; all else is itself. */
function matches(glob: string, name: string): boolean {
  const pattern = glob.replaceAll(/[.+^${}()|[\]\\]/gu, String.raw`\$&`)
    .replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${pattern}$`, 'u').test(name);
}

function byNumber(left: NetlinkFacts, right: NetlinkFacts): number {
  return left.ifindex - right.ifindex;
}

/** A network namespace and what is in it. */
export interface NamespaceFacts {
  /** SO_NETNS_COOKIE. */
  readonly cookie: bigint;
  /** What the node's namespace calls it; undefined when no device leads there. */
  readonly id: number | undefined;
  readonly devices: readonly NetlinkFacts[];
}

export interface PodQuestion {
  readonly namespaces: readonly NamespaceFacts[];
  /** Pod interfaces of the node. */
  readonly pods: readonly NetlinkFacts[];
  /** Numbers of those whose programs are attached. */
  readonly hooked: ReadonlySet<number>;
}

/**
 * The pods behind namespaces. The host end of a veth names the other end by its number and its
 * namespace; one without such an end, as that of a macvlan pod, is known by its addresses only.
 * Numbers of devices alone are the same in all namespaces and find strangers.
 */
export function podsOf({ namespaces, pods, hooked }: PodQuestion): PodFacts[] {
  return namespaces.map(({ cookie, id, devices }) => {
    const ends = pods.filter(({ peerNetns, peer }) => (
      id !== undefined && peerNetns === id && devices.some(({ ifindex }) => ifindex === peer)
    ));
    const ifindex = ends[0]?.ifindex ?? 0;
    const addresses = devices.filter(({ loopback }) => !loopback)
      .flatMap((device) => device.addresses).filter((address) => !isLinkLocal(address));
    return { cookie, addresses, ifindex, hooked: hooked.has(ifindex) };
  });
}

/** The device as `fl_dev` has it, link-local addresses left out: nothing is translated to them. */
export function datapathDevice(device: NetlinkFacts): DeviceFacts {
  return {
    ifindex: device.ifindex, mac: device.ethernet ? device.mac : undefined, mtu: device.mtu,
    addresses: device.addresses.filter((address) => !isLinkLocal(address)),
  };
}

function isLinkLocal(address: Ip): boolean {
  return /^fe[89ab][0-9a-f]:/u.test(address) || address.startsWith('169.254.');
}
