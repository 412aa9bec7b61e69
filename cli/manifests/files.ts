import { stringify } from 'yaml';
import { kindSchemas } from '../../kube/schema/kinds.ts';
import { definitionOf } from '../../kube/schema/crd.ts';

/** A file of the clone that is generated: its path from the root and its text. */
export interface WrittenFile {
  readonly path: string;
  readonly text: string;
}

const head = '# Written by `npm run manifests` from kube/schema; edit that and run it again.\n';

/** The definitions of the eight kinds, one file each, and the kustomization that lists them. */
export function definitionFiles(): WrittenFile[] {
  const files = kindSchemas.map((schema) => ({
    path: `kind/crds/${schema.plural}.yaml`, text: head + yamlOf(definitionOf(schema)),
  }));
  const resources = files.map(({ path }) => path.slice('kind/crds/'.length)).toSorted();
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources,
  };
  return [...files, { path: 'kind/crds/kustomization.yaml', text: head + yamlOf(kustomization) }];
}

/**
 * One document of YAML 1.1, which kubectl reads: `Yes` and `12:30` have to be quoted there. Equal
 * values give equal bytes.
 */
export function yamlOf(value: unknown): string {
  return stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}
