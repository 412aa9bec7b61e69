import { ApiFront } from '../api/http/front.ts';
import { httpRequest, type Exchange } from '../api/http/message.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ApiCall } from './spec.ts';

/** Makes requests of scenario steps as a client over HTTP would. */
export class ApiCalls {
  readonly #front: ApiFront;

  constructor(cluster: Cluster) {
    this.#front = new ApiFront(cluster.world, cluster.api);
  }

  /** The message of the refusal, or undefined when the request was served. */
  make(call: ApiCall): string | undefined {
    const { method, path, type = 'application/json', user, body } = call;
    const headers = new Map([['content-type', type], ['impersonate-user', user]]);
    const text = body === undefined ? '' : JSON.stringify(body);
    const request = httpRequest({ method, target: path, headers, body: text });
    if (request === undefined) return 'the path is malformed';
    let refusal: string | undefined = 'the request is not answered at once';
    const exchange: Exchange = {
      answer: ({ code, body: answered }) => {
        refusal = code < 300 ? undefined : `${code} ${messageOf(answered)}`;
        return undefined;
      },
      open: () => undefined,
      chunk: () => undefined,
      end: () => undefined,
      reset: () => undefined,
    };
    this.#front.serve(request, exchange)?.cancel();
    return refusal;
  }
}

// Refusals are Statuses; paths outside the API are answered in plain text.
function messageOf(body: string | Uint8Array): string {
  if (typeof body !== 'string') return '';
  if (!body.startsWith('{')) return body.trim();
  const { message } = JSON.parse(body) as { readonly message?: unknown };
  return typeof message === 'string' ? message : '';
}
