import type { Json, KubeAnswer, ObjectRef } from '../../../kube/port.ts';
import { err, ok } from '../../../lb/result.ts';
import { objectOf } from '../json.ts';
import type { Outcome } from '../refusal.ts';
import type { ApiRequest } from '../request.ts';
import { grantedToken } from '../review.ts';
import { mediaType, parsedBody } from './body.ts';
import type { Call, FrontParts } from './call.ts';
import type { ServedKind, Subresource } from './kinds.ts';
import { jsonAnswer } from './message.ts';
import { writeOptions } from './parameters.ts';
import type { Route } from './route.ts';
import { methodNotAllowed, refusalAnswer, unsupportedType } from './status.ts';

/** `/scale`, `/eviction` and `/token` of one object (A17). */
export class SubresourceEnd {
  readonly #parts: FrontParts;
  readonly #served: ServedKind;
  readonly #sub: Subresource;
  readonly #ref: ObjectRef;

  constructor(parts: FrontParts, route: Route & { kind: 'item' }, sub: Subresource) {
    this.#parts = parts;
    this.#served = route.served;
    this.#sub = sub;
    const { namespace, name } = route;
    this.#ref = { resource: route.served.resource, namespace, name };
  }

  serve(call: Call): undefined {
    const answered = this.#answer(call);
    if (answered.ok && answered.value.kind === 'object') {
      const { object } = answered.value;
      const code = call.request.method === 'POST' ? 201 : 200;
      return call.exchange.answer(jsonAnswer(code, object));
    }
    const { group, plural, kind } = this.#served.resource;
    const subject = { group, plural, kind, name: this.#ref.name };
    const refusal = answered.ok ? methodNotAllowed : answered.error;
    return call.exchange.answer(refusalAnswer(refusal, subject));
  }

  #answer(call: Call): Outcome<KubeAnswer> {
    if (this.#sub.name === 'token') return this.#grant(call);
    const request = this.#request(call);
    if (!request.ok) return request;
    const options = writeOptions(call.request);
    if (!options.ok) return options;
    return this.#parts.server.handle(request.value, call.user, options.value);
  }

  #grant(call: Call): Outcome<KubeAnswer> {
    if (call.request.method !== 'POST') return err(methodNotAllowed);
    const found = this.#parts.server.handle({ verb: 'get', ref: this.#ref }, call.user);
    if (!found.ok) return found;
    const body = parsedBody(call.request);
    if (!body.ok) return body;
    const granted = grantedToken(this.#ref, objectOf(body.value) ?? {}, this.#parts.world.wall);
    return granted.ok ? ok({ kind: 'object', object: granted.value }) : granted;
  }

  #request({ request }: Call): Outcome<ApiRequest> {
    const ref = this.#ref;
    const { method } = request;
    if (method === 'GET' && this.#sub.name === 'scale') return ok({ verb: 'get-scale', ref });
    const body = request.body.length === 0 ? ok({}) : parsedBody(request);
    if (!body.ok) return body;
    if (this.#sub.name === 'eviction') {
      if (method !== 'POST') return err(methodNotAllowed);
      return ok({ verb: 'evict', ref, body: objectOf(body.value) ?? {} });
    }
    // Parsed JSON.
    const scaleBody = body.value as Json;
    if (method === 'PUT') return ok({ verb: 'write-scale', ref, body: scaleBody });
    if (method !== 'PATCH') return err(methodNotAllowed);
    switch (mediaType(request)) {
      case 'application/json-patch+json':
        return ok({ verb: 'json-patch-scale', ref, body: scaleBody });
      // A Scale has no lists that could be merged.
      case 'application/merge-patch+json': case 'application/strategic-merge-patch+json':
        return ok({ verb: 'patch-scale', ref, body: scaleBody });
      default: return err(unsupportedType(
        'the body of the request was in an unknown format - accepted media types include: '
        + 'application/json-patch+json, application/merge-patch+json, '
        + 'application/strategic-merge-patch+json',
      ));
    }
  }
}
