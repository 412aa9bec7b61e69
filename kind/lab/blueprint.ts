import { familyOf, parsePrefix, prefixContains, type Family, type Ip } from '../../lb/ip.ts';
import type { Node } from '../../lb/model.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import {
  internalIps, type MachinePlan, type NicPlan, type Topology,
} from '../../sim/cluster/topology.ts';
import type { LabRouterBgp } from './routers.ts';

export type MachineKind = MachinePlan['kind'] | 'switch' | 'control';

/** One machine of the lab: a network namespace and how to furnish it. */
export interface LabMachine {
  /** As in manifests and scenarios; `switch` and `control` besides. */
  readonly name: string;
  readonly kind: MachineKind;
  /** Name under /run/netns. */
  readonly namespace: string;
  readonly forwards: boolean;
  /** A router that speaks BGP. */
  readonly bgp?: LabRouterBgp;
  /** `ip -batch` lines, run inside the namespace in the order of `Blueprint.machines`. */
  readonly lines: readonly string[];
}

/** A cable from a machine's LAN interface to the switch. */
export interface Cable {
  readonly machine: string;
  /** `eth0`, `eth1`, … in the machine's namespace. */
  readonly device: string;
  readonly segment: string;
  /** Bridge of the segment, in the switch's namespace. */
  readonly bridge: string;
  /** The other end, in the switch's namespace. */
  readonly port: string;
  readonly mac: string;
  /** IPv4 and IPv6 addresses of the device. */
  readonly ips: readonly Ip[];
}

/** The lab as it will be, before anything is made. */
export interface Blueprint {
  readonly name: string;
  /** The switch and the control plane first: others are plugged into them. */
  readonly machines: readonly LabMachine[];
  readonly cables: readonly Cable[];
  /** Address of the API server on the management network. */
  readonly control: Ip;
  /** Each node's port of the management network, in the namespace of `control`. */
  readonly managementPorts: Readonly<Record<string, string>>;
}

export interface BlueprintInputs {
  readonly name: string;
  readonly topology: Topology;
  readonly nodes: readonly Node[];
}

/** What is wrong with the name of a lab, which becomes one of folders and namespaces. */
export function labNameFault(name: string): string | undefined {
  if (/^[a-z0-9](?:[-a-z0-9]{0,14}[a-z0-9])?$/u.test(name)) return undefined;
  return `'${name}' is no name of a lab: 1 to 16 of a-z, 0-9 and hyphens`;
}

/** Devices of the management network, which is no LAN: no policy and no route leads there. */
export const managementDevice = 'mgmt0';
export const managementBridge = 'mgmt';
/** Port of the API server on the management network. */
export const apiPort = 6443;
/** Gateway of every pod, on its own cable. */
export const podGateways = { IPv4: '169.254.1.1', IPv6: 'fe80::1' } as const;

/**
 * Plans the namespaces, cables, addresses and routes of a lab after the simulator's own topology of
 * the same manifests. Refuses a name that no namespace can have.
 */
export function planLab(inputs: BlueprintInputs): Result<Blueprint, string> {
  const { name, topology } = inputs;
  const misnamed = labNameFault(name);
  if (misnamed !== undefined) return err(misnamed);
  const reserved = topology.machines.find((each) => each.name in reservedNames);
  if (reserved !== undefined) return err(`no machine of a lab may be called ${reserved.name}`);
  const management = managementNetwork(topology);
  const cables = planCables(topology);
  const control = management(0);
  const machines = [
    switchMachine(inputs, cables),
    controlMachine(inputs, management),
    ...topology.machines.map((plan, index) => labMachine(inputs, plan, management(index + 1))),
  ];
  const managementPorts = Object.fromEntries(topology.machines.flatMap(
    ({ kind, name: machine }, index) => (
      kind === 'node' ? [[machine, managementPort(index)]] : []
    ),
  ));
  return ok({ name, machines, cables, control: control as Ip, managementPorts });
}

const reservedNames: Readonly<Record<string, true>> = { switch: true, control: true, pod: true };

/** Addresses of a subnet that no segment of the lab has, by index. */
function managementNetwork({ segments }: Topology): (index: number) => string {
  const free = [127, 126, 125, 124].find((octet) => {
    const range = parsePrefix(`100.${octet}.0.0/16`);
    return range.ok && !segments.some(({ subnets }) => subnets.some((subnet) => (
      subnet.first <= range.value.last && range.value.first <= subnet.last
      && subnet.family === 'IPv4'
    )));
  }) ?? 123;
  return (index) => `100.${free}.${(index + 1) >> 8}.${(index + 1) & 255}`;
}

function planCables({ segments, machines }: Topology): Cable[] {
  let count = 0;
  return machines.flatMap((machine, place) => machine.nics.map((nic, index): Cable => ({
    machine: machine.name,
    device: `eth${index}`,
    segment: nic.segment,
    bridge: bridgeOf(segments.findIndex(({ name }) => name === nic.segment)),
    port: `port${count++}`,
    mac: `02:66:6c:${hexByte(place >> 8)}:${hexByte(place & 255)}:${hexByte(index)}`,
    ips: nic.addresses.map(({ ip }) => ip),
  })));
}

