import { utf8Of } from '../../lb/utf8.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 base64, with padding, of the text's UTF-8 bytes: how Secrets store their values. */
export function base64OfText(text: string): string {
  return base64Of(utf8Of(text));
}

/** RFC 4648 base64, with padding. */
export function base64Of(bytes: readonly number[] | Uint8Array): string {
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
