import { Option, type Command } from 'commander';
import { askAgent, withSocket, type SocketFlags } from './agentclient.ts';
import type { AgentStatus } from './daemon/agentstatus.ts';
import { exitCodes } from './exit.ts';
import type { Session } from './session.ts';
import { tableText } from './table.ts';

interface StatusFlags extends SocketFlags {
  readonly output: 'table' | 'json';
  readonly brief?: boolean;
  readonly strict?: boolean;
}

/** `fairlead status`: the health of the agent of this machine. */
export function registerStatus(program: Command, session: Session): void {
  withSocket(program.command('status'))
    .description('health of the agent of this machine; exit 1 where something fails')
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(['table', 'json']).default('table').env('FAIRLEAD_OUTPUT'))
    .option('--brief', 'one line')
    .option('--strict', 'exit 1 on a warning too')
    .action(async (flags: StatusFlags) => {
      const { console } = session;
      const status = await askAgent<AgentStatus>(flags, 'GET /v1/status');
      const well = status.ok && !(flags.strict === true && status.problems.length > 0);
      if (!well) session.exitCode = exitCodes.notWell;
      if (flags.output === 'json') {
        const document = { apiVersion: 'fairlead.dev/v1', kind: 'Status', source: 'cluster' };
        console.out(`${JSON.stringify({ ...document, ...status }, undefined, 2)}\n`);
      } else if (flags.brief === true) console.out(`${briefOf(status)}\n`);
      else console.out(shown(status));
    });
}

function briefOf({ ok, components }: AgentStatus): string {
  const failing = components.filter(({ state }) => state === 'FAIL').map(({ name }) => name);
  return ok ? 'ok' : `fail: ${failing.join(' ')}`;
}

function shown({ components, problems }: AgentStatus): string {
  const plain = { wide: false, heads: false, sortBy: undefined };
  const lines = tableText([
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'STATE', cell: ({ state }) => state },
    { head: 'SUMMARY', cell: ({ summary }) => summary },
  ], components, plain);
  if (problems.length === 0) return lines;
  return `${lines}problems (${problems.length})\n${tableText([
    { head: 'SEVERITY', cell: ({ severity }) => `  ${severity}` },
    { head: 'OBJECT', cell: ({ object }) => object },
    { head: 'REASON', cell: ({ reason }) => reason },
    { head: 'MESSAGE', cell: ({ message }) => message },
    { head: 'NEXT', cell: ({ next }) => `next: ${next}` },
  ], problems, plain)}`;
}
