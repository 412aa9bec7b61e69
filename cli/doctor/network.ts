import { readKubeProxyRules } from '../../bpf/kubeproxy.real.ts';
import { ruleCount, type KubeProxyRules } from '../../bpf/kubeproxy.ts';
import { neighboursOf } from '../../bpf/neighbours.ts';
import { readNeighbours } from '../../bpf/neighbours.real.ts';
import { cgroupRoot } from '../../bpf/pins.real.ts';
import { portHolder } from '../../bpf/portholder.real.ts';
import { reservedPorts } from '../../bpf/sysctl.ts';
import { runTool } from '../../bpf/tool.real.ts';
import type { PortRange } from '../../lb/datapathoptions.ts';
import { fail, ok, skip, warn, type Check, type Finding, type Surroundings } from './check.ts';

/** One word for each means that has any. */
export function ruleFinding(rules: KubeProxyRules): Finding {
  const count = ruleCount(rules);
  if (count === 0) return ok('0 iptables, 0 ip6tables, 0 nft, 0 ipvs');
  const means = Object.entries(rules).filter(([, number]) => number > 0).map(([name]) => name);
  return fail(
    `${count} rule${count === 1 ? '' : 's'} of kube-proxy (${means.join(', ')})`,
    'remove kube-proxy, then fairlead uninstall --node --kube-proxy-rules',
  );
}

/** By iptables-save: a closed FORWARD chain stops what is forwarded to endpoints of this node. */
export function forwardFinding(save: string): Finding {
  if (!/^:FORWARD DROP /mu.test(save)) return ok('FORWARD accepts');
  const accepts = save.split('\n').filter((line) => /^-A FORWARD .*-j ACCEPT/u.test(line)).length;
  const next = 'accept the addresses of pods in FORWARD, as CNI plug-ins usually do';
  return warn(`FORWARD drops, with ${accepts} accepting rules before`, next);
}

/** `reserved` is net.ipv4.ip_local_reserved_ports, `local` net.ipv4.ip_local_port_range. */
export function portFinding(
  { reserved, local }: { readonly reserved: string; readonly local: string },
  { snat, nodePorts }: { readonly snat: PortRange; readonly nodePorts: PortRange },
): Finding {
  const [first = 0, last = 0] = local.trim().split(/\s+/u).map(Number);
  if (reservedPorts(reserved, snat) !== undefined) {
    const text = `ports of SNAT ${snat.first}-${snat.last} are not reserved`;
    return warn(text, 'start the agent, or fairlead prepare');
  }
  const meet = first <= nodePorts.last && nodePorts.first <= last;
  if (meet && reservedPorts(reserved, nodePorts) !== undefined) {
    return warn(
      `local ports ${first}-${last} meet NodePorts ${nodePorts.first}-${nodePorts.last}`,
      `sysctl -w net.ipv4.ip_local_port_range="${nodePorts.last + 1} ${last}"`,
    );
  }
  return ok(`SNAT ${snat.first}-${snat.last} reserved, NodePorts apart from local ports`);
}

/** Rules are shown to root alone; to others there seem to be none. */
function asRoot(look: () => Finding): () => Finding {
  const hidden = skip('rules are root\'s alone; run it as root');
  return () => (process.getuid?.() === 0 ? look() : hidden);
}

function healthPort(): Finding {
  const holder = portHolder(10_256);
  if (holder === undefined) return ok('free');
  const { pid, command } = holder;
  const shown = `held by ${command} (${pid})`;
  if (['fairlead', 'node', 'MainThread', 'node-MainThread'].includes(command)) return ok(shown);
  return fail(shown, command === 'kube-proxy' ? 'remove kube-proxy' : `stop ${command}`);
}