function bridgeOf(segment: number): string {
  return `lan${segment}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

function switchMachine({ name, topology }: BlueprintInputs, cables: readonly Cable[]): LabMachine {
  const bridges = topology.segments.flatMap((_, index) => [
    `link add name ${bridgeOf(index)} type bridge forward_delay 0 mcast_snooping 0`,
    `link set dev ${bridgeOf(index)} up`,
  ]);
  const plugs = cables.flatMap(({ machine, device, bridge, port, mac }) => [
    `link add name ${port} type veth peer name ${device} address ${mac}`
      + ` netns ${namespaceOf(name, machine)}`,
    `link set dev ${port} master ${bridge} up`,
  ]);
  return {
    name: 'switch', kind: 'switch', namespace: namespaceOf(name, 'switch'), forwards: false,
    lines: [...bridges, ...plugs],
  };
}

function controlMachine(
  { name, topology }: BlueprintInputs, management: (index: number) => string,
): LabMachine {
  const nodes = topology.machines.flatMap(({ kind, name: machine }, index) => (
    kind === 'node' ? [{ machine, index }] : []
  ));
  return {
    name: 'control', kind: 'control', namespace: namespaceOf(name, 'control'), forwards: false,
    lines: [
      `link add name ${managementBridge} type bridge forward_delay 0 mcast_snooping 0`,
      `link set dev ${managementBridge} up`,
      `addr add ${management(0)}/16 dev ${managementBridge}`,
      ...nodes.flatMap(({ machine, index }) => [
        `link add name ${managementPort(index)} type veth peer name ${managementDevice}`
          + ` netns ${namespaceOf(name, machine)}`,
        `link set dev ${managementPort(index)} master ${managementBridge} up`,
      ]),
    ],
  };
}

function managementPort(index: number): string {
  return `node${index}`;
}

function labMachine(inputs: BlueprintInputs, plan: MachinePlan, management: string): LabMachine {
  const { name } = inputs;
  const devices = plan.nics.flatMap((nic, index) => deviceLines(nic, index));
  const isNode = plan.kind === 'node';
  const gateways = plan.kind === 'router' ? [] : gatewayLines(inputs, plan);
  return {
    name: plan.name, kind: plan.kind, namespace: namespaceOf(name, plan.name),
    forwards: isNode || plan.kind === 'router',
    ...(plan.bgp === undefined ? {} : { bgp: {
      ...plan.bgp, ips: plan.nics.flatMap((nic) => nic.addresses.map((each) => each.ip)),
    } }),
    lines: [
      ...devices, ...gateways,
      ...(isNode ? nodeLines(inputs, plan, management) : []),
    ],
  };
}

function deviceLines(nic: NicPlan, index: number): readonly string[] {
  const device = `eth${index}`;
  return [
    `link set dev ${device} up`,
    ...nic.addresses.map(({ ip, prefixBits }) => (
      `addr add ${ip}/${prefixBits} dev ${device}${familyOf(ip) === 'IPv6' ? ' nodad' : ''}`
    )),
    // Prefixes inside a subnet of the device are on it anyway; a second route does no harm.
    ...nic.onLink.map(({ prefix }) => `route replace ${prefix} dev ${device} metric 50`),
  ];
}

function gatewayLines({ topology }: BlueprintInputs, plan: MachinePlan): readonly string[] {
  const wanted = plan.gateway;
  const router = topology.machines.find(({ name }) => name === wanted);
  return (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const address = plan.nics.flatMap((nic) => (
      router?.nics.find(({ segment }) => segment === nic.segment)?.addresses ?? []
    )).find(({ ip }) => familyOf(ip) === family && onWireOf(plan, ip));
    return address === undefined ? [] : [`route add ${anywhere[family]} via ${address.ip}`];
  });
}

const anywhere: Readonly<Record<Family, string>> = { IPv4: 'default', IPv6: '::/0' };

/** The management network, and plain routes to the pods of the other nodes. */
function nodeLines(
  { nodes }: BlueprintInputs, plan: MachinePlan, management: string,
): readonly string[] {
  const routes = nodes.filter(({ meta }) => meta.name !== plan.name).flatMap((other) => (
    other.podCidrs.flatMap((range) => {
      const via = gatewayTo(plan, other, range);
      return via === undefined ? [] : [`route add ${range} via ${via}`];
    })
  ));
  return [
    `link set dev ${managementDevice} up`, `addr add ${management}/16 dev ${managementDevice}`,
    ...routes,
  ];
}

/** The address of `other` that is on a wire of `plan`, of the family of `range`. */
function gatewayTo(plan: MachinePlan, other: Node, range: string): Ip | undefined {
  const parts = parsePrefix(range);
  if (!parts.ok) return undefined;
  return internalIps(other).find((address) => (
    familyOf(address) === parts.value.family && onWireOf(plan, address)
  ));
}

/** Whether a machine has a subnet with that address in it: several may be on one wire. */
function onWireOf(plan: MachinePlan, address: Ip): boolean {
  return plan.nics.some((nic) => nic.addresses.some(({ ip, prefixBits }) => {
    const subnet = parsePrefix(`${ip}/${prefixBits}`);
    return subnet.ok && prefixContains(subnet.value, address);
  }));
}

/** The network namespace of a machine. */
export function namespaceOf(lab: string, machine: string): string {
  return `${lab}-${machine}`;
}
