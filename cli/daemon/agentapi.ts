import type { HttpAnswer, HttpQuestion } from '../../bpf/httplistener.real.ts';
import type { Agent } from '../../agent.ts';
import type { OpenNode } from '../../bpf/node.real.ts';
import {
  advertisedRoutes, availableRoutes, explainViews, peerViews, policyViews,
  type BgpSite,
} from '../../bgp/views.ts';
import { selfTestKey } from '../../bpf/selftest.ts';
import { flowViews } from '../../bpf/views/flows.ts';
import { frontViews } from '../../bpf/views/fronts.ts';
import { maglevViews } from '../../bpf/views/maglevtables.ts';
import { backendViews, memberViews } from '../../bpf/views/members.ts';
import { rangeViews } from '../../bpf/views/sourceranges.ts';
import { layoutHash } from '../../bpf/layout.gen.ts';
import type { L2Row } from '../../l2/announcer.ts';
import { differencesOf } from '../wantedmaps.ts';
import { clientVersion } from '../version.ts';
import { agentStatus } from './agentstatus.ts';
import type { EventStreams } from './eventstreams.ts';
import { faultText } from './configuration.ts';
import type { Surroundings } from './lives.ts';
import type { LogLevel } from './log.ts';
import type { SegmentProbe } from './segmentprobe.ts';

/** What the routes of the agent API tell about and act on. */
export interface AgentSite {
  readonly at: Surroundings;
  /** Undefined until the node is open. */
  readonly agent: Agent | undefined;
  readonly node: OpenNode | undefined;
  readonly streams: EventStreams;
  readonly segments: SegmentProbe;
}

/** Which door a question came in by: over TCP nothing is written (interface.md 9). */
export type Door = 'socket' | 'loopback';

const rowsMax = 1_000;

/** Answers one question to the agent API. */
export async function answerOf(
  path: string, question: HttpQuestion, { site, door }: { site: AgentSite; door: Door },
): Promise<HttpAnswer> {
  const route = `${question.method} ${path}`;
  if (route === 'GET /v1/events') {
    return site.streams.answer(question.query) ?? refusal(429, {
      reason: 'TooManyRequests', message: 'four streams are open', next: 'later',
    });
  }
  const read = reads[route];
  if (read !== undefined) return json(200, read(site, question.query));
  const probing = route === 'POST /v1/l2/probe';
  const write = door === 'socket' ? writes[route] : undefined;
  if (write === undefined && !probing) {
    return refusal(404, { reason: 'NotFound', message: `no route ${route}`, next: 'GET /version' });
  }
  const text = await question.body();
  const body = parsed(text ?? '');
  if (body === undefined) {
    return refusal(400, {
      reason: 'BadRequest', message: 'the body is no JSON object of at most 1 MiB', next: '',
    });
  }
  return write?.(site, body) ?? site.segments.answer(site, body['address']);
}

/** The body of every refusal (interface.md 9). */
export function refusal(
  status: number, of: { readonly reason: string; readonly message: string; readonly next: string },
): HttpAnswer {
  return json(status, { kind: 'Error', ...of });
}

type Read = (site: AgentSite, query: URLSearchParams) => unknown;

const reads: Readonly<Record<string, Read>> = {
  'GET /version': () => ({
    version: clientVersion(), node: process.versions.node, layout: layoutHash,
  }),
  'GET /v1/status': (site) => agentStatus(site),
  'GET /v1/config': ({ at: { watch } }) => ({
    values: watch.configuration.values,
    origins: Object.fromEntries(watch.configuration.origins),
    ignored: watch.configuration.ignored,
    warnings: watch.configuration.warnings,
    faults: watch.faults.map(faultText),
  }),
  'GET /v1/l2': ({ agent }) => ({
    status: agent?.announcer?.status(), items: agent?.announcer?.rows().map(dated) ?? [],
  }),
  'GET /v1/bgp/peers': (site) => ({ items: bgpSites(site).flatMap(peerViews) }),
  'GET /v1/bgp/routes': (site, query) => ({
    items: bgpSites(site).flatMap(
      query.get('table') === 'available' ? availableRoutes : advertisedRoutes,
    ),
  }),
  'GET /v1/bgp/policies': (site) => ({ items: bgpSites(site).flatMap(policyViews) }),
  'GET /v1/bgp/explain': (site, query) => ({
    items: bgpSites(site).flatMap((one) => explainViews(one, query.get('prefix') ?? '') ?? []),
  }),
  'GET /v1/services': ({ node }, query) => page(node && frontViews(node.kernel), query),
  'GET /v1/lb/fronts': ({ node }, query) => page(node && frontViews(node.kernel), query),
  'GET /v1/lb/backends': ({ node }, query) => page(node && backendViews(node.kernel), query),
  'GET /v1/lb/ranges': ({ node }, query) => page(node && rangeViews(node.kernel), query),
  'GET /v1/lb/members': ({ node }, query) => page(node && memberViews(node.kernel), query),
  'GET /v1/lb/maglev': ({ node }, query) => page(node && maglevViews(node.kernel), query),
  'GET /v1/lb/ct': ({ node }, query) => page(
    node && flowViews(node.kernel, Number(process.hrtime.bigint() / 1_000_000_000n)), query,
  ),
  'GET /v1/lb/check': (site, query) => page(checked(site), query),
};

