import { readFileSync } from 'node:fs';

/** The kubelet exchanges a token after 80 % of its life, at least ten minutes before its end. */
const ageMsMax = 60_000;

/**
 * A bearer token in a file that somebody else keeps fresh. It is read again once a minute, and
 * before the next use once it was refused. While the file cannot be read the last token stands.
 */
export class TokenFile {
  readonly #path: string;
  readonly #nowMs: () => number;
  #token: string;
  #readAtMs: number;

  /** Throws an Error that names the file when it holds no token. `nowMs` never decreases. */
  constructor(path: string, nowMs: () => number = () => performance.now()) {
    this.#path = path;
    this.#nowMs = nowMs;
    this.#token = read(path);
    if (this.#token === '') throw new Error(`${path} is empty, expected a token`);
    this.#readAtMs = nowMs();
  }

  token(): string {
    const now = this.#nowMs();
    if (now - this.#readAtMs < ageMsMax) return this.#token;
    this.#readAtMs = now;
    const token = this.#readAgain();
    if (token !== '') this.#token = token;
    return this.#token;
  }

  /** The server refused the token: the next use looks for another one. */
  doubt(): void {
    this.#readAtMs = -Infinity;
  }

  #readAgain(): string {
    try {
      return read(this.#path);
    } catch {
      // The old token may live on; when it does not, the server says so.
      return '';
    }
  }
}

function read(path: string): string {
  return readFileSync(path, 'utf8').trim();
}
