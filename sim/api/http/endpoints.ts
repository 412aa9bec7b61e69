import type { KubeObject } from '../../../kube/port.ts';
import { resources } from '../../../kube/resource.ts';
import { listOf, objectOf, textOf, type JsonObject } from '../json.ts';
import { labelsOf } from '../matching.ts';
import { notFound } from '../refusal.ts';
import type { ApiServer } from '../server.ts';
import type { FrontParts, ObjectCall } from './call.ts';
import type { ServedKind } from './kinds.ts';
import { jsonAnswer } from './message.ts';
import type { Route } from './route.ts';
import { methodNotAllowed, notSimulated, refusalAnswer } from './status.ts';

const resource = {
  group: '', version: 'v1', plural: 'endpoints', kind: 'Endpoints', namespaced: true,
} as const;

/** Endpoints as discovery shows them: a view that nobody writes or watches. */
export const endpointsKind: ServedKind = {
  resource, version: 'v1', singular: 'endpoints', shortNames: ['ep'], categories: [], status: false,
  verbs: ['get', 'list'], subresources: [],
};

/**
 * The Endpoints of Services, made from their EndpointSlices when they are asked for: kubectl before
 * 1.31 describes a Service by them.
 */
export class EndpointsEnd {
  readonly #parts: FrontParts;
  readonly #route: Route & { kind: 'collection' | 'item' };

  constructor(parts: FrontParts, route: Route & { kind: 'collection' | 'item' }) {
    this.#parts = parts;
    this.#route = route;
  }

  serve({ request, exchange, shown }: ObjectCall): undefined {
    const { server, world: { wall } } = this.#parts;
    const { namespace } = this.#route;
    const name = this.#route.kind === 'item' ? this.#route.name : '';
    const subject = { group: '', plural: 'endpoints', kind: 'Endpoints', name };
    if (request.method !== 'GET') {
      return exchange.answer(refusalAnswer(methodNotAllowed, subject));
    }
    if (request.query.has('watch')) {
      const message = 'endpoints cannot be watched in the simulator: watch endpointslices';
      return exchange.answer(refusalAnswer(notSimulated(message), subject));
    }
    if (name === '') {
      const services = server.list(resources.services).filter((service) =>
        namespace === '' || service.metadata?.namespace === namespace);
      const items = services.map((service) => endpointsOf(server, service));
      const resourceVersion = String(server.version);
      return exchange.answer(jsonAnswer(200, shown.list(items, { resourceVersion, wall })));
    }
    const service = server.get(resources.services, namespace, name);
    if (service === undefined) {
      const missing = notFound({ resource, namespace, name });
      return missing.ok ? undefined : exchange.answer(refusalAnswer(missing.error, subject));
    }
    return exchange.answer(jsonAnswer(200, shown.object(endpointsOf(server, service), wall)));
  }
}

function endpointsOf(server: ApiServer, service: KubeObject): KubeObject {
  const { name = '', namespace = '', ...rest } = service.metadata ?? {};
  const [family] = listOf(objectOf(service['spec'])?.['ipFamilies']);
  const slices = server.list(resources.endpointSlices).filter((slice) =>
    slice.metadata?.namespace === namespace && slice['addressType'] === (family ?? 'IPv4')
    && labelsOf(slice)['kubernetes.io/service-name'] === name);
  const { uid, resourceVersion, creationTimestamp } = rest;
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name, namespace, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    subsets: slices.flatMap(subsetOf),
  };
}

function subsetOf(slice: KubeObject): JsonObject[] {
  const endpoints = listOf(slice['endpoints']).map((entry) => objectOf(entry) ?? {});
  if (endpoints.length === 0) return [];
  const ready = (entry: JsonObject): boolean =>
    objectOf(entry['conditions'])?.['ready'] !== false;
  const [on, off] = [true, false].map((wanted) =>
    endpoints.filter((entry) => ready(entry) === wanted).flatMap(addressesOf));
  return [{
    ...(on !== undefined && on.length > 0 && { addresses: on }),
    ...(off !== undefined && off.length > 0 && { notReadyAddresses: off }),
    ports: slice['ports'] ?? [],
  }];
}

function addressesOf({ addresses, nodeName, targetRef }: JsonObject): JsonObject[] {
  return listOf(addresses).flatMap((ip) => (textOf(ip) === undefined ? [] : [{
    ip, ...(nodeName !== undefined && { nodeName }), ...(targetRef !== undefined && { targetRef }),
  }]));
}
