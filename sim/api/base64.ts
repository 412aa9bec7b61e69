const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 base64, with padding, of the text's UTF-8 bytes: how Secrets store their values. */
export function base64OfText(text: string): string {
  const bytes = utf8(text);
  let encoded = '';
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const [first = 0, second = 0, third = 0] = bytes.slice(index, index + 3);
    const word = (first << 16) | (second << 8) | third;
    for (let digit = 0; digit < 4; digit += 1) {
      encoded += digit > left ? '=' : alphabet[(word >> (18 - 6 * digit)) & 0x3f] ?? '';
    }
  }
  return encoded;
}

// TextEncoder belongs to the host, which the core does not know.
function utf8(text: string): number[] {
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
