import type { Micros } from '../lb/ports.ts';
import type { Result } from '../lb/result.ts';
import type { Resource } from './resource.ts';

/** JSON as the API server speaks it. Objects from a port are shared and must never be modified. */
export type Json =
  | string | number | boolean | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A Kubernetes object as received: nothing about it is trusted until decoded. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly [key: string]: Json | undefined;
  };
  readonly [key: string]: unknown;
}

export interface ObjectRef {
  readonly resource: Resource;
  /** Empty for cluster-scoped objects, and in lists for all namespaces. */
  readonly namespace: string;
  readonly name: string;
}

export interface ListOptions {
  /** `key=value,key2 in (a,b),!key3`: kubectl's grammar. */
  readonly labelSelector?: string;
  /** Unset: most recent (a consistent read). '0': any, from the watch cache. */
  readonly resourceVersion?: string;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/**
 * One request. `timeout` bounds the wait for an answer; after it the result is `unknown-outcome`
 * for writes and `unreachable` for reads. Bodies are handed over and must not change afterwards.
 */
export type KubeRequest = { readonly timeout?: Micros } & (
  | { readonly verb: 'get'; readonly ref: ObjectRef }
  | {
    readonly verb: 'list'; readonly resource: Resource; readonly namespace: string;
    readonly options: ListOptions;
  }
  | {
    readonly verb: 'create'; readonly resource: Resource; readonly namespace: string;
    readonly body: KubeObject;
  }
  /** PUT: `metadata.resourceVersion` of the body is the precondition where it is set. */
  | {
    readonly verb: 'update'; readonly ref: ObjectRef; readonly subresource?: 'status';
    readonly body: KubeObject;
  }
  /** JSON merge patch (RFC 7386); `metadata.resourceVersion` in it is a precondition. */
  | {
    readonly verb: 'patch'; readonly ref: ObjectRef; readonly subresource?: 'status';
    readonly body: Json;
  }
  /** Server-side apply by `manager`, forced. */
  | {
    readonly verb: 'apply'; readonly ref: ObjectRef; readonly subresource?: 'status';
    readonly manager: string; readonly body: KubeObject;
  }
  /** `gracePeriodSeconds` is for pods: absent is the pod's own; 0 removes at once. */
  | {
    readonly verb: 'delete'; readonly ref: ObjectRef; readonly preconditions?: Preconditions;
    readonly gracePeriodSeconds?: number;
  }
);

/** Every way a request can fail, closed; `message` is the server's sentence or the transport's. */
export interface KubeError {
  readonly kind:
    | 'conflict'          // 409: the resourceVersion or uid precondition failed
    | 'exists'            // 409 AlreadyExists
    | 'gone'              // 404
    | 'expired'           // 410: the resourceVersion was compacted
    | 'invalid'           // 400, 415, 422
    | 'denied'            // 401, 403
    | 'throttled'         // 429
    | 'server'            // 5xx
    | 'unreachable'       // no connection: nothing was done
    | 'unknown-outcome';  // the answer was lost: the write may have happened
  readonly message: string;
  readonly retryAfter?: Micros;
}

export type KubeAnswer =
  | { readonly kind: 'object'; readonly object: KubeObject }
  | {
    readonly kind: 'list'; readonly items: readonly KubeObject[];
    readonly resourceVersion: string;
  };

export type KubeDone = (result: Result<KubeAnswer, KubeError>) => void;

export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string;
  readonly labelSelector?: string;
  /** Events after this version; every later event arrives in order, or the stream ends. */
  readonly resourceVersion: string;
}

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  /** Progress without a change; sent about each minute. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WatchSink {
  event(event: WatchEvent): void;
  /** The stream is over; undefined: it closed in order. Nothing arrives after it. */
  end(error: KubeError | undefined): void;
}

export interface Watch {
  /** No call of the sink happens afterwards. */
  cancel(): void;
}

/**
 * The Kubernetes API as one client sees it. Answers and events arrive later, never inside the call
 * that asked, in order within one watch. One request is one attempt: retries are the caller's.
 */
export interface KubePort {
  request(request: KubeRequest, done: KubeDone): void;
  watch(request: WatchRequest, sink: WatchSink): Watch;
}
