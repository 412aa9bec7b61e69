// Holds connections open in a place of the lab: reads orders, one JSON object a line. `open` makes
// COUNT connections, `talk` sends a line over each and counts those whose line comes back.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export type HolderOrder =
  | { readonly do: 'open'; readonly ip: string; readonly port: number; readonly count: number }
  | { readonly do: 'talk'; readonly timeoutMs: number };

/** How many connections there are, and how many of them still work. */
export interface Held {
  readonly open: number;
  readonly alive: number;
}

const held: Socket[] = [];

async function open({ ip, port, count }: Extract<HolderOrder, { do: 'open' }>): Promise<Held> {
  await Promise.all(Array.from({ length: count }, async () => {
    const socket = connect({ host: ip, port, noDelay: true });
    await once(socket, 'connect');
    // What breaks it shows when it is talked over.
    socket.on('error', () => undefined);
    held.push(socket);
  }));
  return { open: held.length, alive: held.length };
}

function answers(socket: Socket, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    socket.once('data', () => {
      clearTimeout(timer);
      resolve(true);
    });
    socket.write('still here\n');
  });
}

async function talk({ timeoutMs }: Extract<HolderOrder, { do: 'talk' }>): Promise<Held> {
  const alive = await Promise.all(held.map((socket) => answers(socket, timeoutMs)));
  return { open: held.length, alive: alive.filter(Boolean).length };
}

if (import.meta.main) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, question } = JSON.parse(line) as { id: number; question: HolderOrder };
    const done = question.do === 'open' ? open(question) : talk(question);
    void done.then((reply) => process.stdout.write(`${JSON.stringify({ id, reply })}\n`));
  });
}
