import type { Command } from 'commander';
import { ageText } from './age.ts';
import { askAgent, withSocket, type SocketFlags } from './agentclient.ts';
import type { ProbeReport } from './daemon/segmentprobe.ts';
import { exitCodes } from './exit.ts';
import { absent, printListing, withOutput, type OutputFlags } from './output.ts';
import { nearestNames } from './nearest.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

/** A row of `l2 list` as the agent API gives it; `fenceLeft` is in µs. */
interface Row {
  readonly ip: string;
  readonly services: readonly string[];
  readonly state: string;
  readonly node?: string;
  readonly session?: string;
  readonly epoch?: number;
  readonly since?: string;
  readonly fenceLeft?: number;
  readonly links: readonly string[];
  readonly candidates: readonly string[];
  readonly failures: readonly (readonly [string, string])[];
  readonly answers: number;
  readonly lastAnnounced?: string;
  readonly conflict?: string;
  /** Hardware addresses, where they were asked for. */
  readonly answeredBy?: readonly string[];
}

type ListFlags = SocketFlags & OutputFlags & { readonly probe?: boolean };

interface LinkShown {
  readonly name: string;
  readonly mac: string;
  readonly up: boolean;
}

interface L2Answer {
  readonly status?: {
    readonly session: string; readonly state: string; readonly fenceLeft?: number;
    readonly hostLock: boolean; readonly keys: number; readonly sessions: number;
    readonly links: readonly LinkShown[];
    readonly settings: Readonly<Record<string, unknown>>;
  };
  readonly items: readonly Row[];
}

/** `fairlead l2 list|status|explain`: who answers for which address, as this node sees it. */
export function registerL2(program: Command, session: Session): void {
  const l2 = program.command('l2').description('layer-2 announcement, as this node sees it');
  withOutput(withSocket(l2.command('list')))
    .description('addresses with their owner')
    .argument('[address]', 'only this one')
    .option('--probe', 'ask the segments of this node who answers')
    .action(async (address: string | undefined, flags: ListFlags) => {
      const { items } = await askAgent<L2Answer>(flags, 'GET /v1/l2');
      const found = address === undefined ? items : [rowOf(items, address)];
      const probed = flags.probe === true;
      const rows = probed ? await Promise.all(found.map((row) => probedRow(row, flags))) : found;
      if (rows.some(({ conflict }) => conflict !== undefined)) {
        session.exitCode = exitCodes.notWell;
      }
      await printListing(session.console, flags, {
        kind: 'L2List', source: 'cluster', items: rows, rows, warnings: [],
        columns: probed ? [...columns, answeredBy] : columns, name: ({ ip }) => `address/${ip}`,
      });
    });
  withSocket(l2.command('status'))
    .description('session, links and settings')
    .action(async (flags: SocketFlags) => showStatus(session, flags));
  withSocket(l2.command('explain'))
    .description('from the policy to the last answer: the first broken step')
    .argument('<address>')
    .action(async (address: string, flags: SocketFlags) => {
      const { items, status } = await askAgent<L2Answer>(flags, 'GET /v1/l2');
      const row = items.find(({ ip }) => ip === address);
      const steps = stepsOf(row, { address, session: status?.session });
      const broken = steps.findIndex(({ fault }) => fault !== undefined);
      const last = broken < 0 ? steps.length : broken + 1;
      for (const { name, text, fault } of steps.slice(0, last)) {
        const word = fault === undefined ? 'OK' : 'FAIL';
        session.console.out(`${name.padEnd(12)} ${word.padEnd(6)} ${fault ?? text}\n`);
      }
      if (broken >= 0) session.exitCode = exitCodes.notWell;
    });
}

/** The row with who answered; two of one segment are a conflict, whatever the agents know. */
async function probedRow(row: Row, flags: SocketFlags): Promise<Row> {
  const report = await askAgent<ProbeReport>(flags, 'POST /v1/l2/probe', { address: row.ip });
  const macs = [...new Set(report.answers.map(({ mac }) => mac))].toSorted();
  const twice = report.asked.some((asked) => (
    new Set(report.answers.filter(({ link }) => link === asked).map(({ mac }) => mac)).size > 1
  ));
  return { ...row, answeredBy: macs, ...(twice ? { conflict: 'L2Conflict' } : {}) };
}

