import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type * as Grpc from '@grpc/grpc-js';
import type { RpcChannel, RpcError } from '../../../bgp/gobgp/rpc.ts';
import type { FakeGobgp } from './fakegobgp.ts';

const streams = [
  'ListPeer', 'WatchEvent', 'ListPath', 'ListDefinedSet', 'ListPolicy', 'ListStatement',
  'ListPolicyAssignment',
];
const uploads = ['AddPathStream'];
const calls = [
  'StartBgp', 'StopBgp', 'GetBgp', 'AddPeer', 'DeletePeer', 'AddPath', 'DeletePath',
  'AddDefinedSet', 'DeleteDefinedSet', 'AddPolicy', 'DeletePolicy', 'DeleteStatement',
  'SetPolicyAssignment', 'AddPolicyAssignment', 'DeletePolicyAssignment',
];
const codes = {
  unavailable: status.UNAVAILABLE, deadline: status.DEADLINE_EXCEEDED,
  unimplemented: status.UNIMPLEMENTED, other: status.UNKNOWN,
} as const;

/** A pretended daemon behind a real gRPC server on a unix socket. */
export async function serveGobgp(daemon: FakeGobgp, socket: string): Promise<Server> {
  const { service } = daemon.dialect;
  const channel = daemon.open();
  const server = new Server();
  const definition: Record<string, Grpc.MethodDefinition<Buffer, Uint8Array>> = {};
  const handlers: Grpc.UntypedServiceImplementation = {};
  for (const name of [...calls, ...streams, ...uploads]) {
    const path = `/${service}/${name}`;
    definition[name] = {
      path, requestStream: uploads.includes(name), responseStream: streams.includes(name),
      requestSerialize: (bytes) => bytes, requestDeserialize: (bytes) => bytes,
      responseSerialize: (bytes) => Buffer.from(bytes), responseDeserialize: (bytes) => bytes,
    };
    handlers[name] = handlerOf(channel, name, path);
  }
  server.addService(definition, handlers);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return server;
}

function handlerOf(
  channel: RpcChannel, name: string, method: string,
): Grpc.UntypedHandleCall {
  const call = (request: Uint8Array) => ({ method, request, deadline: undefined });
  if (streams.includes(name)) {
    return (stream: Grpc.ServerWritableStream<Buffer, Uint8Array>) => {
      channel.stream(call(stream.request), {
        message: (bytes) => { stream.write(bytes); },
        end: (result) => {
          if (result.ok) stream.end();
          else stream.emit('error', refusal(result.error));
        },
      });
    };
  }
  if (uploads.includes(name)) {
    return (
      stream: Grpc.ServerReadableStream<Buffer, Uint8Array>, done: Grpc.sendUnaryData<Uint8Array>,
    ) => {
      const messages: Uint8Array[] = [];
      stream.on('data', (message: Uint8Array) => { messages.push(message); });
      stream.on('end', () => channel.upload(call(new Uint8Array()), messages, (result) => {
        if (result.ok) done(null, result.value);
        else done(refusal(result.error));
      }));
    };
  }
  return (
    unary: Grpc.ServerUnaryCall<Buffer, Uint8Array>, done: Grpc.sendUnaryData<Uint8Array>,
  ) => channel.unary(call(unary.request), (result) => {
    if (result.ok) done(null, result.value);
    else done(refusal(result.error));
  });
}

function refusal({ kind, text }: RpcError): Partial<Grpc.StatusObject> & Error {
  return Object.assign(new Error(text), { code: codes[kind], details: text });
}
