import { createRequire } from 'node:module';
import type * as Grpc from '@grpc/grpc-js';
import { err, ok } from '../../lb/result.ts';
import type { RpcCall, RpcChannel, RpcDone, RpcError, RpcPort } from './rpc.ts';

/**
 * Loaded with the first channel: a node that no BGP resource selects should not pay a tenth of a
 * second and 16 MiB for it.
 */
const require = createRequire(import.meta.url);
const grpc = (): typeof Grpc => require('@grpc/grpc-js') as typeof Grpc;

const serialize = (bytes: Uint8Array): Buffer => (
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
);
const deserialize = (bytes: Buffer): Uint8Array => bytes;

/** A page of a listing of ten thousand routes is small; one message with all attributes is not. */
const messageBytesMax = 64 * 1024 * 1024;

/** gRPC over a unix socket (`unix:` path) or loopback. */
export const grpcPort: RpcPort = { open: (endpoint) => new GrpcChannel(endpoint) };

class GrpcChannel implements RpcChannel {
  #client: Grpc.Client;
  #closed = false;
  /** A closed client lets them go on, and with them the process. */
  #calls = new Set<{ cancel(): void }>();

  constructor(endpoint: string) {
    const { Client, credentials } = grpc();
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      'grpc.max_receive_message_length': messageBytesMax,
      // The adapter's own machine reconnects; a second back-off below it would hide that.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 50,
      // Unix sockets need no proxy, whatever the environment says.
      'grpc.enable_http_proxy': 0,
      // Two daemons may follow each other on one path: a channel belongs to one of them.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config_disable_resolution': 1,
    });
  }

  unary(call: RpcCall, done: RpcDone<Uint8Array>): void {
    const { method, request } = call;
    const answered = this.#answer(done);
    this.#keep(this.#client.makeUnaryRequest(
      method, serialize, deserialize, request, new (grpc().Metadata)(), options(call), answered,
    ));
  }

  stream(call: RpcCall, sink: Parameters<RpcChannel['stream']>[1]): () => void {
    const { method, request } = call;
    const stream = this.#client.makeServerStreamRequest(
      method, serialize, deserialize, request, new (grpc().Metadata)(), options(call),
    );
    this.#keep(stream);
    let open = true;
    const end = (error: RpcError | undefined): void => {
      if (!open || this.#closed) return;
      open = false;
      sink.end(error === undefined ? ok(undefined) : err(error));
    };
    stream.on('data', (bytes: Uint8Array) => { if (open && !this.#closed) sink.message(bytes); });
    stream.on('error', (error: Grpc.ServiceError) => { end(rpcError(error)); });
    stream.on('status', (told: Grpc.StatusObject) => {
      if (told.code === grpc().status.OK) end(undefined);
    });
    return () => {
      open = false;
      stream.cancel();
    };
  }

  upload(call: RpcCall, messages: readonly Uint8Array[], done: RpcDone<Uint8Array>): void {
    const stream = this.#client.makeClientStreamRequest(
      call.method, serialize, deserialize, new (grpc().Metadata)(), options(call),
      this.#answer(done),
    );
    this.#keep(stream);
    // Writes that the socket cannot take yet wait inside the stream, in order: routes of one plan
    // are a few megabytes at most.
    for (const message of messages) stream.write(message);
    stream.end();
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }

  #keep(call: Grpc.ClientUnaryCall): void {
    this.#calls.add(call);
    call.once('status', () => this.#calls.delete(call));
  }

  #answer(done: RpcDone<Uint8Array>) {
    let inside = true;
    queueMicrotask(() => { inside = false; });
    return (error: Grpc.ServiceError | null, reply?: Uint8Array): void => {
      const tell = (): void => {
        if (this.#closed) return;
        done(error === null ? ok(reply ?? new Uint8Array()) : err(rpcError(error)));
      };
      // A client that was closed refuses within the call.
      if (inside) queueMicrotask(tell);
      else tell();
    };
  }
}

function options({ deadline }: RpcCall): { readonly deadline?: number } {
  return deadline === undefined ? {} : { deadline: Date.now() + Math.ceil(deadline / 1000) };
}

function rpcError({ code, details }: Grpc.ServiceError): RpcError {
  const { status } = grpc();
  const kind = code === status.UNAVAILABLE ? 'unavailable'
    : code === status.DEADLINE_EXCEEDED ? 'deadline'
      : code === status.UNIMPLEMENTED ? 'unimplemented' : 'other';
  return { kind, text: details === '' ? `status ${code}` : details };
}
