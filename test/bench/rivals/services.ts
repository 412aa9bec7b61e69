/** A TCP Service of the benches: one ClusterIP, two endpoints. */
export interface BenchService {
  readonly name: string;
  readonly clusterIp: string;
  readonly port: number;
  readonly endpoints: readonly BenchEndpoint[];
}

export interface BenchEndpoint {
  readonly ip: string;
  readonly port: number;
}

/** Addresses that the namespaces of the bench really have; all others exist in tables only. */
export const place = {
  podRange: '10.64.0.0/15',
  serviceRange: '10.200.0.0/14',
  client: '10.64.1.9',
  clientGateway: '10.64.1.1',
  backends: ['10.64.2.10', '10.64.2.11'],
  /** Takes the place of the last backend where endpoints change under load. */
  spare: '10.64.2.12',
  backendGateway: '10.64.2.1',
  backendPort: 8080,
  clusterIp: '10.200.0.10',
  servicePort: 80,
} as const;

/** The Service that clients connect to. */
export const tested: BenchService = {
  name: 'tested',
  clusterIp: place.clusterIp,
  port: place.servicePort,
  endpoints: place.backends.map((ip) => ({ ip, port: place.backendPort })),
};

/**
 * `count` Services, the tested one last: where rules are walked one after another that is the
 * dearest place, and a hash cannot tell the difference.
 */
export function benchServices(count: number): BenchService[] {
  const others = Array.from({ length: count - 1 }, (_, index): BenchService => ({
    name: `other-${index}`,
    clusterIp: `10.${201 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
    port: 80,
    endpoints: endpointsOf(index),
  }));
  return [...others, tested];
}

/** The tested Service with the spare backend in the place of its last one. */
export const testedWithSpare: BenchService = {
  ...tested,
  endpoints: [place.backends[0], place.spare].map((ip) => ({ ip, port: place.backendPort })),
};

/** The same Service after one of its endpoints was replaced by another one. */
export function withChangedEndpoint(service: BenchService, round: number): BenchService {
  const [kept, { port } = { port: 8080 }] = service.endpoints;
  const ip = `10.65.255.${1 + (round % 250)}`;
  return { ...service, endpoints: [...(kept === undefined ? [] : [kept]), { ip, port }] };
}

// Pairs of addresses of 10.65.0.0/16; each round through them has its own port.
function endpointsOf(index: number): BenchEndpoint[] {
  const pair = index % 32_000;
  return [0, 1].map((which) => {
    const at = pair * 2 + which;
    return { ip: `10.65.${at >> 8}.${at & 255}`, port: 8080 + Math.floor(index / 32_000) };
  });
}
