// One process in a network namespace of the lab: serves and connects as it is told, one JSON object
// a line, and answers each with the same number. What it finds out is what an application sees.
import { createSocket, type Socket as Datagram } from 'node:dgram';
import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** What an actor can be told. `timeoutMs` is how long silence must last to be called one. */
export type Order =
  | {
    readonly do: 'serve'; readonly protocol: Protocol; readonly port: number; readonly name: string;
  }
  | { readonly do: 'unserve' }
  | { readonly do: 'bind'; readonly protocol: Protocol; readonly port: number }
  | {
    readonly do: 'connect'; readonly protocol: Protocol; readonly ip: string; readonly port: number;
    readonly from?: string; readonly fromPort?: number; readonly timeoutMs?: number;
    /** TCP: keeps the connection under this name. UDP: connects the socket. */
    readonly hold?: string; readonly connected?: boolean;
    /** UDP: bytes of the question. */
    readonly size?: number;
  }
  | { readonly do: 'talk'; readonly hold: string; readonly timeoutMs?: number }
  | { readonly do: 'echo'; readonly hold: string; readonly size: number }
  | ({ readonly do: 'hold-many'; readonly count: number } & Target)
  | { readonly do: 'talk-many' }
  | ({ readonly do: 'storm'; readonly everyMs: number } & Target)
  | { readonly do: 'storm-end' };
export type Protocol = 'tcp' | 'udp';

interface Target {
  readonly ip: string;
  readonly port: number;
}
type Of<Kind extends Order['do']> = Extract<Order, { readonly do: Kind }>;

/** What came of it. */
export interface Outcome {
  readonly error?: string;
  /** Name of the server that answered. */
  readonly server?: string;
  /** Client as that server saw it. */
  readonly client?: string;
  /** Whom the client takes for its peer: `getpeername` of TCP, source of the answer of UDP. */
  readonly peer?: string;
  readonly done?: number;
  readonly failed?: readonly string[];
}

const servers: (Server | Datagram)[] = [];
const held = new Map<string, Socket>();
const many: Socket[] = [];
let storm: { done: number; open: number; failed: string[]; timer: NodeJS.Timeout } | undefined;

function place(ip: string | undefined, port: number | undefined): string {
  return isIPv6(ip ?? '') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

// A server on all addresses is one socket of IPv6: it sees clients of IPv4 as mapped.
function unmapped(ip: string | undefined): string {
  return (ip ?? '').replace(/^::ffff:/u, '');
}

function serve(order: Of<'serve'>): Promise<Outcome> {
  const greeting = (ip: string | undefined, port: number | undefined): string => (
    `${JSON.stringify({ server: order.name, client: place(unmapped(ip), port) })}\n`
  );
  return new Promise((resolve) => {
    if (order.protocol === 'tcp') {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.write(greeting(socket.remoteAddress, socket.remotePort));
        socket.pipe(socket);
      });
      server.once('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? '' }));
      server.listen(order.port, '::', 4_096, () => resolve({}));
      servers.push(server);
      return;
    }
    // One socket for each family: it answers from the address that it was asked at.
    for (const type of ['udp4', 'udp6'] as const) {
      const server = createSocket({ type, ipv6Only: type === 'udp6' });
      server.on('message', (_, { address, port }) => (
        server.send(greeting(address, port), port, address)
      ));
      server.once('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? '' }));
      server.bind(order.port, () => resolve({}));
      servers.push(server);
    }
  });
}

async function unserve(): Promise<Outcome> {
  for (const server of servers.splice(0)) server.close();
  return {};
}

async function bind(order: Of<'bind'>): Promise<Outcome> {
  const outcome = await serve({ ...order, do: 'serve', name: 'bound' });
  servers.pop()?.close();
  if (order.protocol === 'udp') servers.pop()?.close();
  return outcome;
}

function connectTcp(order: Of<'connect'>): Promise<Outcome> {
  return new Promise((resolve) => {
    const { ip, port, from, fromPort, hold, timeoutMs = 1_000 } = order;
    const socket = connect({
      host: ip, port, ...(from === undefined ? {} : { localAddress: from }),
      ...(fromPort === undefined ? {} : { localPort: fromPort }),
    });
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (hold === undefined || outcome.error !== undefined) socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? '' }));
    socket.once('end', () => end({ error: 'closed' }));
    socket.once('data', (text) => {
      const peer = place(socket.remoteAddress, socket.remotePort);
      if (hold !== undefined) held.set(hold, socket);
      end({ ...(JSON.parse(String(text)) as Outcome), peer });
    });
  });
}

