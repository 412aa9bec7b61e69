import { etherTypeArp, etherTypeIpv6 } from '../../l2/frames.ts';
import type { Ip } from '../../lb/ip.ts';
import type { LinkFacts, LinkPort, RouteFacts } from '../../lb/ports.ts';
import { err, ok } from '../../lb/result.ts';
import { Frame } from '../net/frame.ts';
import type { Nic } from '../net/nic.ts';
import type { Route } from '../net/route.ts';
import type { StackInterface } from '../net/stack.ts';
import type { PacketTap } from '../net/tap.ts';
import type { Process } from '../process.ts';

const frameHeaderBytes = 14;
/** SO_MARK of the sockets that announce (l2.md 5.4). */
const announcementMark = 0x666c0001;

interface Hearer {
  readonly process: Process;
  links: (() => void)[];
  frames: ((ifindex: number, frame: Uint8Array) => void)[];
  readonly joined: Map<string, { readonly nic: Nic; readonly group: Ip }>;
  told: boolean;
}

/** What the links of a node need to know of it. */
export interface LinkSite {
  readonly name: string;
  readonly tap: PacketTap;
  /** The egress hook of an interface; undefined: the frame ends there. */
  egress(frame: Frame, nic: Nic, mark: number): Frame | undefined;
  running(): boolean;
  interfaces(): readonly StackInterface[];
  routes(): readonly Route<StackInterface>[];
  /** The interface that the default route leaves by. */
  defaultInterface(): StackInterface | undefined;
}

/**
 * The raw side of a node's interfaces, shared by the processes that have sockets on them. What a
 * process opened is closed when it ends.
 */
export class NodeLinks {
  #site: LinkSite;
  #hearers: Hearer[] = [];

  constructor(site: LinkSite) {
    this.#site = site;
  }

  /** Every ARP frame and Neighbor Advertisement goes to whoever listens, as a copy. */
  hear(nic: Nic, frame: Frame): void {
    for (const hearer of this.#hearers) {
      for (const listener of hearer.frames) {
        hearer.process.enter(() => listener(nic.ifindex, frame.bytes));
      }
    }
  }

  /** An interface or address changed: each process is told once, a moment later. */
  changed(): void {
    for (const hearer of this.#hearers) {
      if (hearer.told || hearer.links.length === 0) continue;
      hearer.told = true;
      hearer.process.later(0, 'links', () => {
        hearer.told = false;
        for (const listener of hearer.links) listener();
      });
    }
  }

  facts(): readonly LinkFacts[] {
    const uplink = this.#site.defaultInterface();
    const facts = this.#site.interfaces().map((iface) => ({
      name: iface.nic.name, ifindex: iface.nic.ifindex, mac: iface.nic.mac,
      adminUp: iface.nic.adminUp, carrier: iface.nic.carrier,
      loopback: false, noArp: false, enslaved: false,
      addresses: [...iface.addresses], defaultRoute: iface === uplink,
    }));
    return [loopback, ...facts];
  }

  portOf(process: Process): LinkPort {
    const hearer: Hearer = { process, links: [], frames: [], joined: new Map(), told: false };
    this.#hearers.push(hearer);
    process.onEnd(() => this.#close(hearer));
    return {
      links: () => {
        process.operation();
        return this.facts();
      },
      routes: () => {
        process.operation();
        return this.#site.routes().map((route): RouteFacts => ({
          prefix: route.prefix.prefix, gateway: route.via, ifindex: route.iface.nic.ifindex,
          metric: 0,
        }));
      },
      onLinks: (listener) => hearer.links.push(listener),
      onFrame: (listener) => hearer.frames.push(listener),
      send: (ifindex, frame) => {
        process.operation();
        return this.#send(ifindex, frame);
      },
      join: (ifindex, group) => {
        process.operation();
        const nic = this.#nic(ifindex);
        if (nic === undefined) return err({ kind: 'ENODEV' });
        const key = `${ifindex} ${group}`;
        if (!hearer.joined.has(key)) nic.join(group);
        hearer.joined.set(key, { nic, group });
        return ok(undefined);
      },
      leave: (ifindex, group) => {
        process.operation();
        const membership = hearer.joined.get(`${ifindex} ${group}`);
        hearer.joined.delete(`${ifindex} ${group}`);
        membership?.nic.leave(group);
      },
    };
  }

  #send(ifindex: number, bytes: Uint8Array): ReturnType<LinkPort['send']> {
    const nic = this.#nic(ifindex);
    if (nic === undefined) return err({ kind: 'ENODEV' });
    if (!nic.carrier) return err({ kind: 'ENETDOWN' });
    if (bytes.length > nic.mtuBytes + frameHeaderBytes) return err({ kind: 'EMSGSIZE' });
    // A marked announcement without a valid key is dropped by the egress hook (l2.md 5.4): the
    // sender never hears of it.
    const frame = this.#site.egress(Frame.ofBytes(bytes), nic, announcementMark);
    if (frame === undefined) return ok(undefined);
    return nic.send(frame) ? ok(undefined) : err({ kind: 'ENETDOWN' });
  }

  #nic(ifindex: number): Nic | undefined {
    return this.#site.interfaces().find((iface) => iface.nic.ifindex === ifindex)?.nic;
  }

  #close(hearer: Hearer): void {
    this.#hearers = this.#hearers.filter((other) => other !== hearer);
    const joined = [...hearer.joined.values()];
    hearer.joined.clear();
    if (joined.length === 0) return;
    // Later, because a process that ends with its machine leaves no farewell on the wire.
    this.#site.tap.world.schedule(0, { kind: 'leave-groups', entity: hearer.process.name }, () => {
      if (this.#site.running()) for (const { nic, group } of joined) nic.leave(group);
    });
  }
}

/** True for the frames that conflict detection listens to. */
export function isConflictEvidence(frame: Frame): boolean {
  if (frame.etherType === etherTypeArp) return true;
  return frame.etherType === etherTypeIpv6 && frame.ndp?.kind === 'advertisement';
}

const loopback: LinkFacts = {
  name: 'lo', ifindex: 1, mac: '00:00:00:00:00:00', adminUp: true, carrier: true,
  loopback: true, noArp: true,  enslaved: false, addresses: [], defaultRoute: false,
};
