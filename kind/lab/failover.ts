import { setTimeout as pause } from 'node:timers/promises';
import { parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import { OutageMeter } from '../../sim/net/outage.ts';
import type { FaultUse, Scenario } from '../../sim/scenario/spec.ts';
import { ownerOf, prepareFault } from './faults.ts';
import type { Lab } from './lab.ts';
import { monotonicMicros, Probe } from './probe.ts';
import { agentReady } from './up.ts';
import { silenceOf, Watcher, type Heard } from './watcher.ts';

/** What a scenario of one fault asks of a lab: its traffic line, and its fault. */
export interface FailoverStory {
  readonly name: string;
  /** Machine that the requests come from. */
  readonly client: string;
  /** `web/shop:80` of `to: svc/web/shop:80`. */
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  readonly everyMs: number;
  readonly fault: FaultUse;
}

/** What one strike did. */
export interface Failover {
  /** Longest outage of the client since the strike, as the simulator's meter counts it. */
  readonly outageMs: number;
  /** Requests that somebody reset: two nodes that serve one frame look like that. */
  readonly resets: number;
  /** Longest time without an answer to the question who has the address. */
  readonly silenceMs: number;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly heard: Heard;
}

/** Reads a scenario as the story of one fault; the error says what it lacks. */
export function storyOf(scenario: Scenario): FailoverStory {
  const [line] = scenario.traffic;
  const faults = scenario.steps.flatMap(({ action }) => (
    action.kind === 'fault' ? [action.fault] : []
  ));
  const [fault] = faults;
  const target = /^svc\/(?<namespace>[^/]+)\/(?<name>[^:]+):(?<port>\d+)$/u.exec(line?.to ?? '');
  if (line === undefined || fault === undefined || faults.length > 1 || target === null) {
    throw new Error(`${scenario.name}: a lab plays one fault and one line to svc/NS/NAME:PORT`);
  }
  const { namespace = '', name = '', port } = target.groups ?? {};
  return {
    name: scenario.name, client: line.from, service: { namespace, name, port: Number(port) },
    everyMs: line.every / 1000, fault,
  };
}

export interface StrikeOrder {
  readonly story: FailoverStory;
  /** Machine of the LAN that asks who has the address. */
  readonly watcher: string;
  /** How long a take-over can take with this timing: D and what comes on top. */
  readonly patienceMs: number;
}

const askEveryMs = 5;
const requestMs = 1_000;
/** Good requests for this long say that the address is well. */
const steadyMs = 500;
const longestMs = 60_000;

/** Plays one fault on a lab that is well, and waits until it is healed and well again. */
export async function strikeOnce(lab: Lab, order: StrikeOrder): Promise<Failover> {
  const { story, patienceMs } = order;
  const ip = await addressOf(lab, story);
  const probe = new Probe({
    client: lab.machine(story.client), ip, port: story.service.port, everyMs: story.everyMs,
    timeoutMs: requestMs,
  });
  const watcher = new Watcher(lab.machine(order.watcher), ip, askEveryMs);
  let heard: Heard | undefined;
  try {
    await steady(probe, monotonicMicros());
    await watcher.listening;
    // Not always at the same time after a renewal.
    await pause(Math.random() * patienceMs / 4);
    const from = await ownerOf(lab, ip);
    const strike = await prepareFault(lab, story.fault);
    const struckAt = monotonicMicros();
    const heal = await strike();
    const lastsMs = story.fault.for === undefined ? 0 : story.fault.for / 1000;
    await pause(Math.max(0, lastsMs - (monotonicMicros() - struckAt) / 1000));
    if (lastsMs > 0) await heal();
    if (lastsMs === 0) await moved({ lab, ip, from, withinMs: patienceMs });
    await steady(probe, monotonicMicros());
    const to = await ownerOf(lab, ip);
    heard = await watcher.stop();
    // What was under way when the fault struck belongs to it.
    const attempts = probe.attempts.filter(({ endedAt }) => endedAt >= struckAt);
    if (lastsMs === 0) await heal();
    await Promise.all(lab.nodes.map((node) => agentReady(lab, node)));
    return {
      outageMs: longestOutage(attempts),
      resets: attempts.filter(({ outcome }) => outcome === 'reset').length,
      silenceMs: silenceOf(heard, struckAt),
      from, to, heard,
    };
  } finally {
    if (heard === undefined) await watcher.stop();
    await probe.stop();
  }
}

/** Waits until another node holds the lock, and at most as long as a take-over may take. */
async function moved(order: {
  readonly lab: Lab; readonly ip: Ip; readonly from: string | undefined; readonly withinMs: number;
}): Promise<void> {
  const until = performance.now() + order.withinMs;
  for (;;) {
    const owner = await ownerOf(order.lab, order.ip);
    if ((owner !== undefined && owner !== order.from) || performance.now() > until) return;
    await pause(20);
  }
}

async function addressOf(lab: Lab, { service: { namespace, name } }: FailoverStory): Promise<Ip> {
  const until = performance.now() + longestMs;
  for (;;) {
    const service = await lab.get(`/api/v1/namespaces/${namespace}/services/${name}`) as Service;
    const address = parseIpUnmapped(service.status?.loadBalancer?.ingress?.[0]?.ip ?? '');
    if (address.ok) return address.value;
    if (performance.now() > until) throw new Error(`${namespace}/${name} gets no address`);
    await pause(50);
  }
}

interface Service {
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
  };
}

/** Waits until requests that began after `since` have all worked for a while. */
async function steady(probe: Probe, since: number): Promise<void> {
  const until = performance.now() + longestMs;
  for (;;) {
    const now = monotonicMicros();
    const late = probe.attempts.filter(({ startedAt }) => startedAt > now - steadyMs * 1000);
    const enough = late.length > 5 && (late[0]?.startedAt ?? 0) > since;
    if (enough && late.every(({ worked }) => worked)) return;
    if (performance.now() > until) {
      throw new Error(`no good answers for ${longestMs / 1000} s: ${late.at(-1)?.outcome ?? '-'}`);
    }
    await pause(20);
  }
}

function longestOutage(
  attempts: readonly { readonly startedAt: number; readonly worked: boolean }[],
): number {
  const meter = new OutageMeter();
  for (const { startedAt, worked } of attempts) meter.add(startedAt, worked);
  return meter.longest(attempts.at(-1)?.startedAt ?? 0) / 1000;
}
