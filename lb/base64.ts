import { assert } from './result.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The bytes of a text of RFC 4648 section 4; whitespace is skipped. */
export function base64Bytes(text: string): Uint8Array {
  const letters = text.replaceAll(/[\s=]/gu, '');
  const bytes = new Uint8Array(Math.floor((letters.length * 3) / 4));
  const values = new Uint8Array(128);
  for (let value = 0; value < alphabet.length; value += 1) {
    values[alphabet.charCodeAt(value)] = value;
  }
  let [word, bits, at] = [0, 0, 0];
  for (let index = 0; index < letters.length; index += 1) {
    const code = letters.charCodeAt(index);
    assert(code < 128, 'base64 is ASCII');
    word = ((word << 6) | (values[code] ?? 0)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at] = word >> bits;
    at += 1;
  }
  return bytes;
}
