import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { familyOf, type Ip } from '../../lb/ip.ts';
import type { NodePod } from '../../sim/kube/kubelet.ts';
import { podGateways } from './blueprint.ts';
import type { Machine } from './machine.ts';
import type { LabRecord } from './record.ts';
import { killCgroup, startIn } from './site.ts';

export interface PodOrder {
  readonly record: LabRecord;
  readonly machine: Machine;
  /** Path of the program `echo`. */
  readonly echo: string;
  readonly pod: NodePod;
  /** Of the node itself: what its own sockets call pods from. */
  readonly nodeIps: readonly Ip[];
  /** Told what went wrong, one sentence. */
  readonly complain: (text: string) => void;
}

/** Namespace of a pod: its uid tells it from an earlier one of its name. */
export function podNamespace(lab: string, uid: string): string {
  return `${lab}-pod-${uid.slice(0, 13)}`;
}

/**
 * Starts a pod: its namespace, its cable to the node with a route each way, and its one process.
 * All of it is one child, so that whoever starts many goes on meanwhile.
 */
export function startPod(order: PodOrder): void {
  const { record, machine, pod } = order;
  const namespace = podNamespace(record.name, pod.uid);
  const place = podPlace(order);
  if (!pod.hostNetwork) record.add({ kind: 'namespace', name: namespace });
  const ports = pod.ports.map(({ port, protocol }) => `${port}/${protocol}`);
  const served = ports.length > 0 ? ports : [`${anyPort}/TCP`, `${anyPort}/UDP`];
  const child = startIn(
    { namespace: machine.plan.namespace, cgroup: place },
    [
      'sh', '-ec', pod.hostNetwork ? hostScript : podScript(order, ports.length === 0),
      'pod', order.echo, `${pod.namespace}/${pod.name}`, ...served,
    ],
    { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const said: string[] = [];
  child.stderr?.on('data', (text) => said.push(String(text)));
  child.once('exit', (code) => {
    // A signal is our own doing.
    if (code !== null) order.complain(`pod ${pod.namespace}/${pod.name}: ${said.join('').trim()}`);
  });
  child.unref();
}

/** Ends a pod and takes its namespace away, whether or not it ever came up. */
export function stopPod(order: Omit<PodOrder, 'echo' | 'nodeIps'>): void {
  const { record, machine, pod } = order;
  const place = podPlace(order);
  killCgroup(place);
  if (pod.hostNetwork) return;
  const cleaner = startIn(
    { namespace: machine.plan.namespace, cgroup: join(machine.cgroup, 'cleaners') },
    ['ip', 'netns', 'del', podNamespace(record.name, pod.uid)],
  );
  cleaner.once('exit', () => rmSync(place, { force: true, recursive: true, maxRetries: 0 }));
  cleaner.unref();
}

function podPlace({ machine, pod }: Pick<PodOrder, 'machine' | 'pod'>): string {
  return join(machine.cgroup, 'pods', pod.uid);
}

/** Where a pod that declares no port listens; everything is led there. */
const anyPort = 9;

const hostScript = 'exec "$@"';

/**
 * Run in the node's namespace. The pod's address is on its own end alone; the node leads to it by a
 * route to the cable, and answers for the gateway there.
 */
function podScript({ record, pod, nodeIps }: PodOrder, everyPort: boolean): string {
  const namespace = podNamespace(record.name, pod.uid);
  const cable = `veth${pod.uid.replaceAll('-', '').slice(0, 10)}`;
  const node = [
    `link add name ${cable} type veth peer name eth0 netns ${namespace}`,
    `link set dev ${cable} up`,
    `addr add ${podGateways.IPv4}/32 dev ${cable} scope link`,
    `addr add ${podGateways.IPv6}/64 dev ${cable} nodad`,
    ...pod.ips.map((ip) => {
      const source = nodeIps.find((own) => familyOf(own) === familyOf(ip));
      return `route replace ${ip} dev ${cable}${source === undefined ? '' : ` src ${source}`}`;
    }),
  ];
  const inside = [
    'link set dev lo up', 'link set dev eth0 up',
    ...pod.ips.map((ip) => `addr add ${ip} dev eth0${familyOf(ip) === 'IPv6' ? ' nodad' : ''}`),
    `route add ${podGateways.IPv4} dev eth0`, `route add default via ${podGateways.IPv4}`,
    ...pod.ips.some((ip) => familyOf(ip) === 'IPv6')
      ? [`route add ::/0 via ${podGateways.IPv6} dev eth0`] : [],
  ];
  const enter = `nsenter --net=/run/netns/${namespace} --`;
  return [
    `ip netns del ${namespace} 2>/dev/null || true`,
    `ip netns add ${namespace}`,
    `${enter} sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0`,
    `printf '%s\\n' ${node.map(quoted).join(' ')} | ip -batch -`,
    `printf '%s\\n' ${inside.map(quoted).join(' ')} | ${enter} ip -batch -`,
    ...(everyPort ? [`${enter} /usr/sbin/nft ${quoted(redirect)}`] : []),
    `exec ${enter} "$@"`,
  ].join('\n');
}

const redirect = [
  'add table inet lab', 'add chain inet lab in { type nat hook prerouting priority dstnat; }',
  `add rule inet lab in meta l4proto { tcp, udp } th dport 1-32767 redirect to :${anyPort}`,
].join('; ');

function quoted(text: string): string {
  return `'${text}'`;
}
