/** UTF-8 bytes of a text; TextEncoder belongs to the host, which the core does not know. */
export function utf8Of(text: string): number[] {
  const bytes: number[] = [];
  for (const letter of text) {
    const point = letter.codePointAt(0) ?? 0;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point));
    else if (point < 0x1_0000) bytes.push(0xe0 | (point >> 12), tail(point >> 6), tail(point));
    else bytes.push(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point));
  }
  return bytes;
}

function tail(bits: number): number {
  return 0x80 | (bits & 0x3f);
}

/** The text of UTF-8 bytes; what is no UTF-8 becomes U+FFFD, as Go's JSON encoder has it. */
export function textOfUtf8(bytes: Uint8Array): string {
  let text = '';
  let index = 0;
  while (index < bytes.length) {
    const first = bytes[index] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3
      : first < 0xf5 ? 4 : 0;
    const tails = bytes.subarray(index + 1, index + length);
    if (length === 0 || tails.length < length - 1 || tails.some((byte) => byte >> 6 !== 2)) {
      text += '\ufffd';
      index += 1;
      continue;
    }
    let point = length === 1 ? first : first & (0x7f >> length);
    for (const byte of tails) point = (point << 6) | (byte & 0x3f);
    const strange = point < (smallest[length] ?? 0) || point > 0x10_ffff
      || (point >= 0xd800 && point < 0xe000);
    text += strange ? '\ufffd' : String.fromCodePoint(point);
    index += length;
  }
  return text;
}

/** The smallest code point that takes so many bytes. */
const smallest: readonly number[] = [0, 0, 0x80, 0x800, 0x1_0000];
