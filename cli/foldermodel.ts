import { createDecoder, type Decode } from '../kube/decode.ts';
import type { Json, KubeObject } from '../kube/port.ts';
import { resourceOf } from '../kube/resource.ts';
import type { EndpointSlice, Fault, L2Policy, Node, Pool, Service } from '../lb/model.ts';
import type { Folder } from './folder.ts';
import type { PlacedObject } from './manifestfile.ts';

/** One decoded object and the manifest that it came from. */
export interface Row<T> {
  readonly value: T;
  readonly place: PlacedObject;
}

/** An object that could not be decoded at all. */
export interface Refusal {
  readonly place: PlacedObject;
  readonly faults: readonly Fault[];
}

/** A folder as the controller would see it, in the order of the files. */
export interface FolderModel {
  readonly services: readonly Row<Service>[];
  readonly pools: readonly Row<Pool>[];
  readonly policies: readonly Row<L2Policy>[];
  readonly nodes: readonly Row<Node>[];
  readonly slices: readonly Row<EndpointSlice>[];
  /** Every object, decoded or not, with what admission adds. */
  readonly all: readonly PlacedObject[];
  /** The second and further objects of one kind, namespace and name. */
  readonly repeated: readonly PlacedObject[];
  readonly refusals: readonly Refusal[];
}

/**
 * Decodes what the controller would decode. Admission is stood in for: the namespace of the
 * folder's objects is `default` where none is named, and each gets a uid and a version. The last of
 * several objects of one name counts, as after `kubectl apply`.
 */
export function modelOf(folder: Folder): FolderModel {
  const byKey = new Map<string, PlacedObject>();
  const repeated: PlacedObject[] = [];
  for (const [index, place] of folder.objects.entries()) {
    const object = admitted(place.object, index);
    const admittedPlace = { ...place, object };
    const key = keyOf(object);
    if (byKey.has(key)) repeated.push(admittedPlace);
    byKey.set(key, admittedPlace);
  }
  const all = [...byKey.values()];
  const refusals: Refusal[] = [];
  const decoder = createDecoder();
  const rows = <T>(kind: string, decode: Decode<T>): Row<T>[] =>
    all.filter(({ object }) => object.kind === kind).flatMap((place) => {
      const decoded = decode(place.object);
      if (decoded.ok) return [{ value: decoded.value, place }];
      refusals.push({ place, faults: decoded.error });
      return [];
    });
  return {
    services: rows('Service', decoder.service),
    pools: rows('CiliumLoadBalancerIPPool', decoder.pool),
    policies: rows('CiliumL2AnnouncementPolicy', decoder.l2Policy),
    nodes: rows('Node', decoder.node),
    slices: rows('EndpointSlice', decoder.slice),
    all,
    repeated,
    refusals,
  };
}

function admitted(object: KubeObject, index: number): KubeObject {
  const namespaced = isNamespaced(object);
  const namespace = object.metadata?.namespace ?? 'default';
  const metadata: Record<string, Json | undefined> = {
    uid: `manifest-${index}`,
    resourceVersion: String(index + 1),
    ...object.metadata,
    ...(namespaced ? { namespace } : {}),
  };
  return { ...object, metadata };
}

// An unknown kind keeps what it says of itself.
function isNamespaced({ apiVersion, kind, metadata }: KubeObject): boolean {
  const resource = resourceOf(apiVersion ?? '', kind ?? '');
  return resource?.namespaced ?? metadata?.namespace !== undefined;
}

function keyOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = (apiVersion ?? '').includes('/') ? (apiVersion ?? '').split('/')[0] : '';
  return [group, kind, metadata?.namespace ?? '', metadata?.name].join('/');
}

/** `web/nginx`, or the name alone for cluster-scoped objects. */
export function nameOf({ object }: PlacedObject): string {
  const { namespace = '', name = '' } = object.metadata ?? {};
  return namespace === '' ? name : `${namespace}/${name}`;
}
