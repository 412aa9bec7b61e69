import { join } from 'node:path';
import type { KubeObject } from '../../kube/port.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Profile } from '../install.ts';
import { configured, type Choice } from './choices.ts';
import { buildKustomization } from './kustomize.ts';

/** Where the manifests are. */
export const kindFolder = join(import.meta.dirname, '..', '..', 'kind');

/** The folder that a profile is built from. */
export function profileFolder(profile: Profile): string {
  return profile === 'base' ? join(kindFolder, 'base') : join(kindFolder, 'overlays', profile);
}

/** The objects of a profile in the order in which they can be applied, with choices made. */
export function profileObjects(
  profile: Profile, choices: readonly Choice[],
): Result<KubeObject[], string> {
  let objects = buildKustomization(profileFolder(profile));
  for (const choice of choices) {
    const changed = configured(objects, choice);
    if (!changed.ok) return err(changed.error);
    objects = changed.value;
  }
  return ok(objects.toSorted((left, right) => rank(left) - rank(right)));
}

// A server refuses objects of a namespace that is not there yet; the rest waits for nothing.
function rank({ kind }: KubeObject): number {
  const first = ['Namespace', 'CustomResourceDefinition'].indexOf(kind ?? '');
  return first < 0 ? 2 : first;
}