/** The row with times that mean something to others than this process, RFC 3339. */
function dated({ since, lastAnnounced, ...row }: L2Row): unknown {
  const now = Number(process.hrtime.bigint() / 1_000n);
  const time = (at: number | undefined): string | undefined => (
    at === undefined ? undefined : new Date(Date.now() - (now - at) / 1_000).toISOString()
  );
  return { ...row, since: time(since), lastAnnounced: time(lastAnnounced) };
}

/** This node, where it speaks BGP. */
function bgpSites({ at, agent }: AgentSite): BgpSite[] {
  const { advertiser, tables } = agent ?? {};
  if (advertiser === undefined || tables === undefined) return [];
  const services = tables.services.values();
  return [{ node: at.nodeName, advertiser, services, wall: Date.now() * 1000 }];
}

/** Rows of the maps that are not as the objects of the API ask for. */
function checked({ at, agent, node }: AgentSite): readonly unknown[] | undefined {
  if (agent === undefined || node === undefined) return undefined;
  const { tables } = agent;
  return differencesOf(node.kernel, {
    nodeName: at.nodeName, options: at.configuration.settings.datapath,
    nodes: tables.nodes.values(), slices: tables.slices.values(),
    services: tables.services.values().filter(({ key }) => key !== selfTestKey),
  });
}

function page(
  items: readonly unknown[] | undefined, query: URLSearchParams,
): { readonly items: readonly unknown[]; readonly total: number; readonly next?: number } {
  const all = items ?? [];
  const from = Math.max(0, Number.parseInt(query.get('from') ?? '0', 10) || 0);
  const rows = all.slice(from, from + rowsMax);
  const next = from + rows.length;
  return { items: rows, total: all.length, ...(next < all.length ? { next } : {}) };
}

type Body = Readonly<Record<string, unknown>>;
type Write = (site: AgentSite, body: Body) => HttpAnswer;

const levels: ReadonlySet<unknown> = new Set(['debug', 'info', 'warn', 'error']);

const writes: Readonly<Record<string, Write>> = {
  'PUT /v1/log/levels': ({ at: { log } }, { level, components = {} }) => {
    const given = Object.entries(components as Body);
    const odd = [level, ...given.map(([, value]) => value)]
      .find((value) => value !== undefined && !levels.has(value));
    if (odd !== undefined) {
      return refusal(422, {
        reason: 'Invalid', message: `${JSON.stringify(odd)} is no level`,
        next: 'debug, info, warn or error',
      });
    }
    const { settings } = log;
    log.settings = {
      ...settings, ...(level === undefined ? {} : { level: level as LogLevel }),
      components: { ...settings.components, ...Object.fromEntries(given) as object },
    };
    return json(200, { level: log.settings.level, components: log.settings.components });
  },
  'POST /v1/sync': ({ agent }) => {
    agent?.relist();
    return json(202, { state: agent?.state ?? 'starting' });
  },
  'POST /v1/drain': ({ agent }, { undo = false }) => {
    if (undo === true) agent?.undrain();
    else agent?.drain();
    return json(202, { state: agent?.state ?? 'starting' });
  },
};

function parsed(text: string): Body | undefined {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    const object = typeof value === 'object' && value !== null && !Array.isArray(value);
    return object ? value as Body : undefined;
  } catch {
    return undefined;
  }
}

export function json(status: number, value: unknown): HttpAnswer {
  const body = JSON.stringify(value, (_, part: unknown) => (
    typeof part === 'bigint' ? Number(part) : part
  ));
  return { status, headers: { 'Content-Type': 'application/json' }, body: `${body}\n` };
}
