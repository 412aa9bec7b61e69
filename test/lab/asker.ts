// One client in a place of the lab: reads questions, one JSON object a line, and answers each with
// the same number. Over TCP it asks an HTTP request, over UDP it sends one datagram.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

export interface Question {
  readonly protocol: 'TCP' | 'UDP';
  readonly ip: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** Who answered, and which client that one saw; or why nobody did. */
export type Reply =
  | { readonly server: string; readonly client: string }
  | { readonly error: string };

function askTcp({ ip, port, timeoutMs }: Question): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port });
    const parts: string[] = [];
    const end = (reply: Reply): void => {
      clearTimeout(timer);
      // Without a farewell: the next question may come from the same port to the same endpoint by
      // another front, and must not meet what is left of this one.
      socket.resetAndDestroy();
      resolve(reply);
    };
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? '' }));
    socket.on('connect', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
    socket.on('data', (part) => {
      parts.push(String(part));
      const [, body = ''] = parts.join('').split('\r\n\r\n');
      if (body.endsWith('\n')) end(JSON.parse(body) as Reply);
    });
    socket.on('end', () => end({ error: 'closed' }));
  });
}

function askUdp({ ip, port, timeoutMs }: Question): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
    const end = (reply: Reply): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    socket.once('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? '' }));
    socket.once('message', (text) => end(JSON.parse(String(text)) as Reply));
    // Connected, so that only the asked one is heard and a refusal is told.
    socket.connect(port, ip, () => socket.send('?'));
  });
}

if (import.meta.main) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, question } = JSON.parse(line) as { id: number; question: Question };
    const asked = question.protocol === 'TCP' ? askTcp(question) : askUdp(question);
    void asked.then((reply) => process.stdout.write(`${JSON.stringify({ id, reply })}\n`));
  });
}
