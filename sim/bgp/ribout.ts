import type { Family, Ip, Prefix } from '../../lb/ip.ts';
import { familyOf } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { AttributeContext } from './attributes.ts';
import { encodeMessage, messageLengthMax } from './codec.ts';
import type { PathAttributes, UpdateMessage } from './message.ts';
import { nlriLength } from './nlri.ts';

/** One route as one peer is to see it. */
export interface OutRoute {
  readonly prefix: Prefix;
  readonly nextHop: Ip;
  readonly attributes: PathAttributes;
}

/** What one peer was told, and the messages that lead from there to another set. */
export class RibOut {
  #told = new Map<Prefix, { readonly key: string; readonly route: OutRoute }>();

  get routes(): OutRoute[] {
    return [...this.#told.values()].map(({ route }) => route);
  }

  count(family: Family): number {
    let count = 0;
    for (const prefix of this.#told.keys()) if (familyOf(prefix) === family) count += 1;
    return count;
  }

  /** The session is over: nothing was told. */
  forget(): void {
    this.#told.clear();
  }

  /** Forgets one family, so that the next plan tells it anew (RFC 2918). */
  forgetFamily(family: Family): void {
    for (const prefix of [...this.#told.keys()])
      if (familyOf(prefix) === family) this.#told.delete(prefix);
  }

  /** Takes `wanted` as told. Withdrawals come first; what is equal is not repeated. */
  plan(wanted: readonly OutRoute[], context: AttributeContext): UpdateMessage[] {
    const next = new Map(wanted.map((route) => [route.prefix, { key: keyOf(route), route }]));
    const withdrawn = [...this.#told.keys()].filter((prefix) => !next.has(prefix));
    const changed = [...next].filter(([prefix, { key }]) => this.#told.get(prefix)?.key !== key);
    this.#told = next;
    const groups = new Map<string, OutRoute[]>();
    for (const [, { key, route }] of changed) {
      const group = `${familyOf(route.prefix)} ${key}`;
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [route]);
      else members.push(route);
    }
    return [
      ...withdrawals(withdrawn),
      ...[...groups].flatMap(([, routes]) => announcements(routes, context)),
    ];
  }
}

function keyOf({ nextHop, attributes }: OutRoute): string {
  const { origin, asPath, med, localPref, communities, large } = attributes;
  const path = asPath.map(({ kind, asns }) => `${kind} ${asns.join(' ')}`).join();
  return [nextHop, origin, path, med, localPref, communities.join(' '), large.join(' ')].join('|');
}

// Header, the two lengths, and the header of MP_UNREACH.
const withdrawRoom = messageLengthMax - 19 - 4 - 7;

function withdrawals(prefixes: readonly Prefix[]): UpdateMessage[] {
  const ordered = prefixes.toSorted(compareText);
  return (['IPv4', 'IPv6'] as const).flatMap((family) =>
    split(ordered.filter((prefix) => familyOf(prefix) === family), withdrawRoom)
      .map((withdrawn): UpdateMessage => ({ kind: 'update', withdrawn, announced: [] })));
}

function announcements(routes: readonly OutRoute[], context: AttributeContext): UpdateMessage[] {
  const [first] = routes;
  if (first === undefined) return [];
  const message = (prefixes: readonly Prefix[]): UpdateMessage => ({
    kind: 'update', withdrawn: [], announced: [{ nextHop: first.nextHop, prefixes }],
    attributes: first.attributes,
  });
  const frame = encodeMessage(message([first.prefix]), context).length - nlriLength(first.prefix);
  return split(routes.map(({ prefix }) => prefix).toSorted(compareText), messageLengthMax - frame)
    .map(message);
}

function split(prefixes: readonly Prefix[], room: number): Prefix[][] {
  const parts: Prefix[][] = [];
  let left = 0;
  for (const prefix of prefixes) {
    const size = nlriLength(prefix);
    const part = parts.at(-1);
    if (part === undefined || left < size) {
      parts.push([prefix]);
      left = room - size;
    } else {
      part.push(prefix);
      left -= size;
    }
  }
  return parts;
}