function rowOf(items: readonly Row[], address: string): Row {
  const row = items.find(({ ip }) => ip === address);
  if (row === undefined) {
    throw absent(`address ${address}`, nearestNames(address, items.map(({ ip }) => ip)));
  }
  return row;
}

const columns: readonly Column<Row>[] = [
  { head: 'IP', cell: ({ ip }) => ip },
  { head: 'SERVICES', cell: ({ services }) => services.join(',') },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'NODE', cell: ({ node }) => node },
  { head: 'SESSION', cell: ({ session }) => session },
  { head: 'EPOCH', cell: ({ epoch }) => epoch },
  { head: 'SINCE', cell: ({ since }) => ageText(since) },
  { head: 'FENCE', cell: ({ fenceLeft }) => secondsText(fenceLeft) },
  { head: 'LINKS', cell: ({ links }) => (links.length === 0 ? undefined : links.join(',')) },
  { head: 'CANDIDATES', cell: ({ candidates }) => candidates.length },
  { head: 'ANSWERS', cell: ({ answers }) => answers },
  { head: 'LAST-ANNOUNCED', cell: ({ lastAnnounced }) => ageText(lastAnnounced) },
  { head: 'CONFLICT', cell: ({ conflict }) => conflict },
];

const answeredBy: Column<Row> = {
  head: 'ANSWERED-BY', cell: ({ answeredBy: macs = [] }) => macs.join(',') || undefined,
};

function secondsText(micros: number | undefined): string | undefined {
  return micros === undefined ? undefined : `${(micros / 1e6).toFixed(1)}s`;
}

async function showStatus(session: Session, flags: SocketFlags): Promise<void> {
  const { console } = session;
  const { status } = await askAgent<L2Answer>(flags, 'GET /v1/l2');
  if (status === undefined) {
    console.out('nothing is announced from this node\n');
    return;
  }
  const { session: identity, state, fenceLeft, hostLock, keys, sessions, links, settings } = status;
  console.out(`session    ${identity === '' ? '-' : identity}   ${state}`
    + `   fence ${secondsText(fenceLeft) ?? '-'}   ${sessions} open in the cluster\n`);
  console.out(`host lock  ${hostLock ? 'held' : 'waited for'}   keys ${keys}\n`);
  for (const { name, mac, up } of links) {
    console.out(`link       ${name}   ${mac}   ${up ? 'up' : 'down'}\n`);
  }
  for (const [key, value] of Object.entries(settings)) {
    console.out(`setting    ${key} ${JSON.stringify(value)}\n`);
  }
  if (settings['onApiOutage'] === 'availability') {
    console.out('risk       an owner that alone loses the API answers beside its successor until it'
      + ' hears it\n');
  }
}

interface Step {
  readonly name: string;
  readonly text: string;
  /** Undefined: the step is well. */
  readonly fault?: string | undefined;
}

function stepsOf(
  row: Row | undefined, of: { readonly address: string; readonly session: string | undefined },
): readonly Step[] {
  if (row === undefined) {
    return [{
      name: 'policy', text: '',
      fault: `NoPolicy: no policy and Service together want ${of.address}`,
    }];
  }
  const { services, candidates, failures, node, session, epoch, state, links, answers } = row;
  const ours = session !== undefined && session === of.session;
  const answering = state.startsWith('announc');
  const failing = failures.map(([name, rule]) => `${name} fails ${rule}`).join(', ');
  return [
    { name: 'policy', text: `wanted for ${services.join(', ')}` },
    {
      name: 'candidates', text: candidates.join(' '),
      fault: candidates.length === 0 ? `L2NoCandidate: ${failing}` : undefined,
    },
    {
      name: 'lock', text: `${node} by session ${session}, epoch ${epoch}`,
      fault: node === undefined ? 'NoHolder: nobody has taken it yet' : undefined,
    },
    {
      name: 'keys', text: ours ? `${state} on ${links.join(', ')}` : `on node ${node}: ask there`,
      fault: ours && !answering ? `NotAnswering: this node is ${state}` : undefined,
    },
    {
      name: 'answers', text: ours ? `${answers} ARP and NS answered` : 'not counted here',
      fault: row.conflict === undefined ? undefined : `L2Conflict: ${row.conflict} claims it`,
    },
  ];
}
