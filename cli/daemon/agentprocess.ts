import { totalmem } from 'node:os';
import { createAgent, createAgentCaches, type Agent } from '../../agent.ts';
import { realClock } from '../../bpf/clock.real.ts';
import { probeFeatures } from '../../bpf/features.real.ts';
import { loadAddon, type Addon, type SocketHandle } from '../../bpf/native.real.ts';
import { openNode, type NodeParts, type OpenNode } from '../../bpf/node.real.ts';
import { realLinks } from '../../l2/link.real.ts';
import { isListed, isManaged } from '../../l2/links.ts';
import type { SocketAddon } from '../../lb/devices.real.ts';
import { realRandom } from '../../lb/random.real.ts';
import { CommandEnd, exitCodes } from '../exit.ts';
import type { Session } from '../session.ts';
import type { Configuration } from './configuration.ts';
import { kubeClient } from './kubeclient.ts';
import { logOf, type Log } from './log.ts';
import { Pulse, serveProbes } from './probes.ts';
import { stopSignal } from './stopsignal.ts';
import { nodeNameOf, placeOf, textOf, textsOf } from './values.ts';

/** Runs the agent of this node until a signal ends it. Programs and tables stay in the kernel. */
export async function runAgent(session: Session, of: Configuration): Promise<void> {
  const { console } = session;
  const { values } = of;
  const nodeName = nodeNameOf(values);
  const log = logOf(console, { values, node: nodeName });
  for (const text of of.warnings) {
    log.note({ level: 'warn', component: 'config', code: 'config.clamped', text });
  }
  const addon = loadAddon();
  if (!addon.ok) throw new CommandEnd(exitCodes.unreachable, addon.error.text);
  const kube = kubeClient(values, console.env);
  if (!kube.ok) throw new CommandEnd(exitCodes.unreachable, kube.error);
  let agent: Agent | undefined;
  const pulse = new Pulse();
  const place = placeOf(values['health.address'] ?? '127.0.0.1:9474');
  const probes = place === undefined ? undefined : serveProbes({
    place, journal: log,
    probes: {
      '/startupz': () => startupOf(agent),
      '/livez': pulse.probe,
      '/readyz': () => startupOf(agent) ?? (
        agent?.datapath.ready() === true ? undefined : agent?.datapath.pending()[0] ?? 'starting'
      ),
    },
  });
  const stop = stopSignal();
  const clock = realClock(addon.value);
  const parts = { addon: addon.value, clock, journal: log, features: probeFeatures(addon.value) };
  const node = await nodeWhenFree({ parts, of, nodeName, stop });
  if (node !== undefined) {
    const links = linksOf(addon.value, of, () => (
      agent?.tables.nodes.get(nodeName)?.addresses.map(({ address }) => address) ?? []
    ));
    agent = compose({ parts, of, nodeName, node, kube: kube.value, link: links });
    agent.start();
    const signal = await stop;
    await handedOver(agent, log, signal);
    links.close();
    node.close();
  }
  probes?.close();
  pulse.stop();
  kube.value.close();
}

function startupOf(agent: Agent | undefined): string | undefined {
  if (agent === undefined) return 'the node is not open yet';
  const missing = Object.values(agent.tables).find(({ complete }) => !complete);
  return missing === undefined ? undefined : `waits for the first list of ${missing.name}`;
}

interface NodeOrder {
  readonly parts: NodeParts;
  readonly of: Configuration;
  readonly nodeName: string;
}

const heldRetryMs = 1_000;

/** Opens the node; while another agent has it, asks again. Undefined: a signal came first. */
async function nodeWhenFree(
  { parts, of, nodeName, stop }: NodeOrder & { readonly stop: Promise<string> },
): Promise<OpenNode | undefined> {
  const { values, settings } = of;
  const socketLb = values['datapath.socketLB'] === 'hostNamespaceOnly'
    ? 'hostNamespaceOnly' as const : 'full' as const;
  for (;;) {
    const opened = openNode(parts, {
      nodeName, socketLb, datapath: settings.datapath,
      bindProtection: values['datapath.bindProtection'] === true,
      uplinks: textsOf(values['datapath.devices']),
      announces: (name) => settings.l2.enabled && isListed(name, settings.l2.devices),
      cgroup: textOf(values['datapath.cgroup']),
      allowOtherProxy: values['datapath.allowOtherProxy'] === true,
      mapDivisor: mapDivisorOf(values['datapath.mapSize']),
    });
    if (opened.ok) return opened.value;
    const { kind, text } = opened.error;
    if (kind !== 'held') throw new CommandEnd(exitCodes.unreachable, text);
    parts.journal.note({
      level: 'info', component: 'agent', code: 'agent.waits', text: `${text}; this one waits`,
    });
    const woken = new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), heldRetryMs);
    });
    if (await Promise.race([stop, woken]) !== undefined) return undefined;
  }
}

const gibibyte = 1024 ** 3;

/** Limits of maps are written for 4 to 16 GiB; others have a quarter or four times of them. */
function mapDivisorOf(size: unknown): number {
  const divisors: Readonly<Record<string, number>> = { small: 4, medium: 1, large: 1 / 4 };
  const memory = totalmem();
  const auto = memory < 4 * gibibyte ? 'small' : memory <= 16 * gibibyte ? 'medium' : 'large';
  return divisors[String(size)] ?? divisors[auto] ?? 1;
}

function linksOf(
  addon: Addon, { settings }: Configuration, nodeAddresses: () => readonly string[],
): ReturnType<typeof realLinks> {
  return realLinks<SocketHandle>({
    addon: addon as SocketAddon<SocketHandle>,
    hears: (link) => isManaged(link, {
      devices: settings.l2.devices, nodeAddresses: nodeAddresses(),
    }),
  });
}

interface Composition extends NodeOrder {
  readonly node: OpenNode;
  readonly kube: Parameters<typeof createAgent>[0]['kube'];
  readonly link: Parameters<typeof createAgent>[0]['link'];
}

function compose({ parts, of, nodeName, node, kube, link }: Composition): Agent {
  const { clock, journal } = parts;
  const { kernel, devices, hooks, limits } = node;
  const { settings } = of;
  return createAgent({
    clock, random: realRandom, journal, kube, kernel, link, devices, hooks,
    caches: createAgentCaches(),
  }, {
    nodeName, namespace: settings.namespace, l2: settings.l2, datapath: settings.datapath,
    mapLimits: limits,
  });
}

async function handedOver(agent: Agent, log: Log, signal: string): Promise<void> {
  log.note({ level: 'info', component: 'agent', code: 'agent.stops', text: `stops on ${signal}` });
  await new Promise<void>((resolve) => { agent.stop(resolve); });
}
