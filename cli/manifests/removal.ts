import { join } from 'node:path';
import type { KubeObject } from '../../kube/port.ts';
import { ok, type Result } from '../../lb/result.ts';
import type { RemovalStep } from '../uninstall.ts';
import { configured } from './choices.ts';
import { buildKustomization } from './kustomize.ts';
import { kindFolder, profileFolder } from './profile.ts';

/**
 * Objects of one step. `workloads` and `rest` are to be deleted, in this order; what `nodes` gives
 * is to be applied between them: it cleans every node, and goes with the rest. Definitions that
 * others may own stay, unless `crds`.
 */
export function removalObjects(
  step: RemovalStep, { image, crds }: { readonly image: string | undefined; crds: boolean },
): Result<KubeObject[], string> {
  const cleaner = buildKustomization(join(kindFolder, 'cleaner'));
  if (step === 'nodes') {
    return image === undefined ? ok(cleaner) : configured(cleaner, { key: 'image', value: image });
  }
  const objects = installed();
  if (step === 'workloads') return ok(objects.filter(isWorkload).map(bare));
  const rest = objects.filter((object) => (
    !isWorkload(object) && (crds || object.kind !== 'CustomResourceDefinition')
  ));
  return ok([...cleaner, ...rest.toReversed()].map(bare));
}

/** Whatever any profile has installed. */
function installed(): KubeObject[] {
  const all = (['base', 'bgp', 'monitoring', 'strict'] as const)
    .flatMap((profile) => buildKustomization(profileFolder(profile)));
  return [...new Map(all.map((object) => [JSON.stringify(bare(object)), object])).values()];
}

function isWorkload({ kind = '' }: KubeObject): boolean {
  return kind === 'DaemonSet' || kind === 'Deployment';
}

/** All that a deletion reads. */
function bare({ apiVersion = '', kind = '', metadata = {} }: KubeObject): KubeObject {
  const { name = '', namespace } = metadata;
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}
