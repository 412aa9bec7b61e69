import type { Addon } from '../../bpf/native.real.ts';
import { isRefused } from '../../bpf/refusal.real.ts';
import type { reason } from '../../bpf/layout.gen.ts';
import type { Order, Outcome } from './actor.ts';
import type { AgentSettings, Change } from './nodeagent.ts';
import { countOf } from './counters.ts';
import { at, at6, Lab, type Agent, type Place } from './lab.ts';
import { listed, node, service, type EndpointRow, type ServiceRow } from './objects.ts';

export type Connect = Extract<Order, { readonly do: 'connect' }>;

/** Enough connections that a random choice between two misses one once in 10^9 runs. */
const triesForBoth = 32;

export interface ShopSettings {
  readonly a?: Partial<AgentSettings>;
  readonly b?: Partial<AgentSettings>;
  /** What is to be there before the agents start. */
  readonly prepare?: (lab: Lab) => void;
}

/** A lab with an agent on both nodes and servers in the pods. */
export class Shop {
  readonly lab: Lab;
  readonly agents: Readonly<Record<'a' | 'b', Agent>>;
  #addon: Addon;

  static async open(
    addon: Addon, changes: (lab: Lab) => readonly Change[],
    settings: ShopSettings = {},
  ): Promise<Shop> {
    const lab = await Lab.open();
    try {
      settings.prepare?.(lab);
      const agents = { a: lab.agent('a', settings.a), b: lab.agent('b', settings.b) };
      const serving = (['a1', 'b1'] as const).flatMap((name) => (
        (['tcp', 'udp'] as const).map((protocol) => (
          lab.actor(name).ask({ do: 'serve', protocol, port: 8080, name })
        ))
      ));
      const all = [...nodes(lab), ...changes(lab), listed];
      await Promise.all([...serving, agents.a.apply(...all), agents.b.apply(...all)]);
      return new Shop(addon, lab, agents);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(addon: Addon, lab: Lab, agents: Readonly<Record<'a' | 'b', Agent>>) {
    this.#addon = addon;
    this.lab = lab;
    this.agents = agents;
  }

  /** Tells both agents and waits until both kernels have it. */
  async apply(...changes: readonly Change[]): Promise<void> {
    await Promise.all([this.agents.a.apply(...changes), this.agents.b.apply(...changes)]);
  }

  /**
   * Connects often and gives what servers and client saw, each once and sorted:
   * `a1 sees 10.64.1.9`, or the error. A client's peer that is not the asked one is said too.
   */
  async seen(place: Place, order: Connect, tries = triesForBoth): Promise<string[]> {
    const outcomes: Outcome[] = [];
    for (let left = tries; left > 0; left -= 8) {
      const wave = Array.from(
        { length: Math.min(8, left) }, () => this.lab.actor(place).ask(order),
      );
      outcomes.push(...await Promise.all(wave));
    }
    return [...new Set(outcomes.map((outcome) => sentence(order, outcome)))].toSorted();
  }

  /** Packets that a node has counted for a reason. */
  count(home: 'a' | 'b', name: keyof typeof reason): bigint {
    return countOf(this.#addon, this.lab.pinsOf(home), name);
  }

  /** Runs `body` with this thread in the network namespace of a place. */
  inside<T>(place: Place, body: () => T): T {
    const path = `/var/run/netns/${this.lab.namespaceOf(place)}`;
    const value = this.#addon.netnsCall(path, body);
    if (isRefused(value)) throw new Error(`enter ${path}: ${value}`);
    return value as T;
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

function sentence({ ip, port }: Connect, { error, server, client, peer }: Outcome): string {
  if (error !== undefined) return error;
  const asked = ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
  const address = client?.replace(/:\d+$/u, '').replaceAll(/[[\]]/gu, '');
  return `${server} sees ${address}${peer === asked ? '' : ` and the client ${peer}`}`;
}

export function nodes(lab: Lab): Change[] {
  return [
    node(lab.nodeName('a'), [at.a, at.aOther, at6.a]), node(lab.nodeName('b'), [at.b, at6.b]),
  ];
}

/** The endpoints of pods by name; a condition word makes one other than ready. */
export function endpoints(lab: Lab, ...pods: readonly string[]): EndpointRow[] {
  return pods.flatMap((text) => {
    const [pod = '', state = 'ready'] = text.split(' ');
    const [ip, ip6] = pod === 'a1' ? [at.a1, at6.a1] : [at.b1, at6.b1];
    const known = { node: lab.nodeName(pod === 'a1' ? 'a' : 'b'), conditions: states[state]! };
    return [{ ip, ...known }, { ip: ip6, ...known }];
  });
}

const states: Readonly<Record<string, EndpointRow['conditions']>> = {
  ready: { ready: true, serving: true, terminating: false },
  draining: { ready: false, serving: true, terminating: true },
  unready: { ready: false, serving: false, terminating: false },
};

/** A Service whose addresses end with `number`, in both families. */
export function numbered(number: number, row: Omit<ServiceRow, 'clusterIps' | 'vips'>): Change[] {
  return service({
    clusterIps: [`10.200.0.${number}`, `fd00:200::${number}`],
    vips: [`198.51.100.${number}`, `2001:db8:198::${number}`], nodePort: 30_000 + number, ...row,
  });
}
