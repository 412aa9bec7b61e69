import type { KubeObject } from '../../kube/port.ts';

export type Named = KubeObject & { readonly name: string };

/** Objects in the order of their names, which lead them; key order is lost. */
export function byName(objects: readonly KubeObject[]): Named[] {
  const plain = JSON.parse(JSON.stringify(objects)) as KubeObject[];
  return plain.map((object) => {
    const { kind, metadata } = object;
    const { namespace = '', name = '' } = metadata ?? {};
    return Object.assign(object, { name: `${kind} ${namespace}/${name}` });
  }).toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

/** `Kind namespace/name` of each. */
export function namesOf(objects: readonly Named[]): string[] {
  return objects.map(({ name }) => name);
}
