import { resources } from '../../kube/resource.ts';
import { familyOf, parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import { serviceKey, type Service } from '../../lb/model.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import { TrafficLine, type TrafficHost } from '../net/client.ts';
import { podName } from '../node/pod.ts';
import type { TrafficSpec } from '../scenario/spec.ts';
import type { Cluster } from './cluster.ts';
import { demand } from '../scenario/error.ts';

/** Where a line goes when its Service has no address: nobody answers there. */
const nowhere = '192.0.2.255' as Ip;

/**
 * The clients' requests. A line to a Service follows its address; while the Service has none, its
 * requests go to an address that nobody has, and fail as they would for a person.
 */
export class Traffic {
  readonly lines = new Map<string, TrafficLine>();
  #cluster: Cluster;
  #struck = new Map<string, number>();

  constructor(cluster: Cluster, specs: readonly TrafficSpec[]) {
    this.#cluster = cluster;
    for (const spec of specs) this.add(spec);
    cluster.machines.onStrike((node) => {
      for (const name of this.lines.keys())
        this.#struck.set(`${name} ${node}`, this.flowsThrough(name, node));
    });
  }

  /**
   * How many kept flows of a line go through a node now: those that it forwards as the owner of
   * their address, and those that end on it.
   */
  flowsThrough(name: string, node: string): number {
    const line = this.line(name);
    const flows = line.flows.filter((flow) => flow.up);
    if (this.#cluster.ownersOf(line.target).includes(node)) return flows.length;
    const pods = new Set(
      [...this.#cluster.machines.get(node).node.pods.values()].map((pod) => podName(pod.spec)),
    );
    return flows.filter((flow) => pods.has(flow.backend ?? '')).length;
  }

  /** The same at the moment when the node last lost power; 0 when it never did. */
  flowsLostWith(name: string, node: string): number {
    return this.#struck.get(`${name} ${node}`) ?? 0;
  }

  start(): void {
    for (const line of this.lines.values()) line.start();
  }

  line(name: string): TrafficLine {
    const line = this.lines.get(name);
    demand(
      line !== undefined,
      `traffic ${name} exists; there are ${[...this.lines.keys()].sort(compareText).join(', ')}`,
    );
    return line;
  }

  add(spec: TrafficSpec): TrafficLine {
    const host = this.#cluster.network.hosts.get(spec.from) ?? this.#node(spec.from);
    demand(
      host !== undefined,
      `traffic ${spec.name} comes from a host or a node, not from '${spec.from}'`,
    );
    const target = parseTarget(spec.to);
    assert(
      target !== undefined,
      `traffic ${spec.name} goes to svc/NAMESPACE/NAME:PORT or ADDRESS:PORT`,
    );
    const line = new TrafficLine(this.#cluster.tap, {
      name: spec.name,
      from: host,
      target: target.kind === 'address' ? target.ip : nowhere,
      port: target.port,
      protocol: spec.protocol ?? this.#protocolOf(target),
      every: spec.every,
      flows: spec.flows,
    });
    this.lines.set(spec.name, line);
    if (target.kind === 'service') this.#follow(line, target, spec.family);
    return line;
  }

  /** Traffic of a node begins at its own sockets. */
  #node(name: string): TrafficHost | undefined {
    const { machines } = this.#cluster;
    return machines.has(name) ? machines.get(name).node.hostClient() : undefined;
  }

  #protocolOf(target: Target): 'TCP' | 'UDP' {
    if (target.kind === 'address') return 'TCP';
    const object = this.#cluster.api.get(resources.services, target.namespace, target.name);
    const decoded = object === undefined ? undefined : this.#cluster.decoder.service(object);
    if (decoded?.ok !== true) return 'TCP';
    const port = decoded.value.ports.find((candidate) => candidate.port === target.port);
    return port?.protocol === 'UDP' ? 'UDP' : 'TCP';
  }

  #follow(line: TrafficLine, target: ServiceTarget, family: 'IPv4' | 'IPv6' | undefined): void {
    const key = serviceKey(target.namespace, target.name);
    this.#cluster.store.onCommit(resources.services, (object, deleted) => {
      const decoded = this.#cluster.decoder.service(object);
      if (!decoded.ok || decoded.value.key !== key) return;
      const address = deleted ? undefined : shownAddress(decoded.value, family);
      line.setTarget(address ?? nowhere);
    });
  }
}

interface ServiceTarget {
  readonly kind: 'service';
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

type Target = ServiceTarget | { readonly kind: 'address'; readonly ip: Ip; readonly port: number };

/** `svc/NAMESPACE/NAME:PORT`, `192.0.2.1:80` or `[2001:db8::1]:80`. */
function parseTarget(text: string): Target | undefined {
  const service = /^svc\/([^/:]+)\/([^/:]+):(\d{1,5})$/u.exec(text);
  if (service !== null) {
    const [, namespace = '', name = '', port] = service;
    return { kind: 'service', namespace, name, port: Number(port) };
  }
  const address = /^\[?([^\]]+)\]?:(\d{1,5})$/u.exec(text);
  const parsed = parseIpUnmapped(address?.[1] ?? '');
  return parsed.ok ? { kind: 'address', ip: parsed.value, port: Number(address?.[2]) } : undefined;
}

/** Whether a scenario's traffic target can be read. */
export function validTarget(text: string): boolean {
  return parseTarget(text) !== undefined;
}

/** The first address that a Service shows, of one family where that is asked for. */
export function shownAddress(
  service: Service,
  family: 'IPv4' | 'IPv6' | undefined,
): Ip | undefined {
  for (const entry of service.ingress) {
    const parsed = parseIpUnmapped(entry.ip ?? '');
    if (parsed.ok && (family === undefined || familyOf(parsed.value) === family))
      return parsed.value;
  }
  return undefined;
}
