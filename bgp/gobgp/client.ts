import type { Micros } from '../../lb/ports.ts';
import { ok, type Result } from '../../lb/result.ts';
import type { SpeakerError } from '../port.ts';
import { v3, v4, type Dialect } from './dialect.ts';
import { globalMessage } from './messages.ts';
import { decode, encode, type Fields, type Read, type Write } from './protobuf.ts';
import type { RpcChannel, RpcDone, RpcError } from './rpc.ts';

const unaryDeadline: Micros = 5_000_000;
const listDeadline: Micros = 30_000_000;

/** One request: the name of its procedure and what it carries. */
export interface Request<F extends Fields> {
  readonly name: string;
  readonly fields: F;
  readonly value: Write<F>;
  /** Five seconds unless said. */
  readonly deadline?: Micros;
}

/** The procedures of one running daemon, in its dialect. */
export class GobgpClient {
  readonly dialect: Dialect;
  #channel: RpcChannel;

  constructor(channel: RpcChannel, dialect: Dialect) {
    this.#channel = channel;
    this.dialect = dialect;
  }

  call<F extends Fields>(request: Request<F>, done: RpcDone): void {
    this.#channel.unary({
      method: this.#method(request.name), request: encode(request.fields, request.value),
      deadline: request.deadline ?? unaryDeadline,
    }, (reply) => done(reply.ok ? ok(undefined) : reply));
  }

  /** Everything that a listing streams, in its order. */
  list<F extends Fields, R extends Fields>(
    request: Request<F>, reply: R, done: RpcDone<readonly Read<R>[]>,
  ): void {
    const all: Read<R>[] = [];
    this.#channel.stream({
      method: this.#method(request.name), request: encode(request.fields, request.value),
      deadline: listDeadline,
    }, {
      message: (bytes) => all.push(decode(reply, bytes)),
      end: (result) => done(result.ok ? ok(all) : result),
    });
  }

  /** A stream without an end of its own. */
  watch<F extends Fields, R extends Fields>(
    request: Request<F>, reply: R,
    sink: { message(value: Read<R>): void; end(result: Result<void, RpcError>): void },
  ): void {
    this.#channel.stream({
      method: this.#method(request.name), request: encode(request.fields, request.value),
      deadline: undefined,
    }, {
      message: (bytes) => sink.message(decode(reply, bytes)),
      end: (result) => sink.end(result),
    });
  }

  upload<F extends Fields>(
    { name, fields, messages }: {
      readonly name: string; readonly fields: F; readonly messages: readonly Write<F>[];
    }, done: RpcDone,
  ): void {
    this.#channel.upload(
      { method: this.#method(name), request: new Uint8Array(), deadline: listDeadline },
      messages.map((value) => encode(fields, value)),
      (reply) => done(reply.ok ? ok(undefined) : reply),
    );
  }

  close(): void {
    this.#channel.close();
  }

  #method(name: string): string {
    return `/${this.dialect.service}/${name}`;
  }
}

/** What `greet` learned. */
export interface Greeting {
  readonly client: GobgpClient;
  readonly global: Read<typeof globalMessage>['global'];
}

/**
 * Asks who is there, in one dialect and, where that is not known, in the other. The global values
 * of a daemon that was never told any have AS number 0.
 */
export function greet(channel: RpcChannel, done: RpcDone<Greeting>): void {
  ask(channel, v3, (first) => {
    if (first.ok || first.error.kind !== 'unimplemented') return done(first);
    ask(channel, v4, done);
  });
}

function ask(channel: RpcChannel, dialect: Dialect, done: RpcDone<Greeting>): void {
  channel.unary({
    method: `/${dialect.service}/GetBgp`, request: new Uint8Array(), deadline: unaryDeadline,
  }, (reply) => {
    if (!reply.ok) return done(reply);
    const { global } = decode(globalMessage, reply.value);
    done(ok({ client: new GobgpClient(channel, dialect), global }));
  });
}

/** Steps one after the other; the first failure ends them. Each may run many calls at once. */
export type Step = (done: RpcDone) => void;

export function inOrder(steps: readonly Step[], done: RpcDone): void {
  const run = (at: number): void => {
    const step = steps[at];
    if (step === undefined) return done(ok(undefined));
    step((result) => {
      if (result.ok) run(at + 1);
      else done(result);
    });
  };
  run(0);
}

/** All of them at once; done when the last is, with the first failure. `done` is called later. */
export function together(steps: readonly Step[], done: RpcDone): void {
  let left = steps.length;
  let failure: Result<void, RpcError> = ok(undefined);
  if (left === 0) return done(failure);
  for (const step of steps) {
    step((result) => {
      if (!result.ok && failure.ok) failure = result;
      left -= 1;
      if (left === 0) done(failure);
    });
  }
}

/**
 * What a failed call means to the owner of the speaker. Texts of GoBGP are read here and nowhere
 * else: a port that is taken has no code of its own (bgp.md 5.5, G1, G4).
 */
export function speakerError({ kind, text }: RpcError): SpeakerError {
  if (/address already in use/u.test(text)) return { kind: 'port-in-use', text };
  if (/permission denied/u.test(text)) return { kind: 'port-denied', text };
  switch (kind) {
    case 'unavailable': return { kind: 'unreachable', text };
    case 'deadline': return { kind: 'timeout', text };
    case 'unimplemented': return { kind: 'unsupported', text };
    case 'other': return { kind: 'rejected', text };
  }
}
