import { createHash } from 'node:crypto';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Sixteen letters of base 32 over a SHA-256: so end the names of kube-proxy's iptables chains. */
export function chainHash(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  return Array.from({ length: 16 }, (_, at) => letters[Number((bits >> BigInt(75 - at * 5)) & 31n)])
    .join('');
}
