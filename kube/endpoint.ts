import { err, ok, type Result } from '../lb/result.ts';

/** Where one API server listens. */
export interface Endpoint {
  /** `https://192.0.2.1:6443`. */
  readonly origin: string;
  /** In front of every path; empty, or `/k8s/clusters/one` behind a gateway. */
  readonly base: string;
  /** `192.0.2.1:6443`, for messages. */
  readonly name: string;
}

const shape = new RegExp([
  /^(?:(?<scheme>https?):\/\/)?/u, /(?<host>[\w.-]+|\[[\da-f:.]+\])/iu,
  /(?::(?<port>\d{1,5}))?/u, /(?<base>\/[\w./~%-]*)?$/u,
].map(({ source }) => source).join(''), 'iu');

/**
 * `host:port` or a URL as an endpoint; HTTPS unless the URL says otherwise. The error is a sentence
 * about the text, without the place where it stands.
 */
export function parseEndpoint(text: string): Result<Endpoint, string> {
  const { scheme = 'https', host, port, base = '' } = shape.exec(text)?.groups ?? {};
  if (host === undefined) {
    return err(`expected host:port or a URL of http or https, got '${text}'`);
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    return err(`expected a port from 1 to 65535, got ${port}`);
  }
  const name = `${host}:${Number(port ?? (scheme === 'http' ? 80 : 443))}`;
  return ok({ origin: `${scheme}://${name}`, base: base.replace(/\/+$/u, ''), name });
}
