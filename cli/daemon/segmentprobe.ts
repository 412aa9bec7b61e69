import type { HttpAnswer } from '../../bpf/httplistener.real.ts';
import type { ProbeAnswer } from '../../l2/probe.real.ts';
import { parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import type { LinkFacts } from '../../lb/ports.ts';
import { json, refusal, type AgentSite } from './agentapi.ts';

/** Who has an address, as this node's segments say. */
export interface ProbeReport {
  readonly address: string;
  /** Links that were asked on. */
  readonly asked: readonly string[];
  /** This node's own answers among them: it does not hear itself. */
  readonly answers: readonly ProbeAnswer[];
}

/** Asks the segments of some links; the adapter of the agent's process. */
export type Prober = (target: Ip, links: readonly LinkFacts[]) => Promise<readonly ProbeAnswer[]>;

const everyMs = 1_000;
const rememberedMax = 1_024;

/** `POST /v1/l2/probe`, at most one a second and address (interface.md 9). */
export class SegmentProbe {
  #ask: Prober;
  #askedAt = new Map<Ip, number>();

  constructor(ask: Prober) {
    this.#ask = ask;
  }

  async answer({ agent, at }: AgentSite, address: unknown): Promise<HttpAnswer> {
    const parsed = parseIpUnmapped(typeof address === 'string' ? address : '');
    if (!parsed.ok) {
      return refusal(422, {
        reason: 'Invalid', message: `${JSON.stringify(address)} is no address`, next: '',
      });
    }
    const target = parsed.value;
    const now = performance.now();
    if (now < (this.#askedAt.get(target) ?? -Infinity) + everyMs) {
      return refusal(429, {
        reason: 'TooManyRequests', message: `${target} was asked for within the last second`,
        next: 'later',
      });
    }
    if (this.#askedAt.size >= rememberedMax) this.#askedAt.clear();
    this.#askedAt.set(target, now);
    const announcer = agent?.announcer;
    const known = new Map(announcer?.links().map((link) => [link.name, link]));
    const links = (announcer?.status().links ?? []).filter(({ up }) => up)
      .flatMap(({ name }) => known.get(name) ?? []);
    const row = announcer?.rows().find(({ ip }) => ip === target);
    const own = row?.node !== at.nodeName || !row.state.startsWith('announc') ? []
      : links.filter(({ name }) => row.links.includes(name))
        .map(({ name, mac }) => ({ link: name, mac }));
    const report: ProbeReport = {
      address: target, asked: links.map(({ name }) => name),
      answers: [...own, ...await this.#ask(target, links)],
    };
    return json(200, report);
  }
}
