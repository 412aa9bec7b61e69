import { ApiFront } from '../../sim/api/http/front.ts';
import type { FrontOptions } from '../../sim/api/http/call.ts';
import {
  httpRequest, type Exchange, type Hold, type HttpAnswer, type RequestEnd,
} from '../../sim/api/http/message.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { World } from '../../sim/world.ts';

/** An answer, or what has come of a stream so far. */
export interface Heard {
  code: number;
  readonly headers: Record<string, string>;
  /** Parsed where the answer is JSON. */
  body: any;
  /** Lines of a stream, parsed. */
  readonly lines: any[];
  ended: boolean;
  reset: boolean;
  hold: Hold | undefined;
}

export interface Place {
  readonly world: World;
  readonly server: ApiServer;
  readonly front: ApiFront;
  /** `GET /api/v1/pods?limit=1`; a body that is no text is sent as JSON. */
  ask(line: string, body?: unknown, headers?: Record<string, string>): Heard;
  /** Lets so many seconds of virtual time pass. */
  pass(seconds: number): void;
}

/** The HTTP surface without a socket. */
export function place(options: FrontOptions = {}): Place {
  const world = new World({ seed: 1n });
  const server = new ApiServer(world, { freeze: true });
  const front = new ApiFront(world, server, options);
  return {
    world, server, front,
    pass: (seconds) => { world.run(world.now + seconds * 1_000_000); },
    ask: asker(front),
  };
}

/** Asks one end as `Place.ask` says. */
export function asker(end: RequestEnd): Place['ask'] {
  return (line, body, headers = {}) => {
    const [method = '', target = ''] = line.split(' ');
    const heard: Heard = {
      code: 0, headers: {}, body: undefined, lines: [], ended: false, reset: false, hold: undefined,
    };
    const request = httpRequest({
      method,
      target,
      headers: new Map(Object.entries({ 'user-agent': 'tester/1', ...headers })),
      body: body === undefined || typeof body === 'string' || body instanceof Uint8Array
        ? body ?? ''
        : JSON.stringify(body),
    });
    heard.hold = end.serve(request!, exchangeInto(heard));
    return heard;
  };
}

function exchangeInto(heard: Heard): Exchange {
  const take = (answer: HttpAnswer): void => {
    heard.code = answer.code;
    Object.assign(heard.headers, answer.headers);
    const json = answer.headers['content-type']?.startsWith('application/json') === true;
    const { body } = answer;
    heard.body = json && typeof body === 'string' ? JSON.parse(body) : body;
  };
  return {
    answer: (answer) => {
      take(answer);
      return undefined;
    },
    open: (headers) => {
      heard.code = 200;
      Object.assign(heard.headers, headers);
    },
    chunk: (text) => {
      heard.lines.push(...text.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown));
    },
    end: () => { heard.ended = true; },
    reset: () => { heard.reset = true; },
  };
}

/** `TYPE name@version` of each line of a watch. */
export function lineTexts(heard: Heard): string[] {
  return heard.lines.map(({ type, object }) => {
    if (type === 'ERROR') return `ERROR ${object.code} ${object.reason}`;
    const { name = '', resourceVersion } = object.metadata;
    return `${type} ${name}@${resourceVersion}`;
  });
}
