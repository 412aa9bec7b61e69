import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { Option, type Command } from 'commander';
import { CommandEnd, exitCodes } from './exit.ts';

export interface SocketFlags {
  readonly socket: string;
}

/** Adds the flag that says which agent is asked. */
export function withSocket(command: Command): Command {
  return command.addOption(new Option('--socket <path>', 'unix socket of the agent')
    .default('/run/fairlead/agent.sock').env('FAIRLEAD_API_SOCKET'));
}

const timeoutMs = 5_000;

/**
 * Asks the agent of this machine by its socket. An agent that cannot be reached, and an answer that
 * is a refusal, end the command with 3.
 */
export async function askAgent<T>(
  { socket }: SocketFlags, route: string, body?: unknown,
): Promise<T> {
  const [method = 'GET', path = '/'] = route.split(' ');
  const answer = await new Promise<{ readonly status: number; readonly body: string }>(
    (resolve, reject) => {
      const asked = request({ socketPath: socket, method, path, timeout: timeoutMs }, (heard) => {
        text(heard).then((said) => resolve({ status: heard.statusCode ?? 0, body: said }), reject);
      });
      asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    },
  ).catch((error: NodeJS.ErrnoException) => {
    throw unreachable(`the agent at ${socket} is not reached: ${error.code ?? error.message}`);
  });
  const said = JSON.parse(answer.body) as T & { readonly message?: string; readonly next?: string };
  if (answer.status < 300) return said;
  throw unreachable(`${route}: ${answer.status} ${said.message ?? ''}; ${said.next ?? ''}`);
}

function unreachable(sentence: string): CommandEnd {
  return new CommandEnd(exitCodes.unreachable, sentence);
}
