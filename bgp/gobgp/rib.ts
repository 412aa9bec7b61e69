import { familyOf, type Ip, type Prefix } from '../../lb/ip.ts';
import type { LargeCommunity, PeerName, Route } from '../port.ts';
import type { Target } from './names.ts';

/** Attributes as policies can give them to one target. */
export interface Attributes {
  readonly communities: readonly number[];
  readonly large: readonly LargeCommunity[];
  /** Internal peers only. */
  readonly localPref: number | undefined;
  /** Next hop of an IPv6 route on an IPv4 session. */
  readonly next6: Ip | undefined;
}

/** One path of the daemon's global table: what it carries, and who sees it. */
export interface PathState {
  readonly origin: Route['origin'];
  readonly communities: readonly number[];
  readonly large: readonly LargeCommunity[];
  readonly localPref: number | undefined;
  /** Ascending by index. */
  readonly targets: readonly Target[];
}

/** A peer as far as paths are concerned. */
export interface RibPeer {
  readonly name: PeerName;
  readonly index: number;
  /** Same AS number as ours: it sees LOCAL_PREF. */
  readonly internal: boolean;
  /** On IPv4 sessions only. */
  readonly next6: Ip | undefined;
  /** What its statement of set 0 sets; later next hops take other sets (G28). */
  readonly zeroNext6: Ip | undefined;
}

/** Numbers of attributes that some target sees otherwise than carried; never used again. */
export class AttributeSets {
  #numbers = new Map<string, number>();
  #attributes = new Map<number, Attributes>();
  #next = 1;

  numberOf(attributes: Attributes): number {
    const key = attributesKey(attributes);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#put(this.#next, key, attributes);
    return this.#next - 1;
  }

  /** What a number stands for; undefined for 0 and for numbers never given. */
  attributesOf(set: number): Attributes | undefined {
    return this.#attributes.get(set);
  }

  /** Takes a number up as a running daemon uses it. */
  adopt(set: number, attributes: Attributes): void {
    const key = attributesKey(attributes);
    if (this.#attributes.has(set)) return;
    this.#put(set, key, attributes);
  }

  #put(set: number, key: string, attributes: Attributes): void {
    if (!this.#numbers.has(key)) this.#numbers.set(key, set);
    this.#attributes.set(set, attributes);
    this.#next = Math.max(this.#next, set + 1);
  }
}

function attributesKey({ communities, large, localPref, next6 }: Attributes): string {
  return `${communities.join()}|${large.join(';')}|${localPref ?? ''}|${next6 ?? ''}`;
}

/** One target's wish for one prefix. */
export interface Wish {
  readonly peer: RibPeer;
  readonly route: Route;
}

/**
 * The one path that gives every target what it is to see, or undefined where there is none. Where
 * all see the same, the path carries it and each target has set 0; else the path is bare and each
 * target has a set of its own attributes.
 */
export function pathFor(
  prefix: Prefix, wishes: readonly Wish[], sets: AttributeSets,
): PathState | undefined {
  const [first] = wishes;
  if (first === undefined) return undefined;
  const v6 = familyOf(prefix) === 'IPv6';
  // A policy cannot set ORIGIN in GoBGP 3, and one setting of the owner gives it to all peers.
  const origin = wishes.some(({ route }) => route.origin === 'incomplete') ? 'incomplete' : 'igp';
  if (wishes.every((wish) => likeCarried(wish, first, v6)) && sameLocalPref(wishes)) {
    const localPref = wishes.find(({ peer }) => peer.internal)?.route.localPref;
    const { communities, large } = first.route;
    return { origin, communities, large, localPref, targets: targets(wishes, () => 0) };
  }
  return {
    origin, communities: [], large: [], localPref: undefined,
    targets: targets(wishes, ({ peer, route }) => sets.numberOf({
      communities: route.communities, large: route.large,
      localPref: peer.internal ? route.localPref : undefined, next6: v6 ? peer.next6 : undefined,
    })),
  };
}

function likeCarried({ peer, route }: Wish, first: Wish, v6: boolean): boolean {
  if (v6 && peer.next6 !== peer.zeroNext6) return false;
  if (route === first.route) return true;
  return route.communities.join() === first.route.communities.join()
    && route.large.join(';') === first.route.large.join(';');
}

function sameLocalPref(wishes: readonly Wish[]): boolean {
  const inner = wishes.filter(({ peer }) => peer.internal);
  return inner.every(({ route }) => route.localPref === inner[0]?.route.localPref);
}

function targets(wishes: readonly Wish[], setOf: (wish: Wish) => number): readonly Target[] {
  return wishes.map((wish) => ({ index: wish.peer.index, set: setOf(wish) }))
    .toSorted((left, right) => left.index - right.index);
}

/** Equal texts are equal paths. */
export function pathKey(path: PathState): string {
  const { origin, communities, large, localPref, targets: whom } = path;
  const seen = whom.map(({ index, set }) => `${index}:${set}`).join();
  return `${origin}|${communities.join()}|${large.join(';')}|${localPref ?? ''}|${seen}`;
}
