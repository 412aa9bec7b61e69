import type { KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import { familyOf, ipv4NumberAt, type Ip } from '../lb/ip.ts';
import type { Clock, Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import type { Address } from './address.ts';
import type { Bursts } from './burst.ts';
import type { Chronicle } from './chronicle.ts';
import { Conflicts } from './conflict.ts';
import { arpOffsets, arpOpcode, decodeArp, decodeNdp } from './frames.ts';
import { lockName, type Notice } from './lease.ts';
import type { Links } from './links.ts';
import type { Session } from './session.ts';
import type { LeaseView } from './view.ts';

export interface ClaimParts {
  readonly clock: Clock;
  readonly kube: KubePort;
  readonly wake: (callback: () => void) => void;
  readonly namespace: string;
  readonly links: Links;
  readonly view: LeaseView;
  readonly bursts: Bursts;
  readonly chronicle: Chronicle;
  readonly session: () => Session;
  readonly address: (address: Ip) => Address | undefined;
  /** Whether this node does anything for the IPv4 address of that number. */
  readonly occupied: (ipv4: number) => boolean;
  readonly linksChanged: () => void;
  /** Notices of the session changed. */
  readonly changed: () => void;
  readonly relist: () => void;
}

interface Claim {
  readonly ip: Ip;
  readonly mac: string;
  readonly ifindex: number;
}

/** Hears who else claims the addresses that this node answers for (l2.md 9.3 and rule I5). */
export class Claims {
  #parts: ClaimParts;
  #conflicts = new Conflicts();
  #toldUntil: Micros | undefined;

  constructor(parts: ClaimParts) {
    this.#parts = parts;
  }

  /**
   * False for an ARP frame about an address of others, as nearly every one is. Asked of each frame
   * of a segment, it makes no text of the address.
   */
  concerns(frame: Uint8Array): boolean {
    return arpOpcode(frame) === undefined
      || this.#parts.occupied(ipv4NumberAt(frame, arpOffsets.senderIp));
  }

  /** One ARP frame or advertisement that arrived on an interface. */
  hear(ifindex: number, frame: Uint8Array): void {
    const claim = claimOf(ifindex, frame);
    if (claim === undefined) return;
    const address = this.#parts.address(claim.ip);
    if (address === undefined || !address.answers) return;
    const own = this.#parts.links.owner(claim.mac);
    if (own === undefined) return this.#conflict(address, claim);
    if (own.ifindex === ifindex) return;
    if (this.#parts.links.sameSegment({ sent: own, received: ifindex }, familyOf(claim.ip))) {
      const heard = this.#nameOf(ifindex);
      const [silent, kept] = own.ifindex > ifindex ? [own.name, heard] : [heard, own.name];
      this.#parts.chronicle.duplicateSegment(claim.ip, { silent, kept });
    }
    this.#parts.linksChanged();
  }

  /** The foreign MAC of the last minute. */
  foreign(address: Ip): string | undefined {
    return this.#conflicts.recent(address, this.#parts.clock.now());
  }

  notices(): Notice[] {
    const now = this.#parts.clock.now();
    const conflicts = this.#conflicts.notices(now);
    this.#toldUntil = this.#conflicts.nextEnd(now);
    const segments = this.#parts.links.suspensions().sort((a, b) => compareText(a.link, b.link));
    return [
      ...segments.map(
        ({ link, by }) => ({ kind: 'duplicate-segment' as const, subject: link, by }),
      ),
      ...conflicts.map(
        ({ ip, mac }) => ({ kind: 'address-conflict' as const, subject: ip, by: mac }),
      ),
    ];
  }

  /** True once when a notice that the session told of has ended. */
  noticesEnded(): boolean {
    if (this.#toldUntil === undefined || this.#parts.clock.now() < this.#toldUntil) return false;
    this.#toldUntil = undefined;
    return true;
  }

  #conflict(address: Address, claim: Claim): void {
    const { clock, chronicle, links } = this.#parts;
    const fresh = this.#conflicts.note(claim.ip, claim.mac, clock.now());
    if (fresh) {
      const own = links.usable().find((link) => link.ifindex === claim.ifindex)?.mac ?? 'unknown';
      const known = this.#ofOtherSession(claim.mac);
      chronicle.conflict(claim.ip, { own, foreign: claim.mac, known });
      this.#parts.changed();
    }
    // Without the API nobody can say whose the lock is now, and evidence of another owner wins.
    if (address.state === 'overtime') return address.send({ type: 'DENIED' });
    if (this.#ofOtherSession(claim.mac)) this.#ask(address, claim);
    else this.#defend(address, claim);
  }

  #ofOtherSession(mac: string): boolean {
    const { view, session } = this.#parts;
    for (const seen of view.sessions.values()) {
      if (seen.identity === session().identity) continue;
      if (seen.state?.links.some((link) => link.mac === mac) === true) return true;
    }
    return false;
  }

  /** Reads the lock consistently: no longer ours, the keys go at once; ours, it is defended. */
  #ask(address: Address, claim: Claim): void {
    const { kube, wake, namespace, session, view } = this.#parts;
    const { identity } = session();
    const ref = { resource: resources.leases, namespace, name: lockName(claim.ip) };
    kube.request({ verb: 'get', ref, timeout: 1_000_000 }, (result) => wake(() => {
      if (session().identity !== identity || !address.answers) return;
      if (!result.ok && result.error.kind !== 'gone') return;
      const object = result.ok && result.value.kind === 'object' ? result.value.object : undefined;
      const spec = object?.['spec'] as { readonly holderIdentity?: unknown } | undefined;
      if (spec?.holderIdentity === identity) return this.#defend(address, claim);
      address.deniedVersion = view.locks.get(lockName(claim.ip))?.reading.resourceVersion;
      address.send({ type: 'VIEW', hold: 'other', candidate: false });
      this.#parts.relist();
    }));
  }

  #defend(address: Address, claim: Claim): void {
    const { clock, bursts, links, chronicle } = this.#parts;
    if (!this.#conflicts.defend(claim.ip, clock.now())) return;
    const link = links.usable().find((one) => one.ifindex === claim.ifindex);
    if (link === undefined) return;
    bursts.defend(address.ip, link.name);
    chronicle.healed(address.ip, `defended on ${link.name} against ${claim.mac}`);
  }

  #nameOf(ifindex: number): string {
    const link = this.#parts.links.usable().find((one) => one.ifindex === ifindex);
    return link?.name ?? `interface ${ifindex}`;
  }
}

function claimOf(ifindex: number, frame: Uint8Array): Claim | undefined {
  const arp = decodeArp(frame);
  // A probe claims nothing yet; its sender address is unset.
  if (arp !== undefined) {
    if (arp.senderIp === '0.0.0.0') return undefined;
    return { ip: arp.senderIp, mac: arp.senderMac, ifindex };
  }
  const ndp = decodeNdp(frame);
  if (ndp === undefined || ndp.kind !== 'advertisement') return undefined;
  return { ip: ndp.target, mac: ndp.linkLayer ?? ndp.ethSource, ifindex };
}
