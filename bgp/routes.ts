import type { BgpAdvertisement, BgpFamily } from '../lb/bgpmodel.ts';
import type { Family, Prefix } from '../lb/ip.ts';
import { compileSelector } from '../lb/selector.ts';
import { compareText } from '../lb/table.ts';
import { mergeAttributes, reservedLarge, sameAttributes } from './attributes.ts';
import {
  entryYield, type Contribution, type EntrySource, type EntryYield, type RouteSources,
} from './contributions.ts';
import type { Route } from './port.ts';

/** Routes of one peer with what an operator should know about them. */
export interface PeerRoutes {
  /** By family, then by text of the prefix. */
  readonly routes: readonly Route[];
  /** Prefixes shorter than a host that stand for Services: packets to what is no front must end. */
  readonly aggregates: readonly Prefix[];
  /** Reasons first, as bgp.md names them. */
  readonly warnings: readonly string[];
}

/** What decides the routes of a peer besides the sources. */
export interface PeerOffer {
  readonly families: readonly BgpFamily[];
  /** Families that have a next hop; the others are withheld. */
  readonly usable: readonly Family[];
  /** False: the neighbour is of another AS, where a local preference means nothing. */
  readonly internal: boolean;
}

/**
 * Derives routes from one state of all inputs. What several peers ask for is derived once: entries
 * of one advertisement yield the same to everybody.
 */
export class RouteDerivation {
  #from: RouteSources;
  #advertisements: readonly BgpAdvertisement[];
  #yields = new Map<string, EntryYield>();
  /** By what is offered: most peers of a node share one PeerConfig. */
  #offers = new Map<readonly BgpFamily[], Map<string, PeerRoutes>>();

  constructor(from: RouteSources, advertisements: Iterable<BgpAdvertisement>) {
    this.#from = from;
    this.#advertisements = [...advertisements]
      .sort((left, right) => compareText(left.meta.name, right.meta.name));
  }

  /** The union of what the advertisements of each family yield in it (bgp.md 4). */
  routesOf(offer: PeerOffer): PeerRoutes {
    const same = this.#offers.get(offer.families) ?? new Map<string, PeerRoutes>();
    this.#offers.set(offer.families, same);
    const key = `${offer.usable.join(' ')} ${String(offer.internal)}`;
    const known = same.get(key) ?? this.#derive(offer);
    same.set(key, known);
    return known;
  }

  #derive(offer: PeerOffer): PeerRoutes {
    const warnings = new Set<string>();
    const routes: Route[] = [];
    const aggregates: Prefix[] = [];
    for (const family of ['IPv4', 'IPv6'] as const) {
      if (!offer.usable.includes(family)) continue;
      const merged = this.#contributors(offer, family, warnings);
      const differing: Prefix[] = [];
      for (const prefix of [...merged.keys()].sort(compareText)) {
        const contributors = merged.get(prefix) ?? [];
        if (contributors.every(({ adds }) => adds)) continue;
        routes.push(routeOf(prefix, contributors, offer.internal));
        if (isAggregate(contributors)) aggregates.push(prefix);
        if (differ(contributors)) differing.push(prefix);
      }
      if (differing.length > 0) warnings.add(`AttributesMerged ${listed(differing)}`);
    }
    return { routes, aggregates, warnings: [...warnings].sort(compareText) };
  }

  // A family that stands twice carries the advertisements of both.
  #contributors(
    offer: PeerOffer, family: Family, warnings: Set<string>,
  ): Map<Prefix, Contribution[]> {
    const merged = new Map<Prefix, Contribution[]>();
    for (const { family: of, advertisements } of offer.families) {
      if (of !== family || advertisements === undefined) continue;
      for (const contribution of this.contributions(advertisements, warnings)) {
        if (contribution.family !== family || contribution.refused !== undefined) continue;
        const others = merged.get(contribution.prefix);
        if (others === undefined) merged.set(contribution.prefix, [contribution]);
        else others.push(contribution);
      }
    }
    return merged;
  }

  /** Of every entry of the advertisements that a selector names, what counts and what does not. */
  contributions(
    selector: NonNullable<BgpFamily['advertisements']>, warnings: Set<string>,
  ): Contribution[] {
    const selects = compileSelector(selector);
    if (!selects.ok) {
      warnings.add(`InvalidSelector families.advertisements.${selects.error.path}`);
      return [];
    }
    return this.#advertisements.filter(({ meta }) => selects.value(meta.labels))
      .flatMap((advertisement) => advertisement.entries.flatMap((entry, index) => {
        const source = { advertisement: advertisement.meta.name, index, entry };
        const { contributions, reports } = this.#yieldOf(source);
        for (const report of reports) warnings.add(report);
        for (const value of reservedLarge(entry.attributes)) {
          warnings.add(`ReservedCommunity ${source.advertisement}[${index}]: ${value.join(':')}`);
        }
        return contributions;
      }));
  }

  #yieldOf(source: EntrySource): EntryYield {
    const key = `${source.index} ${source.advertisement}`;
    const known = this.#yields.get(key);
    if (known !== undefined) return known;
    const yielded = entryYield(source, this.#from);
    this.#yields.set(key, yielded);
    return yielded;
  }
}

function routeOf(
  prefix: Prefix, contributors: readonly Contribution[], internal: boolean,
): Route {
  const { communities, large, localPref } = mergeAttributes(
    [...new Set(contributors.map(({ attributes }) => attributes))],
  );
  const incomplete = contributors.every(({ origin, adds }) => adds || origin === 'incomplete');
  return {
    prefix, origin: incomplete ? 'incomplete' : 'igp', communities, large,
    ...(internal && localPref !== undefined && { localPref }),
  };
}

function isAggregate(contributors: readonly Contribution[]): boolean {
  return contributors.some(({ source: { entry }, prefix, family }) => (
    entry.type === 'Service' && lengthOf(prefix) < (family === 'IPv4' ? 32 : 128)
  ));
}

function lengthOf(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

// What only adds attributes was meant to differ.
function differ(contributors: readonly Contribution[]): boolean {
  const [first, ...rest] = contributors.filter(({ adds }) => !adds);
  if (first === undefined || rest.length === 0) return false;
  const attributes = mergeAttributes([first.attributes]);
  return rest.some((other) => other.attributes !== first.attributes
    && !sameAttributes(attributes, mergeAttributes([other.attributes])));
}

const listedMax = 3;

function listed(prefixes: readonly Prefix[]): string {
  const more = prefixes.length - listedMax;
  const first = prefixes.slice(0, listedMax).join(', ');
  return more > 0 ? `${first} and ${more} more` : first;
}
