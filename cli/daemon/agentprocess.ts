import { networkInterfaces } from 'node:os';
import { createAgent, createAgentCaches, type Agent } from '../../agent.ts';
import { gobgpSpeakers } from '../../bgp/gobgp/speakers.real.ts';
import { realClock } from '../../bpf/clock.real.ts';
import { probeFeatures } from '../../bpf/features.real.ts';
import { HealthServer } from '../../bpf/healthserver.real.ts';
import { loadAddon, type SocketHandle } from '../../bpf/native.real.ts';
import type { NodeParts, OpenNode } from '../../bpf/node.real.ts';
import { realLinks, type RealLinks } from '../../l2/link.real.ts';
import { isManaged } from '../../l2/links.ts';
import { probeSegments } from '../../l2/probe.real.ts';
import { openBlackholes, type SocketAddon } from '../../lb/devices.real.ts';
import type { BlackholePort } from '../../lb/ports.ts';
import type { KubePort } from '../../kube/port.ts';
import type { NodePortAddresses } from '../../lb/datapathoptions.ts';
import { parseIp, parsePrefix, prefixContains, type Ip } from '../../lb/ip.ts';
import { nodeAddresses } from '../../lb/nodefacts.ts';
import { realRandom } from '../../lb/random.real.ts';
import { CommandEnd, exitCodes } from '../exit.ts';
import type { AgentSite } from './agentapi.ts';
import { AgentDoors } from './agentdoors.ts';
import { ownMissingCapabilities } from './capabilities.ts';
import { EventStreams } from './eventstreams.ts';
import { kubeClient } from './kubeclient.ts';
import type { Surroundings } from './lives.ts';
import { meteredKube } from './meteredkube.ts';
import { serveMetrics } from './metricsserver.ts';
import { nodeWhenFree } from './nodeopening.ts';
import type { Probe } from './probes.ts';
import { proxyHealthOf, ProxyHealthz } from './proxyhealthz.ts';
import { showBgp, showDatapath, showL2, showProcess } from './shown.ts';
import { SegmentProbe } from './segmentprobe.ts';
import { placeOf } from './values.ts';

/** One life of this node's agent. Programs and tables stay in the kernel. */
export async function liveAsAgent(at: Surroundings): Promise<void> {
  const { log, pulse, meters, configuration: { values } } = at;
  const blocked = lacked(log);
  const addon = loadAddon();
  if (!addon.ok) throw new CommandEnd(exitCodes.unreachable, addon.error.text);
  const kube = kubeClient(values, at.env);
  if (!kube.ok) throw new CommandEnd(exitCodes.unreachable, kube.error);
  let agent: Agent | undefined;
  let node: OpenNode | undefined;
  const metered = meteredKube(kube.value, meters.take);
  const probes = { ...probesOf(() => agent, blocked), '/livez': pulse.probe };
  const streams = new EventStreams(log, at.nodeName);
  const sockets = addon.value as SocketAddon<SocketHandle>;
  const segments = new SegmentProbe((target, links) => probeSegments(sockets, target, links));
  const site = (): AgentSite => ({ at, agent, node, streams, segments });
  const doors = new AgentDoors({ site, kube: metered, probes });
  meters.showFrom(showProcess(at.watch));
  const scraped = placeOf(values['metrics.address'] ?? ':9472');
  const metrics = scraped === undefined ? undefined : serveMetrics(scraped, meters, log);
  const parts: NodeParts = {
    addon: addon.value, clock: realClock(addon.value), journal: log,
    features: probeFeatures(addon.value),
  };
  // Without what the kernel asks for nothing may be opened; the process stays, to say so.
  if (blocked === undefined) node = await nodeWhenFree(parts, at);
  else await at.end;
  if (node === undefined) doors.close();
  else {
    doors.openSocket();
    const links = linksOf(parts, at, () => agent);
    const blackholes = openBlackholes(addon.value as SocketAddon<SocketHandle>);
    agent = compose({ parts, at, node, links, blackholes, kube: metered }, () => agent);
    meters.showFrom(
      showProcess(at.watch), showDatapath(agent, node), showL2(agent, node, meters),
      showBgp(agent),
    );
    await liveWith(agent, at);
    meters.showFrom(showProcess(at.watch));
    doors.close();
    links.close();
    blackholes.close();
    node.close();
  }
  metrics?.close();
  kube.value.close();
}

