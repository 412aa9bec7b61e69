import { Option, type Command } from 'commander';
import type { RouteDecision } from '../bgp/explain.ts';
import {
  advertisedRoutes, availableRoutes, explainViews, peerViews, policyViews,
  type BgpSite, type FamilyView, type PeerView, type PolicyView, type RouteView,
} from '../bgp/views.ts';
import { formatTime } from '../lb/time.ts';
import { ageOf } from '../sim/api/table/age.ts';
import { askAgent, withSocket, type SocketFlags } from './agentclient.ts';
import { exitCodes, usageError } from './exit.ts';
import { repeated } from './flags.ts';
import { printListing, withOutput, type OutputFlags, type Source } from './output.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

interface BgpFlags extends SocketFlags, OutputFlags {
  readonly filename?: readonly string[];
  readonly node?: string;
  readonly instance?: string;
  readonly peer?: string;
  readonly prefix?: string;
}

/** Rows, and whether they are of this machine's agent or of a simulated cluster. */
interface Answered<Row> {
  readonly items: readonly Row[];
  readonly source: Source;
}

function withBgp(command: Command): Command {
  return withOutput(withSocket(command))
    .option('-f, --filename <path>', 'boot these manifests in the simulator instead', repeated)
    .option('--node <name>', 'only this node')
    .option('--instance <name>', 'only this instance')
    .option('--peer <name|address>', 'only this peer');
}

/** `fairlead bgp peers|policies` and `bgp routes available|advertised|received|explain`. */
export function registerBgpViews(bgp: Command, session: Session): void {
  withBgp(bgp.command('peers')).description('sessions with routers')
    .action((flags: BgpFlags) => showPeers(session, flags));
  withBgp(bgp.command('policies')).description('rules that a speaker filters routes by')
    .action((flags: BgpFlags) => showPolicies(session, flags));
  const routes = bgp.command('routes').description('routes by what became of them');
  const table = (name: 'available' | 'advertised' | 'received', text: string): void => {
    withBgp(routes.command(name)).description(text)
      .argument('[afi]', 'ipv4 or ipv6').argument('[safi]', 'unicast')
      .addOption(new Option('--prefix <prefix>', 'only this one'))
      .action((...words: [string?, string?, BgpFlags?]) => {
        const [afi, safi, flags] = words;
        if (flags === undefined) throw usageError('flags are missing');
        return showRoutes(session, flags, { name, afi, safi });
      });
  };
  table('available', 'what this node has for any peer');
  table('advertised', 'what each peer was told');
  table('received', 'what peers told; nothing of it is kept');
  withBgp(routes.command('explain')).description('why each peer is told a prefix, or is not')
    .argument('<prefix>', 'an address or a prefix')
    .action((prefix: string, flags: BgpFlags) => showExplanation(session, prefix, flags));
}

async function ask<Row>(
  session: Session, flags: BgpFlags, question: {
    readonly route: string; readonly of: (site: BgpSite) => readonly Row[];
  },
): Promise<Answered<Row>> {
  if (flags.filename === undefined) {
    const { items } = await askAgent<{ items: Row[] }>(flags, `GET ${question.route}`);
    return { items, source: 'cluster' };
  }
  const { simulatedSites } = await import('./bgpsites.ts');
  const sites = await simulatedSites(session.console, flags.filename);
  return { items: sites.flatMap(question.of), source: 'manifests' };
}

interface Named {
  readonly node: string;
  readonly instance: string;
  readonly peer?: string;
  readonly peerAddress?: string;
}

function chosen<Row extends Named>(rows: readonly Row[], flags: BgpFlags): Row[] {
  const { node, instance, peer } = flags;
  return rows.filter((row) => (node === undefined || row.node === node) &&
    (instance === undefined || row.instance === instance) &&
    (peer === undefined || row.peer === peer || row.peerAddress === peer));
}

async function showPeers(session: Session, flags: BgpFlags): Promise<void> {
  const answered = await ask(session, flags, { route: '/v1/bgp/peers', of: peerViews });
  const items = chosen(answered.items, flags);
  if (items.some(({ state }) => state !== 'established')) session.exitCode = exitCodes.notWell;
  await printListing<PeerView, PeerRow>(session.console, flags, {
    kind: 'BGPPeerList', source: answered.source, items, warnings: [], columns: peerColumns,
    // One that is not up is one row: its families are of the next session.
    rows: items.flatMap((peer): PeerRow[] => (peer.state === 'established'
      ? peer.families.map((of) => ({ peer, of }))
      : [{ peer, of: undefined }])),
    group: ({ peer }) => `${peer.node}/${peer.instance}/${peer.peer}`,
    name: ({ node, instance, peer }) => `peer/${node}/${instance}/${peer}`,
  });
}

