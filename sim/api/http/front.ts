import type { World } from '../../world.ts';
import type { Refusal } from '../refusal.ts';
import { objectOf } from '../json.ts';
import type { RequestFacts } from '../path.ts';
import { reviewed, type ReviewKind } from '../review.ts';
import type { ApiServer } from '../server.ts';
import { groupDiscovery, rootDiscovery, versionDiscovery } from './discovery.ts';
import { EndpointsEnd, endpointsKind } from './endpoints.ts';
import { ItemEnd } from './item.ts';
import { servedKinds, type ServedKind } from './kinds.ts';
import { CollectionEnd } from './collection.ts';
import {
  jsonAnswer, textAnswer, type Exchange, type Hold, type HttpAnswer, type HttpRequest,
  type RequestEnd,
} from './message.ts';
import { formOf, Presentation } from './presentation.ts';
import { routeOf, type Route } from './route.ts';
import { SubresourceEnd } from './subresource.ts';
import { parsedBody } from './body.ts';
import { userOf } from './user.ts';
import type { Call, FrontOptions, FrontParts } from './call.ts';
import { OpenApiEnd } from './openapi.ts';
import { methodNotAllowed, refusalAnswer, unknownResource } from './status.ts';

/**
 * The HTTP surface of the API server: from request to answer or watch, at the world's present time
 * (simulator.md 6.3). It touches no socket: an exchange carries what it has to say.
 */
export class ApiFront implements RequestEnd {
  readonly #parts: FrontParts;
  #served: readonly ServedKind[] = [endpointsKind, ...servedKinds()];
  #openApi: OpenApiEnd | undefined;
  /** Of the definitions that `#served` and `#openApi` show. */
  #revision = 0;

  constructor(world: World, server: ApiServer, options: FrontOptions = {}) {
    const { kubernetes = '1.32', expiredWatch = 'event', frozen = () => false } = options;
    this.#parts = { world, server, options: { kubernetes, expiredWatch, frozen } };
  }

  get #kinds(): readonly ServedKind[] {
    const { definitions } = this.#parts.server;
    if (definitions.revision !== this.#revision) {
      this.#revision = definitions.revision;
      this.#served = [endpointsKind, ...servedKinds(definitions.all())];
      this.#openApi = undefined;
    }
    return this.#served;
  }

  serve(request: HttpRequest, exchange: Exchange): Hold | undefined {
    const route = routeOf(request.path, this.#kinds);
    const call: Call = { request, exchange, user: userOf(request) };
    const accept = request.headers.get('accept') ?? '';
    const host = request.headers.get('host') ?? '';
    switch (route.kind) {
      case 'collection': case 'item': return this.#objects(call, route);
      case 'unknown': return refuse(exchange, unknownResource);
      case 'elsewhere': return this.#other(call);
      case 'version': case 'group': case 'root': break;
    }
    if (request.method !== 'GET') return refuse(exchange, methodNotAllowed);
    if (route.kind === 'root') {
      exchange.answer(rootDiscovery(this.#kinds, { core: route.core, host }, accept));
    } else if (route.kind === 'group') {
      exchange.answer(groupDiscovery(this.#kinds, route.group));
    } else exchange.answer(versionDiscovery(this.#kinds, route));
    return undefined;
  }

  /** What a request asks of which kind; undefined for all that is about no objects. */
  aboutOf({ method, path, query, headers }: HttpRequest): About | undefined {
    const route = routeOf(path, this.#kinds);
    if (route.kind !== 'collection' && route.kind !== 'item') return undefined;
    const { resource } = route.served;
    if (method === 'GET' && route.kind === 'collection') {
      const watch = query.get('watch');
      return { verb: watch === 'true' || watch === '1' ? 'watch' : 'list', resource };
    }
    const applies = headers.get('content-type')?.includes('apply-patch') === true;
    const verb = method === 'PATCH' && applies ? 'apply' : verbs.get(method);
    return verb === undefined ? undefined : { verb, resource };
  }

  #objects(call: Call, route: Route & { kind: 'collection' | 'item' }): Hold | undefined {
    const { served } = route;
    if (served.review !== undefined) {
      return route.kind === 'item'
        ? refuse(call.exchange, methodNotAllowed)
        : review(call, served.review);
    }
    const form = formOf(call.request);
    if (!form.ok) return refuse(call.exchange, form.error);
    const shown = { ...call, shown: new Presentation(served, form.value) };
    if (served === endpointsKind) return new EndpointsEnd(this.#parts, route).serve(shown);
    if (route.kind === 'collection') return new CollectionEnd(this.#parts, route).serve(shown);
    const sub = served.subresources.find((candidate) => candidate.name === route.subresource);
    if (sub !== undefined) return new SubresourceEnd(this.#parts, route, sub).serve(call);
    return new ItemEnd(this.#parts, route).serve(shown);
  }

  #other({ request, exchange }: Call): undefined {
    const { path } = request;
    if (path === '/version' || path === '/version/') {
      return exchange.answer(jsonAnswer(200, versionOf(this.#parts.options.kubernetes)));
    }
    const [, root] = path.split('/');
    if (root === 'healthz' || root === 'livez' || root === 'readyz') {
      return exchange.answer(textAnswer(200, 'ok'));
    }
    const accept = request.headers.get('accept') ?? '';
    const document = root === 'openapi' ? this.#document(path, accept) : undefined;
    return exchange.answer(document ?? textAnswer(404, '404 page not found\n'));
  }

  // Made when first asked for: most clusters live without.
  #document(path: string, accept: string): HttpAnswer | undefined {
    const kinds = this.#kinds.filter((kind) => kind !== endpointsKind);
    this.#openApi ??= new OpenApiEnd(kinds);
    return this.#openApi.answer(path, accept);
  }
}

/** A request as faults on its way tell it from others. */
type About = Pick<RequestFacts, 'verb' | 'resource'>;

const verbs: ReadonlyMap<string, About['verb']> = new Map([
  ['GET', 'get'], ['POST', 'create'], ['PUT', 'update'], ['PATCH', 'patch'], ['DELETE', 'delete'],
]);

function refuse(exchange: Exchange, refusal: Refusal): undefined {
  exchange.answer(refusalAnswer(refusal));
}

// A question is answered and kept nowhere (A18).
function review({ request, exchange, user }: Call, kind: ReviewKind): undefined {
  if (request.method !== 'POST') return refuse(exchange, methodNotAllowed);
  const body = parsedBody(request);
  if (!body.ok) return refuse(exchange, body.error);
  return exchange.answer(jsonAnswer(201, reviewed(kind, objectOf(body.value) ?? {}, user)));
}

function versionOf(kubernetes: string): unknown {
  const [major = '1', minor = '32'] = kubernetes.split('.');
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.0+fairlead`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '2026-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: 'simulated/any',
  };
}
