import type { Prng } from '../prng.ts';

/** Letters of generated names: no vowels, nor digits that read like letters, as in Kubernetes. */
const nameLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** A version 4 UUID from the stream `api/uid` (A12). */
export function drawUid(stream: Prng): string {
  const words = [stream.next(), stream.next(), stream.next(), stream.next()];
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  const variant = (Number.parseInt(hex.slice(16, 17), 16) & 0x3 | 0x8).toString(16);
  return [
    hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`, hex.slice(20, 32),
  ].join('-');
}

/** Five letters that follow `generateName`. */
export function drawSuffix(stream: Prng): string {
  let suffix = '';
  for (let index = 0; index < 5; index += 1) {
    suffix += nameLetters[stream.below(nameLetters.length)] ?? '';
  }
  return suffix;
}