interface PeerRow {
  readonly peer: PeerView;
  readonly of: FamilyView | undefined;
}

const peerColumns: readonly Column<PeerRow>[] = [
  { head: 'NODE', once: true, cell: ({ peer }) => peer.node },
  { head: 'LOCAL-AS', once: true, cell: ({ peer }) => peer.localAsn },
  { head: 'PEER-AS', once: true, cell: ({ peer }) => peer.peerAsn },
  { head: 'PEER-ADDRESS', once: true, cell: ({ peer }) => peer.peerAddress },
  { head: 'SESSION-STATE', once: true, cell: ({ peer }) => peer.state.replace('-', '_') },
  { head: 'UPTIME', once: true, cell: ({ peer }) => spanText(peer.uptimeSeconds) },
  { head: 'FAMILY', cell: ({ of }) => of?.family },
  { head: 'RECEIVED', cell: ({ of }) => of?.received },
  { head: 'ADVERTISED', cell: ({ of }) => of?.advertised },
  { head: 'INSTANCE', wide: true, once: true, cell: ({ peer }) => peer.instance },
  { head: 'PEER', wide: true, once: true, cell: ({ peer }) => peer.peer },
  { head: 'LOCAL-ADDRESS', wide: true, once: true, cell: ({ peer }) => peer.localAddress },
  {
    head: 'HOLD/KEEPALIVE', wide: true, once: true,
    cell: ({ peer: { holdSeconds: hold, keepaliveSeconds: keepalive } }) =>
      (hold === undefined ? undefined : `${hold}s/${keepalive ?? 0}s`),
  },
  { head: 'GR', wide: true, once: true, cell: ({ peer }) => spanText(peer.restartSeconds) },
  { head: 'FLAPS', wide: true, once: true, cell: ({ peer }) => peer.flaps },
  { head: 'LAST-ERROR', wide: true, once: true, cell: ({ peer }) => peer.lastError },
];

function spanText(seconds: number | undefined): string | undefined {
  if (seconds === undefined) return undefined;
  return ageOf(formatTime(0), seconds * 1_000_000);
}

interface Which {
  readonly name: 'available' | 'advertised' | 'received';
  readonly afi: string | undefined;
  readonly safi: string | undefined;
}

// oxlint-disable-next-line max-params -- the session, its flags, and which table
async function showRoutes(session: Session, flags: BgpFlags, which: Which): Promise<void> {
  const { name, afi = 'ipv4', safi = 'unicast' } = which;
  if ((afi !== 'ipv4' && afi !== 'ipv6') || safi !== 'unicast')
    throw usageError(`fairlead speaks ipv4 unicast and ipv6 unicast, not ${afi} ${safi}`);
  const of = name === 'available' ? availableRoutes : advertisedRoutes;
  const answered = name === 'received'
    ? { items: [], source: flags.filename === undefined ? 'cluster' : 'manifests' } as const
    : await ask(session, flags, { route: `/v1/bgp/routes?table=${name}`, of });
  const items = chosen<RouteView>(answered.items, flags)
    .filter(({ prefix }) => prefix.includes(':') === (afi === 'ipv6'))
    .filter(({ prefix }) => flags.prefix === undefined || prefix === flags.prefix);
  const warnings = name === 'received'
    ? ['learned routes are counted and never kept; see RECEIVED of bgp peers']
    : [];
  await printListing(session.console, flags, {
    kind: 'BGPRouteList', source: answered.source, items, rows: items, warnings,
    columns: name === 'available'
      ? routeColumns.filter(({ head }) => head !== 'PEER') : routeColumns,
    name: ({ node, instance, prefix }) => `route/${node}/${instance}/${prefix}`,
  });
}

