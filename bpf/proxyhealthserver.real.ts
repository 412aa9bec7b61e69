import type { ProxyAnswer, ProxyHealth } from '../lb/proxyhealth.ts';
import { err, ok, type Result } from '../lb/result.ts';
import { HttpListener, type HttpAnswer } from './httplistener.real.ts';
import { portHolder } from './portholder.real.ts';

/** Where `/healthz` and `/livez` are answered. */
export interface HealthzAddress {
  readonly host: string;
  readonly port: number;
}

/** What the server asks and tells. */
export interface ProxyHealthPorts {
  /** The health of this moment (datapath.md 14.4). */
  readonly health: () => ProxyHealth;
  /** The port is not ours; told once until it is. `why` names the process that holds it. */
  readonly refused: (why: string) => void;
  /** The port is ours, under this number. */
  readonly opened?: (port: number) => void;
  readonly retryDelayMs?: number;
}

/** `host:port` of `datapath.healthzAddress`; empty is off. The error is a sentence. */
export function healthzAddress(text: string): Result<HealthzAddress | undefined, string> {
  if (text === '') return ok(undefined);
  const [, six, four, digits = ''] = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]{1,5})$/u.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535) return err(`'${text}' is not HOST:PORT, as 0.0.0.0:10256`);
  const host = six ?? four ?? '';
  return ok({ host: host === '' ? '0.0.0.0' : host, port });
}

/**
 * The health of the proxy as kube-proxy serves it, for load balancers that look at port 10256
 * (KEP-3836). A port in use keeps nothing else from working (cilium#10621).
 */
export function serveProxyHealth(address: HealthzAddress, ports: ProxyHealthPorts): HttpListener {
  const { health, refused, opened, retryDelayMs } = ports;
  return new HttpListener({
    ...address,
    answer: (path) => {
      if (path === '/healthz') return said(health().healthz);
      return path === '/livez' ? said(health().livez) : notFound;
    },
    refused: (errno) => refused(heldText(address, errno)),
    ...(opened === undefined ? {} : { opened }),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
  });
}

function said({ status, body }: ProxyAnswer): HttpAnswer {
  return {
    status, body,
    headers: { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' },
  };
}

const notFound: HttpAnswer = {
  status: 404, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: 'not found\n',
};

function heldText({ host, port }: HealthzAddress, errno: string): string {
  const holder = errno === 'EADDRINUSE' ? portHolder(port) : undefined;
  const by = holder === undefined ? '' : `, held by ${holder.command} (pid ${holder.pid})`;
  return `${host}:${port}: ${errno}${by}`;
}
