import { familyOf, ip, type Family, type Ip } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import { Host } from '../net/host.ts';
import type { Link } from '../net/link.ts';
import type { NeighbourFacts } from '../net/neighbour.ts';
import { BgpRouter } from '../bgp/bgprouter.ts';
import { Md5Keys } from '../bgp/keys.ts';
import { Router } from '../net/router.ts';
import { Segment } from '../net/segment.ts';
import type { StackInterface } from '../net/stack.ts';
import type { PacketTap } from '../net/tap.ts';
import type { RouterBgpSpec } from '../scenario/parse-bgp.ts';
import type { LinkSpec } from '../scenario/spec.ts';
import type { MachinePlan, Topology } from './topology.ts';
import { demand } from '../scenario/error.ts';

/** Identifier of a router without an IPv4 address. */
const unnumberedId = ip('192.0.2.1');

/** The wires of a cluster and the machines on them that are not nodes. */
export class Network {
  readonly topology: Topology;
  readonly hosts = new Map<string, Host>();
  readonly routers = new Map<string, Router>();
  /** Those of them that speak BGP. */
  readonly bgpRouters = new Map<string, BgpRouter>();
  /** Who signs its segments with what (RFC 2385). */
  readonly keys = new Md5Keys();
  #segments: ReadonlyMap<string, Segment>;
  #macs = 0;

  constructor(tap: PacketTap, topology: Topology) {
    this.topology = topology;
    this.#segments = new Map(
      topology.segments.map((plan) => [plan.name, new Segment(tap, plan.name, plan.switch)]),
    );
    for (const plan of topology.machines) {
      if (plan.kind === 'router') this.#addRouter(tap, plan);
    }
    for (const plan of topology.machines) {
      if (plan.kind === 'client' || plan.kind === 'host') this.#addHost(tap, plan);
    }
  }

  /** A MAC of the locally administered range, a new one at each call. */
  newMac(): string {
    this.#macs += 1;
    const tail = [16, 8, 0].map((shift) =>
      ((this.#macs >> shift) & 0xff).toString(16).padStart(2, '0'),
    );
    return `02:00:00:${tail.join(':')}`;
  }

  segment(name: string): Segment {
    const segment = this.#segments.get(name);
    demand(segment !== undefined, `segment ${name} exists; there are ${namesOf(this.#segments)}`);
    return segment;
  }

  segments(): Segment[] {
    return [...this.#segments.keys()].sort(compareText).map((name) => this.segment(name));
  }

  /** Links of a machine: all of them; by `MACHINE@SEGMENT` or `SEGMENT/MACHINE` one. */
  links(name: string): Link[] {
    const slash = /^([^/]+)\/([^:]+)(?::.*)?$/u.exec(name);
    const [owner, where] = slash === null ? name.split('@') : [slash[2], slash[1]];
    const segments = where === undefined ? this.segments() : [this.segment(where)];
    const links = segments.flatMap((segment) => segment.linkOf(owner ?? '') ?? []);
    demand(links.length > 0, `machine ${name} has a link`);
    return links;
  }

  configureLinks(specs: readonly LinkSpec[]): void {
    for (const spec of specs) {
      for (const link of this.links(spec.name)) {
        if (spec.delay !== undefined || spec.delayMean !== undefined) {
          link.setDelay({ min: spec.delay ?? 50, mean: spec.delayMean ?? 0 });
        }
        if (spec.loss !== undefined) link.setRatio('lossPpm', spec.loss);
      }
    }
  }

  /** The neighbour tables of a host or router, one per interface. */
  neighbourCaches(machine: string): readonly StackInterface['neighbours'][] {
    const found = this.hosts.get(machine) ?? this.routers.get(machine);
    demand(found !== undefined, `host or router ${machine} exists`);
    return found.stack.interfaces.map((iface) => iface.neighbours);
  }

  /** What a host or router knows about a neighbour; undefined when it has no entry. */
  neighbour(machine: string, address: Ip): NeighbourFacts | undefined {
    const found = this.hosts.get(machine) ?? this.routers.get(machine);
    demand(found !== undefined, `host or router ${machine} exists`);
    return found.neighbour(address);
  }

  /** Address of the router that `plan` uses, on a segment they share. */
  gatewayOf(plan: MachinePlan, family: Family): Ip | undefined {
    const router = this.topology.machines.find((machine) => machine.name === plan.gateway);
    for (const nic of plan.nics) {
      const shared = router?.nics.find((other) => other.segment === nic.segment);
      const address = shared?.addresses.find((candidate) => familyOf(candidate.ip) === family);
      if (address !== undefined) return address.ip;
    }
    return undefined;
  }

  #addRouter(tap: PacketTap, plan: MachinePlan): void {
    const router = new Router(tap, { name: plan.name, neighbour: plan.neighbour });
    for (const nic of plan.nics) {
      router.connect({
        segment: this.segment(nic.segment),
        mac: this.newMac(),
        addresses: nic.addresses,
        extraPrefixes: nic.onLink.map((prefix) => prefix.prefix),
      });
    }
    this.routers.set(plan.name, router);
    if (plan.bgp !== undefined) this.#addBgp(tap, router, plan.bgp);
  }

  // oxlint-disable-next-line max-params -- the tap, the machine, and what it is to speak
  #addBgp(tap: PacketTap, router: Router, spec: RouterBgpSpec): void {
    const routerId = spec.routerId ?? router.stack.addressOf('IPv4') ?? unnumberedId;
    const bgp = new BgpRouter(router, tap, { ...spec, routerId }, this.keys);
    this.bgpRouters.set(router.name, bgp);
  }

  #addHost(tap: PacketTap, plan: MachinePlan): void {
    const [nic] = plan.nics;
    demand(nic !== undefined, `host ${plan.name} is attached to a segment`);
    const gateways = (['IPv4', 'IPv6'] as const).flatMap(
      (family) => this.gatewayOf(plan, family) ?? [],
    );
    this.hosts.set(
      plan.name,
      new Host(tap, {
        name: plan.name,
        mac: this.newMac(),
        segment: this.segment(nic.segment),
        addresses: nic.addresses,
        gateways,
        neighbour: plan.neighbour,
      }),
    );
  }
}

function namesOf(named: ReadonlyMap<string, unknown>): string {
  return [...named.keys()].sort(compareText).join(', ');
}
