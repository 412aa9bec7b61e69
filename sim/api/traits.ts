import type { Resource } from '../../kube/resource.ts';
import { schemaOf } from '../../kube/schema/kinds.ts';

/** How the API server treats one kind where kinds differ (A6, A7). */
export interface Traits {
  /** Has a status sub-resource: the main endpoint ignores status and the other one all else. */
  readonly status: boolean;
  /**
   * `none`: never set; `spec`: 1 at creation, +1 when anything but metadata and status changes;
   * `custom`: the same, and +1 when deletion starts.
   */
  readonly generation: 'none' | 'spec' | 'custom';
  /** PUT without a version is allowed. */
  readonly unconditional: boolean;
  /** PUT may create, so a PUT that names a uid meets 409 instead of 404 when the object is gone. */
  readonly createOnUpdate: boolean;
  readonly custom: boolean;
}

const plain: Traits = {
  status: false, generation: 'none', unconditional: true, createOnUpdate: false, custom: false,
};
const workload: Traits = { ...plain, status: true, generation: 'spec' };

// Read off the registry strategies of Kubernetes 1.29 to 1.32.
const builtIn: Readonly<Record<string, Traits>> = {
  Service: { ...plain, status: true, createOnUpdate: true },
  Node: { ...plain, status: true },
  Pod: { ...plain, status: true },
  Namespace: { ...plain, status: true, unconditional: false },
  ServiceAccount: { ...plain, unconditional: false },
  Event: { ...plain, createOnUpdate: true },
  EndpointSlice: { ...plain, generation: 'spec' },
  Lease: { ...plain, unconditional: false, createOnUpdate: true },
  PodDisruptionBudget: { ...workload, createOnUpdate: false },
  FlowSchema: workload,
  CustomResourceDefinition: { ...workload, unconditional: false },
  Deployment: workload,
  ReplicaSet: workload,
  DaemonSet: workload,
  StatefulSet: workload,
};

const customWithStatus: Traits = {
  status: true, generation: 'custom', unconditional: false, createOnUpdate: false, custom: true,
};
const customPlain: Traits = { ...customWithStatus, status: false };

/** The traits of a kind; kinds that nothing is known of have neither status nor generation. */
export function traitsOf(resource: Resource): Traits {
  const known = builtIn[resource.kind];
  if (known !== undefined) return known;
  const schema = schemaOf(resource.group, resource.kind);
  if (schema === undefined) return plain;
  return schema.statusSubresource ? customWithStatus : customPlain;
}
