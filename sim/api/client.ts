import type { Micros, Timer } from '../../lb/ports.ts';
import { err, type Result } from '../../lb/result.ts';
import type {
  KubeAnswer, KubeDone, KubeError, KubePort, KubeRequest, Watch, WatchRequest, WatchSink,
} from '../../kube/port.ts';
import type { Process } from '../process.ts';
import { Connection } from './connection.ts';
import type { ApiClient, ApiPath, RequestFacts } from './path.ts';
import type { ApiServer } from './server.ts';
import { WatchStream } from './stream.ts';

/** Bound of a request that names none. */
const requestTimeout: Micros = 30_000_000;

/**
 * The API as one process sees it: messages that take time, get lost, delayed and duplicated by
 * retries, on connections that break (simulator.md 5.6, A20). Requests may overtake one another;
 * events of one watch never do. When the process ends its connections vanish with it.
 */
export function createSimKube(
  process: Process,
  way: { readonly server: ApiServer; readonly path: ApiPath },
  client: ApiClient,
): KubePort {
  const end: ApiEnd = { process, ...way, client, streams: new Set() };
  const connection = new Connection(end);
  process.onEnd(() => {
    // A closed stream leaves the set; what is left is still visited.
    for (const stream of end.streams) stream.close();
  });
  return {
    request(request, done) {
      process.operation();
      new Exchange(end, connection, { request, done }).start();
    },
    watch(request: WatchRequest, sink: WatchSink): Watch {
      process.operation();
      const stream = new WatchStream(end, { request, sink });
      stream.start();
      return { cancel: () => { stream.close(); } };
    },
  };
}

/** Both ends of the way, as every part of the client needs them. */
export interface ApiEnd {
  readonly process: Process;
  readonly server: ApiServer;
  readonly path: ApiPath;
  readonly client: ApiClient;
  /** Open watches, which vanish with the process. */
  readonly streams: Set<WatchStream>;
}

const writes: readonly string[] = ['create', 'update', 'patch', 'apply', 'delete'];

/** One request and its one answer. */
class Exchange {
  readonly #end: ApiEnd;
  readonly #connection: Connection;
  readonly #request: KubeRequest;
  readonly #done: KubeDone;
  readonly #about: RequestFacts;
  #settled = false;
  #timer: Timer | undefined;

  constructor(end: ApiEnd, connection: Connection, call: { request: KubeRequest; done: KubeDone }) {
    const { request, done } = call;
    this.#end = end;
    this.#connection = connection;
    this.#request = request;
    this.#done = done;
    const resource = 'ref' in request ? request.ref.resource : request.resource;
    this.#about = { client: end.client, verb: request.verb, resource };
  }

  start(): void {
    const { process, path } = this.#end;
    const wait = process.clock.worldDelay(this.#request.timeout ?? requestTimeout);
    this.#timer = process.later(
      wait, 'api.timeout', () => { this.#settle(this.#lost('timed out')); },
    );
    const failure = path.failure;
    if (failure !== undefined) return this.#fail(failure);
    this.#connection.send(
      'out', { delay: path.delay(this.#about), digest: 0 }, () => { this.#arrive(); },
    );
  }

  // At the server: faults strike before the commit, then after it.
  #arrive(): void {
    const { path } = this.#end;
    if (path.failure !== undefined) return this.#fail('reset');
    const error = path.drawError(this.#about);
    if (error !== undefined) return this.#reply(err(error));
    if (path.drawConflict(this.#about)) this.#interfere();
    const answer = this.#answer();
    const lost = path.drawLostReply(this.#about);
    if (lost === 'silence') return;
    this.#reply(lost === 'reset' ? err(this.#lost('connection reset')) : answer);
  }

  #answer(): Result<KubeAnswer, KubeError> {
    const { server, client, path, process } = this.#end;
    const request = this.#request;
    const answer = server.handle(request, client.user);
    if (request.verb !== 'list' || request.options.resourceVersion !== '0' || !answer.ok) {
      return answer;
    }
    const lag = path.lagOf(client);
    return lag === 0 ? answer : server.staleList(request, process.world.now - lag);
  }

  // Another writer was faster: the version that this request names is history.
  #interfere(): void {
    const request = this.#request;
    if (!('ref' in request) || request.verb === 'get' || request.verb === 'delete') return;
    const { server, process } = this.#end;
    const stamp = String(process.world.now);
    const body = { metadata: { annotations: { 'sim.fairlead.dev/touched': stamp } } };
    server.handle({ verb: 'patch', ref: request.ref, body }, 'other-writer');
  }

  #reply(answer: Result<KubeAnswer, KubeError>): void {
    const delay = this.#end.path.delay(this.#about);
    this.#connection.send('in', { delay, digest: digestOf(answer) }, () => {
      this.#end.process.enter(() => { this.#settle(answer); });
    });
  }

  #fail(how: 'refuse' | 'reset'): void {
    const { process, path } = this.#end;
    const error: KubeError = how === 'refuse'
      ? { kind: 'unreachable', message: 'connection refused' }
      : this.#lost('connection reset by peer');
    process.later(path.latency.min, 'api.failure', () => { this.#settle(err(error)); });
  }

  #lost(message: string): KubeError {
    return {
      kind: writes.includes(this.#request.verb) ? 'unknown-outcome' : 'unreachable', message,
    };
  }

  #settle(result: Result<KubeAnswer, KubeError> | KubeError): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer?.cancel();
    this.#done('ok' in result ? result : err(result));
  }
}

function digestOf(answer: Result<KubeAnswer, KubeError>): number {
  if (!answer.ok) return 0;
  const { value } = answer;
  const version = value.kind === 'list'
    ? value.resourceVersion
    : value.object.metadata?.resourceVersion;
  return Number(version ?? 0);
}
