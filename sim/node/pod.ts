import { familyOf, type Family, type Ip } from '../../lb/ip.ts';
import type { Protocol } from '../../lb/model.ts';
import { LinkHeader } from '../net/linkheader.ts';
import { tcpFlag, type Packet } from '../net/packet.ts';
import type { TrafficHost } from '../net/client.ts';
import { serveEcho } from '../net/echo.ts';
import type { SocketHooks } from '../net/sockethooks.ts';
import type { PacketTap } from '../net/tap.ts';
import { Transport } from '../net/transport.ts';

/** A pod as its node is told to run it. */
export interface PodSpec {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** Of the node itself for a pod on the host network. */
  readonly ips: readonly Ip[];
  readonly hostNetwork: boolean;
  readonly ports: readonly { readonly protocol: Protocol; readonly port: number }[];
}

/** The virtual pair between a pod and its node: the node's end is what programs see. */
export interface PodLink {
  readonly ifindex: number;
  /** Of the pod's end. */
  readonly mac: string;
  readonly hostMac: string;
  /** The node's end as a hook sees it. */
  readonly host: { readonly ifindex: number; readonly mac: string };
  /** Ethernet addresses of what goes to the pod, and of what comes from it. */
  readonly inward: LinkHeader;
  readonly outward: LinkHeader;
  readonly mtuBytes: number;
  /** SO_NETNS_COOKIE of the pod's namespace. */
  readonly cookie: number;
}

/** Below this no pod calls from, so a packet to such a port is a request. */
const ephemeralFirst = 32_768;

/**
 * A running pod with an interface of its own. What it listens on is not known from its manifest,
 * which need not declare ports, so it answers on every port that is not an ephemeral one.
 */
export class SimPod {
  readonly spec: PodSpec;
  readonly link: PodLink;
  readonly transport: Transport;
  #open = new Set<number>();
  #alive = true;

  constructor(site: PodSite, spec: PodSpec, link: PodLink) {
    const { tap } = site;
    this.spec = spec;
    this.link = link;
    const name = podName(spec);
    this.transport = new Transport(tap, {
      name: `pod/${name}`, place: `pod ${name}`,
      send: (packet) => {
        if (this.#alive) site.send(this, packet);
      },
      confirm: () => undefined,
      sockets: site.sockets(link),
    });
  }

  /** A packet for this pod, as its interface delivers it. */
  receive(packet: Packet): void {
    if (!this.#alive) return;
    const request = packet.protocol === 'UDP' || (
      packet.tcp !== undefined && (packet.tcp.flags & tcpFlag.syn) !== 0
    );
    if (request && packet.targetPort < ephemeralFirst && !this.#open.has(packet.targetPort)) {
      this.#open.add(packet.targetPort);
      serveEcho(this.transport, { port: packet.targetPort, backend: podName(this.spec) });
    }
    this.transport.receive(packet);
  }

  /** Exits: nothing is sent any more, and nothing is heard. */
  kill(): void {
    this.#alive = false;
    this.transport.vanish();
  }
}

export function podName(spec: PodSpec): string {
  return `${spec.namespace}/${spec.name}`;
}

/** What a node does for the pods that run on it. */
export interface PodSite {
  readonly tap: PacketTap;
  /** Sockets of the host network, where pods without an interface of their own listen. */
  readonly host: Transport;
  /** A packet that a pod sends. */
  send(pod: SimPod, packet: Packet): void;
  /** The socket hooks as they meet the sockets of a pod. */
  sockets(link: PodLink): SocketHooks;
  /** A pod with an interface of its own came or went. */
  changed(): void;
}

/** The pods of one node, by uid and by address. */
export class PodTable {
  #site: PodSite;
  #pods = new Map<string, SimPod>();
  #byIp = new Map<Ip, SimPod>();
  #byIfindex = new Map<number, SimPod>();
  #hostPods = new Map<string, () => void>();
  #made = 0;

  constructor(site: PodSite) {
    this.#site = site;
  }

  /** Pods with an interface of their own, by uid. */
  get running(): ReadonlyMap<string, SimPod> {
    return this.#pods;
  }

  /** The pod behind a device of the node. */
  behind(ifindex: number): SimPod | undefined {
    return this.#byIfindex.get(ifindex);
  }

  at(address: Ip): SimPod | undefined {
    return this.#byIp.get(address);
  }

  /** Starting a pod that runs is harmless. */
  start(spec: PodSpec): void {
    if (this.#pods.has(spec.uid) || this.#hostPods.has(spec.uid)) return;
    const { host } = this.#site;
    if (spec.hostNetwork) {
      const closers = spec.ports.map(
        ({ port }) => serveEcho(host, { port, backend: podName(spec) }),
      );
      this.#hostPods.set(spec.uid, () => closers.forEach((close) => close()));
      return;
    }
    this.#made += 1;
    const pod = new SimPod(this.#site, spec, podLink(this.#made));
    this.#pods.set(spec.uid, pod);
    this.#byIfindex.set(pod.link.ifindex, pod);
    for (const address of spec.ips) this.#byIp.set(address, pod);
    this.#site.changed();
  }

  stop(uid: string): void {
    this.#hostPods.get(uid)?.();
    this.#hostPods.delete(uid);
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    pod.kill();
    this.#pods.delete(uid);
    this.#byIfindex.delete(pod.link.ifindex);
    this.#site.changed();
    for (const address of pod.spec.ips) {
      if (this.#byIp.get(address) === pod) this.#byIp.delete(address);
    }
  }

  stopAll(): void {
    for (const uid of [...this.#pods.keys(), ...this.#hostPods.keys()]) this.stop(uid);
  }

  /** Where traffic of a running pod may start; undefined for one that does not run here. */
  client(uid: string): TrafficHost | undefined {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return undefined;
    const addressOf = (family: Family): Ip | undefined => pod.spec.ips.find(
      (address) => familyOf(address) === family,
    );
    return { name: podName(pod.spec), stack: { addressOf }, transport: pod.transport };
  }
}

/** Devices of pods are numbered above any uplink; a number is never used twice in a boot. */
const podIfindexFirst = 1_000;
const podMtuBytes = 1_500;

function podLink(number: number): PodLink {
  const ifindex = podIfindexFirst + number;
  // The second octet tells the ends of the pair apart; both are local to the node (RFC 7042 2.1).
  const tail = [number >>> 16, number >>> 8, number].map(
    (octet) => (octet & 0xff).toString(16).padStart(2, '0'),
  ).join(':');
  const [mac, hostMac] = [`02:01:00:${tail}`, `02:02:00:${tail}`];
  return {
    ifindex, mac, hostMac, mtuBytes: podMtuBytes, cookie: ifindex,
    host: { ifindex, mac: hostMac },
    inward: new LinkHeader({ ethSource: hostMac, ethTarget: mac }),
    outward: new LinkHeader({ ethSource: mac, ethTarget: hostMac }),
  };
}
