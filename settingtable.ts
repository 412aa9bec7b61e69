import { bgpSettings } from './settingtable-bgp.ts';
import {
  address, count, duration, fact, levels, oneOf, portRange, text, texts, type Setting,
} from './setting.ts';

const kubernetes: readonly Setting[] = [
  {
    key: 'kubernetes.endpoints', schema: texts, usual: [], reload: 'restart',
    about: 'API servers as host:port or URL, tried in turn; empty: the in-cluster one',
  },
  {
    key: 'kubernetes.tokenFile', schema: text, reload: 'restart',
    about: 'file with the bearer token, read again as it is renewed; in-cluster by default',
  },
  {
    key: 'kubernetes.caFile', schema: text, reload: 'restart',
    about: 'certificates that the API server must lead to; in-cluster by default',
  },
  {
    key: 'nodeName', schema: text, reload: 'restart',
    about: 'name of the Node object of this machine; its host name by default',
  },
  {
    key: 'namespace', schema: text, usual: 'fairlead-system', reload: 'restart',
    about: 'namespace of our Leases',
  },
];

const allocation: readonly Setting[] = [
  { key: 'enable-ipv4', schema: fact, usual: true, reload: 'restart', about: 'IPv4' },
  { key: 'enable-ipv6', schema: fact, usual: true, reload: 'restart', about: 'IPv6' },
  { key: 'enable-lb-ipam', schema: fact, usual: true, reload: 'restart', about: 'LB IPAM' },
  {
    key: 'default-lb-service-ipam', schema: oneOf('lbipam', 'nodeipam', 'none'), usual: 'lbipam',
    reload: 'restart', about: 'who serves Services without a class',
  },
  {
    key: 'lbipam-require-lb-class', schema: fact, usual: false, reload: 'restart',
    about: 'older spelling of default-lb-service-ipam: none',
  },
  { key: 'enable-node-ipam', schema: fact, usual: true, reload: 'restart', about: 'node IPAM' },
  {
    key: 'lb-ipam-reuse-hold-down', schema: duration, usual: '0s', reload: 'restart',
    about: 'rest of a freed address, at most 24h',
  },
  {
    key: 'lb-ipam-batch-window', schema: duration, usual: '50ms', reload: 'restart',
    about: 'a plan is made this long after the first change, at most 10s',
  },
  {
    key: 'lb-ipam-write-qps', schema: count(1, 10_000), usual: 100, reload: 'hot',
    about: 'status writes a second',
  },
  {
    key: 'lb-ipam-write-burst', schema: count(1, 10_000), usual: 200, reload: 'hot',
    about: 'status writes at once',
  },
];

