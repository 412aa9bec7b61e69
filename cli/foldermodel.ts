import { createDecoder, type Decode } from '../kube/decode.ts';
import {
  placeManifests,
  type ManifestFault,
  type ManifestObject,
  type Manifests,
} from '../kube/manifest.ts';
import type { KubeObject } from '../kube/port.ts';
import type { IpamSettings } from '../lb/ipam/settings.ts';
import type { EndpointSlice, Fault, L2Policy, Node, Pool, Service } from '../lb/model.ts';
import { flattenSettings, readSettings as settingsOf } from '../settings.ts';
import { nameSettings } from '../settingtable.ts';
import { readSettings } from '../sim/cluster/manifests.ts';

/** One decoded object and the manifest that it came from. */
export interface Row<T> {
  readonly value: T;
  readonly place: ManifestObject;
}

/** An object that could not be decoded at all. */
export interface Refusal {
  readonly place: ManifestObject;
  readonly faults: readonly Fault[];
}

/** A folder as the controller would see it, in the order of the files. */
export interface FolderModel {
  readonly services: readonly Row<Service>[];
  readonly pools: readonly Row<Pool>[];
  readonly policies: readonly Row<L2Policy>[];
  readonly nodes: readonly Row<Node>[];
  readonly slices: readonly Row<EndpointSlice>[];
  /** Of the ConfigMap `fairlead-config` among the objects; what is wrong there has its default. */
  readonly ipam: IpamSettings;
  /** Every object, decoded or not, with what admission adds. */
  readonly all: readonly ManifestObject[];
  /** The second and further objects of one kind, namespace and name. */
  readonly repeated: readonly ManifestFault[];
  readonly refusals: readonly Refusal[];
}

/**
 * Decodes what the controller would decode. Admission is stood in for: a missing namespace is
 * `default`, and each object gets a uid and a version. The first of several of one name counts.
 */
export function modelOf(manifests: Manifests): FolderModel {
  const placed = placeManifests(manifests.objects);
  const all = placed.objects.map((place, index) => ({
    ...place,
    object: admitted(place.object, index),
  }));
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
    ipam: ipamOf(all.map(({ object }) => object)),
    all,
    repeated: placed.faults,
    refusals,
  };
}

function ipamOf(objects: readonly KubeObject[]): IpamSettings {
  const { values } = nameSettings(flattenSettings(readSettings(objects, [])));
  return settingsOf(values).settings.ipam;
}

/** Objects that an API holds as a folder; they have no places in a file. */
export function storedModel(objects: readonly KubeObject[]): FolderModel {
  return modelOf({
    objects: objects.map((object) => ({
      object,
      file: '',
      positionOf: () => ({ line: 0, column: 0 }),
    })),
    faults: [],
  });
}

function admitted(object: KubeObject, index: number): KubeObject {
  const given = { uid: `manifest-${index}`, resourceVersion: String(index + 1) };
  return { ...object, metadata: { ...given, ...object.metadata } };
}

/** `web/nginx`, or the name alone for cluster-scoped objects. */
export function nameOf({ object }: ManifestObject): string {
  const { namespace = '', name = '' } = object.metadata ?? {};
  return namespace === '' ? name : `${namespace}/${name}`;
}
