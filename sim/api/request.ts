import type { Json, KubeObject, KubeRequest, ObjectRef } from '../../kube/port.ts';

/** What a client can ask, and what only kubectl and scenarios do. */
export type ApiRequest =
  | Exclude<KubeRequest, { readonly verb: 'list' }>
  | ListRequest
  /** RFC 6902, and the patch of Kubernetes that merges lists by key (built-in kinds only, A8). */
  | {
    readonly verb: 'json-patch' | 'strategic-patch'; readonly ref: ObjectRef;
    readonly subresource?: 'status'; readonly body: Json;
  }
  /** The `/scale` of a workload, autoscaling/v1 (A17); `write-scale` is a PUT of the body. */
  | { readonly verb: 'get-scale'; readonly ref: ObjectRef }
  | {
    readonly verb: 'write-scale' | 'patch-scale' | 'json-patch-scale'; readonly ref: ObjectRef;
    readonly body: Json;
  }
  /** POST of a policy/v1 Eviction to a pod's `/eviction`: a deletion that budgets may refuse. */
  | { readonly verb: 'evict'; readonly ref: ObjectRef; readonly body: KubeObject };

/** Requests that may change something. */
export type WriteRequest = Exclude<ApiRequest, { readonly verb: 'get' | 'list' | 'get-scale' }>;

/** Patches of an object. */
export type PatchRequest = Extract<
  ApiRequest, { readonly verb: 'patch' | 'json-patch' | 'strategic-patch' }
>;

/** Writes to the scale of an object. */
export type ScaleRequest = Extract<
  ApiRequest, { readonly verb: 'write-scale' | 'patch-scale' | 'json-patch-scale' }
>;

/** An eviction. */
export type EvictRequest = Extract<ApiRequest, { readonly verb: 'evict' }>;

/** A list, with what only HTTP clients ask for. */
export type ListRequest = KubeRequest & {
  readonly verb: 'list';
  /** `spec.nodeName=n1,status.phase!=Failed`. */
  readonly fieldSelector?: string;
  /** `Exact` answers from the version of the request, or 410 when it is forgotten (A2). */
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
};

/** What an HTTP query says beside the request. */
export interface HandleOptions {
  /** Plans and answers without committing (A10). */
  readonly dryRun?: boolean;
  /** Under which name `managedFields` record a write that is no apply; absent: they do not. */
  readonly fieldManager?: string;
  /** False: an apply is refused where others own its fields with another value (A9). */
  readonly force?: boolean;
  /** What becomes of the objects that a deleted one owns (A13); Background where absent. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
}