function reversePath({ read, devices }: Surroundings): Finding {
  const uplinks = devices.filter(({ defaultRoute }) => defaultRoute).map(({ name }) => name);
  const modeOf = (name: string): number => (
    Number(read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`) ?? 0)
  );
  const strict = uplinks.filter((name) => Math.max(modeOf('all'), modeOf(name)) === 1);
  if (uplinks.length < 2 || strict.length === 0) {
    return ok(strict.length === 0 ? 'not strict' : `strict on ${strict.join(', ')}`);
  }
  return warn(
    `strict on ${strict.join(', ')} of ${uplinks.length} uplinks: answers may leave by another`,
    'sysctl -w net.ipv4.conf.all.rp_filter=2',
  );
}

function mtu({ addon, addonMissing, devices }: Surroundings): Finding {
  if (addon === undefined) return skip(addonMissing);
  const uplinks = devices.filter(({ defaultRoute }) => defaultRoute);
  const pods = devices.filter(({ kind, peerNetns }) => kind === 'veth' && peerNetns !== undefined);
  const least = Math.min(...uplinks.map((device) => device.mtu));
  const large = pods.filter((device) => device.mtu > least);
  if (uplinks.length === 0) return skip('no interface has a default route');
  if (large.length === 0) return ok(`${least} on ${uplinks.map(({ name }) => name).join(', ')}`);
  return warn(
    `${large.length} pod interfaces are larger than the uplink's ${least}`,
    'give pods the MTU of the uplink',
  );
}

function multicast({ read, devices }: Surroundings): Finding {
  const filtering = devices.filter(({ name, kind }) => kind === 'bridge'
    && read(`/sys/class/net/${name}/bridge/multicast_snooping`)?.trim() === '1'
    && read(`/sys/class/net/${name}/bridge/multicast_querier`)?.trim() === '0');
  const carriers = filtering.filter((bridge) => devices.some((device) => (
    device.master === bridge.ifindex && device.kind !== 'veth'
  )));
  const [bridge] = carriers;
  if (bridge === undefined) return ok('no bridge of this node filters multicast');
  return warn(
    `bridge ${bridge.name} forwards multicast to known members, and nobody asks for them`,
    `echo 1 > /sys/class/net/${bridge.name}/bridge/multicast_querier`,
  );
}

function foreign({ addon, addonMissing, devices }: Surroundings): Finding {
  if (addon === undefined) return skip(addonMissing);
  if (process.getuid?.() !== 0) return skip('hooks are root\'s alone; run it as root');
  const cgroup = cgroupRoot();
  const facts = readNeighbours(addon, { devices, cgroup: cgroup.ok ? cgroup.value : undefined });
  const other = neighboursOf(facts).find(({ kind }) => kind === 'service-proxy');
  if (other !== undefined) return fail(other.text, 'remove it, or set datapath.allowOtherProxy');
  return ok('no other eBPF service proxy');
}

/** What else the node's network does with packets of Services. */
export const networkChecks: readonly Check[] = [
  {
    name: 'service-rules', asks: 'Did kube-proxy leave rules?',
    page: 'Programs act before netfilter, so that leftovers translate nothing twice; but a Service '
      + 'that is refused here would be served by them. Zeros mean that no rule serves Services.',
    look: asRoot(() => ruleFinding(readKubeProxyRules())),
  },
  {
    name: 'port-10256', asks: 'Who answers for the proxy health?',
    page: 'Load balancers of clouds and other controllers ask :10256/healthz, as kube-proxy has '
      + 'it. The agent runs on where the port is held, and tries again each 10 s.',
    look: healthPort,
  },
  {
    name: 'port-ranges', asks: 'Are the ports of SNAT and NodePorts kept free?',
    page: 'A socket that takes a source port of SNAT would get packets of a translated flow. The '
      + 'agent reserves them in net.ipv4.ip_local_reserved_ports; uninstall --node frees them.',
    look: ({ read, configuration: { settings: { datapath } } }) => portFinding(
      {
        reserved: read('/proc/sys/net/ipv4/ip_local_reserved_ports') ?? '',
        local: read('/proc/sys/net/ipv4/ip_local_port_range') ?? '',
      },
      { snat: datapath.snatPorts, nodePorts: datapath.nodePortRange },
    ),
  },
  {
    name: 'rp-filter', asks: 'Does the kernel drop packets by their way back?',
    page: 'Strict reverse-path filtering is harmless with one uplink. With several, packets whose '
      + 'answer would leave by another one are dropped.',
    look: reversePath,
  },
  {
    name: 'forward-policy', asks: 'Is forwarding to pods open?',
    page: 'Packets to an endpoint of this node cross the FORWARD chain; those to other nodes do '
      + 'not. A closed chain lets remote endpoints work and local ones fail.',
    look: asRoot(() => forwardFinding(runTool('iptables-save', ['-t', 'filter']).out)),
  },
  {
    name: 'mtu', asks: 'Do packets of pods fit the uplink?',
    page: 'A pod that sends larger packets than the uplink takes needs path MTU discovery for '
      + 'every answer.',
    look: mtu,
  },
  {
    name: 'multicast-filter', asks: 'Do Neighbor Solicitations arrive?',
    page: 'IPv6 neighbours ask by multicast. A bridge that snoops without a querier forgets '
      + 'members after minutes, and an announced IPv6 address falls silent.',
    look: multicast,
  },
  {
    name: 'foreign-datapath', asks: 'Is another eBPF service proxy on the hooks?',
    page: 'Two proxies on one hook translate each Service as whichever is first. The agent does '
      + 'not start beside one unless datapath.allowOtherProxy is set.',
    look: foreign,
  },
];
