import {
  datapathDefaults, type DatapathOptions, type NodeFacts,
} from '../../lb/datapathoptions.ts';
import { decide, type Ingress, type Verdict } from '../../lb/decide.ts';
import { ip, type Ip, type Prefix } from '../../lb/ip.ts';
import {
  serviceKey, type Endpoint, type EndpointSlice, type IngressEntry, type Meta, type Node,
  type Protocol, type Service,
} from '../../lb/model.ts';
import { nodeFacts, placeOf } from '../../lb/nodefacts.ts';
import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import { deriveServicePorts } from '../../lb/serviceport.ts';
import { ViewIndex } from '../../lb/view.ts';

/** The fixture of datapath.md 21: three nodes, one Service S with three endpoints. */
export const vip = '198.51.100.10';
export const clusterIp = '10.200.0.10';
export const externalIp = '192.0.2.250';
export const names: Record<string, string> = {
  P: '10.64.1.9', H: '192.0.2.11', X: '203.0.113.7', Y: '203.0.113.200',
  a1: '10.64.1.21', b1: '10.64.2.21', c1: '10.64.3.21',
};

export function meta(name: string, more: Partial<Meta> = {}): Meta {
  return {
    namespace: 'default', name, uid: `uid-${name}`, resourceVersion: '1', generation: 0,
    createdAtMs: 1_000, deleting: false, labels: {}, annotations: {}, ...more,
  };
}

export function ingressEntry(address: string, ipMode?: 'VIP' | 'Proxy'): IngressEntry {
  return { ip: address, hostname: undefined, ipMode, ports: undefined };
}

export function service(more: Partial<Service> = {}): Service {
  return {
    kind: 'Service', meta: meta('s'), key: serviceKey('default', 's'), type: 'LoadBalancer',
    clusterIps: [clusterIp], ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 30080 }],
    selector: {}, externalIps: [externalIp],
    loadBalancerIp: undefined, loadBalancerClass: undefined,
    ipFamilies: ['IPv4'], ipFamilyPolicy: undefined, externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster', affinitySeconds: undefined, sourceRanges: [],
    healthCheckNodePort: 0, ingress: [ingressEntry(vip)], conditions: [], faults: [], ...more,
  };
}

export function endpoint(name: string, more: Partial<Endpoint> = {}): Endpoint {
  const node = { a: 'n-a', b: 'n-b', c: 'n-c' }[name.slice(0, 1)];
  return {
    addresses: [names[name] ?? name], ready: true, serving: undefined, terminating: undefined,
    nodeName: node, zone: undefined, hintZones: [], hintNodes: [], ...more,
  };
}

export function slice(
  endpoints: readonly Endpoint[], more: Partial<EndpointSlice> = {},
): EndpointSlice {
  return {
    kind: 'EndpointSlice', meta: meta('s-1', { labels: { 'kubernetes.io/service-name': 's' } }),
    service: serviceKey('default', 's'), addressType: 'IPv4', endpoints,
    ports: [{ name: 'web', protocol: 'TCP', port: 8080 }], faults: [], ...more,
  };
}

export const everyEndpoint = [endpoint('a1'), endpoint('b1'), endpoint('c1')];

export function node(name: string, addresses: readonly string[], more: Partial<Meta> = {}): Node {
  return {
    kind: 'Node', meta: meta(
      name, { namespace: '', ...more },
    ), podCidrs: [], unschedulable: false, taints: [],
    addresses: addresses.map(
      (address) => ({ type: 'InternalIP', address }),
    ), conditions: [], faults: [],
  };
}

const zone = (name: string): Partial<Meta> => ({ labels: { 'topology.kubernetes.io/zone': name } });
export const nodes: readonly Node[] = [
  node('n-a', ['192.0.2.11', '192.0.2.111'], zone('z1')),
  node('n-b', ['192.0.2.12'], zone('z2')),
  node('n-c', ['192.0.2.13'], zone('z1')),
  node('n-d', ['192.0.2.14'], zone('z1')),
  node('n-z', ['192.0.2.15'], zone('z9')),
];

export const fixtureOptions: DatapathOptions = {
  ...datapathDefaults, serviceRanges: ['10.200.0.0/16' as Prefix],
};

/** What a row changes of the fixture. */
export interface Given {
  readonly services?: readonly Service[];
  readonly slices?: readonly EndpointSlice[];
  readonly options?: Partial<DatapathOptions>;
  readonly nodeName?: string;
}

export function factsOf(given: Given): NodeFacts {
  return nodeFacts(given.nodeName ?? 'n-a', nodes, { ...fixtureOptions, ...given.options });
}

export function viewOf(given: Given): ViewIndex {
  const view = new ViewIndex(factsOf(given));
  const nodeName = given.nodeName ?? 'n-a';
  const place = placeOf(nodeName, nodes.find((of) => of.meta.name === nodeName));
  const slices = given.slices ?? [slice(everyEndpoint)];
  for (const of of given.services ?? [service()]) {
    const own = slices.filter((candidate) => candidate.service === of.key);
    const context = { place, algorithm: view.facts.options.algorithm, memo: new DatapathMemo() };
    for (const record of deriveServicePorts(of, own, context)) view.set(record);
  }
  return view;
}

/** `P → 10.200.0.10:80` or `X → VIP:80/UDP`; names of the fixture stand for addresses. */
export function ask(view: ViewIndex, question: string): string {
  const match = /^(\S+) → (\S+?):(\d+)(?:\/(\w+))?$/u.exec(question);
  if (match === null) throw new Error(`'${question}' is no question`);
  const [, from = '', to = '', port = '', protocol = 'TCP'] = match;
  const verdict = decide(view, {
    source: address(from), sourcePort: 40_000, target: address(to), targetPort: Number(port),
    protocol: protocol as Protocol, ingress: ingressOf(from),
  });
  return show(verdict);
}

function address(text: string): Ip {
  return ip(
    { VIP: vip, CIP: clusterIp, EIP: externalIp, node: '192.0.2.11' }[text] ?? names[text] ?? text,
  );
}

function ingressOf(from: string): Ingress {
  if (from === 'P' || from === 'a1') return 'pod';
  return from === 'H' ? 'host' : 'external';
}

/** `a1 b1 c1 M`, or `DROP srcRange`. */
export function show(verdict: Verdict): string {
  if (verdict.kind === 'notMine') return 'NOT_MINE';
  if (verdict.kind !== 'forward') return `${verdict.kind.toUpperCase()} ${verdict.reason}`;
  const shown = verdict.candidates.map((candidate) => nameOf(candidate.ip));
  return [...shown.sort(), ...(verdict.masquerade ? ['M'] : [])].join(' ');
}

export function nameOf(address: string): string {
  return Object.entries(names).find(([, text]) => text === address)?.[0] ?? address;
}