const datapath: readonly Setting[] = [
  {
    key: 'datapath.enabled', schema: fact, usual: true, reload: 'restart',
    aliases: ['kube-proxy-replacement'], about: 'replace kube-proxy on this node',
  },
  {
    key: 'datapath.socketLB', schema: oneOf('full', 'hostNamespaceOnly'), usual: 'full',
    reload: 'restart', aliases: ['bpf-lb-sock-hostns-only'], about: 'whose sockets are translated',
  },
  {
    key: 'datapath.mode', schema: oneOf('snat'), usual: 'snat', reload: 'restart',
    aliases: ['bpf-lb-mode'], about: 'how replies find their way back',
  },
  {
    key: 'datapath.acceleration', schema: oneOf('none', 'disabled'), usual: 'none',
    reload: 'restart', aliases: ['bpf-lb-acceleration'], about: 'XDP is not in this version',
  },
  {
    key: 'datapath.algorithm', schema: oneOf('random', 'maglev'), usual: 'random',
    reload: 'restart', aliases: ['bpf-lb-algorithm'], about: 'selection of endpoints',
  },
  {
    key: 'datapath.maglevTableSize',
    schema: oneOf(251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071), usual: 16381,
    reload: 'restart', aliases: ['bpf-lb-maglev-table-size'], about: 'cells of a Maglev table',
  },
  {
    key: 'datapath.hashSeed', schema: count(0, 0xffff_ffff), usual: 0x666c_6c64,
    reload: 'restart', about: 'one 32-bit seed for the cluster',
  },
  {
    key: 'datapath.nodePortAddresses', schema: texts, usual: ['primary'], reload: 'restart',
    aliases: ['nodeport-addresses'], about: 'primary, all, or prefixes',
  },
  {
    key: 'datapath.nodePortRange', schema: portRange, usual: '30000-32767', reload: 'restart',
    aliases: ['node-port-range'], about: 'ports of NodePorts',
  },
  {
    key: 'datapath.snatPorts', schema: portRange, usual: '50000-65535', reload: 'restart',
    about: 'source ports of translated flows',
  },
  {
    key: 'datapath.bindProtection', schema: fact, usual: true, reload: 'restart',
    aliases: ['node-port-bind-protection'], about: 'a bind to a NodePort in use fails',
  },
  {
    key: 'datapath.externalClusterIP', schema: fact, usual: true, reload: 'restart',
    aliases: ['bpf-lb-external-clusterip'], about: 'ClusterIPs answer from outside',
  },
  {
    key: 'datapath.externalIPs', schema: oneOf('honour', 'nodeOwned', 'off'), usual: 'honour',
    reload: 'restart', about: 'which externalIPs are served (CVE-2020-8554)',
  },
  {
    key: 'datapath.vipGuard', schema: fact, usual: true, reload: 'restart',
    about: 'unknown ports of an announced address are dropped',
  },
  {
    key: 'datapath.vipEcho', schema: fact, usual: false, reload: 'restart',
    about: 'ICMP echo to an announced address is answered',
  },
  {
    key: 'datapath.noEndpoints', schema: oneOf('reject', 'drop'), usual: 'reject',
    reload: 'restart', about: 'what a Service without endpoints does',
  },
  {
    key: 'datapath.midstream', schema: oneOf('drop', 'reset', 'pass'), usual: 'drop',
    reload: 'restart', about: 'packets of flows that nobody remembers',
  },
  {
    key: 'datapath.serviceRanges', schema: texts, usual: [], reload: 'restart',
    about: 'prefixes of ClusterIPs where the API has no ServiceCIDRs',
  },
  {
    key: 'datapath.devices', schema: texts, usual: [], reload: 'restart', aliases: ['devices'],
    about: 'globs that name the uplinks; empty: found by routes and addresses',
  },
  {
    key: 'datapath.mapSize', schema: oneOf('auto', 'small', 'medium', 'large'), usual: 'auto',
    reload: 'restart', about: 'limits of maps; auto follows the memory of the node',
  },
  {
    key: 'datapath.syncPeriod', schema: duration, usual: '30s', reload: 'hot',
    about: 'twice this without a completed round is unhealthy',
  },
  {
    key: 'datapath.allowOtherProxy', schema: fact, usual: false, reload: 'restart',
    about: 'start beside another eBPF service proxy',
  },
  {
    key: 'datapath.cgroup', schema: text, reload: 'restart',
    about: 'folder of the cgroup that covers the sockets of this node; the root by default',
  },
  {
    key: 'datapath.healthzAddress', schema: address, usual: '0.0.0.0:10256', reload: 'hot',
    aliases: ['kube-proxy-replacement-healthz-bind-address'], about: 'health as kube-proxy has it',
  },
];

const l2: readonly Setting[] = [
  {
    key: 'l2.enabled', schema: fact, usual: true, reload: 'restart',
    aliases: ['enable-l2-announcements'], about: 'layer-2 announcement',
  },
  {
    key: 'l2.session.duration', of: 'agent', schema: duration, usual: '5s', reload: 'hot',
    about: 'how long one counted renewal lets a node answer, 1s to 60s',
  },
  {
    key: 'l2.session.renew', of: 'agent', schema: duration, usual: '1s', reload: 'hot',
    about: 'renewal of the session, 100ms to a quarter of the duration',
  },
  {
    key: 'l2.devices', of: 'agent', schema: texts, usual: [], reload: 'hot',
    about: 'managed devices; empty: those with a Node address or a default route',
  },
  {
    key: 'l2.onApiOutage', of: 'agent',
    schema: oneOf('strict', 'availability'), usual: 'strict', reload: 'hot',
    about: 'whether an owner goes on without the API',
  },
  {
    key: 'l2.preempt', of: 'agent', schema: oneOf('none', 'graceful'), usual: 'none', reload: 'hot',
    about: 'whether a better candidate takes over from a living owner',
  },
  {
    key: 'l2.reannounceInterval', of: 'agent', schema: duration, reload: 'hot',
    about: 'repeats announcements; 60s, or 10s in availability; 0 is off',
  },
  {
    key: 'l2.ignoreExcludeLabel', schema: fact, usual: false, reload: 'hot',
    about: 'announce from nodes excluded from external load balancers too',
  },
  {
    key: 'l2.responder', of: 'agent',
    schema: oneOf('auto', 'ebpf', 'fallback'), usual: 'auto', reload: 'hot',
    about: 'who answers ARP and Neighbor Solicitations',
  },
];

