import type { Micros } from '../../lb/ports.ts';
import type { Result } from '../../lb/result.ts';

/** How a call ended, as far as a decision may tell (bgp.md 5.5, G1). `text` is for people. */
export interface RpcError {
  readonly kind: 'unavailable' | 'deadline' | 'unimplemented' | 'other';
  readonly text: string;
}

export type RpcDone<T = void> = (result: Result<T, RpcError>) => void;

/** One call: `method` is `/package.Service/Name`. */
export interface RpcCall {
  readonly method: string;
  readonly request: Uint8Array;
  /** Undefined: it may take for ever. */
  readonly deadline: Micros | undefined;
}

/** What a call that streams hears, in order; nothing after `end`. */
export interface RpcSink {
  message(bytes: Uint8Array): void;
  end(result: Result<void, RpcError>): void;
}

/** gRPC to one server: serialised messages in both directions. No callback runs inside a call. */
export interface RpcChannel {
  unary(call: RpcCall, done: RpcDone<Uint8Array>): void;
  /** A stream from the server. The function that it gives ends it without another word. */
  stream(call: RpcCall, sink: RpcSink): () => void;
  /** A stream to the server, all of it in order; `request` is not sent. */
  upload(call: RpcCall, messages: readonly Uint8Array[], done: RpcDone<Uint8Array>): void;
  /** Ends what is under way without a word. */
  close(): void;
}

export interface RpcPort {
  /** Connects when it is first used, and only once: a channel that failed stays failed. */
  open(endpoint: string): RpcChannel;
}