const routeColumns: readonly Column<RouteView>[] = [
  { head: 'NODE', cell: ({ node }) => node },
  { head: 'INSTANCE', cell: ({ instance }) => instance },
  { head: 'PEER', cell: ({ peerAddress }) => peerAddress },
  { head: 'PREFIX', cell: ({ prefix }) => prefix },
  { head: 'NEXTHOP', cell: ({ nextHop }) => nextHop },
  { head: 'AGE', cell: ({ ageSeconds }) => spanText(ageSeconds) },
  { head: 'ATTRS', cell: (row) => attributesText(row) },
  { head: 'SERVICE', wide: true, cell: ({ services }) => services.join(',') },
];

function attributesText(route: RouteView): string {
  const { origin, asPath, communities, large, localPref } = route;
  return [
    `Origin ${origin === 'igp' ? 'IGP' : 'INCOMPLETE'}`,
    ...(asPath.length === 0 ? [] : [`AS ${asPath.join(' ')}`]),
    ...(communities.length === 0 ? [] : [`Comm ${communities.join(' ')}`]),
    ...(large.length === 0 ? [] : [`Large ${large.join(' ')}`]),
    ...(localPref === undefined ? [] : [`LocalPref ${localPref}`]),
  ].join(', ');
}

async function showPolicies(session: Session, flags: BgpFlags): Promise<void> {
  const answered = await ask(session, flags, { route: '/v1/bgp/policies', of: policyViews });
  const { peer, ...others } = flags;
  const items = chosen(answered.items, others).filter(({ peers }) =>
    peer === undefined || peers.some((prefix) => prefix.startsWith(`${peer}/`)));
  const warnings = answered.source === 'manifests'
    ? ['a simulated speaker filters by no rules: it tells each peer its own routes']
    : [];
  await printListing(session.console, flags, {
    kind: 'BGPPolicyList', source: answered.source, items, rows: items, warnings,
    columns: policyColumns,
    name: ({ node, instance, statement }) => `policy/${node}/${instance}/${statement}`,
  });
}

const policyColumns: readonly Column<PolicyView>[] = [
  { head: 'NODE', cell: ({ node }) => node },
  { head: 'INSTANCE', cell: ({ instance }) => instance },
  { head: 'POLICY-NAME', cell: ({ policy }) => policy },
  { head: 'STATEMENT', cell: ({ statement }) => statement },
  { head: 'TYPE', cell: ({ direction }) => direction },
  { head: 'MATCH-PEERS', cell: ({ peers }) => peers.join(',') },
  {
    head: 'MATCH-FAMILIES',
    cell: ({ families }) => families.map((each) => `${each.toLowerCase()}/unicast`).join(','),
  },
  { head: 'MATCH-CONTROL', cell: ({ control }) => control },
  { head: 'RIB-ACTION', cell: ({ action }) => action },
  { head: 'PATH-ACTIONS', cell: ({ actions }) => actions.join(', ') },
];

type Decision = RouteDecision & { readonly node: string };

// oxlint-disable-next-line max-params -- the session, what is asked, and how
async function showExplanation(
  session: Session, prefix: string, flags: BgpFlags,
): Promise<void> {
  const { parseTarget } = await import('../bgp/explain.ts');
  const target = parseTarget(prefix);
  if (!target.ok) throw usageError(target.error);
  const answered = await ask<Decision>(session, flags, {
    route: `/v1/bgp/explain?prefix=${encodeURIComponent(prefix)}`,
    of: (site) => explainViews(site, prefix) ?? [],
  });
  const items = chosen(answered.items, flags);
  if (!items.some(({ verdict }) => verdict === 'announced')) session.exitCode = exitCodes.notWell;
  await printListing(session.console, flags, {
    kind: 'BGPRouteExplanation', source: answered.source, items, rows: items, warnings: [],
    columns: decisionColumns, name: ({ node, peer }) => `peer/${node}/${peer}`,
  });
}

const decisionColumns: readonly Column<Decision>[] = [
  { head: 'NODE', cell: ({ node }) => node },
  { head: 'PEER', cell: ({ peer }) => peer },
  { head: 'VERDICT', cell: ({ verdict }) => verdict },
  {
    head: 'REASON',
    cell: ({ reason, text }) => (text === '' ? reason : `${reason}: ${text}`),
  },
  { head: 'SOURCE', cell: ({ source }) => source },
  { head: 'INSTANCE', wide: true, cell: ({ instance }) => instance },
  { head: 'PREFIX', wide: true, cell: ({ prefix }) => prefix },
];