const surroundings: readonly Setting[] = [
  {
    key: 'metrics.address', schema: address, reload: 'restart',
    about: 'Prometheus metrics: :9472 of the agent, :9473 of the controller; empty is off',
  },
  {
    key: 'metrics.perService', schema: fact, usual: false, reload: 'hot',
    about: 'counters of packets by Service',
  },
  {
    key: 'metrics.seriesMax', schema: count(1, 1_000_000), usual: 5000, reload: 'hot',
    about: 'series of one metric by Service',
  },
  {
    key: 'health.address', schema: address, reload: 'restart',
    about: 'probes: 127.0.0.1:9474 of the agent, :9475 of the controller; empty is off',
  },
  {
    key: 'api.socket', of: 'agent',
    schema: text, usual: '/run/fairlead/agent.sock', reload: 'restart',
    about: 'unix socket of the agent API; empty is off',
  },
  {
    key: 'log.level', schema: levels, usual: 'info', reload: 'hot', about: 'least level told',
  },
  {
    key: 'log.format', schema: oneOf('json', 'text'), reload: 'hot',
    about: 'json, and text on a terminal',
  },
  {
    key: 'log.components', schema: { type: 'object', additionalProperties: levels }, reload: 'hot',
    about: 'levels of components by name',
  },
  {
    key: 'leader.lease', of: 'controller', schema: duration, usual: '15s', reload: 'restart',
    about: 'how long others leave an unrenewed leadership alone',
  },
  {
    key: 'leader.renewDeadline', of: 'controller',
    schema: duration, usual: '10s', reload: 'restart',
    about: 'a leader stops this long after its last renewal',
  },
  {
    key: 'leader.retry', of: 'controller', schema: duration, usual: '2s', reload: 'restart',
    about: 'between renewals',
  },
];

/** Every setting, in the order of the reference. */
export const settingTable: readonly Setting[] = [
  ...kubernetes,
  ...allocation.map((setting) => ({ ...setting, of: 'controller' as const })),
  ...datapath.map((setting) => ({ ...setting, of: 'agent' as const })),
  ...l2, ...bgpSettings, ...surroundings,
];

/** Settings under our names, and what was given besides. */
export interface NamedSettings {
  readonly values: Readonly<Record<string, unknown>>;
  /** By key: the name under which it was given. */
  readonly given: ReadonlyMap<string, string>;
  /** Names that nobody reads, in order. */
  readonly ignored: readonly string[];
}

/** Brings names that Cilium has to ours; where both are given, ours is in force. */
export function nameSettings(flat: Readonly<Record<string, unknown>>): NamedSettings {
  const values: Record<string, unknown> = {};
  const given = new Map<string, string>();
  const read = new Set<string>();
  for (const { key, aliases = [] } of settingTable) {
    for (const name of [...aliases, key]) {
      if (flat[name] === undefined) continue;
      read.add(name);
      values[key] = name === key ? flat[key] : translated(name, flat[name]);
      given.set(key, name);
    }
  }
  const ignored = Object.keys(flat).filter((name) => !read.has(name));
  return { values, given, ignored: ignored.sort((left, right) => (left < right ? -1 : 1)) };
}

const words: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'kube-proxy-replacement': { strict: true, partial: true, probe: true, disabled: false },
  'bpf-lb-sock-hostns-only': { true: 'hostNamespaceOnly', false: 'full' },
  'bpf-lb-acceleration': { disabled: 'none' },
};

function translated(alias: string, value: unknown): unknown {
  const known = words[alias]?.[String(value)];
  if (known !== undefined) return known;
  // A list is one text there, with spaces or commas.
  const lists = alias === 'devices' || alias === 'nodeport-addresses';
  return lists && typeof value === 'string' ? value.split(/[\s,]+/u).filter(Boolean) : value;
}
