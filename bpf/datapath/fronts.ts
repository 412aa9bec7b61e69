import type { Ip } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { FrontConflict } from '../../lb/view.ts';
import { frontKind } from '../layout.gen.ts';
import type { FrontImage, ImageOwner, RecordImage } from './image.ts';
import type { Programmed } from './programmed.ts';

/** One row of `fl_front` that somebody asks for or that the kernel has. */
export interface Front {
  readonly image: FrontImage;
  /** Service ports that ask for it, the first of them by right. */
  claims: readonly Programmed[];
  /** In the kernel; 0: there is no row. */
  svcId: number;
  kind: number;
}

/** One write or removal of a row of `fl_front`. */
export interface FrontWrite {
  readonly front: Front;
  /** Undefined: the row goes. */
  readonly holder: Programmed | undefined;
}

/** What a table of fronts asks of its node. */
export interface FrontRules {
  /** Whether an ExternalIP is served here (datapath.md 1, `externalIPs`). */
  honours(ip: Ip): boolean;
}

/** The service ports' claims to fronts: who should have each, and who has it (datapath.md 3). */
export class Fronts {
  #rules: FrontRules;
  #fronts = new Map<string, Front>();
  #dirty = new Set<Front>();
  #contested = new Set<Front>();

  constructor(rules: FrontRules) {
    this.#rules = rules;
  }

  get(key: string): Front | undefined {
    return this.#fronts.get(key);
  }

  values(): Iterable<Front> {
    return this.#fronts.values();
  }

  /** Keys of an image that count on this node. */
  keysOf(image: RecordImage): readonly FrontImage[] {
    return image.fronts.filter((front) => this.#counts(front));
  }

  /** Adds the claims of `image`; those who stood first before are told to `displaced`. */
  claim(port: Programmed, image: RecordImage, displaced: (port: Programmed) => void): void {
    for (const wanted of image.fronts) {
      if (!this.#counts(wanted)) continue;
      const front = this.#front(wanted);
      const [first] = front.claims;
      if (!front.claims.includes(port)) {
        front.claims = first === undefined ? [port] : [...front.claims, port];
      }
      if (first === undefined) continue;
      if (first === port && front.claims.length === 1) {
        // Alone, as nearly always: there is nobody to be compared with.
        this.#dirty.add(front);
        continue;
      }
      this.#arrange(front);
      if (first !== front.claims[0]) displaced(first);
    }
  }

  /** Ends the claims of `image` that none of `kept` has; those who stand first now are told. */
  release(port: Programmed, image: RecordImage, { kept, promoted }: Release): void {
    for (const { key } of image.fronts) {
      if (kept.some((image) => image?.fronts.some((front) => front.key === key))) continue;
      const front = this.#fronts.get(key);
      if (front === undefined) continue;
      front.claims = front.claims.filter((other) => other !== port);
      if (front.claims.length < 2) this.#contested.delete(front);
      this.#dirty.add(front);
      if (front.claims[0] !== undefined) promoted(front.claims[0]);
    }
  }

  /** Looks at these fronts again when changes are asked for. */
  touch(image: RecordImage): void {
    for (const { key } of image.fronts) this.touchKey(key);
  }

  touchKey(key: string): void {
    const front = this.#fronts.get(key);
    if (front !== undefined) this.#dirty.add(front);
  }

  touchAll(): void {
    for (const front of this.#fronts.values()) this.#dirty.add(front);
  }

  /** Whether the service port is first for any front, or holds one until somebody else takes it. */
  needs(port: Programmed): boolean {
    if (port.fronts > 0 && port.wanted !== undefined) return true;
    return port.wanted?.fronts.some(
      (front) => this.#fronts.get(front.key)?.claims[0] === port,
    ) === true;
  }

  /** What differs between the fronts that were touched and the kernel; asked for once. */
  changes(): FrontWrite[] {
    const writes: FrontWrite[] = [];
    for (const front of this.#dirty) {
      const holder = holderOf(front);
      const svcId = holder?.svcId ?? 0;
      const kind = holder === undefined ? 0 : shownKind(holder, front);
      if (svcId !== front.svcId || kind !== front.kind) writes.push({ front, holder });
      else this.#sweep(front);
    }
    this.#dirty.clear();
    return writes;
  }

  /** Asks again for a change that was not made. */
  again({ front }: FrontWrite): void {
    this.#dirty.add(front);
  }

  /** Notes that the kernel has the row now. */
  wrote({ front, holder }: FrontWrite): void {
    front.svcId = holder?.svcId ?? 0;
    front.kind = holder === undefined ? 0 : shownKind(holder, front);
    this.#sweep(front);
  }

  /** Adopts a row that the kernel has, or corrects what is known of one; svcId 0: no row. */
  observe(image: FrontImage, svcId: number): Front {
    const front = this.#front(image);
    front.svcId = svcId;
    front.kind = svcId === 0 ? 0 : image.kind;
    return front;
  }

  /** Losers of fronts that several Services claim, in order of front. */
  conflicts(): readonly FrontConflict[] {
    const found: FrontConflict[] = [];
    for (const front of this.#contested) {
      const [winner, ...losers] = front.claims.map((port) => ownerOf(port));
      if (winner === undefined) continue;
      for (const loser of losers) {
        if (loser === undefined || loser.service === winner.service) continue;
        const place = `${front.image.ip ?? 'node'}:${front.image.port}/${winner.protocol}`;
        found.push({ front: place, winner: winner.service, loser: loser.service });
      }
    }
    return found.sort((left, right) => compareText(
      `${left.front} ${left.loser}`, `${right.front} ${right.loser}`,
    ));
  }

  #counts(front: FrontImage): boolean {
    return front.kind !== frontKind.externalIp || front.ip === undefined
      || this.#rules.honours(front.ip);
  }

  #front(image: FrontImage): Front {
    const known = this.#fronts.get(image.key);
    if (known !== undefined) return known;
    const front = { image, claims: [], svcId: 0, kind: 0 };
    this.#fronts.set(image.key, front);
    return front;
  }

  #arrange(front: Front): void {
    const { key } = front.image;
    front.claims = front.claims.toSorted((left, right) => compareClaims(
      { owner: ownerOf(left), kind: claimedKind(left, key) },
      { owner: ownerOf(right), kind: claimedKind(right, key) },
    ));
    if (front.claims.length > 1) this.#contested.add(front);
    this.#dirty.add(front);
  }

