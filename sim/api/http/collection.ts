import type { KubeAnswer } from '../../../kube/port.ts';
import type { Timer } from '../../../lb/ports.ts';
import type { Outcome, Refusal } from '../refusal.ts';
import type { ApiRequest, HandleOptions } from '../server.ts';
import { keyOfObject } from '../store.ts';
import { objectBody } from './body.ts';
import type { FrontParts, ObjectCall } from './call.ts';
import { deletionOf } from './deletion.ts';
import { continueToken, listParameters, pageExpired, type ListParameters } from './listing.ts';
import { jsonAnswer, type Hold } from './message.ts';
import type { Route } from './route.ts';
import { methodNotAllowed, refusalAnswer, type StatusSubject } from './status.ts';
import { examine, withWarnings } from './strictness.ts';
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

  serve(call: ObjectCall): Hold | undefined {
    const { method, query } = call.request;
    const watch = query.get('watch');
    if (method === 'GET' && (watch === 'true' || watch === '1')) return this.#watch(call);
    if (method === 'GET') return this.#list(call, this.#parts.world.now + aheadMax);
    if (method === 'POST') return this.#create(call);
    if (method === 'DELETE') return this.#deleteAll(call);
    return this.#refuse(call, methodNotAllowed);
  }

  #watch(call: ObjectCall): Hold | undefined {
    const { served, namespace } = this.#route;
    const parameters = watchParameters(call.request);
    if (!parameters.ok) return this.#refuse(call, parameters.error);
    const watch = new HttpWatch(this.#parts, { ...call, served, namespace }, parameters.value);
    return watch.start() ? watch : undefined;
  }

  #list(call: ObjectCall, until: number): Hold | undefined {
    const parameters = listParameters(call.request);
    if (!parameters.ok) return this.#refuse(call, parameters.error);
    const { after } = parameters.value;
    const { world, options } = this.#parts;
    const listed = this.#ask(call, this.#listRequest(call, parameters.value));
    if (!listed.ok) {
      const waits = listed.error.code === 504 && world.now < until && !options.frozen();
      if (waits) return this.#lookAgain(call, until);
      const expired = after !== undefined && listed.error.code === 410;
      return this.#refuse(call, expired ? pageExpired : listed.error);
    }
    if (listed.value.kind === 'list') this.#answerList(call, listed.value, parameters.value);
    return undefined;
  }

  #answerList(
    call: ObjectCall,
    { items, resourceVersion }: KubeAnswer & { kind: 'list' },
    { limit, after }: ListParameters,
  ): void {
    const left = after === undefined
      ? items
      : items.filter((item) => keyOfObject(item) > after.key);
    const page = limit === undefined ? left : left.slice(0, limit);
    const last = page.at(-1);
    const { query } = call.request;
    const counted = !query.has('labelSelector') && !query.has('fieldSelector');
    const more = last !== undefined && page.length < left.length && {
      continue: continueToken({ version: Number(resourceVersion), key: keyOfObject(last) }),
      ...(counted && { remainingItemCount: left.length - page.length }),
    };
    const { wall } = this.#parts.world;
    const shown = call.shown.list(page, { resourceVersion, wall, ...(more && { more }) });
    call.exchange.answer(jsonAnswer(200, shown));
  }

  // A further page shows the snapshot of the first.
  #listRequest(
    { request: { query } }: ObjectCall, { exact, after, resourceVersion }: ListParameters,
  ): ApiRequest & { verb: 'list' } {
    const { served, namespace } = this.#route;
    const labelSelector = query.get('labelSelector');
    const fieldSelector = query.get('fieldSelector');
    const version = after === undefined ? resourceVersion : String(after.version);
    return {
      verb: 'list',
      resource: served.resource,
      namespace,
      ...(fieldSelector !== undefined && { fieldSelector }),
      ...((exact || after !== undefined) && { resourceVersionMatch: 'Exact' }),
      options: {
        ...(labelSelector !== undefined && { labelSelector }),
        ...(version !== '' && { resourceVersion: version }),
      },
    };
  }

  #lookAgain(call: ObjectCall, until: number): Hold {
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

  #create(call: ObjectCall): undefined {
    const { served, namespace } = this.#route;
    const { resource } = served;
    const body = objectBody(call.request, served);
    if (!body.ok) return this.#refuse(call, body.error);
    const examined = examine(call.request, served, { body: body.value, as: 'object' });
    if (!examined.ok) return this.#refuse(call, examined.error);
    const options = writeOptions(call.request);
    if (!options.ok) return this.#refuse(call, options.error);
    const request: ApiRequest = { verb: 'create', resource, namespace, body: examined.value.body };
    const created = this.#ask(call, request, options.value);
    const name = body.value.metadata?.name ?? '';
    if (!created.ok) return this.#refuse(call, created.error, name);
    if (created.value.kind === 'object') {
      const shown = call.shown.object(created.value.object, this.#parts.world.wall);
      call.exchange.answer(withWarnings(jsonAnswer(201, shown), examined.value.warnings));
    }
    return undefined;
  }

  #deleteAll(call: ObjectCall): undefined {
    const asked = deletionOf(call.request);
    if (!asked.ok) return this.#refuse(call, asked.error);
    const { request, options } = asked.value;
    const parameters = listParameters(call.request);
    if (!parameters.ok) return this.#refuse(call, parameters.error);
    const listed = this.#ask(call, this.#listRequest(call, parameters.value));
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
    const { wall } = this.#parts.world;
    call.exchange.answer(jsonAnswer(200, call.shown.list(items, { resourceVersion, wall })));
    return undefined;
  }

  #ask(call: ObjectCall, request: ApiRequest, options: HandleOptions = {}): Outcome<KubeAnswer> {
    return this.#parts.server.handle(request, call.user, options);
  }

  #refuse(call: ObjectCall, refusal: Refusal, name = ''): undefined {
    call.exchange.answer(refusalAnswer(refusal, { ...this.#subject, name }));
  }
}
