import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { prefix } from './guard.ts';
import { pause } from './rounds.ts';
import { place } from './services.ts';
import { netnsPath, runTool } from './tools.ts';

/** One client, one node and the backends of one variant, each a network namespace. */
export interface World {
  readonly client: string;
  readonly node: string;
  readonly backends: string;
}

/** Devices of the node: towards the client, and towards the backends. */
export const nodeDevices = { client: 'c0', backends: 'b0' } as const;

/** So that neighbours can be written down before anybody asks for them. */
export const macs = {
  client: '02:00:00:00:01:09', clientSide: '02:00:00:00:01:01',
  backends: '02:00:00:00:02:10', backendSide: '02:00:00:00:02:01',
} as const;

/**
 * Builds a world. All worlds look alike, addresses and MACs included, so that variants differ by
 * what is put on the node alone; neighbours are permanent, so nobody asks in the middle of a run;
 * offloads are those of a fresh veth everywhere.
 */
export function buildWorld(name: string): World {
  const [client = '', node = '', backends = ''] = ['c', 'n', 'b'].map(
    (part) => `${prefix}${name}-${part}`,
  );
  for (const netns of [client, node, backends]) {
    runTool(`ip netns add ${netns}`);
    runTool('sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1'
      + ' net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0', { netns });
  }
  runTool('sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0', { netns: node });
  // A client makes tens of thousands of connections to one front within a minute.
  runTool('sysctl -qw net.ipv4.tcp_tw_reuse=1 net.ipv4.tcp_fin_timeout=5', { netns: client });
  ip(node, [
    `link add ${nodeDevices.client} address ${macs.clientSide} type veth`
      + ` peer name eth0 address ${macs.client} netns ${client}`,
    `link add ${nodeDevices.backends} address ${macs.backendSide} type veth`
      + ` peer name eth0 address ${macs.backends} netns ${backends}`,
    'link set lo up', `link set ${nodeDevices.client} up`, `link set ${nodeDevices.backends} up`,
    `addr add ${place.clientGateway}/24 dev ${nodeDevices.client}`,
    `addr add ${place.backendGateway}/24 dev ${nodeDevices.backends}`,
    `neigh add ${place.client} lladdr ${macs.client} nud permanent dev ${nodeDevices.client}`,
    ...[...place.backends, place.spare].map((address) => (
      `neigh add ${address} lladdr ${macs.backends} nud permanent dev ${nodeDevices.backends}`
    )),
  ]);
  end(client, { addresses: [place.client], gateway: place.clientGateway, mac: macs.clientSide });
  end(backends, {
    addresses: [...place.backends, place.spare], gateway: place.backendGateway,
    mac: macs.backendSide,
  });
  return { client, node, backends };
}

interface EndFacts {
  readonly addresses: readonly string[];
  readonly gateway: string;
  readonly mac: string;
}

function end(netns: string, { addresses, gateway, mac }: EndFacts): void {
  ip(netns, [
    'link set lo up', 'link set eth0 up',
    ...addresses.map((address) => `addr add ${address}/24 dev eth0`),
    `neigh add ${gateway} lladdr ${mac} nud permanent dev eth0`,
    `route add default via ${gateway}`,
  ]);
}

function ip(netns: string, lines: readonly string[]): void {
  runTool(`ip -n ${netns} -batch -`, { input: `${lines.join('\n')}\n` });
}

export function removeWorld({ client, node, backends }: World): void {
  for (const netns of [client, node, backends]) runTool(`ip netns del ${netns}`);
}

const startMsMax = 5_000;

/** Starts the server of a world, which listens then; it ends with this process at the latest. */
export function startServer(load: string, { backends }: World): void {
  const words = ['serve', netnsPath(backends), '1', String(place.backendPort)];
  const child = spawn(load, words, { stdio: 'ignore' });
  child.unref();
  const until = performance.now() + startMsMax;
  while (!listens(child.pid)) {
    if (performance.now() > until) throw new Error(`the server in ${backends} does not listen`);
    pause(2);
  }
}

// Sockets as the process sees them: of its network namespace, once it has entered it.
function listens(pid: number | undefined): boolean {
  const port = place.backendPort.toString(16).toUpperCase();
  const listening = new RegExp(`: 00000000:${port} 00000000:0000 0A`, 'u');
  return listening.test(readFileSync(`/proc/${pid}/net/tcp`, 'utf8'));
}
