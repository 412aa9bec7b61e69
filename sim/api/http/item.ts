import type { Json, KubeAnswer, ObjectRef } from '../../../kube/port.ts';
import { ok } from '../../../lb/result.ts';
import { badRequest, type Outcome, type Refusal } from '../refusal.ts';
import type { ApiRequest, HandleOptions } from '../server.ts';
import { mediaType, objectBody, parsedBody } from './body.ts';
import type { FrontParts, ObjectCall } from './call.ts';
import { deletionOf } from './deletion.ts';
import { jsonAnswer, type HttpRequest } from './message.ts';
import { writeOptions } from './parameters.ts';
import type { Route } from './route.ts';
import { examine, withWarnings, type Examined } from './strictness.ts';
import {
  deletedStatus, methodNotAllowed, notSimulated, refusalAnswer, unknownResource, unsupportedType,
  type StatusSubject,
} from './status.ts';

/** Kinds whose deletion answers with the object instead of a Status, as their registries do. */
const returnedWhenDeleted: readonly string[] = ['Pod', 'Service', 'ServiceAccount'];

const streaming: readonly string[] = [
  'log', 'exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers',
];

/** One object: get, put, patch, delete, and its status. */
export class ItemEnd {
  readonly #parts: FrontParts;
  readonly #route: Route & { kind: 'item' };
  readonly #ref: ObjectRef;
  readonly #subject: StatusSubject;

  constructor(parts: FrontParts, route: Route & { kind: 'item' }) {
    this.#parts = parts;
    this.#route = route;
    const { resource } = route.served;
    this.#ref = { resource, namespace: route.namespace, name: route.name };
    const { group, plural, kind } = resource;
    this.#subject = { group, plural, kind, name: route.name };
  }

  serve(call: ObjectCall): undefined {
    const { subresource, served } = this.#route;
    if (subresource !== '' && !(subresource === 'status' && served.status)) {
      return this.#refuse(call, this.#noSubresource());
    }
    switch (call.request.method) {
      case 'GET': return this.#finish(call, this.#ask(call, { verb: 'get', ref: this.#ref }));
      case 'PUT': return this.#put(call);
      case 'PATCH': return this.#patch(call);
      case 'DELETE': return subresource === ''
        ? this.#delete(call)
        : this.#refuse(call, methodNotAllowed);
      default: return this.#refuse(call, methodNotAllowed);
    }
  }

  #noSubresource(): Refusal {
    const { subresource, served } = this.#route;
    if (served.resource.kind !== 'Pod' || !streaming.includes(subresource)) return unknownResource;
    return notSimulated(
      `pods/${subresource} is not available in the simulator: its pods have no containers`,
    );
  }

  #put(call: ObjectCall): undefined {
    const body = objectBody(call.request, this.#route.served);
    if (!body.ok) return this.#refuse(call, body.error);
    const { served } = this.#route;
    const examined = examine(call.request, served, { body: body.value, as: 'object' });
    if (!examined.ok) return this.#refuse(call, examined.error);
    const request: ApiRequest = {
      verb: 'update', ref: this.#ref, ...this.#sub(), body: examined.value.body,
    };
    return this.#write(call, { body: request, warnings: examined.value.warnings });
  }

  #patch(call: ObjectCall): undefined {
    const request = this.#patchRequest(call.request);
    if (request.ok) return this.#write(call, request.value);
    // What is wrong with a patch itself is told without its object.
    return call.exchange.answer(refusalAnswer(request.error));
  }

  #patchRequest(request: HttpRequest): Outcome<Examined<ApiRequest>> {
    const ref = this.#ref;
    const sub = this.#sub();
    const { served } = this.#route;
    switch (mediaType(request)) {
      case 'application/merge-patch+json': case 'application/json-patch+json':
      case 'application/strategic-merge-patch+json': {
        const body = parsedBody(request);
        if (!body.ok) return body;
        const verb = patchVerbs.get(mediaType(request)) ?? 'patch';
        // Parsed JSON.
        const given = body.value as Json;
        // The operations of a JSON patch are no fields.
        const examined = verb === 'json-patch'
          ? ok({ body: given, warnings: [] })
          : examine(request, served, { body: given, as: 'patch' });
        return examined.ok
          ? ok({ ...examined.value, body: { verb, ref, ...sub, body: examined.value.body } })
          : examined;
      }
      case 'application/apply-patch+yaml': {
        const manager = request.query.get('fieldManager') ?? '';
        if (manager === '') {
          const why = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: '
            + 'is required for apply patch';
          return badRequest(why);
        }
        const body = objectBody(request, served);
        if (!body.ok) return body;
        const examined = examine(request, served, { body: body.value, as: 'apply' });
        if (!examined.ok) return examined;
        const { body: applied, warnings } = examined.value;
        return ok({ warnings, body: { verb: 'apply', ref, ...sub, manager, body: applied } });
      }
      default: return {
        ok: false,
        error: unsupportedType(
          `the body of the request was in an unknown format - accepted media types include: `
          + 'application/json-patch+json, application/merge-patch+json, '
          + 'application/apply-patch+yaml',
        ),
      };
    }
  }

  #write(call: ObjectCall, { body: request, warnings }: Examined<ApiRequest>): undefined {
    const options = writeOptions(call.request);
    if (!options.ok) return this.#refuse(call, options.error);
    const { resource, namespace, name } = this.#ref;
    const existed = this.#parts.server.get(resource, namespace, name) !== undefined;
    const outcome = this.#ask(call, request, options.value);
    return this.#finish(call, outcome, { code: existed ? 200 : 201, warnings });
  }

  #delete(call: ObjectCall): undefined {
    const asked = deletionOf(call.request);
    if (!asked.ok) return this.#refuse(call, asked.error);
    const { request, options } = asked.value;
    const deleted = this.#ask(call, { verb: 'delete', ref: this.#ref, ...request }, options);
    if (!deleted.ok) return this.#refuse(call, deleted.error);
    if (deleted.value.kind !== 'object') return undefined;
    const { object } = deleted.value;
    const { resource, namespace, name } = this.#ref;
    const left = this.#parts.server.get(resource, namespace, name);
    const uid = object.metadata?.uid;
    const stays = left !== undefined && left.metadata?.uid === uid;
    if (stays || returnedWhenDeleted.includes(resource.kind)) return this.#finish(call, deleted);
    return call.exchange.answer(jsonAnswer(200, deletedStatus(this.#subject, uid)));
  }

  #sub(): { subresource?: 'status' } {
    return this.#route.subresource === 'status' ? { subresource: 'status' } : {};
  }

  #finish(
    call: ObjectCall, outcome: Outcome<KubeAnswer>,
    { code, warnings }: { code: number; warnings: readonly string[] } = { code: 200, warnings: [] },
  ): undefined {
    if (!outcome.ok) return this.#refuse(call, outcome.error);
    if (outcome.value.kind !== 'object') return undefined;
    const shown = call.shown.object(outcome.value.object, this.#parts.world.wall);
    return call.exchange.answer(withWarnings(jsonAnswer(code, shown), warnings));
  }

  #ask(call: ObjectCall, request: ApiRequest, options: HandleOptions = {}): Outcome<KubeAnswer> {
    return this.#parts.server.handle(request, call.user, options);
  }

  #refuse(call: ObjectCall, refusal: Refusal): undefined {
    call.exchange.answer(refusalAnswer(refusal, this.#subject));
  }
}

const patchVerbs: ReadonlyMap<string, 'json-patch' | 'strategic-patch'> = new Map([
  ['application/json-patch+json', 'json-patch'],
  ['application/strategic-merge-patch+json', 'strategic-patch'],
]);
