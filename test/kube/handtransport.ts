import { createHttpKube } from '../../kube/httpkube.ts';
import { utf8Text } from '../../kube/client.real.ts';
import type { KubeRequest, WatchSink } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ExchangeSink, HttpRequest, Transport } from '../../kube/transport.ts';
import { World } from '../../sim/world.ts';

export const second = 1_000_000;
const { leases, nodes } = resources;
export const lease = { resource: leases, namespace: 'kube-system', name: 'lock' };

/** One exchange that a test answers by hand. */
export interface Sent {
  readonly endpoint: number;
  readonly request: HttpRequest;
  readonly sink: ExchangeSink;
  aborted: boolean;
  paused: boolean;
}

/** An adapter over a transport that does nothing by itself, in virtual time. */
export function scene(endpoints: readonly string[] = ['one:6443', 'two:6443']) {
  const world = new World({ seed: 1n });
  const sent: Sent[] = [];
  const transport: Transport = {
    endpoints,
    send(endpoint, request, sink) {
      const exchange: Sent = { endpoint, request, sink, aborted: false, paused: false };
      sent.push(exchange);
      return {
        abort: () => { exchange.aborted = true; },
        pause: () => { exchange.paused = true; },
        resume: () => { exchange.paused = false; },
      };
    },
  };
  const clock = {
    after: (delay: number, run: () => void) => world.schedule(
      delay, { kind: 'timer', entity: 'test' }, run,
    ),
  };
  const kube = createHttpKube({ transport, clock, text: utf8Text });
  const heard: string[] = [];
  const sink: WatchSink = {
    event: (event) => heard.push(event.type === 'BOOKMARK'
      ? `BOOKMARK ${event.resourceVersion}`
      : `${event.type} ${event.object.metadata?.name}`),
    end: (error) => heard.push(error === undefined ? 'end' : `${error.kind}: ${error.message}`),
  };
  return {
    world, sent, kube, heard, sink,
    ask(request: KubeRequest) {
      kube.request(request, (answer) => {
        heard.push(answer.ok ? JSON.stringify(answer.value)
          : `${answer.error.kind}: ${answer.error.message}${
            answer.error.retryAfter === undefined ? '' : ` after ${answer.error.retryAfter}`}`);
      });
      return sent.at(-1)!;
    },
    watch: (more: WatchSink = sink) => kube.watch(
      { resource: nodes, namespace: '', resourceVersion: '7' }, more,
    ),
  };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The whole answer at once. */
export function reply(
  { sink }: Sent, status: number, body: unknown, retryAfterSeconds?: number,
): void {
  sink.sent();
  sink.head({ status, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
  sink.bytes(bytes(typeof body === 'string' ? body : JSON.stringify(body)));
  sink.end(undefined);
}

export const event = (type: string, name: string): string => (
  `${JSON.stringify({ type, object: { metadata: { name, resourceVersion: '8' } } })}\n`
);
