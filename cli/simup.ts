import type { Command as Program } from 'commander';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { resources } from '../kube/resource.ts';
import type { ClusterSpec } from '../sim/scenario/spec.ts';
import { parseCommand, parseRateText, type Command } from '../sim/live/command.ts';
import type { LiveCluster } from './livecluster.ts';
import { CommandEnd, exitCodes, usageError } from './exit.ts';
import { repeated, withCluster } from './flags.ts';
import type { Session } from './session.ts';
import { wholeNumber } from './simrun.ts';

export interface UpFlags {
  readonly filename?: readonly string[];
  readonly nodes: string;
  readonly set?: readonly string[];
  readonly rate: string;
  readonly host: string;
  readonly port: string;
  readonly kubeconfig?: string;
  readonly kindConfig?: string;
  readonly script?: string;
  readonly seed: string;
}

/** `fairlead sim up`: a live cluster for kubectl (simulator.md 7.2). */
export function registerSimUp(sim: Program, session: Session): void {
  const command = withCluster(
    sim
      .command('up')
      .description('a live cluster that kubectl talks to, in paced virtual time')
      .option('-f, --filename <path>', 'file, folder, or - for stdin; repeatable', repeated),
  )
    .option('--kind-config <file>', 'nodes, roles and subnets of a kind cluster file')
    .option('--rate <rate>', 'virtual time against real time', '1x')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 draws a free one', '0')
    .option('--kubeconfig <file>', 'where to write the kubeconfig; else it is removed at the end')
    .option('--script <file>', 'commands to perform first, one a line; help lists them')
    .option('--seed <n>', 'what chance depends on', '0');
  command.action(async (flags: UpFlags) => { await up(flags, session); });
}

async function up(flags: UpFlags, session: Session): Promise<void> {
  const { console } = session;
  const script = flags.script === undefined ? [] : readScript(flags.script);
  const rate = parseRateText(flags.rate);
  if (rate === undefined) throw usageError(`--rate takes 1x, 10x or 0.5x, not '${flags.rate}'`);
  const port = wholeNumber('--port', flags.port);
  const { readObjects } = await import('./scenariofile.ts');
  const { startLiveCluster } = await import('./livecluster.ts');
  const filename = flags.filename ?? [];
  const objects = await readObjects(console, filename);
  const cluster = await clusterSpec(flags);
  const live = await startLiveCluster({
    objects, cluster, rate, seed: BigInt(wholeNumber('--seed', flags.seed)),
    host: flags.host, port, kubeconfig: flags.kubeconfig,
  });
  const over = new AbortController();
  const place: Place = { session, live, filename, cluster, over: over.signal };
  try {
    console.out(`export KUBECONFIG=${live.kubeconfig}\n`);
    for (const text of live.warnings) console.err(`warning: ${text}\n`);
    const [nodes, services] = [live.list(resources.nodes), live.list(resources.services)];
    console.err(`Nodes: ${nodes}, Services: ${services}, at ${live.url}\n`);
    await Promise.race([converse(place, script), live.ended]);
  } finally {
    over.abort();
    await live.close();
  }
}

interface Place {
  readonly session: Session;
  readonly live: LiveCluster;
  readonly filename: readonly string[];
  readonly cluster: ClusterSpec;
  /** Aborted at the end of the session, so that stdin holds nothing up. */
  readonly over: AbortSignal;
}

async function clusterSpec(flags: UpFlags): Promise<ClusterSpec> {
  const { clusterSpecOf } = await import('./clusterspec.ts');
  const stated = clusterSpecOf(flags);
  if (flags.kindConfig === undefined) return stated;
  const { readKindConfig } = await import('./kindconfig.ts');
  return { ...readKindConfig(flags.kindConfig), settings: stated.settings };
}

function readScript(file: string): readonly Command[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandEnd(exitCodes.unreachable, `${file}: ${why}`);
  }
  return text.split('\n').map((line, index) => {
    const parsed = parseCommand(line);
    if (!parsed.ok) throw usageError(`${file}:${index + 1}: ${parsed.error}`);
    return parsed.value;
  });
}

// The script first, then lines of stdin, one after the other. The end of stdin ends nothing: a
// cluster in the background has none.
async function converse(place: Place, script: readonly Command[]): Promise<void> {
  for (const command of script) if (await perform(place, command)) return;
  // A folder that came over stdin has used it up.
  if (place.filename.includes('-')) return forever();
  const terminal = process.stdin.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    signal: place.over,
    ...(terminal && { output: process.stderr, prompt: 'fairlead> ' }),
  });
  // Ctrl-C at the prompt comes as an event of the interface.
  lines.on('SIGINT', () => { process.kill(process.pid, 'SIGINT'); });
  try {
    if (terminal) lines.prompt();
    for await (const line of lines) {
      const parsed = parseCommand(line);
      if (!parsed.ok) place.session.console.err(`${parsed.error}\n`);
      else if (await perform(place, parsed.value)) return;
      if (terminal) lines.prompt();
    }
  } finally {
    lines.close();
  }
  return forever();
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

// True when the session shall end.
async function perform(place: Place, command: Command): Promise<boolean> {
  const { session, live } = place;
  if (command.kind === 'none') return false;
  if (command.kind === 'quit') return true;
  session.console.out(
    command.kind === 'save' ? save(place, command.file) : await live.perform(command),
  );
  return false;
}

function save({ live, filename, cluster }: Place, file: string): string {
  const { recording, world } = live;
  const folder = dirname(resolve(file));
  const stdin = filename.includes('-');
  if (stdin) writeFileSync(`${file}.manifests.yaml`, live.manifestText());
  const manifests = stdin
    ? [relative(folder, resolve(`${file}.manifests.yaml`))]
    : filename.map((path) => relative(folder, resolve(path)));
  const document = recording.scenario({ name: 'session', cluster, manifests, end: world.now });
  try {
    writeFileSync(file, `# fairlead sim run ${file} --seed ${live.seed}\n${stringify(document)}`);
  } catch (error) {
    return `${file}: ${error instanceof Error ? error.message : String(error)}\n`;
  }
  const lost = recording.lost === 0 ? '' : `, ${recording.lost} came after the bound and are lost`;
  return `${file} holds ${recording.count} deeds${lost}\n`;
}
