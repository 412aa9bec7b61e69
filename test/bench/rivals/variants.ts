import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatapathDeviceFacts } from '../../../bpf/datapath/devices.ts';
import { cgroupPath, parseMountinfo } from '../../../bpf/mountinfo.ts';
import type { LinkHandle } from '../../../bpf/native.real.ts';
import { isRefused } from '../../../bpf/refusal.real.ts';
import { ip } from '../../../lb/ip.ts';
import { guard, prefix } from './guard.ts';
import { buildWorld, macs, nodeDevices, startServer, type World } from './lab.ts';
import { loadProgram } from './load.ts';
import { BenchNode } from './node.ts';
import { kernelMachine, missingPrograms } from './ready.ts';
import { iptables, nftables } from './rulesets.ts';
import { benchServices, place, tested } from './services.ts';
import { netnsPath, runTool } from './tools.ts';

/** `direct` and `control` are alike: what they differ by is the noise of the machine. */
export type VariantName = 'direct' | 'control' | 'nftables' | 'iptables' | OurName;

/** Our datapath with some of its hooks. */
export type OurName =
  /** A client outside and endpoints elsewhere: SNAT and redirect at the uplinks. */
  | 'uplink'
  /** A client pod whose sockets nobody translates. */
  | 'pod'
  /** The socket hooks alone. */
  | 'socket'
  /** A client pod as it is by default: socket hooks, and those of its interface. */
  | 'full';

/** One way from a client to the tested Service. */
export interface Variant {
  readonly name: VariantName;
  readonly world: World;
  readonly target: string;
  readonly port: number;
  readonly cgroup: string | undefined;
  /** Before each run of the load. */
  prepare(): void;
  /** The reconciler of one of ours. */
  readonly node: BenchNode | undefined;
}

type Attach = { readonly program: string; readonly egress: boolean };
const uplinkHooks: readonly Attach[] = [
  { program: 'fl_uplink_in', egress: false }, { program: 'fl_uplink_out', egress: true },
];
const podHooks: readonly Attach[] = [
  { program: 'fl_from_pod', egress: false }, { program: 'fl_to_pod', egress: true },
];
/** enum bpf_attach_type. */
const socketHooks: ReadonlyMap<string, number> = new Map([
  ['fl_connect4', 10], ['fl_post_bind4', 12], ['fl_getpeername4', 29], ['fl_sock_release', 34],
]);
const tcx = { ingress: 46, egress: 47 } as const;

const hooksOf: Readonly<Record<OurName, { devices: readonly Attach[]; socket: boolean }>> = {
  uplink: { devices: uplinkHooks, socket: false },
  pod: { devices: podHooks, socket: false },
  socket: { devices: [], socket: true },
  full: { devices: podHooks, socket: true },
};
export const ourNames: readonly OurName[] = ['uplink', 'pod', 'socket', 'full'];

/** Why a variant cannot be built; undefined: it can. */
export function missingFrom(name: VariantName): string | undefined {
  const own = ourNames.find((candidate) => candidate === name);
  if (own === undefined) return undefined;
  const { devices, socket } = hooksOf[own];
  return missingPrograms(
    [...devices.map(({ program }) => program), ...(socket ? socketHooks.keys() : [])],
  );
}

/** Builds a variant over `count` Services, its server running. */
export function buildVariant(name: VariantName, count: number): Variant {
  guard(cgroupRoot());
  const world = buildWorld(`${name}${count}`);
  startServer(loadProgram(), world);
  const front = { target: tested.clusterIp, port: tested.port };
  const plain = { name, world, cgroup: undefined, node: undefined, prepare: () => undefined };
  switch (name) {
    case 'direct': case 'control':
      return { ...plain, target: place.backends[0], port: place.backendPort };
    case 'nftables':
      nftables.install(world.node, benchServices(count));
      return { ...plain, ...front };
    case 'iptables':
      iptables.install(world.node, benchServices(count));
      return { ...plain, ...front };
    case 'uplink': case 'pod': case 'socket': case 'full':
      return { ...plain, ...front, ...attach(name, world, count) };
  }
}

function attach(
  name: OurName, world: World, count: number,
): Pick<Variant, 'cgroup' | 'node' | 'prepare'> {
  const found = kernelMachine();
  if ('missing' in found) throw new Error(found.missing);
  const node = new BenchNode(found.addon, {
    local: name !== 'uplink', devices: devicesOf(world),
  });
  node.list(benchServices(count));
  node.program();
  const { devices, socket } = hooksOf[name];
  for (const device of Object.values(nodeDevices)) {
    for (const { program, egress } of devices) {
      const ifindex = ifindexOf(world, device);
      inside(world.node, () => keep(found.addon.linkCreate(
        node.programOf(program), ifindex, egress ? tcx.egress : tcx.ingress, 0, 0,
      )));
    }
  }
  const cgroup = socket ? join(cgroupRoot() ?? '', `${prefix}${name}${count}`) : undefined;
  if (cgroup !== undefined) {
    mkdirSync(cgroup);
    for (const [program, type] of socketHooks) {
      keep(found.addon.linkCreate(node.programOf(program), cgroup, type, 0, 0));
    }
  }
  return {
    cgroup: cgroup === undefined ? undefined : join(cgroup, 'cgroup.procs'),
    node,
    prepare: () => node.forgetFlows(),
  };
}

// Links end with their handles, and handles with this process: nothing is pinned.
const links: LinkHandle[] = [];

function keep(link: LinkHandle | number): void {
  if (isRefused(link)) throw new Error(`attach: errno ${-link}`);
  links.push(link as LinkHandle);
}

function devicesOf(world: World): DatapathDeviceFacts {
  const { client, backends } = nodeDevices;
  const cookies = [world.client, world.node].map((netns) => inside(netns, () => {
    const found = kernelMachine();
    return 'missing' in found ? 0n : found.addon.netnsCookie();
  }) as bigint);
  const [clientIndex, backendsIndex] = [ifindexOf(world, client), ifindexOf(world, backends)];
  return {
    devices: [
      {
        ifindex: clientIndex, mac: macs.clientSide, mtu: 1500,
        addresses: [ip(place.clientGateway)],
      },
      {
        ifindex: backendsIndex, mac: macs.backendSide, mtu: 1500,
        addresses: [ip(place.backendGateway)],
      },
    ],
    pods: [{
      cookie: cookies[0] ?? 0n, addresses: [ip(place.client)], ifindex: clientIndex, hooked: true,
    }],
    nodeCookie: cookies[1] ?? 0n,
  };
}

function ifindexOf({ node }: World, device: string): number {
  const [facts] = JSON.parse(runTool(`ip -n ${node} -j link show ${device}`)) as {
    ifindex: number;
  }[];
  if (facts === undefined) throw new Error(`${node} has no ${device}`);
  return facts.ifindex;
}

function inside<T>(netns: string, body: () => T): T {
  const found = kernelMachine();
  if ('missing' in found) throw new Error(found.missing);
  const value = found.addon.netnsCall(netnsPath(netns), body);
  if (typeof value === 'number' && value < 0) throw new Error(`${netns}: errno ${-value}`);
  return value as T;
}

function cgroupRoot(): string | undefined {
  const found = cgroupPath(parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')));
  return found.ok ? found.value : undefined;
}
