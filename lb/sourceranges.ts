import {
  familyOf, parsePrefix, prefixContains, type Family, type Ip, type Prefix, type PrefixParts,
} from './ip.ts';
import { assert } from './result.ts';
import { parseSpeltPrefix } from './spelling.ts';

/**
 * The prefixes of one family that may reach a VIP, or an empty list for everybody: entries of the
 * other family and unreadable ones are ignored, and neither may close the VIP (datapath.md 4.3).
 */
export function effectiveRanges(texts: readonly string[], family: Family): readonly Prefix[] {
  const prefixes: Prefix[] = [];
  for (const text of texts) {
    const parsed = parseSpeltPrefix(text);
    if (!parsed.ok || parsed.value.family !== family) continue;
    if (parsed.value.prefixBits === 0) return [];
    prefixes.push(parsed.value.prefix);
  }
  return prefixes;
}

/** An effective list, parsed once for many packets. */
export class SourceRanges {
  readonly restricted: boolean;
  readonly #prefixes: readonly PrefixParts[];
  readonly #admitsNode: boolean;

  /** `nodeAddresses`: of this node; a list that admits one of them admits the VIP itself too. */
  constructor(prefixes: readonly Prefix[], nodeAddresses: Iterable<Ip>) {
    this.restricted = prefixes.length > 0;
    this.#prefixes = prefixes.map((text) => {
      const parsed = parsePrefix(text);
      assert(parsed.ok, `${text} was judged when the list was made`);
      return parsed.value;
    });
    this.#admitsNode = this.restricted && [...nodeAddresses].some(
      (address) => this.#lists(address),
    );
  }

  /** Whether `source` may open a flow to `vip`. */
  admits(source: Ip, vip: Ip): boolean {
    if (!this.restricted || this.#lists(source)) return true;
    // A connection of this node to the VIP carries the VIP as its source before it is translated.
    return source === vip && this.#admitsNode;
  }

  #lists(address: Ip): boolean {
    const family = familyOf(address);
    return this.#prefixes.some(
      (prefix) => prefix.family === family && prefixContains(prefix, address),
    );
  }
}
