import { joinEndpoints } from './endpoints.ts';
import type { EndpointSlice, Service, ServiceKey } from './model.ts';
import { isForeign } from './serviceport.ts';
import type { Place } from './topology.ts';

/** A health check node port that this node must answer, with what there is to say. */
export interface HealthPort {
  readonly service: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  /** Pods of the Service on this node that are ready: distinct addresses of the fuller family. */
  readonly localEndpoints: number;
}

/** An HTTP answer; headers in the order in which they are sent. */
export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The health check node port of a Service, or undefined where it has none: it needs type
 * LoadBalancer, external policy Local, a number, and fronts of ours (datapath.md 14.3, C1, C2).
 * Only ready endpoints count, although draining ones may still be served: a load balancer in front
 * is to take its new connections elsewhere. `slices` are the Service's own.
 */
export function healthPortOf(
  service: Service, slices: readonly EndpointSlice[], place: Place,
): HealthPort | undefined {
  const { type, externalTrafficPolicy, healthCheckNodePort: port, clusterIps, meta } = service;
  const proxied = clusterIps.some((ip) => ip !== '' && ip !== 'None') && !isForeign(meta.labels);
  if (type !== 'LoadBalancer' || externalTrafficPolicy !== 'Local' || port === 0 || !proxied) {
    return undefined;
  }
  const { namespace, name } = meta;
  const own = slices.filter((slice) => !isForeign(slice.meta.labels));
  // A dual-stack pod has an address in each family and is one endpoint to whoever asks.
  const counts = (['IPv4', 'IPv6'] as const).map((family) => {
    const copies = service.ports.flatMap((of) => joinEndpoints(own, of, family));
    const here = copies.filter((copy) => copy.ready && copy.nodeName === place.nodeName);
    return new Set(here.map(({ ip }) => ip)).size;
  });
  return { service: service.key, namespace, name, port, localEndpoints: Math.max(...counts) };
}

/** What is said on any path of a health check node port (datapath.md 14.3). */
export function healthAnswer(port: HealthPort, proxyHealthy: boolean): HealthAnswer {
  const { namespace, name, localEndpoints } = port;
  return {
    status: localEndpoints > 0 && proxyHealthy ? 200 : 503,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
    },
    body: JSON.stringify({
      service: { namespace, name }, localEndpoints, serviceProxyHealthy: proxyHealthy,
    }),
  };
}

/** What becomes of a node's listeners when the wanted ports change. */
export interface ListenerChange {
  /** Numbers to stop listening on, before any is opened. */
  readonly close: readonly number[];
  readonly open: readonly HealthPort[];
  /** Services that want a number which another one has: the first by namespace/name keeps it. */
  readonly refused: readonly HealthPort[];
}

/**
 * Compares listeners by number with the wanted ports. A number stays open while its Service is the
 * same; only its answers change then.
 */
export function listenerChange(
  open: ReadonlyMap<number, ServiceKey>, wanted: readonly HealthPort[],
): ListenerChange {
  const owners = new Map<number, HealthPort>();
  const refused: HealthPort[] = [];
  for (const port of wanted.toSorted((left, right) => (left.service < right.service ? -1 : 1))) {
    if (owners.has(port.port)) refused.push(port);
    else owners.set(port.port, port);
  }
  const close = [...open].filter(([number, service]) => owners.get(number)?.service !== service);
  return {
    close: close.map(([number]) => number).sort((left, right) => left - right),
    open: [...owners.values()].filter(({ port, service }) => open.get(port) !== service),
    refused,
  };
}
