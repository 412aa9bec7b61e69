import { familyOf, type Family, type Ip } from '../lb/ip.ts';
import { compareText } from '../lb/table.ts';

/** One interface of the node, and what rtnetlink says about it. */
export interface NetDevice {
  readonly name: string;
  readonly ifindex: number;
  /** `veth`, `bridge`, `vxlan`; empty for hardware. */
  readonly kind: string;
  /** Undefined without Ethernet header (tun, WireGuard). */
  readonly mac: string | undefined;
  readonly mtu: number;
  readonly up: boolean;
  readonly loopback: boolean;
  /** ifindex of its bond or bridge; 0 for none. */
  readonly master: number;
  /** True for a veth whose other end is in another namespace. */
  readonly peerElsewhere: boolean;
  readonly addresses: readonly Ip[];
  readonly defaultRoute: boolean;
}

/** What decides which device gets which programs (datapath.md 6). */
export interface AttachFacts {
  readonly devices: readonly NetDevice[];
  /** Of this node, its primary address of each family first. */
  readonly nodeAddresses: readonly Ip[];
  /** Option `devices`: shell patterns of names that are uplinks; undefined: found by themselves. */
  readonly uplinks: readonly string[] | undefined;
  /** Patterns of `l2.devices`: uplinks in any case. */
  readonly announced: readonly string[];
}

/** A program on one direction of one device. */
export interface DeviceProgram {
  readonly program: 'fl_from_pod' | 'fl_to_pod' | 'fl_uplink_in' | 'fl_uplink_out';
  readonly ifindex: number;
  readonly direction: 'ingress' | 'egress';
  /** False: the variant for packets without Ethernet header. */
  readonly ethernet: boolean;
}

/** A row of `fl_dev`: what a program knows of a device that it sends by. */
export interface DeviceSource {
  readonly ifindex: number;
  readonly mac: string | undefined;
  readonly mtu: number;
  /** At most one of each family. */
  readonly addresses: readonly Ip[];
}

export interface AttachPlan {
  /** In the order in which they are to be attached. */
  readonly programs: readonly DeviceProgram[];
  readonly devices: readonly DeviceSource[];
  /** ifindex of the host ends of pod interfaces. */
  readonly pods: readonly number[];
  /** Names of bridges that carry pod interfaces. */
  readonly podBridges: readonly string[];
  /** Names of uplinks, for status and messages. */
  readonly uplinks: readonly string[];
}

/** Devices that lead into a tunnel of the CNI: what leaves by them leaves the node. */
const tunnelKinds: ReadonlySet<string> = new Set([
  'vxlan', 'geneve', 'ipip', 'ip6tnl', 'sit', 'gre', 'gretap', 'ip6gre', 'ip6gretap', 'wireguard',
  'tun', 'fou',
]);

/**
 * Which programs belong on which devices, from nothing but facts: called again after any change of
 * a link, it gives the whole answer.
 */
export function planAttach(facts: AttachFacts): AttachPlan {
  const devices = facts.devices.toSorted((left, right) => left.ifindex - right.ifindex);
  const byIndex = new Map(devices.map((device) => [device.ifindex, device]));
  const uplinks = new Set(uplinksOf({ ...facts, devices }, byIndex));
  const pods = devices.filter((device) => isPodInterface(device, uplinks));
  const bridges = pods.flatMap(({ master }) => byIndex.get(master)?.name ?? []);
  return {
    programs: programsFor([...uplinks], pods),
    devices: devices.filter(({ loopback }) => !loopback).map((device) => (
      sourceOf(device, facts.nodeAddresses)
    )),
    pods: pods.map(({ ifindex }) => ifindex),
    podBridges: [...new Set(bridges)].sort(compareText),
    uplinks: [...uplinks].map(({ name }) => name),
  };
}

function uplinksOf(
  facts: AttachFacts, byIndex: ReadonlyMap<number, NetDevice>,
): readonly NetDevice[] {
  const announced = facts.devices.filter(({ name }) => matchesAny(name, facts.announced));
  const chosen = facts.uplinks === undefined
    ? facts.devices.filter((device) => leadsOff(device, facts.nodeAddresses))
    : facts.devices.filter(({ name }) => matchesAny(name, facts.uplinks ?? []));
  const masters = [...chosen, ...announced].map((device) => byIndex.get(device.master) ?? device);
  return masters.filter((device, index) => !device.loopback && masters.indexOf(device) === index);
}

function leadsOff(device: NetDevice, nodeAddresses: readonly Ip[]): boolean {
  return device.defaultRoute || tunnelKinds.has(device.kind)
    || device.addresses.some((address) => nodeAddresses.includes(address));
}

// The port of an uplink's bridge may be a veth too, as in a node that is a container itself.
function isPodInterface(device: NetDevice, uplinks: ReadonlySet<NetDevice>): boolean {
  if (device.kind !== 'veth' || !device.peerElsewhere || uplinks.has(device)) return false;
  return ![...uplinks].some(({ ifindex }) => ifindex === device.master);
}

/**
 * Programs that translate replies come first: a flow that the others begin has its way back then.
 */
function programsFor(
  uplinks: readonly NetDevice[], pods: readonly NetDevice[],
): readonly DeviceProgram[] {
  const on = (
    program: DeviceProgram['program'], devices: readonly NetDevice[],
  ): DeviceProgram[] => devices.map(({ ifindex, mac }) => ({
    program, ifindex, direction: directions[program], ethernet: mac !== undefined,
  }));
  return [
    ...on('fl_to_pod', pods), ...on('fl_uplink_out', uplinks),
    ...on('fl_from_pod', pods), ...on('fl_uplink_in', uplinks),
  ];
}

const directions: Readonly<Record<DeviceProgram['program'], DeviceProgram['direction']>> = {
  fl_from_pod: 'ingress', fl_to_pod: 'egress', fl_uplink_in: 'ingress', fl_uplink_out: 'egress',
};

// A device without an address of its own sends with that of the node, as the kernel does.
function sourceOf(device: NetDevice, nodeAddresses: readonly Ip[]): DeviceSource {
  const { ifindex, mac, mtu } = device;
  const own = [
    ...nodeAddresses.filter((address) => device.addresses.includes(address)),
    ...device.addresses.filter((address) => !/^fe[89ab]/u.test(address)),
    ...nodeAddresses,
  ];
  const first = (family: Family): readonly Ip[] => (
    own.filter((address) => familyOf(address) === family).slice(0, 1)
  );
  return { ifindex, mac, mtu, addresses: [...first('IPv4'), ...first('IPv6')] };
}

function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matches(name, pattern));
}

/** A shell pattern with `*` and `?`, as device options are written. */
function matches(name: string, pattern: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/gu, String.raw`\$&`)
    .replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'u').test(name);
}
