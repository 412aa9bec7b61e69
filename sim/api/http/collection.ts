import type { KubeAnswer, KubeObject } from '../../../kube/port.ts';
import type { Timer } from '../../../lb/ports.ts';
import { omit } from '../json.ts';
import type { Outcome, Refusal } from '../refusal.ts';
import type { ApiRequest, HandleOptions } from '../server.ts';
import { traitsOf } from '../traits.ts';
import { objectBody } from './body.ts';
import type { Call, FrontParts } from './call.ts';
import { deletionOf } from './deletion.ts';
import { servedVersion } from './kinds.ts';
import { inVersion, jsonAnswer, type Hold } from './message.ts';
import type { Route } from './route.ts';
import { methodNotAllowed, refusalAnswer, type StatusSubject } from './status.ts';
import { HttpWatch } from './watch.ts';
import { writeOptions, watchParameters } from './parameters.ts';

/** How long a list waits for a version that is not there yet, and how often it looks (A2). */
const aheadMax = 3_000_000;
const aheadLook = 50_000;

/** A collection of objects: list, watch, create, delete collection. */
export class CollectionEnd {
  readonly #parts: FrontParts;
  readonly #route: Route & { kind: 'collection' };
  readonly #subject: StatusSubject;

  constructor(parts: FrontParts, route: Route & { kind: 'collection' }) {
    this.#parts = parts;
    this.#route = route;
    const { group, plural, kind } = route.served.resource;
    this.#subject = { group, plural, kind, name: '' };
  }

  serve(call: Call): Hold | undefined {
    const { method, query } = call.request;
    const watch = query.get('watch');
    if (method === 'GET' && (watch === 'true' || watch === '1')) return this.#watch(call);
    if (method === 'GET') return this.#list(call, this.#parts.world.now + aheadMax);
    if (method === 'POST') return this.#create(call);
    if (method === 'DELETE') return this.#deleteAll(call);
    return this.#refuse(call, methodNotAllowed);
  }

  #watch(call: Call): Hold | undefined {
    const { served, namespace } = this.#route;
    const parameters = watchParameters(call.request);
    if (!parameters.ok) return this.#refuse(call, parameters.error);
    const watch = new HttpWatch(this.#parts, { ...call, served, namespace }, parameters.value);
    return watch.start() ? watch : undefined;
  }

  #list(call: Call, until: number): Hold | undefined {
    const listed = this.#ask(call, this.#listRequest(call));
    const { world, options } = this.#parts;
    if (!listed.ok) {
      const waits = listed.error.code === 504 && world.now < until && !options.frozen();
      return waits ? this.#lookAgain(call, until) : this.#refuse(call, listed.error);
    }
    const { value } = listed;
    if (value.kind === 'list') {
      call.exchange.answer(jsonAnswer(200, this.#listDocument(value.items, value.resourceVersion)));
    }
    return undefined;
  }

  #listRequest({ request }: Call): ApiRequest & { verb: 'list' } {
    const { served, namespace } = this.#route;
    const { query } = request;
    const labelSelector = query.get('labelSelector');
    const fieldSelector = query.get('fieldSelector');
    const resourceVersion = query.get('resourceVersion');
    const exact = query.get('resourceVersionMatch') === 'Exact';
    return {
      verb: 'list',
      resource: served.resource,
      namespace,
      ...(fieldSelector !== undefined && { fieldSelector }),
      ...(exact && { resourceVersionMatch: 'Exact' }),
      options: {
        ...(labelSelector !== undefined && { labelSelector }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      },
    };
  }

  #lookAgain(call: Call, until: number): Hold {
    let hold: Hold | undefined;
    const what = { kind: 'http.wait', entity: call.user };
    const timer: Timer = this.#parts.world.schedule(aheadLook, what, () => {
      hold = this.#list(call, until);
    });
    return {
      cancel: () => {
        timer.cancel();
        hold?.cancel();
      },
    };
  }

  // Items of a built-in list carry no kind of their own; those of a custom resource do.
  #listDocument(items: readonly KubeObject[], resourceVersion: string): unknown {
    const { served } = this.#route;
    const apiVersion = servedVersion(served);
    const { custom } = traitsOf(served.resource);
    return {
      kind: `${served.resource.kind}List`,
      apiVersion,
      metadata: { resourceVersion },
      items: custom ? items.map((item) => inVersion(item, apiVersion)) : items.map(withoutKind),
    };
  }

  #create(call: Call): undefined {
    const { served, namespace } = this.#route;
    const { resource } = served;
    const body = objectBody(call.request, served);
    if (!body.ok) return this.#refuse(call, body.error);
    const options = writeOptions(call.request);
    if (!options.ok) return this.#refuse(call, options.error);
    const request: ApiRequest = { verb: 'create', resource, namespace, body: body.value };
    const created = this.#ask(call, request, options.value);
    const name = body.value.metadata?.name ?? '';
    if (!created.ok) return this.#refuse(call, created.error, name);
    if (created.value.kind === 'object') {
      const object = inVersion(created.value.object, servedVersion(served));
      call.exchange.answer(jsonAnswer(201, object));
    }
    return undefined;
  }

  #deleteAll(call: Call): undefined {
    const asked = deletionOf(call.request);
    if (!asked.ok) return this.#refuse(call, asked.error);
    const { request, options } = asked.value;
    const listed = this.#ask(call, this.#listRequest(call));
    if (!listed.ok) return this.#refuse(call, listed.error);
    if (listed.value.kind !== 'list') return undefined;
    const { items, resourceVersion } = listed.value;
    const { resource } = this.#route.served;
    for (const { metadata } of items) {
      const name = metadata?.name ?? '';
      const ref = { resource, namespace: metadata?.namespace ?? '', name };
      const gone = this.#ask(call, { verb: 'delete', ref, ...request }, options);
      if (!gone.ok && gone.error.kind !== 'gone') return this.#refuse(call, gone.error, name);
    }
    call.exchange.answer(jsonAnswer(200, this.#listDocument(items, resourceVersion)));
    return undefined;
  }

  #ask(call: Call, request: ApiRequest, options: HandleOptions = {}): Outcome<KubeAnswer> {
    return this.#parts.server.handle(request, call.user, options);
  }

  #refuse(call: Call, refusal: Refusal, name = ''): undefined {
    call.exchange.answer(refusalAnswer(refusal, { ...this.#subject, name }));
  }
}

function withoutKind(object: KubeObject): unknown {
  return omit(object, ['kind', 'apiVersion']);
}