/** From start to the last hand-over. */
async function liveWith(agent: Agent, at: Surroundings): Promise<void> {
  const healthz = new ProxyHealthz(agent, at);
  at.onChange(({ configuration, keys }) => {
    const { l2 } = configuration.settings;
    if ([...keys].some((key) => key.startsWith('l2.'))) agent.announceBy(l2);
    healthz.follow(configuration);
  });
  at.onRejected((text) => agent.events.emit({
    object: {
      apiVersion: 'v1', kind: 'Node', namespace: '', name: at.nodeName, uid: at.nodeName,
    },
    type: 'Warning', reason: 'ConfigRejected',
    message: `${text}; the last good configuration stays in force`,
  }));
  agent.start();
  await at.end;
  await new Promise<void>((resolve) => { agent.stop(resolve); });
  healthz.close();
}

/** Says which capabilities are missing; the sentence where one of them is indispensable. */
function lacked(log: Surroundings['log']): string | undefined {
  const missing = ownMissingCapabilities();
  const needed = missing.filter(({ cost }) => cost === undefined);
  for (const { name, cost = 'nothing works without it' } of missing) {
    log.note({
      level: needed.length > 0 ? 'error' : 'warn', component: 'agent',
      code: 'agent.capabilityMissing', text: `capability ${name} is missing: ${cost}`,
    });
  }
  if (needed.length === 0) return undefined;
  return `missing capabilities: ${needed.map(({ name }) => name).join(', ')}`;
}

function probesOf(
  agent: () => Agent | undefined, blocked: string | undefined,
): Readonly<Record<string, Probe>> {
  const startup: Probe = () => {
    if (blocked !== undefined) return blocked;
    const present = agent();
    if (present === undefined) return 'the node is not open yet';
    const missing = Object.values(present.tables).find(({ complete }) => !complete);
    return missing === undefined ? undefined : `waits for the first list of ${missing.name}`;
  };
  return {
    '/startupz': startup,
    '/readyz': () => startup() ?? readiness(agent()),
  };
}

function readiness(agent: Agent | undefined): string | undefined {
  if (agent?.datapath.ready() === true) return undefined;
  return agent?.datapath.pending()[0] ?? 'the first round of the datapath is under way';
}

function linksOf(
  { addon }: NodeParts, { nodeName, watch }: Surroundings, agent: () => Agent | undefined,
): RealLinks {
  return realLinks<SocketHandle>({
    addon: addon as SocketAddon<SocketHandle>,
    hears: (link) => isManaged(link, {
      devices: watch.configuration.settings.l2.devices,
      nodeAddresses: nodeAddresses(agent()?.tables.nodes.get(nodeName)),
    }),
  });
}

/** Addresses of this machine that NodePorts are limited to; undefined: every one. */
function healthHosts(ports: NodePortAddresses): readonly Ip[] | undefined {
  if (ports.kind !== 'cidrs') return undefined;
  const texts = Object.values(networkInterfaces()).flatMap((of) => of ?? [])
    .map(({ address }) => parseIp(address));
  const within = (address: Ip): boolean => ports.prefixes.some((text) => {
    const prefix = parsePrefix(text);
    return prefix.ok && prefixContains(prefix.value, address);
  });
  return texts.flatMap((parsed) => (parsed.ok ? [parsed.value] : [])).filter(within);
}

interface Composition {
  readonly parts: NodeParts;
  readonly at: Surroundings;
  readonly node: OpenNode;
  readonly kube: KubePort;
  readonly links: RealLinks;
  readonly blackholes: BlackholePort;
}

function compose(
  { parts, at, node, kube, links, blackholes }: Composition, agent: () => Agent | undefined,
): Agent {
  const { clock, journal } = parts;
  const { kernel, devices, hooks, limits } = node;
  const { nodeName, configuration: { values, settings } } = at;
  const healthListeners = new HealthServer({
    proxyHealthy: () => {
      const present = agent();
      return present !== undefined && proxyHealthOf(present, at).healthy;
    },
  }, healthHosts(settings.datapath.nodePortAddresses));
  return createAgent({
    clock, random: realRandom, journal, kube, kernel, link: links, devices, hooks,
    blackholes, healthListeners, caches: createAgentCaches('one'),
    speakers: gobgpSpeakers({
      clock, settings: settings.bgp,
      // A pod takes its processes with it; elsewhere a speaker goes on and is adopted.
      survives: at.env['KUBERNETES_SERVICE_HOST'] === undefined,
    }),
  }, {
    nodeName, namespace: settings.namespace, l2: settings.l2, bgp: settings.bgp,
    datapath: settings.datapath,
    datapathEnabled: values['datapath.enabled'] === true, mapLimits: limits,
  });
}
