import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseManifests } from '../../kube/manifest.ts';
import type { KubeObject } from '../../kube/port.ts';
import { assert } from '../../lb/result.ts';
import { patchJson } from '../../sim/api/jsonpatch.ts';

/** The part of kustomize.config.k8s.io/v1beta1 that the overlays of kind/ are written in. */
interface Kustomization {
  readonly resources: readonly string[];
  readonly patches: readonly Patch[];
}

interface Patch {
  readonly target: { readonly kind: string; readonly name: string };
  /** A list of JSON patch operations, as YAML. */
  readonly patch: string;
}

/**
 * What `kubectl kustomize FOLDER` builds, in the order of the files. Folders are part of the
 * program, so a word that is not understood here is a bug and ends it.
 */
export function buildKustomization(folder: string): KubeObject[] {
  const { resources, patches } = readKustomization(folder);
  const objects = resources.flatMap((named) => (named.endsWith('.yaml')
    ? readObjects(join(folder, named)) : buildKustomization(join(folder, named))));
  return patches.reduce(applied, objects);
}

function applied(objects: KubeObject[], { target, patch }: Patch): KubeObject[] {
  const matches = ({ kind, metadata }: KubeObject): boolean => (
    kind === target.kind && metadata?.name === target.name
  );
  assert(objects.some(matches), `${target.kind} ${target.name} is there to be patched`);
  const operations: unknown = parse(patch);
  return objects.map((object) => {
    if (!matches(object)) return object;
    const patched = patchJson(object, operations);
    assert(patched.ok, `the patch of ${target.kind} ${target.name} applies`);
    return patched.value as KubeObject;
  });
}

function readObjects(file: string): KubeObject[] {
  const { objects, faults } = parseManifests(readFileSync(file, 'utf8'), file);
  assert(faults.length === 0, `${file} is a manifest: ${faults[0]?.message ?? ''}`);
  return objects.map(({ object }) => object);
}

const words = ['apiVersion', 'kind', 'resources', 'patches'];

function readKustomization(folder: string): Kustomization {
  const file = join(folder, 'kustomization.yaml');
  const value = parse(readFileSync(file, 'utf8')) as Partial<Kustomization>;
  const unknown = Object.keys(value).filter((word) => !words.includes(word));
  assert(unknown.length === 0, `${file} has nothing but ${words.join(', ')}: ${unknown.join()}`);
  return { resources: value.resources ?? [], patches: value.patches ?? [] };
}
