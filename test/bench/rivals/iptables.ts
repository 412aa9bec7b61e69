import { chainHash } from './chains.ts';
import { place, type BenchEndpoint, type BenchService } from './services.ts';

// The layout of kube-proxy's iptables mode: one rule for each front in KUBE-SERVICES, a KUBE-SVC-
// chain that draws an endpoint, a KUBE-SEP- chain that translates, the NodePorts after all of them.

const markBit = '0x4000';

/** Input of `iptables-restore` for fresh tables. */
export function iptablesRules(services: readonly BenchService[]): string {
  return `${filterTable()}\n${natTable(services)}\n`;
}

/**
 * Input of `iptables-restore --noflush` that replaces the endpoints of one Service: chains that are
 * declared are flushed, all others stay.
 */
export function iptablesChange(service: BenchService): string {
  return [
    '*nat', ...declared(service), ...chainsOf(service), 'COMMIT', '',
  ].join('\n');
}

function filterTable(): string {
  const fresh = '-m conntrack --ctstate NEW -m comment --comment';
  return [
    '*filter',
    ':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]',
    ':KUBE-SERVICES - [0:0]', ':KUBE-EXTERNAL-SERVICES - [0:0]', ':KUBE-NODEPORTS - [0:0]',
    ':KUBE-PROXY-FIREWALL - [0:0]', ':KUBE-FORWARD - [0:0]',
    `-A INPUT ${fresh} "load balancer firewall" -j KUBE-PROXY-FIREWALL`,
    '-A INPUT -m comment --comment "health check service ports" -j KUBE-NODEPORTS',
    `-A INPUT ${fresh} "externally-visible service portals" -j KUBE-EXTERNAL-SERVICES`,
    `-A FORWARD ${fresh} "load balancer firewall" -j KUBE-PROXY-FIREWALL`,
    '-A FORWARD -m comment --comment "forwarding rules" -j KUBE-FORWARD',
    `-A FORWARD ${fresh} "service portals" -j KUBE-SERVICES`,
    `-A FORWARD ${fresh} "externally-visible service portals" -j KUBE-EXTERNAL-SERVICES`,
    `-A OUTPUT ${fresh} "load balancer firewall" -j KUBE-PROXY-FIREWALL`,
    `-A OUTPUT ${fresh} "service portals" -j KUBE-SERVICES`,
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    '-A KUBE-FORWARD -m comment --comment "masqueraded"'
      + ` -m mark --mark ${markBit}/${markBit} -j ACCEPT`,
    '-A KUBE-FORWARD -m comment --comment "known flows"'
      + ' -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    'COMMIT',
  ].join('\n');
}

function natTable(services: readonly BenchService[]): string {
  return [
    '*nat',
    ':PREROUTING ACCEPT [0:0]', ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]', ':POSTROUTING ACCEPT [0:0]',
    ':KUBE-SERVICES - [0:0]', ':KUBE-NODEPORTS - [0:0]',
    ':KUBE-POSTROUTING - [0:0]', ':KUBE-MARK-MASQ - [0:0]',
    ...services.flatMap(declared),
    '-A PREROUTING -m comment --comment "service portals" -j KUBE-SERVICES',
    '-A OUTPUT -m comment --comment "service portals" -j KUBE-SERVICES',
    '-A POSTROUTING -m comment --comment "postrouting rules" -j KUBE-POSTROUTING',
    `-A KUBE-POSTROUTING -m mark ! --mark ${markBit}/${markBit} -j RETURN`,
    `-A KUBE-POSTROUTING -j MARK --set-xmark ${markBit}/0x0`,
    '-A KUBE-POSTROUTING -m comment --comment "needs a node address" -j MASQUERADE --random-fully',
    `-A KUBE-MARK-MASQ -j MARK --set-xmark ${markBit}/${markBit}`,
    ...services.map((service) => `-A KUBE-SERVICES ${frontOf(service)} -j ${chainOf(service)}`),
    ...services.flatMap(chainsOf),
    '-A KUBE-SERVICES -m comment --comment "NodePorts come last"'
      + ' -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
    'COMMIT',
  ].join('\n');
}

function declared(service: BenchService): string[] {
  const chains = [chainOf(service), ...service.endpoints.map((of) => endpointChain(service, of))];
  return chains.map((chain) => `:${chain} - [0:0]`);
}

function chainsOf(service: BenchService): string[] {
  const { endpoints } = service;
  const chain = chainOf(service);
  return [
    `-A ${chain} ${frontOf(service)} ! -s ${place.podRange} -j KUBE-MARK-MASQ`,
    ...endpoints.map((endpoint, index) => {
      const share = (1 / (endpoints.length - index)).toFixed(11);
      const draw = index === endpoints.length - 1
        ? '' : ` -m statistic --mode random --probability ${share}`;
      const comment = `-m comment --comment "${nameOf(service)} -> ${textOf(endpoint)}"`;
      return `-A ${chain} ${comment}${draw} -j ${endpointChain(service, endpoint)}`;
    }),
    ...endpoints.flatMap((endpoint) => {
      const named = `-A ${endpointChain(service, endpoint)} -m comment --comment`
        + ` "${nameOf(service)}"`;
      return [
        `${named} -s ${endpoint.ip}/32 -j KUBE-MARK-MASQ`,
        `${named} -p tcp -m tcp -j DNAT --to-destination ${textOf(endpoint)}`,
      ];
    }),
  ];
}

function frontOf(service: BenchService): string {
  return `-d ${service.clusterIp}/32 -p tcp -m comment --comment "${nameOf(service)} cluster IP"`
    + ` -m tcp --dport ${service.port}`;
}

function chainOf(service: BenchService): string {
  return `KUBE-SVC-${chainHash(nameOf(service))}`;
}

function endpointChain(service: BenchService, endpoint: BenchEndpoint): string {
  return `KUBE-SEP-${chainHash(`${nameOf(service)} ${textOf(endpoint)}`)}`;
}

function nameOf({ name }: BenchService): string {
  return `bench/${name}:web`;
}

function textOf({ ip, port }: BenchEndpoint): string {
  return `${ip}:${port}`;
}
