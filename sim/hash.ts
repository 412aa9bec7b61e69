/** FNV-1a over the code units of a text, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** FNV-1a over bytes, 32 bits: the digest of a frame. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** One number for both parts of a name, from the hash of each. */
export function hashOfName(kind: number, entity: number): number {
  return Math.imul(kind, 0x9e3779b1) ^ entity;
}
