import { relative } from 'node:path';
import { Option, type Command } from 'commander';
import type { LabSpec } from '../kind/lab/spec.ts';
import { CommandEnd, exitCodes, usageError } from './exit.ts';
import { repeated } from './flags.ts';
import type { Session } from './session.ts';

interface NameFlags {
  readonly name: string;
}

interface UpFlags extends NameFlags {
  readonly manifests?: readonly string[];
  readonly nodes: string;
  readonly set?: readonly string[];
  readonly routers: string;
  readonly clients: string;
  readonly timing: 'default' | 'fast';
}

/** Settings of `--timing fast` (l2.md 7). */
const fastTiming = { 'l2.session.duration': '1s', 'l2.session.renew': '200ms' } as const;

/** `fairlead lab …`: a cluster of network namespaces on this machine (interface.md 4.10). */
export function registerLab(program: Command, session: Session): void {
  const lab = program.command('lab')
    .description('a cluster of network namespaces: real kernel, real agents, root needed');
  withName(lab.command('up'))
    .description('make a lab: nodes, pods, switch, router, clients, API server, agents')
    .option('-m, --manifests <path>', 'file or folder; repeatable', repeated)
    .option('--nodes <n>', 'nodes to assume where the manifests have none', '3')
    .option('--routers <n>', '1, or 0 for a LAN without a way out', '1')
    .option('--clients <n>', 'clients on the LAN besides the usual one', '0')
    .option('--set <key=value>', 'a setting, as in fairlead-config; repeatable', repeated)
    .addOption(new Option('--timing <pace>', 'how fast a crash is noticed: 6.3 s or 1.3 s')
      .choices(['default', 'fast']).default('default'))
    .action((flags: UpFlags) => up(session, flags));
  withName(lab.command('down'))
    .description('take away everything that the lab has on this machine')
    .action((flags: NameFlags) => down(session, flags));
  withName(lab.command('status'))
    .description('the machines of the lab and what runs on them')
    .action((flags: NameFlags) => status(session, flags));
  withName(lab.command('exec'))
    .description('run a command on a node or a client, or in a pod as NAMESPACE/NAME')
    .argument('<machine>', 'node, client, router, switch or pod')
    .argument('<command...>', 'after --')
    .action(async (machine: string, command: string[], flags: NameFlags) => {
      const { runOn } = await import('./labexec.ts');
      session.exitCode = await runOn(await openLab(flags.name), machine, command);
    });
}

function withName(command: Command): Command {
  return command.option('--name <name>', 'which lab', 'lab')
    .hook('preAction', async (_, action) => {
      const { labNameFault } = await import('../kind/lab/blueprint.ts');
      const fault = labNameFault(action.opts<NameFlags>().name);
      if (fault !== undefined) throw usageError(fault);
      if (process.getuid?.() !== 0) {
        throw new CommandEnd(exitCodes.unreachable, 'a lab needs root: it is made of namespaces');
      }
    });
}

async function openLab(name: string): Promise<import('../kind/lab/lab.ts').Lab> {
  const { Lab } = await import('../kind/lab/lab.ts');
  const lab = Lab.open(name);
  if (!lab.ok) {
    throw new CommandEnd(exitCodes.notWell, `${lab.error}; next: fairlead lab up --name ${name}`);
  }
  return lab.value;
}

async function up(session: Session, flags: UpFlags): Promise<void> {
  const { console } = session;
  const { bringUp } = await import('../kind/lab/up.ts');
  const spec = await readSpec(session, flags);
  for (const warning of spec.warnings) console.err(`warning: ${warning}\n`);
  const interrupted = (): void => {
    void takeDown(flags.name).finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const lab = await bringUp(spec, ({ name, detail, seconds }) => {
    console.err(`${name.padEnd(10)}   ok   ${detail} (${seconds.toFixed(1)}s)\n`);
  });
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  if (!lab.ok) throw new CommandEnd(exitCodes.notWell, lab.error);
  console.out(`export KUBECONFIG=${relative('.', lab.value.kubeconfig)}\n`);
  const name = flags.name === 'lab' ? '' : ` --name ${flags.name}`;
  console.err(`next: kubectl get services -A; fairlead lab status${name}\n`);
}

async function readSpec({ console }: Session, flags: UpFlags): Promise<LabSpec> {
  const [{ planSpec }, { readObjects }, { clusterSpecOf }] = await Promise.all([
    import('../kind/lab/spec.ts'), import('./scenariofile.ts'), import('./clusterspec.ts'),
  ]);
  const cluster = clusterSpecOf(flags);
  const settings = { ...(flags.timing === 'fast' ? fastTiming : {}), ...cluster.settings };
  const spec = planSpec({
    name: flags.name, objects: await readObjects(console, flags.manifests ?? []),
    cluster: { ...cluster, settings }, network: undefined,
    hosts: {
      routers: count('--routers', flags.routers, 1), clients: count('--clients', flags.clients, 50),
    },
  });
  if (!spec.ok) throw usageError(spec.error);
  return spec.value;
}

function count(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw usageError(`${flag} takes 0 to ${most}, not '${text}'`);
  }
  return value;
}

async function takeDown(name: string): Promise<import('../kind/lab/dismantle.ts').Dismantled> {
  const [{ dismantle }, { LabRecord }] = await Promise.all([
    import('../kind/lab/dismantle.ts'), import('../kind/lab/record.ts'),
  ]);
  return dismantle(new LabRecord(name));
}

async function down({ console }: Session, { name }: NameFlags): Promise<void> {
  const { LabRecord } = await import('../kind/lab/record.ts');
  if (!new LabRecord(name).present) {
    console.err(`nothing to do: no lab ${name} is here\n`);
    return;
  }
  const { processes, namespaces, cgroups } = await takeDown(name);
  const removed = `${processes} processes, ${namespaces} namespaces, ${cgroups} cgroup tree`;
  console.err(`removed ${removed}; kept: nothing\n`);
}

async function status({ console }: Session, { name }: NameFlags): Promise<void> {
  const lab = await openLab(name);
  const { statusRows, statusColumns } = await import('./labrows.ts');
  const { tableText } = await import('./table.ts');
  const options = { wide: false, heads: true, sortBy: undefined };
  console.out(tableText(statusColumns, statusRows(lab), options));
}
