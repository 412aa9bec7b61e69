import { forwardClosed } from './forwardpolicy.ts';

/** What else on the node might serve Services (datapath.md 14.2). */
export interface NeighbourFacts {
  /** `ip kube-proxy`, one for each nftables table. */
  readonly nftables: readonly string[];
  /** Rule sets of iptables as iptables-save writes them. */
  readonly iptables: string;
  /** Names of the node's interfaces. */
  readonly devices: readonly string[];
  /** Programs on our hooks that are not ours. */
  readonly programs: readonly ForeignProgram[];
}

export interface ForeignProgram {
  readonly name: string;
  /** Names of its maps, as far as the kernel keeps them: 15 letters. */
  readonly maps: readonly string[];
}

/** Something that was found, in one line, with what to do. */
export interface Neighbour {
  readonly kind: 'kube-proxy' | 'service-proxy' | 'forward-closed';
  readonly text: string;
}

/**
 * Other load balancers of the node. Our hooks run before netfilter, so kube-proxy's leftovers
 * translate nothing twice; another proxy in eBPF may well be first.
 */
export function neighboursOf(facts: NeighbourFacts): readonly Neighbour[] {
  const tables = facts.nftables.filter((table) => /^ip6? kube-proxy$/u.test(table));
  const chained = /^:KUBE-(?:SERVICES|NODEPORTS|PROXY-CANARY) /mu.test(facts.iptables);
  const ipvs = facts.devices.includes('kube-ipvs0');
  const left = [
    ...tables.map((table) => `the nftables table ${table}`),
    ...(chained ? ['KUBE- chains of iptables'] : []),
    ...(ipvs ? ['the IPVS device kube-ipvs0'] : []),
  ];
  const kubeProxy: readonly Neighbour[] = left.length === 0 ? [] : [{
    kind: 'kube-proxy',
    text: `kube-proxy has left ${left.join(', ')}: delete its DaemonSet, then run`
      + ' "kube-proxy --cleanup" on the node',
  }];
  const proxies = facts.programs.flatMap((program): readonly Neighbour[] => {
    const map = program.maps.find((name) => serviceMaps.some((pattern) => pattern.test(name)));
    if (map === undefined) return [];
    const text = `program ${program.name} with the Service map ${map} is on a hook of the node:`
      + ' another eBPF service proxy; remove it, or set allowOtherProxy';
    return [{ kind: 'service-proxy', text }];
  });
  const closed: readonly Neighbour[] = !forwardClosed(facts.iptables) ? [] : [{
    kind: 'forward-closed',
    text: 'the FORWARD chain of iptables drops what it does not know: endpoints of this node cannot'
      + ' be reached from outside; accept pod addresses there, or set its policy to ACCEPT',
  }];
  return [...kubeProxy, ...proxies, ...closed];
}

// Service tables of Cilium (cilium_lb4_services_v2), Calico (cali_v4_nat_fe3) and others.
const serviceMaps: readonly RegExp[] = [
  /(?:^|_)lb[46]_?(?:serv|back|rev|svc)/u, /nat_fe/u, /^(?:svc|service)s?_map/u,
];
