import { accessMessages } from './access.ts';
import { appsMessages } from './apps.ts';
import { clusterMessages } from './cluster.ts';
import { coreMessages } from './core.ts';
import { parseMessages, type FieldType, type Message } from './grammar.ts';
import { metaMessages } from './meta.ts';
import { podMessages } from './pod.ts';
import { volumeMessages } from './volume.ts';

/**
 * The built-in messages of Kubernetes 1.32 by qualified name: the one source of merge keys, list
 * types, wire numbers and OpenAPI schemas of built-in kinds (simulator.md 6.4, 2).
 */
export const builtInMessages: ReadonlyMap<string, Message> = parseMessages([
  metaMessages, coreMessages, podMessages, volumeMessages, appsMessages, accessMessages,
  clusterMessages,
]);

/** API groups by the package that holds their messages; the version of all is v1. */
export const groupPackages: ReadonlyMap<string, string> = new Map([
  ['', 'core'],
  ['apps', 'apps'],
  ['policy', 'policy'],
  ['rbac.authorization.k8s.io', 'rbac'],
  ['discovery.k8s.io', 'discovery'],
  ['coordination.k8s.io', 'coordination'],
  ['autoscaling', 'autoscaling'],
  ['authorization.k8s.io', 'authorization'],
  ['authentication.k8s.io', 'authentication'],
  ['flowcontrol.apiserver.k8s.io', 'flowcontrol'],
  ['apiextensions.k8s.io', 'apiextensions'],
]);

/** The message of a built-in kind, or undefined for custom and unknown ones. */
export function messageOfKind(apiVersion: string, kind: string): Message | undefined {
  const slash = apiVersion.indexOf('/');
  const group = apiVersion.slice(0, Math.max(0, slash));
  if (apiVersion.slice(slash + 1) !== 'v1') return undefined;
  const inPackage = groupPackages.get(group);
  return inPackage === undefined ? undefined : builtInMessages.get(`${inPackage}.${kind}`);
}

/** The message that a value of that type is, if it is one. */
export function messageOfType(type: FieldType | undefined): Message | undefined {
  return type?.kind === 'message' ? builtInMessages.get(type.name) : undefined;
}
