import type { ServiceAddressKind } from '../lb/bgpmodel.ts';
import { familyOf, parseIp, type Family, type Ip } from '../lb/ip.ts';
import type {
  Endpoint, EndpointSlice, IngressEntry, Labels, Node, Service, TrafficPolicy,
} from '../lb/model.ts';
import type { BgpSettings } from './settings.ts';

/** Why an address of a Service is not announced by this node (bgp.md 4). */
export type Withheld =
  | 'OtherClass' | 'NoLocalEndpoint' | 'NoEndpoint' | 'NodeExcluded' | 'NetworkUnavailable';

/** One address of a Service and what this node may do with it. */
export interface ServiceAddress {
  readonly kind: ServiceAddressKind;
  readonly ip: Ip;
  readonly family: Family;
  /** True under Local policy, where no aggregate may stand for it. */
  readonly exact: boolean;
  /** Undefined: announced wherever an entry selects it. */
  readonly withheld: Withheld | undefined;
}

/** What one Service gives to this node's routes. */
export interface ServiceRoutes {
  readonly service: Service;
  /** Its labels with those that selectors may name beside them (bgp.md 2.3). */
  readonly labels: Labels;
  readonly addresses: readonly ServiceAddress[];
  /** Texts in the place of addresses that are none, each with the path of its field. */
  readonly unreadable: readonly { readonly path: string; readonly text: string }[];
}

/** What of the node decides about its Services. */
export interface NodeGates {
  readonly nodeName: string;
  readonly excluded: boolean;
  readonly networkUnavailable: boolean;
}

export type ServiceRouteSettings = Pick<
  BgpSettings, 'noServiceEndpointsRoutable' | 'localEndpoints' | 'honourExcludeLabel'
  | 'honourNetworkUnavailable'
>;

const bgpClass = 'io.cilium/bgp-control-plane';
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

export function nodeGates(
  nodeName: string, node: Node | undefined, settings: ServiceRouteSettings,
): NodeGates {
  const labels = node?.meta.labels ?? {};
  const unavailable = node?.conditions.some(
    ({ type, status }) => type === 'NetworkUnavailable' && status === 'True',
  );
  return {
    nodeName,
    excluded: settings.honourExcludeLabel && Object.hasOwn(labels, excludeLabel),
    networkUnavailable: settings.honourNetworkUnavailable && unavailable === true,
  };
}

/** The addresses of a Service with the rules of bgp.md 4 applied for one node. Pure. */
export function serviceRoutes(
  service: Service, slices: readonly EndpointSlice[],
  place: { readonly gates: NodeGates; readonly settings: ServiceRouteSettings },
): ServiceRoutes {
  const { name, namespace, labels } = service.meta;
  const unreadable: { path: string; text: string }[] = [];
  const addresses: ServiceAddress[] = [];
  for (const { kind, path, text } of addressTexts(service)) {
    const parsed = parseIp(text);
    if (!parsed.ok) {
      unreadable.push({ path, text });
      continue;
    }
    const policy = policyOf(service, kind);
    const family = familyOf(parsed.value);
    const of = { service, slices, kind, family, policy };
    addresses.push({
      kind, ip: parsed.value, family, exact: policy === 'Local', withheld: withheld(of, place),
    });
  }
  return {
    service, addresses, unreadable,
    labels: {
      ...labels,
      'io.kubernetes.service.name': name, 'io.kubernetes.service.namespace': namespace,
    },
  };
}

interface AddressText {
  readonly kind: ServiceAddressKind;
  readonly path: string;
  readonly text: string;
}

function addressTexts(service: Service): AddressText[] {
  if (service.type === 'ExternalName') return [];
  const balanced = service.type === 'LoadBalancer' ? service.ingress : [];
  return [
    ...balanced.flatMap((entry, index) => ingressText(entry, index)),
    ...service.externalIps.map((text, index): AddressText =>
      ({ kind: 'ExternalIP', path: `spec.externalIPs[${index}]`, text })),
    ...service.clusterIps.filter((text) => text !== 'None' && text !== '').map(
      (text, index): AddressText =>
        ({ kind: 'ClusterIP', path: `spec.clusterIPs[${index}]`, text }),
    ),
  ];
}

function ingressText({ ip, ipMode }: IngressEntry, index: number): AddressText[] {
  if (ip === undefined || ipMode === 'Proxy') return [];
  return [{ kind: 'LoadBalancerIP', path: `status.loadBalancer.ingress[${index}].ip`, text: ip }];
}

function policyOf(service: Service, kind: ServiceAddressKind): TrafficPolicy {
  return kind === 'ClusterIP' ? service.internalTrafficPolicy : service.externalTrafficPolicy;
}

interface Judged {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly kind: ServiceAddressKind;
  readonly family: Family;
  readonly policy: TrafficPolicy;
}

function withheld(
  of: Judged, { gates, settings }: { gates: NodeGates; settings: ServiceRouteSettings },
): Withheld | undefined {
  const { service, kind, policy } = of;
  const { loadBalancerClass } = service;
  const ours = loadBalancerClass === undefined || loadBalancerClass === bgpClass;
  if (kind === 'LoadBalancerIP' && !ours) return 'OtherClass';
  if (gates.networkUnavailable) return 'NetworkUnavailable';
  if (kind === 'LoadBalancerIP' && gates.excluded) return 'NodeExcluded';
  const counting = countingEndpoints(of, settings);
  if (policy === 'Local') {
    const local = counting.some(({ nodeName }) => nodeName === gates.nodeName);
    return local ? undefined : 'NoLocalEndpoint';
  }
  const routable = settings.noServiceEndpointsRoutable || counting.length > 0;
  return routable ? undefined : 'NoEndpoint';
}

// `terminating` is not consulted: the API sets `ready` false on terminating endpoints except under
// publishNotReadyAddresses, whose author wants them counted.
function countingEndpoints(of: Judged, settings: ServiceRouteSettings): Endpoint[] {
  const names = new Set(of.service.ports.map(({ name }) => name));
  return of.slices
    .filter((slice) => slice.addressType === of.family
      && slice.ports.some(({ name }) => names.has(name)))
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ ready, serving, terminating }) => (ready ?? true)
      || (settings.localEndpoints === 'serving' && (serving ?? true) && terminating === true));
}