  #sweep(front: Front): void {
    if (front.svcId === 0 && front.claims.length === 0) this.#fronts.delete(front.image.key);
  }
}

interface Release {
  /** Images that the service port goes on with. */
  readonly kept: readonly (RecordImage | undefined)[];
  readonly promoted: (port: Programmed) => void;
}

interface Claim {
  readonly owner: ImageOwner | undefined;
  readonly kind: number;
}

/** Kind decides, then age, then namespace/name; an unknown age is the youngest. */
function compareClaims(left: Claim, right: Claim): number {
  if (left.kind !== right.kind) return left.kind - right.kind;
  const age = ageOf(left.owner) - ageOf(right.owner);
  if (age !== 0 && !Number.isNaN(age)) return age;
  return compareText(left.owner?.service ?? '', right.owner?.service ?? '')
    || compareText(left.owner?.id ?? '', right.owner?.id ?? '');
}

function ageOf(owner: ImageOwner | undefined): number {
  const created = owner?.createdAtMs ?? 0;
  return created === 0 ? Infinity : created;
}

function ownerOf(port: Programmed): ImageOwner | undefined {
  const image = port.wanted ?? port.shown;
  return image?.kind === 'service-port' ? image : undefined;
}

// The first by right whose record is in the map and who shows this front. A front never exists
// before its service record, so a better claim waits until its set is committed.
function holderOf(front: Front): Programmed | undefined {
  return front.claims.find((port) => port.live && shows(port, front));
}

// Before a service port of an earlier process is gone through, it has what the kernel says.
function shows(port: Programmed, front: Front): boolean {
  if (port.shown === undefined) return front.svcId === port.svcId;
  return port.shown.fronts.some(({ key }) => key === front.image.key);
}

/** The kind that the row of a front has while this service port holds it. */
export function shownKind(port: Programmed, { image: { key }, kind }: Front): number {
  if (port.shown === undefined) return kind;
  return port.shown.fronts.find((front) => front.key === key)?.kind ?? 0;
}

// Precedence follows what is wanted: an order by what is shown would depend on who was first.
function claimedKind(port: Programmed, key: string): number {
  const images = [port.wanted, port.shown];
  const found = images.map((image) => image?.fronts.find((front) => front.key === key));
  return found.find((front) => front !== undefined)?.kind ?? 0;
}
