import type { KubeObject } from './port.ts';

/** The key of an object; undefined for what has no usable name. */
export type KeyOf = (object: KubeObject) => string | undefined;

/** `namespace/name`, or the name of a cluster-scoped object; undefined for what has no name. */
export function objectKey(object: KubeObject): string | undefined {
  const name: unknown = object.metadata?.name;
  const namespace: unknown = object.metadata?.namespace;
  if (typeof name !== 'string' || name === '') return undefined;
  return typeof namespace === 'string' && namespace !== '' ? `${namespace}/${name}` : name;
}

/** `objectKey` with a memory, by identity: a hundred nodes then hold one text for each object. */
export function createKeyOf(): KeyOf {
  const known = new WeakMap<KubeObject, string>();
  return (object) => {
    const found = known.get(object);
    if (found !== undefined) return found;
    const key = objectKey(object);
    if (key !== undefined) known.set(object, key);
    return key;
  };
}