function connectUdp(order: Of<'connect'>): Promise<Outcome> {
  return new Promise((resolve) => {
    const { ip, port, from, fromPort = 0, connected, size = 1, timeoutMs = 1_000 } = order;
    const question = Buffer.alloc(size, '?');
    const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
    let ended = false;
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (!ended) socket.close();
      ended = true;
      resolve(outcome);
    };
    const refused = (error: NodeJS.ErrnoException | null): void => {
      if (error) end({ error: error.code ?? '' });
    };
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    socket.on('error', refused);
    socket.once('message', (text, { address, port: answered }) => (
      end({ ...(JSON.parse(String(text)) as Outcome), peer: place(address, answered) })
    ));
    socket.bind({ port: fromPort, ...(from === undefined ? {} : { address: from }) }, () => {
      if (connected !== true) socket.send(question, port, ip, refused);
      else {
        socket.connect(port, ip, (error?: NodeJS.ErrnoException) => {
          if (error) refused(error);
          else socket.send(question, refused);
        });
      }
    });
  });
}

function talk(socket: Socket | undefined, timeoutMs = 2_000): Promise<Outcome> {
  if (socket === undefined || socket.destroyed) return Promise.resolve({ error: 'closed' });
  return new Promise((resolve) => {
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.off('data', heard).off('close', closed);
      resolve(outcome);
    };
    const heard = (): void => end({});
    const closed = (): void => end({ error: 'closed' });
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    socket.on('data', heard).on('close', closed);
    socket.write('ping\n');
  });
}

/** Sends bytes that differ and reads them back; `done` is how many came, unless one is wrong. */
function echo(socket: Socket | undefined, size: number): Promise<Outcome> {
  if (socket === undefined) return Promise.resolve({ error: 'closed' });
  const bytes = Uint8Array.from({ length: size }, (_, index) => index * 31 + (index >> 8));
  const sent = Buffer.from(bytes);
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let came = 0;
    const end = (error?: string): void => {
      clearTimeout(timer);
      const whole = Buffer.concat(parts).equals(sent);
      resolve({ done: came, ...(whole ? {} : { error: error ?? 'other bytes' }) });
    };
    const timer = setTimeout(() => end('timeout'), 5_000);
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      came += part.length;
      if (came >= size) end();
    });
    socket.once('close', () => end('closed'));
    socket.write(sent);
  });
}

const atOnceMax = 100;

async function holdMany({ ip, port, count }: Of<'hold-many'>): Promise<Outcome> {
  const failed: string[] = [];
  while (many.length + failed.length < count) {
    const wave = Math.min(atOnceMax, count - many.length - failed.length);
    const order = { do: 'connect', protocol: 'tcp', ip, port, timeoutMs: 5_000 } as const;
    const outcomes = await Promise.all(Array.from({ length: wave }, (_, index) => (
      connectTcp({ ...order, hold: `many-${index}` })
    )));
    failed.push(...outcomes.flatMap(({ error }) => error ?? []));
    many.push(...held.values());
    held.clear();
  }
  return { done: many.length, failed };
}

async function talkMany(): Promise<Outcome> {
  const outcomes = await Promise.all(many.map(async (socket) => {
    const { localPort } = socket;
    const { error } = await talk(socket, 5_000);
    return error === undefined ? [] : [`${error} of port ${localPort}`];
  }));
  const failed = outcomes.flat();
  return { done: outcomes.length - failed.length, failed };
}

async function startStorm({ ip, port, everyMs }: Of<'storm'>): Promise<Outcome> {
  const state = { done: 0, open: 0, failed: [] as string[] };
  const timer = setInterval(() => {
    state.open += 1;
    const order = { do: 'connect', protocol: 'tcp', ip, port, timeoutMs: 5_000 } as const;
    void connectTcp(order).then(({ error }) => {
      state.open -= 1;
      if (error === undefined) state.done += 1;
      else state.failed.push(error);
    });
  }, everyMs);
  storm = Object.assign(state, { timer });
  return {};
}

async function endStorm(): Promise<Outcome> {
  const ended = storm;
  if (ended === undefined) return { error: 'no storm' };
  clearInterval(ended.timer);
  while (ended.open > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  return { done: ended.done, failed: ended.failed };
}

function obey(order: Order): Promise<Outcome> {
  switch (order.do) {
    case 'serve': return serve(order);
    case 'unserve': return unserve();
    case 'bind': return bind(order);
    case 'connect': return order.protocol === 'tcp' ? connectTcp(order) : connectUdp(order);
    case 'talk': return talk(held.get(order.hold), order.timeoutMs);
    case 'echo': return echo(held.get(order.hold), order.size);
    case 'hold-many': return holdMany(order);
    case 'talk-many': return talkMany();
    case 'storm': return startStorm(order);
    case 'storm-end': return endStorm();
  }
}

if (import.meta.main) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { id, order } = JSON.parse(line) as { readonly id: number; readonly order: Order };
    void obey(order).then((outcome) => {
      process.stdout.write(`${JSON.stringify({ id, outcome })}\n`);
    });
  });
  // The lab has gone, or wants this to go.
  lines.on('close', () => process.exit(0));
}
