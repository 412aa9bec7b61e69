import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import { createDecoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { ownerOf } from '../../kind/lab/faults.ts';
import type { Lab } from '../../kind/lab/lab.ts';
import { datapathDefaults, primaryAddress } from '../../lb/datapathoptions.ts';
import { decide, masquerades, type FlowPacket } from '../../lb/decide.ts';
import { familyOf, ip, type Ip, type Prefix } from '../../lb/ip.ts';
import type { EndpointSlice, Node, Service } from '../../lb/model.ts';
import { nodeAddresses, nodeFacts, placeOf } from '../../lb/nodefacts.ts';
import type { Result } from '../../lb/result.ts';
import { deriveServicePorts } from '../../lb/serviceport.ts';
import { ViewIndex } from '../../lb/view.ts';

interface Pod {
  readonly key: string;
  readonly uid: string;
  readonly node: string;
  readonly ips: readonly Ip[];
  readonly ready: boolean;
}

/** The objects of a lab's API server, and what the service oracle says of them. */
export class Oracle {
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  #slices: readonly EndpointSlice[];
  #views = new Map<string, ViewIndex>();
  #serviceRanges: readonly Prefix[];
  #owners = new Map<string, string>();

  private constructor(lists: Lists, lab: Lab) {
    const decoder = createDecoder();
    this.services = decoded(lists.services, decoder.service);
    this.nodes = decoded(lists.nodes, decoder.node);
    this.#slices = decoded(lists.slices, decoder.slice);
    this.pods = lists.pods.map(podOf);
    this.#serviceRanges = lab.spec.serviceCidrs as readonly Prefix[];
  }

  static async of(lab: Lab): Promise<Oracle> {
    const items = async (path: string): Promise<readonly KubeObject[]> => (
      ((await lab.get(path)) as { items: KubeObject[] }).items
    );
    const [services, nodes, pods, slices] = await Promise.all([
      items('/api/v1/services'), items('/api/v1/nodes'), items('/api/v1/pods'),
      items('/apis/discovery.k8s.io/v1/endpointslices'),
    ]);
    const oracle = new Oracle({ services, nodes, pods, slices }, lab);
    for (const service of oracle.services) {
      for (const { ip: address } of service.ingress) {
        if (address === undefined) continue;
        const owner = await ownerOf(lab, ip(address));
        if (owner !== undefined) oracle.#owners.set(address, owner);
      }
    }
    return oracle;
  }

  /** The node that answers for an address on the LAN. */
  owner(address: string): string | undefined {
    return this.#owners.get(address)
      ?? this.nodes.find((node) => nodeAddresses(node).some((own) => own === address))?.meta.name;
  }

  /**
   * What a client must see, sorted: `ns/pod sees 192.168.10.250` for each endpoint that may be
   * chosen, or `ECONNREFUSED`, or `timeout`. `node` is where the packet meets a datapath first.
   */
  expected(node: string, packet: FlowPacket): readonly string[] {
    const view = this.#view(node);
    const verdict = decide(view, packet);
    if (verdict.kind === 'notMine') {
      const next = this.owner(packet.target);
      if (next === undefined || next === node) return ['notMine'];
      return this.expected(next, { ...packet, ingress: 'external' });
    }
    if (verdict.kind !== 'forward') return [verdict.kind === 'reject' ? 'ECONNREFUSED' : 'timeout'];
    return verdict.candidates.flatMap((endpoint) => {
      const pod = this.pods.find(({ ips }) => ips.includes(endpoint.ip));
      const own = primaryAddress(view.facts, familyOf(endpoint.ip));
      const masked = masquerades(verdict, endpoint, packet);
      // Where replies come back to this node anyway, the endpoint may see either.
      const returns = endpoint.local || packet.ingress !== 'external';
      const hairpin = endpoint.ip === packet.source ? [hairpinSources[familyOf(endpoint.ip)]] : [];
      const kept = !masked || returns ? [packet.source] : [];
      return [...masked ? [own] : [], ...kept, ...hairpin].map((source) => (
        `${pod?.key ?? endpoint.ip} sees ${source ?? '-'}`
      ));
    }).toSorted();
  }

  #view(nodeName: string): ViewIndex {
    const known = this.#views.get(nodeName);
    if (known !== undefined) return known;
    const options = { ...datapathDefaults, serviceRanges: this.#serviceRanges };
    const view = new ViewIndex(nodeFacts(nodeName, this.nodes, options));
    const place = placeOf(nodeName, this.nodes.find(({ meta }) => meta.name === nodeName));
    const context = { place, algorithm: options.algorithm, memo: new DatapathMemo() };
    for (const service of this.services) {
      const own = this.#slices.filter((slice) => slice.service === service.key);
      for (const record of deriveServicePorts(service, own, context)) view.set(record);
    }
    this.#views.set(nodeName, view);
    return view;
  }
}

/** What an endpoint sees that calls itself through a Service (datapath.md 4.2). */
const hairpinSources = { IPv4: '169.254.77.1', IPv6: 'fd66:6c65:6164::1' } as const;

interface Lists {
  readonly services: readonly KubeObject[];
  readonly nodes: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly slices: readonly KubeObject[];
}

function decoded<T>(
  objects: readonly KubeObject[], decode: (object: KubeObject) => Result<T, unknown>,
): readonly T[] {
  return objects.map((object) => {
    const value = decode(object);
    if (!value.ok) throw new Error(JSON.stringify(value.error));
    return value.value;
  });
}

function podOf(object: KubeObject): Pod {
  const { metadata } = object;
  const spec = object['spec'] as { readonly nodeName?: string };
  const status = object['status'] as PodStatus;
  return {
    key: `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`, uid: metadata?.uid ?? '',
    node: spec.nodeName ?? '', ips: (status.podIPs ?? []).map((each) => ip(each.ip)),
    ready: (status.conditions ?? []).some((each) => (
      each.type === 'Ready' && each.status === 'True'
    )),
  };
}

interface PodStatus {
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}
