const wordCount = 8;

/**
 * The RFC 5952 text of the IPv6 address in 16 bytes at an offset: lower case, no leading zeros, the
 * longest run of at least two zero words as `::`, the first one of equal runs.
 */
export function ipv6Text(bytes: Uint8Array, offset: number): string {
  const gap = longestGap(bytes, offset);
  let text = '';
  for (let word = 0; word < wordCount; word += 1) {
    if (word === gap.first) {
      text += '::';
      word += gap.length - 1;
    } else {
      if (word !== 0 && word !== gap.first + gap.length) text += ':';
      text += wordAt(bytes, offset, word).toString(16);
    }
  }
  return text;
}

interface Gap {
  readonly first: number;
  readonly length: number;
}

function longestGap(bytes: Uint8Array, offset: number): Gap {
  let longest: Gap = { first: -2, length: 1 };
  let length = 0;
  for (let word = 0; word < wordCount; word += 1) {
    length = wordAt(bytes, offset, word) === 0 ? length + 1 : 0;
    if (length > longest.length) longest = { first: word - length + 1, length };
  }
  return longest;
}

function wordAt(bytes: Uint8Array, offset: number, word: number): number {
  return ((bytes[offset + 2 * word] ?? 0) << 8) | (bytes[offset + 2 * word + 1] ?? 0);
}

/** The 16 bytes of a text that `ipv6Text` wrote. */
export function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  let at = 0;
  let gap = -1;
  let word = -1;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code !== 0x3a) {
      word = (Math.max(word, 0) << 4) | (code >= 0x61 ? code - 0x57 : code - 0x30);
      continue;
    }
    // A colon behind no word is the second one of the gap, or the first of the whole text.
    if (word < 0) gap = at;
    else at = putWord(bytes, at, word);
    word = -1;
  }
  if (word >= 0) at = putWord(bytes, at, word);
  if (gap < 0) return bytes;
  const tail = 16 - (at - gap);
  bytes.copyWithin(tail, gap, at);
  return bytes.fill(0, gap, tail);
}

function putWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 8;
  bytes[at + 1] = word;
  return at + 2;
}
