import type { Agent } from '../../agent.ts';
import type { HttpListener } from '../../bpf/httplistener.real.ts';
import { healthzAddress, serveProxyHealth } from '../../bpf/proxyhealthserver.real.ts';
import { proxyHealth, type ProxyHealth } from '../../lb/proxyhealth.ts';
import type { Configuration } from './configuration.ts';
import type { Surroundings } from './lives.ts';

/** Health of this node's proxy at this moment (datapath.md 14.4). */
export function proxyHealthOf(agent: Agent, { nodeName, watch }: Surroundings): ProxyHealth {
  const { settings, values } = watch.configuration;
  const sync = agent.datapath.sync();
  return proxyHealth({
    now: Date.now() * 1000,
    syncPeriod: settings.syncPeriod,
    families: {
      ...(values['enable-ipv4'] === true ? { IPv4: sync } : {}),
      ...(values['enable-ipv6'] === true ? { IPv6: sync } : {}),
    },
    node: agent.tables.nodes.get(nodeName),
  });
}

/** `/healthz` and `/livez` as kube-proxy has them, where `datapath.healthzAddress` says. */
export class ProxyHealthz {
  #agent: Agent;
  #at: Surroundings;
  #address = '';
  #listener: HttpListener | undefined;

  constructor(agent: Agent, at: Surroundings) {
    this.#agent = agent;
    this.#at = at;
    this.follow(at.configuration);
  }

  /** The address may be another one now. */
  follow({ values }: Configuration): void {
    const enabled = values['datapath.enabled'] === true;
    const address = enabled ? String(values['datapath.healthzAddress']) : '';
    if (address === this.#address) return;
    this.close();
    this.#address = address;
    const place = healthzAddress(address);
    if (!place.ok || place.value === undefined) return;
    this.#listener = serveProxyHealth(place.value, {
      health: () => proxyHealthOf(this.#agent, this.#at),
      refused: (why) => this.#at.log.note({
        level: 'warn', component: 'health', code: 'port-10256',
        text: `${why}; asked for again every 10 s`,
      }),
    });
  }

  close(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }
}
