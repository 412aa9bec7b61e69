import { chainHash } from './chains.ts';
import { place, type BenchEndpoint, type BenchService } from './services.ts';

// The layout of kube-proxy's nftables mode: one verdict map from fronts to chains of Services,
// which draw a chain of an endpoint; the checks of addresses without endpoints stand beside them.

const table = 'ip kube-proxy';
const frontKey = 'type ipv4_addr . inet_proto . inet_service : verdict';

/** Input of `nft -f` for a fresh table. */
export function nftablesRules(services: readonly BenchService[]): string {
  return [
    `table ${table} {`,
    ...sets(services), ...hooks, ...shared, ...services.flatMap(serviceChains),
    ' map service-ips {', `  ${frontKey}`, `  elements = { ${fronts(services)} }`, ' }',
    ' chain services {',
    '  ip daddr . meta l4proto . th dport vmap @service-ips',
    '  ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports',
    ' }',
    '}', '',
  ].join('\n');
}

/**
 * Input of `nft -f` that takes one Service from `before` to `after` in one transaction: the chains
 * of new endpoints, the Service's chain anew, the chains that nobody jumps to any more away.
 */
export function nftablesChange(before: BenchService, after: BenchService): string {
  const old = new Set(before.endpoints.map((endpoint) => endpointChain(before, endpoint)));
  const added = after.endpoints.filter((endpoint) => !old.has(endpointChain(after, endpoint)));
  const kept = new Set(after.endpoints.map((endpoint) => endpointChain(after, endpoint)));
  const gone = [...old].filter((chain) => !kept.has(chain));
  return [
    ...added.flatMap((endpoint) => {
      const chain = endpointChain(after, endpoint);
      return [
        `add chain ${table} ${chain}`,
        ...endpointRules(endpoint).map((rule) => `add rule ${table} ${chain} ${rule}`),
      ];
    }),
    `flush chain ${table} ${serviceChain(after)}`,
    ...serviceRules(after).map((rule) => `add rule ${table} ${serviceChain(after)} ${rule}`),
    ...gone.flatMap((chain) => [`flush chain ${table} ${chain}`, `delete chain ${table} ${chain}`]),
    '',
  ].join('\n');
}

function sets(services: readonly BenchService[]): string[] {
  const addresses = services.map(({ clusterIp }) => clusterIp).join(', ');
  return [
    ' set cluster-ips {', '  type ipv4_addr', `  elements = { ${addresses} }`, ' }',
    ' set nodeport-ips {', '  type ipv4_addr', `  elements = { ${place.clientGateway} }`, ' }',
    ' map firewall-ips {', `  ${frontKey}`, ' }',
    ' map no-endpoint-services {', `  ${frontKey}`, ' }',
    ' map no-endpoint-nodeports {', '  type inet_proto . inet_service : verdict', ' }',
    ' map service-nodeports {', '  type inet_proto . inet_service : verdict', ' }',
  ];
}

const shared = [
  ' chain mark-for-masquerade {', '  mark set mark or 0x4000', ' }',
  ' chain masquerading {',
  '  mark and 0x4000 == 0 return', '  mark set mark xor 0x4000', '  masquerade fully-random',
  ' }',
  ' chain firewall-check {',
  '  ip daddr . meta l4proto . th dport vmap @firewall-ips',
  ' }',
  ' chain service-endpoints-check {',
  '  ip daddr . meta l4proto . th dport vmap @no-endpoint-services',
  ' }',
  ' chain nodeport-endpoints-check {',
  '  ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports',
  ' }',
  ' chain cluster-ips-check {', '  ip daddr @cluster-ips reject', ' }',
];

const fresh = 'ct state new jump';
const hooks = [
  base('nat-prerouting', 'nat hook prerouting priority -100', ['jump services']),
  base('nat-output', 'nat hook output priority -100', ['jump services']),
  base('nat-postrouting', 'nat hook postrouting priority 100', ['jump masquerading']),
  base('filter-prerouting-pre-dnat', 'filter hook prerouting priority -110', [
    `${fresh} firewall-check`,
  ]),
  base('filter-output-pre-dnat', 'filter hook output priority -110', [`${fresh} firewall-check`]),
  base('filter-input', 'filter hook input priority -110', [
    `${fresh} nodeport-endpoints-check`, `${fresh} service-endpoints-check`,
  ]),
  base('filter-forward', 'filter hook forward priority -110', [
    `${fresh} service-endpoints-check`, `${fresh} cluster-ips-check`,
  ]),
  base('filter-output', 'filter hook output priority -110', [`${fresh} service-endpoints-check`]),
  base('filter-output-post-dnat', 'filter hook output priority -90', [
    `${fresh} cluster-ips-check`,
  ]),
].flatMap((chain) => [chain.declaration, ...chain.bodies]);

function base(name: string, hook: string, rules: readonly string[]) {
  // The chains that are jumped to follow: within one transaction their order does not matter.
  return {
    declaration: ` chain ${name} {`,
    bodies: [`  type ${hook};`, ...rules.map((rule) => `  ${rule}`), ' }'],
  };
}

function serviceChains(service: BenchService): string[] {
  return [
    ...service.endpoints.flatMap((endpoint) => [
      ` chain ${endpointChain(service, endpoint)} {`, ...endpointRules(endpoint), ' }',
    ]),
    ` chain ${serviceChain(service)} {`, ...serviceRules(service), ' }',
  ];
}

function serviceRules(service: BenchService): string[] {
  const { clusterIp, port, endpoints } = service;
  const choices = endpoints.map((of, index) => `${index} : goto ${endpointChain(service, of)}`);
  return [
    `ip daddr ${clusterIp} tcp dport ${port} ip saddr != ${place.podRange}`
      + ' jump mark-for-masquerade',
    `numgen random mod ${endpoints.length} vmap { ${choices.join(', ')} }`,
  ];
}

function endpointRules({ ip, port }: BenchEndpoint): string[] {
  return [
    `ip saddr ${ip} jump mark-for-masquerade`,
    `meta l4proto tcp dnat to ${ip}:${port}`,
  ];
}

function fronts(services: readonly BenchService[]): string {
  return services.map((service) => (
    `${service.clusterIp} . tcp . ${service.port} : goto ${serviceChain(service)}`
  )).join(', ');
}

function serviceChain(service: BenchService): string {
  return `service-${shortHash(service.name)}-bench/${service.name}/tcp/web`;
}

function endpointChain(service: BenchService, { ip, port }: BenchEndpoint): string {
  const text = `bench/${service.name}/tcp/web__${ip}/${port}`;
  return `endpoint-${shortHash(text)}-${text}`;
}

function shortHash(text: string): string {
  return chainHash(text).slice(0, 8);
}
