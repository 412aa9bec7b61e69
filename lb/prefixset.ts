import { parsePrefix, prefixContains, type Ip, type PrefixParts } from './ip.ts';

const answersMax = 4_096;

/**
 * Prefixes that packets are compared with. Packets ask about the same few addresses over and over
 * and prefix arithmetic is dear, so answers are remembered; unreadable texts contain nothing.
 */
export class PrefixSet {
  #prefixes: PrefixParts[] = [];
  #answers = new Map<Ip, boolean>();

  constructor(texts: readonly string[] = []) {
    for (const text of texts) this.add(text);
  }

  add(text: string): void {
    const parsed = parsePrefix(text);
    if (!parsed.ok || this.#prefixes.some((prefix) => prefix.prefix === parsed.value.prefix)) {
      return;
    }
    this.#prefixes.push(parsed.value);
    this.#answers.clear();
  }

  contains(address: Ip): boolean {
    if (this.#prefixes.length === 0) return false;
    const known = this.#answers.get(address);
    if (known !== undefined) return known;
    const answer = this.#prefixes.some((prefix) => prefixContains(prefix, address));
    if (this.#answers.size >= answersMax) this.#answers.clear();
    this.#answers.set(address, answer);
    return answer;
  }
}
